/**
 * A key and a value: what groups, state and timers work on. A type and no interface, so that a KV of what JSON can
 * carry is something that JSON can carry.
 */
export type KV<K, V> = {
  readonly key: K;
  readonly value: V;
};
