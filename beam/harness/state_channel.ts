/**
 * The state stream to one endpoint, shared by all bundles. Requests that are sent together are written together, and
 * waited for by one promise; no object is made for a request that changes state. Responses come in any order and are
 * told apart by id. Source: beam_fn_api.proto, BeamFnState.
 */
import { fnApi } from "../model/apache_beam.js";
import { type ByteReader, ByteWriter } from "../model/bytes.js";
import { STATE } from "./fn_methods.js";
import { GrpcStream } from "./grpc_stream.js";
import type { KeyBytes } from "./key_state.js";
import { FieldTag, lengthOfBytesField, lengthOfVarint, skipField, writeBytesField } from "./proto_fields.js";
import { NO_BYTES, NO_KEY, type StateKeyKind, WholeStateKey } from "./state_keys.js";

/** What workers have asked of their runners so far; several may add to one. */
export interface WorkerTraffic {
  stateRequests: number;
}

/** Who wants the bytes behind a state key. */
export interface StateTarget {
  /** Copies `bytes[start, end)`: elements, nested, one after the other. */
  load(bytes: Buffer, start: number, end: number): void;
}

/** Fields of StateRequest. */
const ID = new FieldTag(1);
const INSTRUCTION_ID = new FieldTag(2);
const STATE_KEY = new FieldTag(3);
const GET = new FieldTag(1000);
const APPEND = new FieldTag(1001);
const CLEAR = new FieldTag(1002);
/** StateGetRequest.continuation_token, StateAppendRequest.data */
const CONTINUATION_TOKEN = new FieldTag(1);
const DATA = new FieldTag(1);

/** Tags of StateResponse and StateGetResponse as numbers. */
const RESPONSE_ID = (1 << 3) | 2;
const RESPONSE_ERROR = (2 << 3) | 2;
const RESPONSE_GET = (1000 << 3) | 2;
const GET_TOKEN = (1 << 3) | 2;
const GET_DATA = (2 << 3) | 2;

/** Requests are written when they come to this, at the latest. */
const WRITE_BYTES = 128 << 10;

/** Requests under way that have a place from the start; a power of two. */
const WAITING_MIN = 1 << 10;

/** Who waits for the response to a request. */
interface Waiting {
  /** @param page what a get brought, `bytes[start, end)`; `token` is not empty when there is more */
  answered(bytes: Buffer, start: number, end: number, token: Buffer): void;
  failed(error: Error): void;
}

export class StateChannel {
  readonly #stream: GrpcStream;
  /** By the last digits of their numbers, in binary: numbers are given in turn, and most answers come soon. */
  #waiting: (Waiting | undefined)[] = new Array(WAITING_MIN).fill(undefined);
  #out = new ByteWriter(WRITE_BYTES + (4 << 10));
  #isFlushPlanned = false;
  #nextId = 0;
  #failure: Error | undefined;

