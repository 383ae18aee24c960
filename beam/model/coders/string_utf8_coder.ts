import type { ByteReader, ByteWriter } from "../bytes.js";
import type { Coder, CoderIds, Context } from "./coder.js";
import { coderProto } from "./coder_proto.js";
import { CoderUrn } from "./urns.js";
import { wrongType } from "./wrong_type.js";

/**
 * Text. A lone surrogate has no UTF-8 form and is written as U+FFFD, so two ill-formed strings may share their bytes.
 *
 *     nested: varint count of bytes | UTF-8
 *     outer:  UTF-8
 */
export class StringUtf8Coder implements Coder<string> {
  static readonly INSTANCE = new StringUtf8Coder();
  readonly isDeterministic = true;

  encode(value: string, out: ByteWriter, context: Context): void {
    if (typeof value !== "string") throw wrongType("string_utf8", "a string", value);
    if (context === "nested") out.writeString(value);
    else out.writeUtf8(value);
  }

  decode(input: ByteReader, context: Context): string {
    return input.readUtf8(context === "nested" ? input.readVarint() : input.remaining);
  }

  toProto(ids: CoderIds) {
    return coderProto(CoderUrn.STRING_UTF8, ids);
  }
}
