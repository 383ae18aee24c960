/** What a Kafka read is told: the configuration of both of its steps. JSON, as every DoFn's. */

/**
 * Where to begin when there is no state from before: a name, the first record not older than a time in ms, or offsets by
 * the numbers of partitions, which begin at their first record where none is given.
 */
export type StartPoint =
  | "earliest"
  | "latest"
  | "group"
  | { readonly timestampMs: number }
  | { readonly offsets: Readonly<Record<string, number>> };

/** Where to go on when a position is no place in the log any more; none: refuse to. */
export type OffsetReset = "none" | "earliest" | "latest";

/** Of one topic. */
export type ReadConfig = {
  /** Name of the Kafka connection; see kafka_connections.ts. */
  readonly connection: string;
  readonly topic: string;
  readonly start: StartPoint;
  readonly offsetReset: OffsetReset;
  /** Ends at the high watermarks that the partitions have when the read begins. */
  readonly isBounded: boolean;
  /** How far behind the newest event of its partition an event may be read, ms. */
  readonly maxOutOfOrdernessMs: number;
  /** The group that is told how far we are, and whose offsets "group" starts from. */
  readonly groupId: string | null;
  readonly partitionDiscoveryIntervalMs: number;
  /** Its URN. */
  readonly decoder: string;
  readonly decoderConfig: any;
};
