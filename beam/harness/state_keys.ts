/**
 * Where in a runner's state the cells of a key lie, as bytes: a StateKey of one transform's user state. Made without a
 * message object, since there are some for each key that a bundle touches. Source: beam_fn_api.proto, StateKey.
 */
import { ByteWriter } from "../model/bytes.js";
import type { KeyBytes } from "./key_state.js";
import {
  FieldTag,
  lengthOfBytesField,
  lengthOfField,
  lengthOfVarint,
  writeBytesField,
  writeLatin1Field,
} from "./proto_fields.js";

/** Number of the field of StateKey that names a kind of user state. */
const KIND = { bag: 3, log: 3, multimapKeys: 6, multimap: 7, orderedList: 9 } as const;

/** OrderedListRange { start: -2^63, end: 2^63 - 1 }: all of a list. */
const WHOLE_RANGE = Buffer.from("088080808080808080800110ffffffffffffffff7f", "hex");
/** Fields of BagUserState, MultimapUserState, MultimapKeysUserState and OrderedListUserState, which agree in them. */
const TRANSFORM_ID = new FieldTag(1);
const USER_STATE_ID = new FieldTag(2);
const WINDOW = new FieldTag(3);
const KEY = new FieldTag(4);
/** The map key of a multimap, the range of an ordered list. */
const PART = new FieldTag(5);

/** What a StateKey says beside the key and window that it is of. */
export interface StateKeyKind {
  /** Of what `write` writes. */
  length(key: KeyBytes, part: Uint8Array): number;
  write(out: ByteWriter, key: KeyBytes, part: Uint8Array): void;
}

/** No bytes: the part of what has none. */
export const NO_BYTES = Buffer.alloc(0);
/** Of what is no state of a key. */
export const NO_KEY: KeyBytes = { id: "", keyLength: 0 };

/** One cell of a transform, for all keys. The part is, for a multimap, the map key. */
export class CellKey implements StateKeyKind {
  readonly #kind: FieldTag;
  /** Transform and cell, encoded. */
  readonly #front: Buffer;
  readonly #isList: boolean;

  constructor(kind: keyof typeof KIND, transformId: string, userStateId: string) {
    this.#kind = new FieldTag(KIND[kind]);
    this.#isList = kind === "orderedList";
    const front = new ByteWriter(64);
    writeBytesField(front, TRANSFORM_ID, Buffer.from(transformId));
    writeBytesField(front, USER_STATE_ID, Buffer.from(userStateId));
    this.#front = front.toBytes();
  }

  length(key: KeyBytes, part: Uint8Array): number {
    const length = this.#bodyLength(key, part);
    return this.#kind.bytes.length + lengthOfVarint(length) + length;
  }

  write(out: ByteWriter, key: KeyBytes, part: Uint8Array): void {
    const { id, keyLength } = key;
    this.#kind.write(out);
    out.writeVarint(this.#bodyLength(key, part));
    out.writeBytes(this.#front);
    writeLatin1Field(out, WINDOW, id, keyLength, id.length);
    writeLatin1Field(out, KEY, id, 0, keyLength);
    writeBytesField(out, PART, this.#isList ? WHOLE_RANGE : part);
  }

  #bodyLength({ id, keyLength }: KeyBytes, part: Uint8Array): number {
    return (
      this.#front.length +
      lengthOfField(WINDOW, id.length - keyLength) +
      lengthOfField(KEY, keyLength) +
      lengthOfBytesField(PART, this.#isList ? WHOLE_RANGE : part)
    );
  }
}

/** A StateKey that is whole as it is. */
export class WholeStateKey implements StateKeyKind {
  constructor(private readonly bytes: Uint8Array) {}

  length(): number {
    return this.bytes.length;
  }

  write(out: ByteWriter): void {
    out.writeBytes(this.bytes);
  }
}
