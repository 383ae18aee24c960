/**
 * Reads a Kafka topic: one step finds the partitions, now and later, and a second reads them, one restriction for each
 * partition with its offsets as positions. Each process reads its partitions through one client and joins no group, so
 * processes never rebalance one another.
 */

import type { Root } from "@order-payment-stream/beam";
import { applyParDo, type Coder, type Collection, impulse, parDo } from "@order-payment-stream/beam";

import { FindPartitions } from "./find_partitions.js";
import type { ReadConfig } from "./read_config.js";
import { ReadPartitions } from "./read_partitions.js";
import type { RecordDecoderDescriptor } from "./record_decoder.js";

type Optional =
  | "partitionDiscoveryIntervalMs"
  | "groupId"
  | "start"
  | "offsetReset"
  | "isBounded"
  | "maxOutOfOrdernessMs";
/** Options of `readFromKafka`: see ReadConfig. `C` configures the decoder; `null` when it takes nothing. */
export type ReadFromKafka<T, D, C> = Pick<
  ReadConfig,
  Exclude<keyof ReadConfig, Optional | "decoder" | "decoderConfig">
> & {
  readonly [N in Optional]?: ReadConfig[N] | undefined;
} & {
  readonly decoder: RecordDecoderDescriptor<T, D, C>;
} & (C extends null ? { readonly decoderConfig?: null } : { readonly decoderConfig: C });

/** A new partition is found well before the disorder allowance has passed over what was written to it first. */
const DISCOVERY_INTERVAL_MAX_MS = 10_000;

/** How far behind the newest event of its partition an event may be read, where nothing else is said. */
const OUT_OF_ORDERNESS_MS = 30_000;

/** Reads a topic: events that the decoder understood, and reports of records that it rejected. */
export function readFromKafka<T, D, C>(
  name: string,
  root: Root,
  options: ReadFromKafka<T, D, C>,
): { readonly events: Collection<T>; readonly rejected: Collection<D> } {
  const { decoder } = options;
  const maxOutOfOrdernessMs = options.maxOutOfOrdernessMs ?? OUT_OF_ORDERNESS_MS;
  const config: ReadConfig = {
    ...options,
    decoder: decoder.urn,
    decoderConfig: options.decoderConfig ?? null,
    isBounded: options.isBounded ?? false,
    maxOutOfOrdernessMs,
    start: options.start ?? "earliest",
    offsetReset: options.offsetReset ?? "none",
    groupId: options.groupId ?? null,
    partitionDiscoveryIntervalMs:
      options.partitionDiscoveryIntervalMs ??
      Math.min(DISCOVERY_INTERVAL_MAX_MS, Math.max(500, maxOutOfOrdernessMs / 3)),
  };
  const begin = impulse(`${name}/Impulse`, root);
  const partitions = parDo(`${name}/FindPartitions`, begin, new FindPartitions(config)).partitions;
  const { events, rejected } = applyParDo(`${name}/ReadPartitions`, partitions, new ReadPartitions(config), {
    events: decoder.coder as Coder<unknown>,
    rejected: decoder.rejectedCoder as Coder<unknown>,
  });
  return { events: events!, rejected: rejected! };
}
