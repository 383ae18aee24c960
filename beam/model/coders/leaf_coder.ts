import type { ByteReader, ByteWriter } from "../bytes.js";
import type { Coder } from "./coder.js";
import { registerCoder } from "./registry.js";

/**
 * Makes and registers a coder without components, from the two functions that write and read its bytes. A program
 * and its workers find it by its URN.
 *
 * @param encode must give equal values equal bytes: the coder may stand for keys
 * @param readsToo URN of a coder that this one replaces: a run can continue from state that holds its bytes
 */
export function leafCoder<T>(
  urn: string,
  encode: (value: T, out: ByteWriter) => void,
  decode: (input: ByteReader) => T,
  readsToo?: string,
): Coder<T> {
  const coder: Coder<T> = {
    isDeterministic: true,
    encode,
    decode,
    toProto: () => ({ spec: { urn, payload: new Uint8Array() }, componentCoderIds: [] }),
  };
  registerCoder(urn, () => coder, readsToo);
  return coder;
}
