/**
 * State that bundles leave behind for those to come. A runner that promises not to change state behind the worker's
 * back gives bundles a token; what was read or written under a token holds for each bundle with the same one. The
 * least recently used goes first. Source: beam_fn_api.proto, ProcessBundleRequest.CacheToken.
 *
 * A bundle takes out the keys that it touches and puts them back when it has committed: the bundle owns them
 * meanwhile, and when it fails they are gone, as they must be.
 */
import { LeastRecentlyUsed } from "../platform/least_recently_used.js";
import type { KeyState } from "./key_state.js";

export class StateCache {
  readonly #keys = new LeastRecentlyUsed<KeyState>();

  constructor(private readonly bytesMax: number) {}

  get bytes(): number {
    return this.#keys.bytes;
  }

  get size(): number {
    return this.#keys.size;
  }

  /** @param scope token and transform */
  take(scope: string, id: string): KeyState | undefined {
    return this.#keys.delete(scope + id);
  }

  put(scope: string, key: KeyState): void {
    this.#keys.set(scope + key.id, key, key.bytes);
    while (this.#keys.bytes > this.bytesMax) this.#keys.dropOldest();
  }
}
