/** Whole files in a Directory. */
import { crc32c } from "../../platform/crc32c.js";
import type { Directory } from "../directory.js";

const CHUNK_BYTES = 1 << 20;
const SMALL_BYTES_MAX = 1 << 20;

/** Of a small file; undefined when there is none. */
export async function readWholeFile(directory: Directory, name: string): Promise<Buffer | undefined> {
  if (!(await directory.list()).includes(name)) return undefined;
  const file = await directory.openForRead(name);
  try {
    const bytes = Buffer.alloc(Math.min(file.length, SMALL_BYTES_MAX));
    return bytes.subarray(0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

export function partialName(name: string): string {
  return `${name}.partial`;
}

/** A crash leaves the file as it was or as it should be. */
export async function replaceFile(directory: Directory, name: string, bytes: Uint8Array): Promise<void> {
  const partial = partialName(name);
  if ((await directory.list()).includes(partial)) await directory.remove(partial);
  const file = await directory.create(partial);
  try {
    await file.append([bytes]);
    await file.sync();
  } finally {
    await file.close();
  }
  await directory.rename(partial, name);
  await directory.sync();
}

/** The first `length` bytes of a file, and their checksum once all of them were given out. */
export class FileSlice {
  crc32c = 0;

  constructor(
    private readonly directory: Directory,
    private readonly name: string,
    readonly length: number,
  ) {}

  async *open(): AsyncIterable<Uint8Array> {
    this.crc32c = 0;
    const file = await this.directory.openForRead(this.name);
    try {
      for (let position = 0; position < this.length; ) {
        // A new one each time: whoever takes it may keep it for a while.
        const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, this.length - position));
        const count = await file.read(chunk, position);
        if (count < chunk.length) {
          throw new Error(`${this.directory.path}/${this.name} has less than ${this.length} bytes`);
        }
        this.crc32c = crc32c(chunk, 0, count, this.crc32c);
        position += count;
        yield chunk;
      }
    } finally {
      await file.close();
    }
  }
}
