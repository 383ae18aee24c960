/** A key and a value: what groups, state and timers work on. */
export interface KV<K, V> {
  readonly key: K;
  readonly value: V;
}
