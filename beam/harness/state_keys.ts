/** Where in a runner's state a cell of a key lies. Source: beam_fn_api.proto, StateKey. */
import type { StateLayout } from "../exec/services.js";
import { fnApi } from "../model/apache_beam.js";

export interface CellAddress {
  readonly transformId: string;
  readonly userStateId: string;
  readonly window: Uint8Array;
  readonly key: Uint8Array;
}

export function cellKey(layout: StateLayout, address: CellAddress): fnApi.StateKey {
  return layout === "bag" ? bagKey(address) : orderedListKey(address);
}

export function multimapKeysKey(multimapKeysUserState: CellAddress): fnApi.StateKey {
  return { type: { oneofKind: "multimapKeysUserState", multimapKeysUserState } };
}

export function multimapKey(address: CellAddress, mapKey: Uint8Array): fnApi.StateKey {
  return { type: { oneofKind: "multimapUserState", multimapUserState: { ...address, mapKey } } };
}

function bagKey(bagUserState: CellAddress): fnApi.StateKey {
  return { type: { oneofKind: "bagUserState", bagUserState } };
}

/** StateKey.ordered_list_user_state */
const ORDERED_LIST_FIELD = 9;
/** OrderedListRange { start: -2^63, end: 2^63 - 1 }: all of a list. */
const WHOLE_RANGE = Buffer.from("088080808080808080800110ffffffffffffffff7f", "hex");
/** Where protobuf-ts keeps fields that a message's type does not have; they are written as they are. */
const UNKNOWN_FIELDS = Symbol.for("protobuf-ts/unknown");
const LENGTH_DELIMITED = 2;

/**
 * The protos of the apache-beam package are older than this kind of key. Its message is a MultimapUserState with a range
 * where that has its map key.
 */
function orderedListKey(address: CellAddress): fnApi.StateKey {
  const message = fnApi.StateKey_MultimapUserState.toBinary({ ...address, mapKey: WHOLE_RANGE });
  const stateKey: fnApi.StateKey = { type: { oneofKind: undefined } };
  const data = withLength(message);
  Object.defineProperty(stateKey, UNKNOWN_FIELDS, {
    value: [{ no: ORDERED_LIST_FIELD, wireType: LENGTH_DELIMITED, data }],
  });
  return stateKey;
}

/** varint length | bytes */
function withLength(bytes: Uint8Array): Uint8Array {
  const prefix: number[] = [];
  let left = bytes.length;
  for (; left > 0x7f; left >>>= 7) prefix.push((left & 0x7f) | 0x80);
  prefix.push(left);
  return Buffer.concat([Buffer.from(prefix), bytes]);
}
