/** What is measured, in the order in which a run goes through it. */

export interface Subject {
  readonly name: string;
  /** Below bench/subjects/, without its ending. */
  readonly script: string;
  /** For the table. */
  readonly what: string;
  readonly unit: "events" | "documents" | "changes" | "latency";
  /** Writes to MongoDB, and wants its database empty. */
  readonly usesMongodb: boolean;
  /** Reads the same events in Confluent's frame. */
  readonly readsFrames?: true;
}

/** What the other readers of the same records are compared with. */
export const BASELINE = "bare-join";
export const RAW_INSERT = "raw-insert";
/** What the other stores are compared with. */
export const STORE_IN_MEMORY = "store-memory";
/** Compared with raw-insert. */
export const PIPELINE_TO_MONGODB = "pipeline-mongodb";

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
    name: "pipeline-count",
    script: "pipeline_count",
    what: "direct runner, state in memory, counting sink",
    unit: "events",
    usesMongodb: false,
  },
  {
    name: "pipeline-page",
    script: "pipeline_page",
    what: "the same, with its page watched and its metrics scraped each second",
    unit: "events",
    usesMongodb: false,
  },
  {
    name: "pipeline-registry",
    script: "pipeline_registry",
    what: "the same with values in Confluent's frame, by a schema registry",
    unit: "events",
    usesMongodb: false,
    readsFrames: true,
  },
  {
    name: "pipeline-durable",
    script: "pipeline_durable",
    what: "direct runner, state on disk (synced), counting sink",
    unit: "events",
    usesMongodb: false,
  },
  {
    name: STORE_IN_MEMORY,
    script: "store_memory",
    what: "tables in memory, nothing kept",
    unit: "changes",
    usesMongodb: false,
  },
  {
    name: "store-durable",
    script: "store_durable",
    what: "and the changes of each bundle appended to a log (the product's)",
    unit: "changes",
    usesMongodb: false,
  },
  {
    name: "store-lmdb-commits",
    script: "store_lmdb_commits",
    what: "and the changes of each bundle as one value in LMDB, keys in order",
    unit: "changes",
    usesMongodb: false,
  },
  {
    name: "store-lmdb-records",
    script: "store_lmdb_records",
    what: "and each record under its own key in LMDB",
    unit: "changes",
    usesMongodb: false,
  },
  {
    name: RAW_INSERT,
    script: "raw_insert",
    what: "ceiling: insertMany of the same documents",
    unit: "documents",
    usesMongodb: true,
  },
  {
    name: PIPELINE_TO_MONGODB,
    script: "pipeline_mongodb",
    what: "direct runner, state in memory, to MongoDB",
    unit: "events",
    usesMongodb: true,
  },
  {
    name: "bare-latency",
    script: "bare_latency",
    what: "to compare: kafkajs, Map, insertMany",
    unit: "latency",
    usesMongodb: true,
  },
  {
    name: "latency",
    script: "latency",
    what: "direct runner, state in memory",
    unit: "latency",
    usesMongodb: true,
  },
  {
    name: "latency-durable",
    script: "latency_durable",
    what: "direct runner, state on disk (synced)",
    unit: "latency",
    usesMongodb: true,
  },
];
