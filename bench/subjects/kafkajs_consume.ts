/** Ceiling: kafkajs reading both topics and doing nothing but count. */
import { runSubject } from "../subject.js";
import { readToEnd } from "./kafkajs_reader.js";

/** kafkajs's own default is 1 MiB, which takes less memory and is a fifth slower. */
const FETCH_PARTITION_MAX_BYTES = 4 * 1024 * 1024;

await runSubject(async (input) => {
  let events = 0;
  const seconds = await readToEnd(input, FETCH_PARTITION_MAX_BYTES, {
    onBatch: ({ messages }) => {
      events += messages.length;
    },
  });
  return { events, seconds };
});
