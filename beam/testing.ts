/** For tests of pipelines: a source that is played step by step, and a clock that stands still until it is moved. */

export { VirtualClock } from "./platform/clock.js";
export { TestStream } from "./sdk/test_stream.js";
