/**
 * Kafka's own rule for keyed records, murmur2 modulo the number of partitions: the same partitions as those
 * of the Java client and of kafkajs's DefaultPartitioner, but in 32-bit integers. (The latter computes in
 * BigInt, which costs more than everything else about a small message.)
 */
import type { ICustomPartitioner } from "kafkajs";

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** org.apache.kafka.common.utils.Utils.murmur2; signed. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  const blocksEnd = length & ~3;
  let hash = SEED ^ length;
  for (let i = 0; i < blocksEnd; i += 4) {
    let block = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    block = Math.imul(block, M);
    block = Math.imul(block ^ (block >>> 24), M);
    hash = Math.imul(hash, M) ^ block;
  }
  const left = length & 3;
  if (left === 3) hash ^= bytes[blocksEnd + 2]! << 16;
  if (left >= 2) hash ^= bytes[blocksEnd + 1]! << 8;
  if (left >= 1) hash = Math.imul(hash ^ bytes[blocksEnd]!, M);
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}

export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

/** For messages whose key is a Buffer. */
export const createKeyPartitioner: ICustomPartitioner =
  () =>
  ({ partitionMetadata, message }) =>
    partitionOf(message.key as Buffer, partitionMetadata.length);
