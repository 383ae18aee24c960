import type { ByteReader, ByteWriter } from "../bytes.js";
import type { KV } from "../kv.js";
import type { Coder, CoderIds, Context } from "./coder.js";
import { coderProto } from "./coder_proto.js";
import { CoderUrn } from "./urns.js";
import { wrongType } from "./wrong_type.js";

/**
 *     key, nested | value, in the context of the pair
 */
export class KVCoder<K, V> implements Coder<KV<K, V>> {
  readonly isDeterministic: boolean;

  constructor(
    readonly key: Coder<K>,
    readonly value: Coder<V>,
  ) {
    this.isDeterministic = key.isDeterministic && value.isDeterministic;
  }

  encode(pair: KV<K, V>, out: ByteWriter, context: Context): void {
    if (typeof pair !== "object" || pair === null) throw wrongType("kv", "a {key, value}", pair);
    this.key.encode(pair.key, out, "nested");
    this.value.encode(pair.value, out, context);
  }

  decode(input: ByteReader, context: Context): KV<K, V> {
    const key = this.key.decode(input, "nested");
    return { key, value: this.value.decode(input, context) };
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.KV, ids, [this.key, this.value]);
  }
}
