/** Ceiling: kafkajs reading both topics and doing nothing but count. */
import { runSubject } from "../subject.js";
import { readToEnd } from "./kafkajs_reader.js";

await runSubject(async (input) => {
  let events = 0;
  const seconds = await readToEnd(
    input,
    (batch) => {
      events += batch.messages.length;
    },
    () => {},
  );
  return { events, seconds };
});
