/** What is measured, in the order in which a run goes through it. */

export interface Subject {
  readonly name: string;
  /** Below bench/subjects/, without its ending. */
  readonly script: string;
  /** For the table. */
  readonly what: string;
  readonly unit: "events" | "documents" | "latency";
  /** Writes to MongoDB, and wants its database empty. */
  readonly usesMongodb: boolean;
}

/** The subject that others are compared with. */
export const BASELINE = "bare-join";
/** The subject that is compared, and must come to the same counts. */
export const PIPELINE = "pipeline-count";

export const SUBJECTS: readonly Subject[] = [
  {
    name: "kafkajs",
    script: "kafkajs_consume",
    what: "ceiling: kafkajs reads both topics, no more",
    unit: "events",
    usesMongodb: false,
  },
  {
    name: BASELINE,
    script: "bare_join",
    what: "ceiling: kafkajs, decode, Map, expiry heap",
    unit: "events",
    usesMongodb: false,
  },
  {
    name: PIPELINE,
    script: "pipeline_count",
    what: "direct runner, state in memory, counting sink",
    unit: "events",
    usesMongodb: false,
  },
  {
    name: "raw-insert",
    script: "raw_insert",
    what: "ceiling: insertMany of the same documents",
    unit: "documents",
    usesMongodb: true,
  },
  {
    name: "pipeline-mongodb",
    script: "pipeline_mongodb",
    what: "direct runner, state in memory, to MongoDB",
    unit: "events",
    usesMongodb: true,
  },
  {
    name: "latency",
    script: "latency",
    what: "direct runner at 1,000 events/s, to MongoDB",
    unit: "latency",
    usesMongodb: true,
  },
];
