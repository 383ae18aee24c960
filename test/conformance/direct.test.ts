import { DirectUnderTest } from "./runners/direct.js";
import { testRunner } from "./test_runner.js";

testRunner("direct", async () => new DirectUnderTest());
