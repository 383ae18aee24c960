/**
 * A file to read: the element of the read.
 *
 *     string path | varint size | string version
 */
import { type ByteReader, type ByteWriter, type Coder, registerCoder } from "@order-payment-stream/beam";

import type { FileInfo } from "./file_system.js";

const URN = "beam:coder:ts:file_source:v1";

export const fileSourceCoder: Coder<FileInfo> = {
  isDeterministic: true,
  encode({ path, size, version }: FileInfo, out: ByteWriter) {
    out.writeString(path);
    out.writeVarint(size);
    out.writeString(version);
  },
  decode(input: ByteReader) {
    return { path: input.readString(), size: input.readVarint(), version: input.readString() };
  },
  toProto: () => ({ spec: { urn: URN, payload: new Uint8Array() }, componentCoderIds: [] }),
};

registerCoder(URN, () => fileSourceCoder);
