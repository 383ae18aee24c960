/**
 * A key and a value: what groups, state and timers work on. A type rather than an interface, so that a KV of JSON
 * values is itself a JSON value.
 */
export type KV<K, V> = {
  readonly key: K;
  readonly value: V;
};
