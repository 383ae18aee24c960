/** The configuration of both steps of a Kafka read. JSON, as for every DoFn. */

/**
 * Where to start without state: a name, the first record not older than a time in ms, or offsets by partition
 * number. Partitions without an offset start at their first record.
 */
export type StartPoint =
  | "earliest"
  | "latest"
  | "group"
  | { readonly timestampMs: number }
  | { readonly offsets: Readonly<Record<string, number>> };

/** Where to continue when a position is no longer in the log; none: refuse. */
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
