/**
 * Finds the fields that are wanted in the bytes of a JSON object. One pass in a time that grows with the bytes alone, and
 * nothing is made of what is not wanted: JSON.parse takes seconds for some values of a few megabytes, rounds numbers, and
 * does not tell of a field that is there twice. One instance is reused for every record.
 *
 * The grammar is RFC 8259's, whole, but for the depth.
 */
import { type Malformed, undecodable } from "./malformed.js";

/** Of arrays and objects in each other. No event has more than one; what is ignored may have some. */
const DEPTH_MAX = 100;
const QUOTED_MAX = 20;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const BACKSLASH = 0x5c;
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Thrown and caught here: a fault ends the pass from any depth. */
class Fault {
  constructor(
    readonly at: number,
    readonly what: string,
  ) {}
}

export class JsonScanner {
  /** By index of the name: where its value lies, or -1. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Of a string: whether it has to be unescaped. */
  readonly isEscaped: Uint8Array;
  /** Index of a wanted name that came twice; -1: none. */
  repeated = -1;
  private buffer: Buffer = Buffer.alloc(0);
  private end = 0;
  private field = "";
  private sawEscape = false;
  private readonly keys: readonly Buffer[];

  /** @param names wanted; ASCII without quotes */
  constructor(private readonly names: readonly string[]) {
    this.keys = names.map((name) => Buffer.from(name));
    this.starts = new Int32Array(names.length);
    this.ends = new Int32Array(names.length);
    this.isEscaped = new Uint8Array(names.length);
  }

  /** Looks through `buffer[start, end)`, which is UTF-8 and begins with `{`. */
  scan(buffer: Buffer, start: number, end: number): Malformed | undefined {
    this.buffer = buffer;
    this.end = end;
    this.field = "";
    this.repeated = -1;
    this.starts.fill(-1);
    try {
      const after = this.blanks(this.object(start, 1, true));
      return after === end
        ? undefined
        : this.explain(new Fault(after, "something follows the object"), start);
    } catch (error) {
      if (error instanceof Fault) return this.explain(error, start);
      throw error;
    }
  }

  private explain({ at, what }: Fault, start: number): Malformed {
    const where = this.field === "" ? "" : ` in ${this.field}`;
    return undecodable(`not valid JSON at byte ${at - start}${where}: ${what}`);
  }

  /** Each of these steps over what its name says, from its first byte, and returns where it ends. */
  private value(at: number, depth: number): number {
    const byte = at < this.end ? this.buffer[at]! : 0;
    if (byte === QUOTE) return this.string(at);
    if (byte === MINUS || (byte >= 0x30 && byte <= 0x39)) return this.number(at);
    if (byte === OPEN_BRACE) return this.object(at, depth + 1, false);
    if (byte === OPEN_BRACKET) return this.array(at, depth + 1);
    if (byte === 0x74) return this.literal(at, "true");
    if (byte === 0x66) return this.literal(at, "false");
    if (byte === 0x6e) return this.literal(at, "null");
    return this.unexpected(at);
  }

  private object(start: number, depth: number, isOutermost: boolean): number {
    this.checkDepth(start, depth);
    const { buffer } = this;
    let at = this.blanks(start + 1);
    if (buffer[at] === CLOSE_BRACE && at < this.end) return at + 1;
    for (;;) {
      if (buffer[at] !== QUOTE || at >= this.end) this.unexpected(at);
      const keyStart = at + 1;
      at = this.string(at);
      const wanted = isOutermost ? this.wanted(keyStart, at - 1) : -1;
      if (isOutermost) this.field = wanted < 0 ? "" : this.names[wanted]!;
      at = this.blanks(at);
      if (buffer[at] !== COLON || at >= this.end) this.unexpected(at);
      const valueStart = this.blanks(at + 1);
      this.sawEscape = false;
      at = this.value(valueStart, depth);
      if (wanted >= 0) {
        if (this.starts[wanted]! >= 0) this.repeated = wanted;
        this.starts[wanted] = valueStart;
        this.ends[wanted] = at;
        this.isEscaped[wanted] = this.sawEscape ? 1 : 0;
      }
      if (isOutermost) this.field = "";
      at = this.blanks(at);
      if (at >= this.end) this.unexpected(at);
      if (buffer[at] === CLOSE_BRACE) return at + 1;
      if (buffer[at] !== COMMA) this.unexpected(at);
      at = this.blanks(at + 1);
    }
  }