  /**
   * @param url host:port
   * @param traffic counts the requests
   * @param onFailure called once, when nothing can be asked any more
   */
  constructor(
    url: string,
    workerId: string,
    private readonly traffic: WorkerTraffic,
    onFailure: (error: Error) => void,
  ) {
    this.#stream = new GrpcStream("the state stream", url, STATE.path, workerId, {
      onMessage: (response) => this.#take(response),
      onFailure: (error) => {
        this.#fail(error);
        onFailure(error);
      },
    });
  }

  /** Requests of one bundle that are waited for together. */
  round(instructionId: string): StateRound {
    return new StateRound(this, Buffer.from(instructionId));
  }

  /** All bytes behind a key: elements, nested, one after the other. */
  async get(instructionId: string, stateKey: fnApi.StateKey): Promise<Buffer> {
    let loaded: Buffer = NO_BYTES;
    const round = this.round(instructionId);
    const place = new WholeStateKey(fnApi.StateKey.toBinary(stateKey));
    const target: StateTarget = {
      load(bytes, start, end) {
        loaded = Buffer.from(bytes.subarray(start, end));
      },
    };
    round.get(place, NO_KEY, NO_BYTES, "", target);
    await round.done();
    return loaded;
  }

  close(): void {
    this.#fail(new Error("the state stream is closed"));
    this.#stream.close();
  }

  /**
   * For rounds: asks for the bytes behind a key.
   * @param token of the page to go on with
   */
  sendGet(round: StateRound, place: StateKeyKind, token: Buffer, waiting: PagedRead): void {
    const { key, part } = waiting;
    const length = lengthOfBytesField(CONTINUATION_TOKEN, token);
    if (!this.#begin(round.instructionId, place, key, part, GET, length, waiting)) return;
    writeBytesField(this.#out, CONTINUATION_TOKEN, token);
    this.#end();
  }

  /** For rounds. */
  sendAppend(
    round: StateRound,
    place: StateKeyKind,
    key: KeyBytes,
    part: Uint8Array,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const count = end - start;
    const length = DATA.bytes.length + lengthOfVarint(count) + count;
    if (!this.#begin(round.instructionId, place, key, part, APPEND, length, round)) return;
    DATA.write(this.#out);
    this.#out.writeVarint(count);
    this.#out.writeBytes(bytes, start, end);
    this.#end();
  }

  /** For rounds. */
  sendClear(round: StateRound, place: StateKeyKind, key: KeyBytes, part: Uint8Array): void {
    if (this.#begin(round.instructionId, place, key, part, CLEAR, 0, round)) this.#end();
  }

  /** All of a request but the body of what is asked, of which it writes tag and length. False: nobody can be asked. */
  #begin(
    instructionId: Buffer,
    place: StateKeyKind,
    key: KeyBytes,
    part: Uint8Array,
    request: FieldTag,
    bodyLength: number,
    waiting: Waiting,
  ): boolean {
    if (this.#failure !== undefined) {
      waiting.failed(this.#failure);
      return false;
    }
    const number = this.#nextId++;
    this.#await(number, waiting);
    this.traffic.stateRequests++;
    const digits = digitsOf(number);
    const keyLength = place.length(key, part);
    const length =
      ID.bytes.length +
      1 +
      digits +
      lengthOfBytesField(INSTRUCTION_ID, instructionId) +
      STATE_KEY.bytes.length +
      lengthOfVarint(keyLength) +
      keyLength +
      request.bytes.length +
      lengthOfVarint(bodyLength) +
      bodyLength;
    const out = this.#out;
    out.writeByte(0);
    out.writeInt32(length);
    ID.write(out);
    out.writeByte(digits);
    writeDigits(out, number, digits);
    writeBytesField(out, INSTRUCTION_ID, instructionId);
    STATE_KEY.write(out);
    out.writeVarint(keyLength);
    place.write(out, key, part);
    request.write(out);
    out.writeVarint(bodyLength);
    return true;
  }

  #end(): void {
    if (this.#out.length >= WRITE_BYTES) this.#flush();
    else if (!this.#isFlushPlanned) {
      this.#isFlushPlanned = true;
      queueMicrotask(() => this.#flush());
    }
  }

  #flush(): void {
    this.#isFlushPlanned = false;
    if (this.#out.length === 0) return;
    this.#stream.write(this.#out.toBytes());
    this.#out.reset();
  }

  #await(number: number, waiting: Waiting): void {
    while (this.#waiting[number & (this.#waiting.length - 1)] !== undefined) {
      const before = this.#waiting;
      const grown = new Array<Waiting | undefined>(before.length * 2).fill(undefined);
      for (let each = Math.max(0, number - before.length); each < number; each++) {
        grown[each & (grown.length - 1)] = before[each & (before.length - 1)];
      }
      this.#waiting = grown;
    }
    this.#waiting[number & (this.#waiting.length - 1)] = waiting;
  }

  #take(response: ByteReader): void {
    let id = -1;
    let error = "";
    let pageStart = 0;
    let pageEnd = 0;
    let token: Buffer = NO_BYTES;
    while (response.remaining > 0) {
      const tag = response.readVarint();
      switch (tag) {
        case RESPONSE_ID:
          id = readDigits(response, response.readVarint());
          break;
        case RESPONSE_ERROR:
          error = response.readString();
          break;
        case RESPONSE_GET: {
          const end = response.readVarint() + response.position;
          while (response.position < end) {
            const part = response.readVarint();
            if (part === GET_TOKEN) {
              token = response.readBytes(response.readVarint());
            } else if (part === GET_DATA) {
              const count = response.readVarint();
              pageStart = response.skip(count);
              pageEnd = pageStart + count;
            } else skipField(response, part);
          }
          break;
        }
        default:
          skipField(response, tag);
      }
    }
    if (id < 0 || id >= this.#nextId || id < this.#nextId - this.#waiting.length) return;
    const place = id & (this.#waiting.length - 1);
    const waiting = this.#waiting[place];
    if (waiting === undefined) return;
    this.#waiting[place] = undefined;
    if (error === "") waiting.answered(response.buffer, pageStart, pageEnd, token);
    else waiting.failed(new Error(`the runner refuses a state request: ${error}`));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    const waiting = this.#waiting;
    this.#waiting = new Array(WAITING_MIN).fill(undefined);
    for (const each of waiting) each?.failed(error);
  }
}

/** Requests of one bundle that are waited for together. It is also who waits for those that bring nothing back. */
export class StateRound implements Waiting {
  #left = 0;
  #error: Error | undefined;
  #settle: (() => void) | undefined;

  constructor(
    private readonly channel: StateChannel,
    readonly instructionId: Buffer,
  ) {}

  /**
   * Asks for all bytes behind a key. Pages are put together.
   * @param part of the state key: the map key of a multimap
   * @param what is read, for the message of an error
   */
  get(place: StateKeyKind, key: KeyBytes, part: Uint8Array, what: string, target: StateTarget): void {
    this.#left++;
    const read = new PagedRead(this, this.channel, place, key, part, what, target);
    this.channel.sendGet(this, place, NO_BYTES, read);
  }

  /** Adds elements, nested: bytes from `start` to `end`. */
  append(
    place: StateKeyKind,
    key: KeyBytes,
    part: Uint8Array,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    this.#left++;
    this.channel.sendAppend(this, place, key, part, bytes, start, end);
  }

  clear(place: StateKeyKind, key: KeyBytes, part: Uint8Array): void {
    this.#left++;
    this.channel.sendClear(this, place, key, part);
  }

  /** Settles when all have been answered; rejects with the first error. Undefined: nothing was asked. */
  done(): Promise<void> | undefined {
    if (this.#left === 0 && this.#error === undefined) return undefined;
    return new Promise((resolve, reject) => {
      this.#settle = () => {
        if (this.#error !== undefined) reject(this.#error);
        else if (this.#left === 0) resolve();
      };
      this.#settle();
    });
  }

  answered(): void {
    if (--this.#left === 0) this.#settle?.();
  }

  failed(error: Error): void {
    this.#error ??= error;
    this.#settle?.();
  }
}

/** A get, until its last page. */
class PagedRead implements Waiting {
  #pages: Buffer[] | undefined;

  constructor(
    private readonly round: StateRound,
    private readonly channel: StateChannel,
    private readonly place: StateKeyKind,
    readonly key: KeyBytes,
    readonly part: Uint8Array,
    private readonly what: string,
    private readonly target: StateTarget,
  ) {}

  answered(bytes: Buffer, start: number, end: number, token: Buffer): void {
    // An empty page is not the end: only an empty token is.
    if (token.length > 0 || this.#pages !== undefined) {
      this.#pages ??= [];
      this.#pages.push(Buffer.from(bytes.subarray(start, end)));
    }
    if (token.length > 0) {
      this.channel.sendGet(this.round, this.place, token, this);
      return;
    }
    if (this.#pages === undefined) {
      this.target.load(bytes, start, end);
    } else {
      const all = Buffer.concat(this.#pages);
      this.target.load(all, 0, all.length);
    }
    this.round.answered();
  }

  failed(error: Error): void {
    const { what } = this;
    this.round.failed(what === "" ? error : new Error(`${what}: ${error.message}`, { cause: error }));
  }
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let left = value; left >= 10; left = Math.floor(left / 10)) digits++;
  return digits;
}

function writeDigits(out: ByteWriter, value: number, digits: number): void {
  let left = value;
  const start = out.length;
  for (let i = 0; i < digits; i++) out.writeByte(0);
  for (let at = start + digits - 1; at >= start; at--) {
    out.buffer[at] = 0x30 + (left % 10);
    left = Math.floor(left / 10);
  }
}

/** -1 for what was no id of ours. */
function readDigits(input: ByteReader, count: number): number {
  const at = input.skip(count);
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const digit = input.buffer[i]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
