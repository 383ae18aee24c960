import type { ByteReader, ByteWriter } from "../bytes.js";
import { BytesCoder } from "./bytes_coder.js";
import type { Coder, CoderIds, Context } from "./coder.js";
import { coderProto } from "./coder_proto.js";
import { CoderUrn } from "./urns.js";
import { wrongType } from "./wrong_type.js";

/** A key that a runner split into shards, to spread a hot one over workers. */
export interface ShardedKey<K> {
  readonly key: K;
  readonly shardId: Uint8Array;
}

/**
 *     varint count | shard id | key, nested
 */
export class ShardedKeyCoder<K> implements Coder<ShardedKey<K>> {
  readonly isDeterministic: boolean;

  constructor(readonly key: Coder<K>) {
    this.isDeterministic = key.isDeterministic;
  }

  encode(value: ShardedKey<K>, out: ByteWriter, _context: Context): void {
    if (typeof value !== "object" || value === null) {
      throw wrongType("sharded_key", "a {key, shardId}", value);
    }
    BytesCoder.INSTANCE.encode(value.shardId, out, "nested");
    this.key.encode(value.key, out, "nested");
  }

  decode(input: ByteReader, _context: Context): ShardedKey<K> {
    const shardId = BytesCoder.INSTANCE.decode(input, "nested");
    return { key: this.key.decode(input, "nested"), shardId };
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.SHARDED_KEY, ids, [this.key]);
  }
}
