/**
 * What a splittable DoFn's restriction is on the wire: the restriction and the state of its watermark estimator,
 * which is the watermark itself. The runner never looks inside. Source: ParDoPayload.restriction_coder_id.
 *
 *     restriction, nested | watermark: 8 bytes as an instant
 */
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import type { Coder, CoderIds } from "../model/coders/coder.js";
import { readInstant, writeInstant } from "../model/coders/instant.js";
import { registerCoder } from "../model/coders/registry.js";
import type { KV } from "../model/kv.js";
import type { TimestampMs } from "../model/timestamps.js";

const URN = "beam:coder:ts:restriction_with_watermark:v1";

export class RestrictionCoder<R> implements Coder<KV<R, TimestampMs>> {
  readonly isDeterministic: boolean;

  constructor(private readonly restriction: Coder<R>) {
    this.isDeterministic = restriction.isDeterministic;
  }

  encode(value: KV<R, TimestampMs>, out: ByteWriter): void {
    this.restriction.encode(value.key, out, "nested");
    writeInstant(value.value, out);
  }

  decode(input: ByteReader): KV<R, TimestampMs> {
    const key = this.restriction.decode(input, "nested");
    return { key, value: readInstant(input) };
  }

  toProto(ids: CoderIds) {
    return {
      spec: { urn: URN, payload: new Uint8Array() },
      componentCoderIds: [ids.getCoderId(this.restriction)],
    };
  }
}

registerCoder(URN, (_payload, [restriction]) => new RestrictionCoder(restriction!));