  private array(start: number, depth: number): number {
    this.checkDepth(start, depth);
    let at = this.blanks(start + 1);
    if (this.buffer[at] === CLOSE_BRACKET && at < this.end) return at + 1;
    for (;;) {
      at = this.blanks(this.value(at, depth));
      if (at >= this.end) this.unexpected(at);
      if (this.buffer[at] === CLOSE_BRACKET) return at + 1;
      if (this.buffer[at] !== COMMA) this.unexpected(at);
      at = this.blanks(at + 1);
    }
  }

  private string(start: number): number {
    const { buffer, end } = this;
    let at = start + 1;
    for (;;) {
      while (at < end && IS_PLAIN[buffer[at]!] === 1) at++;
      if (at >= end) this.unexpected(end);
      const byte = buffer[at]!;
      if (byte === QUOTE) return at + 1;
      if (byte < 0x20) throw new Fault(at, `a control character, 0x${byte.toString(16)}, in a string`);
      at = this.escape(at);
    }
  }

  private escape(at: number): number {
    this.sawEscape = true;
    const { buffer, end } = this;
    const kind = at + 1 < end ? buffer[at + 1]! : 0;
    if (kind !== 0x75) {
      if (!ESCAPES.includes(kind)) throw new Fault(at, "an escape that JSON does not have");
      return at + 2;
    }
    for (let i = at + 2; i < at + 6; i++) {
      if (i >= end || !isHex(buffer[i]!))
        throw new Fault(at, "an escape that is not four hexadecimal digits");
    }
    return at + 6;
  }

  private number(start: number): number {
    const { buffer } = this;
    let at = buffer[start] === MINUS ? start + 1 : start;
    at = buffer[at] === 0x30 && at < this.end ? at + 1 : this.digits(at);
    if (buffer[at] === 0x2e && at < this.end) at = this.digits(at + 1);
    if ((buffer[at]! | 0x20) === 0x65 && at < this.end) {
      at++;
      const hasSign = at < this.end && (buffer[at] === 0x2b || buffer[at] === MINUS);
      at = this.digits(hasSign ? at + 1 : at);
    }
    return at;
  }

  private digits(start: number): number {
    const { buffer, end } = this;
    let at = start;
    while (at < end && buffer[at]! >= 0x30 && buffer[at]! <= 0x39) at++;
    if (at === start) this.unexpected(at);
    return at;
  }

  private literal(at: number, word: string): number {
    for (let i = 0; i < word.length; i++) {
      if (at + i >= this.end || this.buffer[at + i] !== word.charCodeAt(i)) this.unexpected(at);
    }
    return at + word.length;
  }

  private blanks(start: number): number {
    const { buffer, end } = this;
    let at = start;
    for (; at < end; at++) {
      const byte = buffer[at]!;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    }
    return at;
  }

  /** The index of the name between two quotes, -1: none that is wanted. */
  private wanted(start: number, end: number): number {
    const { keys, buffer } = this;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      const { length } = key;
      if (length !== end - start) continue;
      let same = 0;
      while (same < length && key[same] === buffer[start + same]) same++;
      if (same === length) return i;
    }
    if (!this.sawEscape) return -1;
    this.sawEscape = false;
    return this.names.indexOf(JSON.parse(buffer.toString("utf8", start - 1, end + 1)));
  }

  private checkDepth(at: number, depth: number): void {
    if (depth > DEPTH_MAX) throw new Fault(at, `arrays and objects more than ${DEPTH_MAX} deep`);
  }

  private unexpected(at: number): never {
    if (at >= this.end) throw new Fault(this.end, "the text ends early");
    const text = this.buffer.toString("latin1", at, Math.min(this.end, at + QUOTED_MAX));
    const word = /^[\w.+-]+/.exec(text)?.[0];
    const byte = this.buffer[at]!;
    const shown =
      byte > 0x20 && byte < 0x7f ? JSON.stringify(word ?? text[0]) : `byte 0x${byte.toString(16)}`;
    throw new Fault(at, `unexpected ${shown}`);
  }
}

/** Bytes of a string that are what they are. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte === QUOTE || byte === BACKSLASH ? 0 : 1,
);
const ESCAPES = [...Buffer.from('"\\/bfnrt')];

function isHex(byte: number): boolean {
  const lower = byte | 0x20;
  return (byte >= 0x30 && byte <= 0x39) || (lower >= 0x61 && lower <= 0x66);
}
