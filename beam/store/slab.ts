/**
 * Memory for very many small byte records outside the JavaScript heap: no object for each record, so a garbage
 * collection costs the same with five million of them as with none.
 *
 * Block = { u32 owner and units, u32 hash, u32 keyLength, u32 valueLength } key padding value padding
 *
 * Key and value begin on 4-byte boundaries, so that both are copied and compared by words.
 *
 * The low 22 bits of the first word are the block's size in 16-byte units (so 64 MiB at most); the high 10 are the
 * number of the table that holds it, 0 when it is free. The hash of the key spares the table from computing it again.
 * A block is addressed by its position in 16-byte units over all chunks (64 GiB in all). Blocks are neither split nor
 * merged: an address that was once a block stays the address of a block, free or not, which timer queues rely on.
 */

const CHUNK_BYTES = 1 << 23;
const UNIT_BYTES = 16;
const UNITS_PER_CHUNK = CHUNK_BYTES / UNIT_BYTES;
const UNIT_BITS = 19;
const UNITS_BITS = 22;
const UNITS_MASK = (1 << UNITS_BITS) - 1;
const OWNER_MAX = (1 << (32 - UNITS_BITS)) - 1;
const SMALL_CLASSES = 64;
export const HEADER_BYTES = 16;

export class Slab {
  /** The bytes of each chunk, by chunk number; a large block's chunk spans several numbers. */
  readonly #bytes: Buffer[] = [];
  readonly #words: Uint32Array[] = [];
  /** Head of the list of free blocks for each size class; a free block's keyLength word links to the next. */
  readonly #free: number[] = [];
  #nextUnit = 0;
  #endUnit = 0;
  #usedBlocks = 0;
  #chunkBytes = 0;
  #smallestChunkBytes = 1 << 16;

  /** Bytes reserved from the operating system. */
  get reservedBytes(): number {
    return this.#chunkBytes;
  }

  get usedBlocks(): number {
    return this.#usedBlocks;
  }

  /**
   * A block with room for `keyLength + valueLength` bytes. Throws a RangeError for more than a block can hold.
   * @param owner number of a table, 1 to 1023
   */
  allocate(owner: number, hash: number, keyLength: number, valueLength: number): number {
    const wanted = Math.ceil((HEADER_BYTES + padded(keyLength) + valueLength) / UNIT_BYTES);
    const sizeClass = classOf(wanted);
    const units = unitsOf(sizeClass, wanted);
    if (units > UNITS_MASK) throw new RangeError(`a record of ${keyLength + valueLength} bytes is too large`);
    if (owner > OWNER_MAX) throw new RangeError(`more than ${OWNER_MAX} tables in one store`);
    let address = this.#free[sizeClass] ?? 0;
    if (address !== 0) {
      this.#free[sizeClass] = this.words(address)[this.wordAt(address) + 2]!;
    } else {
      address = this.#carve(units);
    }
    const words = this.words(address);
    const at = this.wordAt(address);
    words[at] = (owner << UNITS_BITS) | units;
    words[at + 1] = hash;
    words[at + 2] = keyLength;
    words[at + 3] = valueLength;
    this.#usedBlocks++;
    return address;
  }

  release(address: number): void {
    const words = this.words(address);
    const at = this.wordAt(address);
    const units = words[at]! & UNITS_MASK;
    const sizeClass = classOf(units);
    words[at] = units;
    words[at + 2] = this.#free[sizeClass] ?? 0;
    this.#free[sizeClass] = address;
    this.#usedBlocks--;
  }

  /** Behind every block there is. */
  get end(): number {
    return this.#bytes.length * UNITS_PER_CHUNK;
  }

  /**
   * Visits the blocks in use from `from` on (1 for the first), in the order of their addresses, until it has come to
   * `end` or has visited blocks of `bytesMax` bytes or more. Returns where to go on; `end` or more: nowhere.
   */
  walk(from: number, end: number, bytesMax: number, visit: (address: number) => void): number {
    let address = from;
    let bytes = 0;
    while (address < end && bytes < bytesMax) {
      const word = (address & (UNITS_PER_CHUNK - 1)) << 2;
      const words = this.words(address);
      const header = word < words.length ? words[word]! : 0;
      const units = header & UNITS_MASK;
      if (units === 0) {
        // The rest of the chunk was never used.
        address = ((address >>> UNIT_BITS) + 1) * UNITS_PER_CHUNK;
        continue;
      }
      if (header >>> UNITS_BITS !== 0) {
        visit(address);
        bytes += units * UNIT_BYTES;
      }
      address += units;
      // Behind a block that has chunks of its own.
      if (units > UNITS_PER_CHUNK) address = Math.ceil(address / UNITS_PER_CHUNK) * UNITS_PER_CHUNK;
    }
    return address;
  }

