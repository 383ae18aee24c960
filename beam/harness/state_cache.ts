/**
 * State that bundles leave behind for those to come. A runner that promises not to change state behind the worker's
 * back gives bundles a token; what was read or written under a token holds for each bundle with the same one. The
 * least recently used goes first. Source: beam_fn_api.proto, ProcessBundleRequest.CacheToken.
 *
 * A bundle takes out the keys that it touches and puts them back when it has committed: the bundle owns them
 * meanwhile, and when it fails they are gone, as they must be.
 */
import type { KeyState } from "./key_state.js";

export class StateCache {
  readonly #keys = new Map<string, KeyState>();
  #bytes = 0;

  constructor(private readonly bytesMax: number) {}

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#keys.size;
  }

  /** @param scope token and transform */
  take(scope: string, id: string): KeyState | undefined {
    const address = scope + id;
    const key = this.#keys.get(address);
    if (key === undefined) return undefined;
    this.#keys.delete(address);
    this.#bytes -= key.bytes;
    return key;
  }

  put(scope: string, key: KeyState): void {
    const address = scope + key.id;
    const present = this.#keys.get(address);
    if (present !== undefined) {
      this.#keys.delete(address);
      this.#bytes -= present.bytes;
    }
    this.#keys.set(address, key);
    this.#bytes += key.bytes;
    if (this.#bytes <= this.bytesMax) return;
    for (const [oldest, { bytes }] of this.#keys) {
      this.#keys.delete(oldest);
      this.#bytes -= bytes;
      if (this.#bytes <= this.bytesMax) return;
    }
  }
}
