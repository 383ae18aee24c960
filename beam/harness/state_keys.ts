/**
 * Where in a runner's state the cells of a key lie, as bytes: a StateKey of one transform's user state. Made without a
 * message object, since there are some for each key that a bundle touches. Source: beam_fn_api.proto, StateKey.
 */
import { ByteWriter } from "../model/bytes.js";
import { FieldTag, lengthOfBytesField, writeBytesField } from "./proto_fields.js";

/** Number of the field of StateKey that names a kind of user state. */
const KIND = { bag: 3, multimapKeys: 6, multimap: 7, orderedList: 9 } as const;

/** OrderedListRange { start: -2^63, end: 2^63 - 1 }: all of a list. */
const WHOLE_RANGE = Buffer.from("088080808080808080800110ffffffffffffffff7f", "hex");
const NO_BYTES = Buffer.alloc(0);

/** Fields of BagUserState, MultimapUserState, MultimapKeysUserState and OrderedListUserState, which agree in them. */
const TRANSFORM_ID = new FieldTag(1);
const USER_STATE_ID = new FieldTag(2);
const WINDOW = new FieldTag(3);
const KEY = new FieldTag(4);
/** The map key of a multimap, the range of an ordered list. */
const PART = new FieldTag(5);

/** One cell of a transform, for all keys. */
export class CellKey {
  readonly #kind: FieldTag;
  /** Transform and cell, encoded. */
  readonly #front: Buffer;
  readonly #part: Buffer;

  constructor(kind: keyof typeof KIND, transformId: string, userStateId: string) {
    this.#kind = new FieldTag(KIND[kind]);
    this.#part = kind === "orderedList" ? WHOLE_RANGE : NO_BYTES;
    const front = new ByteWriter(64);
    writeBytesField(front, TRANSFORM_ID, Buffer.from(transformId));
    writeBytesField(front, USER_STATE_ID, Buffer.from(userStateId));
    this.#front = front.toBytes();
  }

  /** @param part for a multimap its map key */
  encode(window: Buffer, key: Buffer, part: Uint8Array = this.#part): Buffer {
    const length =
      this.#front.length +
      lengthOfBytesField(WINDOW, window) +
      lengthOfBytesField(KEY, key) +
      lengthOfBytesField(PART, part);
    writer.reset();
    this.#kind.write(writer);
    writer.writeVarint(length);
    writer.writeBytes(this.#front);
    writeBytesField(writer, WINDOW, window);
    writeBytesField(writer, KEY, key);
    writeBytesField(writer, PART, part);
    return writer.toBytes();
  }
}

const writer = new ByteWriter(256);
