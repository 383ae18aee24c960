import { PortableUnderTest } from "./runners/portable.js";
import { PRISM, PRISM_START_UP_MS } from "./runners/prism.js";
import { testRunner } from "./test_runner.js";

testRunner("prism", () => PortableUnderTest.startUp(PRISM), PRISM_START_UP_MS);
