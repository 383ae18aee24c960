/**
 * Reads a Kafka topic: one step finds the partitions, now and later, and a second reads them, one restriction for each
 * partition with its offsets as positions. Each process reads its partitions through one client and joins no group, so
 * processes never rebalance one another.
 */

import type { Root } from "../../model/apache_beam.js";
import type { Coder } from "../../model/coders/coder.js";
import { applyParDo, type Collection, impulse, parDo } from "../../sdk/graph.js";
import { FindPartitions } from "./find_partitions.js";
import type { ReadConfig } from "./read_config.js";
import { ReadPartitions } from "./read_partitions.js";
import { type RecordDecoder, recordDecoder } from "./record_decoder.js";

type Optional = "partitionDiscoveryIntervalMs" | "groupId" | "start" | "offsetReset";
export type ReadFromKafka = Pick<ReadConfig, Exclude<keyof ReadConfig, Optional>> & {
  readonly [N in Optional]?: ReadConfig[N] | undefined;
};

/** A new partition is found well before the disorder allowance has passed over what was written to it first. */
const DISCOVERY_INTERVAL_MAX_MS = 10_000;

export function readFromKafka<T, D>(
  name: string,
  root: Root,
  options: ReadFromKafka,
): { readonly events: Collection<T>; readonly rejected: Collection<D> } {
  const config: ReadConfig = {
    ...options,
    start: options.start ?? "earliest",
    offsetReset: options.offsetReset ?? "none",
    groupId: options.groupId ?? null,
    partitionDiscoveryIntervalMs:
      options.partitionDiscoveryIntervalMs ??
      Math.min(DISCOVERY_INTERVAL_MAX_MS, Math.max(500, options.maxOutOfOrdernessMs / 3)),
  };
  const decoder = recordDecoder(config.decoder, config.decoderConfig) as RecordDecoder<T, D>;
  const begin = impulse(`${name}/Impulse`, root);
  const partitions = parDo(`${name}/FindPartitions`, begin, new FindPartitions(config)).partitions;
  const { events, rejected } = applyParDo(`${name}/ReadPartitions`, partitions, new ReadPartitions(config), {
    events: decoder.coder as Coder<unknown>,
    rejected: decoder.rejectedCoder as Coder<unknown>,
  });
  return { events: events!, rejected: rejected! };
}
