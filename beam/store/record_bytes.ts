/** Bytes of keys and values, taken by words: their hash, and how they are copied. */
import type { ByteWriter } from "../model/bytes.js";

/** What is longer is left to native code. */
const COPIED_BY_WORDS_MAX = 256;

/** The hash of what a writer holds, computed once for all tables that are asked about it. */
export function hashOf(key: ByteWriter): number {
  if (key.hashedLength !== key.length) {
    key.hash = hashBytes(key);
    key.hashedLength = key.length;
  }
  return key.hash;
}

/** MurmurHash3, 32 bits, in words of this machine: the low bits choose the slot, the high bits the segment. */
function hashBytes({ buffer, words, length }: ByteWriter): number {
  let hash = 0;
  const whole = length >>> 2;
  for (let i = 0; i < whole; i++) {
    hash ^= mixBlock(words[i]!);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = whole << 2, shift = 0; i < length; i++, shift += 8) tail |= buffer[i]! << shift;
  hash ^= mixBlock(tail) ^ length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function mixBlock(block: number): number {
  const scrambled = Math.imul(block, 0xcc9e2d51);
  return Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593);
}

/**
 * Copies what was written to `bytes` and the words over the same memory, from the byte `at` on. Most records are a few
 * dozen words: a loop beats the call into native code, and makes nothing that must be collected.
 */
export function copyWords(
  { buffer, words: source, length }: ByteWriter,
  bytes: Buffer,
  words: Uint32Array,
  at: number,
): void {
  let copied = 0;
  if (length > COPIED_BY_WORDS_MAX) {
    buffer.copy(bytes, at, 0, length);
    return;
  }
  if ((at & 3) === 0) {
    const whole = length >>> 2;
    const to = at >>> 2;
    for (let i = 0; i < whole; i++) words[to + i] = source[i]!;
    copied = whole << 2;
  }
  for (; copied < length; copied++) bytes[at + copied] = buffer[copied]!;
}
