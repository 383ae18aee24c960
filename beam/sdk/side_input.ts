/**
 * Side inputs: what a DoFn reads beside its elements. For each element it is all of another collection, in the window
 * of that collection which the end of the element's window lies in; a runner keeps the element back until that is
 * complete. Source: beam_runner_api.proto, SideInput.
 */
import type { runnerApi } from "../model/apache_beam.js";
import type { Coder } from "../model/coders/coder.js";
import type { KV } from "../model/kv.js";
import { urns } from "../model/urns.js";

/** All elements, in no particular order. */
export interface ListView<T> {
  readonly kind: "list";
  readonly coder: Coder<T>;
}
/** KVs by their keys; any of several with the same key. */
export interface MapView<K, V> {
  readonly kind: "map";
  readonly coder: Coder<KV<K, V>>;
}
/** A declared side input. */
export type View = ListView<any> | MapView<any, any>;
/** The views that a DoFn declares, by name. */
export type Views = Readonly<Record<string, View>>;

/** What `ctx.side` holds for each declared view. */
export type SideInputs<S extends Views> = {
  readonly [N in keyof S]: S[N] extends ListView<infer T>
    ? readonly T[]
    : S[N] extends MapView<infer K, infer V>
      ? ReadonlyMap<K, V>
      : never;
};

/** Declares a side input that is read as a list. */
export function listView<T>(coder: Coder<T>): ListView<T> {
  return { kind: "list", coder };
}

/**
 * Declares a side input of KVs that is read as a map. Keys are compared as in a Map, so two objects always differ.
 */
export function mapView<K, V>(coder: Coder<KV<K, V>>): MapView<K, V> {
  return { kind: "map", coder };
}

/** Elements of a view's collection → what the DoFn sees. */
export function viewOf(view: View, elements: readonly unknown[]): unknown {
  if (view.kind === "list") return elements;
  return new Map((elements as readonly KV<unknown, unknown>[]).map(({ key, value }) => [key, value]));
}

/** Each view is read whole, as an iterable: which window, and as what, is the SDK's affair. */
export function sideInputProto(): runnerApi.SideInput {
  const fn = (urn: string): runnerApi.FunctionSpec => ({ urn, payload: new Uint8Array() });
  return {
    accessPattern: fn(urns.iterableSideInput),
    viewFn: fn("beam:view_fn:ts:declared:v1"),
    windowMappingFn: fn("beam:window_mapping_fn:ts:end_of_window:v1"),
  };
}
