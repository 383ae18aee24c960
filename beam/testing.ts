/** For tests of pipelines: a source that is played step by step, and a clock that stands still until it is moved. */
import "./only_copy.js";

export { VirtualClock } from "./platform/clock.js";
export { TestStream } from "./sdk/test_stream.js";