  /** The chunk that a block lies in, as bytes. */
  bytes(address: number): Buffer {
    return this.#bytes[address >>> UNIT_BITS]!;
  }

  /** The same chunk as 32-bit words. */
  words(address: number): Uint32Array {
    return this.#words[address >>> UNIT_BITS]!;
  }

  /** Index of a block's first word in `words`. */
  wordAt(address: number): number {
    return (address & (UNITS_PER_CHUNK - 1)) << 2;
  }

  /** Index of a block's key in `words`. */
  keyWord(address: number): number {
    return this.wordAt(address) + HEADER_BYTES / 4;
  }

  /** Index of a block's key in `bytes`. */
  keyAt(address: number): number {
    return ((address & (UNITS_PER_CHUNK - 1)) << 4) + HEADER_BYTES;
  }

  /** Index of a block's value in `bytes`. */
  valueAt(address: number): number {
    return this.keyAt(address) + padded(this.keyLength(address));
  }

  owner(address: number): number {
    return this.words(address)[this.wordAt(address)]! >>> UNITS_BITS;
  }

  hash(address: number): number {
    return this.words(address)[this.wordAt(address) + 1]!;
  }

  keyLength(address: number): number {
    return this.words(address)[this.wordAt(address) + 2]!;
  }

  valueLength(address: number): number {
    return this.words(address)[this.wordAt(address) + 3]!;
  }

  setValueLength(address: number, length: number): void {
    this.words(address)[this.wordAt(address) + 3] = length;
  }

  /** Bytes that the value of this block may take. */
  valueCapacity(address: number): number {
    const words = this.words(address);
    const at = this.wordAt(address);
    return (words[at]! & UNITS_MASK) * UNIT_BYTES - HEADER_BYTES - padded(words[at + 2]!);
  }

  #carve(units: number): number {
    if (units > UNITS_PER_CHUNK) return this.#carveLarge(units);
    if (this.#nextUnit + units > this.#endUnit) {
      // The first chunks are small, so that a store with little in it takes little memory.
      const bytes = Math.min(CHUNK_BYTES, Math.max(this.#smallestChunkBytes, units * UNIT_BYTES));
      this.#smallestChunkBytes = Math.min(CHUNK_BYTES, this.#smallestChunkBytes * 2);
      const chunk = this.#bytes.length;
      this.#addChunk(bytes);
      // Address 0 means "none": the very first unit is left out.
      this.#nextUnit = chunk * UNITS_PER_CHUNK + (chunk === 0 ? 1 : 0);
      this.#endUnit = chunk * UNITS_PER_CHUNK + bytes / UNIT_BYTES;
      if (this.#nextUnit + units > this.#endUnit) return this.#carve(units);
    }
    const address = this.#nextUnit;
    this.#nextUnit += units;
    return address;
  }

  #carveLarge(units: number): number {
    // Chunk 0 holds address 0, which means "none", so it is never a large block's.
    if (this.#bytes.length === 0) this.#addChunk(this.#smallestChunkBytes);
    const first = this.#bytes.length;
    this.#addChunk(units * UNIT_BYTES);
    const numbers = Math.ceil(units / UNITS_PER_CHUNK);
    for (let i = 1; i < numbers; i++) {
      this.#bytes.push(this.#bytes[first]!);
      this.#words.push(this.#words[first]!);
    }
    return first * UNITS_PER_CHUNK;
  }

  #addChunk(bytes: number): void {
    const memory = new ArrayBuffer(bytes);
    this.#bytes.push(Buffer.from(memory));
    this.#words.push(new Uint32Array(memory));
    this.#chunkBytes += bytes;
  }
}

/** What a key of this length takes in front of its value. */
export function padded(keyLength: number): number {
  return (keyLength + 3) & ~3;
}

/** Classes 0..63 hold 1..64 units; from there each class is a quarter larger than the one before. */
function classOf(units: number): number {
  if (units <= SMALL_CLASSES) return units - 1;
  const power = 31 - Math.clz32(units - 1);
  const quarter = ((units - 1) >>> (power - 2)) & 3;
  return SMALL_CLASSES + (power - 6) * 4 + quarter;
}

function unitsOf(sizeClass: number, wanted: number): number {
  if (sizeClass < SMALL_CLASSES) return wanted;
  const above = sizeClass - SMALL_CLASSES;
  const power = 6 + (above >>> 2);
  return (5 + (above & 3)) << (power - 2);
}
