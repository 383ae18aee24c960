/**
 * State that bundles leave behind for those to come. A runner that promises not to change state behind the worker's
 * back gives bundles a token; what was read or written under a token holds for each bundle with the same one. The
 * least recently used goes first. Source: beam_fn_api.proto, ProcessBundleRequest.CacheToken.
 *
 * A bundle takes out the keys that it touches and puts them back when it has committed: the bundle owns them
 * meanwhile, and when it fails they are gone, as they must be. The order of use is a list of links in the keys
 * themselves: there are so many of them that one more object for each is felt. A key of which nothing is stored is the
 * first to go: most of those never come again. A key of which this memory is all that a bundle can work with, a shard of
 * keys, is not counted, and goes only when it comes under another token: a key is of one operator, so what an earlier token
 * holds of it is stale.
 */
import type { KeyState } from "./key_state.js";

export class StateCache {
  readonly #scopes = new Map<string, Map<string, KeyState>>();
  /** By transform and id. */
  readonly #pinned = new Map<string, KeyState>();
  #newest: KeyState | undefined;
  #oldest: KeyState | undefined;
  #bytes = 0;
  #size = 0;

  constructor(private readonly bytesMax: number) {}

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#size;
  }

  /** @param scope token and transform */
  take(scope: string, id: string): KeyState | undefined {
    const key = this.#scopes.get(scope)?.get(id);
    if (key !== undefined) this.#remove(key);
    return key;
  }

  put(scope: string, key: KeyState): void {
    let keys = this.#scopes.get(scope);
    if (keys === undefined) {
      keys = new Map();
      this.#scopes.set(scope, keys);
    }
    keys.set(key.id, key);
    key.scope = scope;
    this.#size++;
    if (key.isPinned) {
      const name = withoutToken(scope) + key.id;
      const stale = this.#pinned.get(name);
      if (stale !== undefined) this.#remove(stale);
      this.#pinned.set(name, key);
      return;
    }
    key.cachedBytes = key.bytes;
    if (key.isEmpty) this.#linkOldest(key);
    else this.#linkNewest(key);
    this.#bytes += key.cachedBytes;
    while (this.#bytes > this.bytesMax) this.#remove(this.#oldest!);
  }

  #linkNewest(key: KeyState): void {
    key.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = key;
    else this.#newest.newer = key;
    this.#newest = key;
  }

  #linkOldest(key: KeyState): void {
    key.newer = this.#oldest;
    if (this.#oldest === undefined) this.#newest = key;
    else this.#oldest.older = key;
    this.#oldest = key;
  }

  #remove(key: KeyState): void {
    if (key.isPinned) this.#pinned.delete(withoutToken(key.scope) + key.id);
    else this.#unlink(key);
    const keys = this.#scopes.get(key.scope)!;
    keys.delete(key.id);
    if (keys.size === 0) this.#scopes.delete(key.scope);
    this.#size--;
  }

  #unlink(key: KeyState): void {
    const { older, newer } = key;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    key.older = undefined;
    key.newer = undefined;
    this.#bytes -= key.cachedBytes;
  }
}

/** A scope is a token, a zero, and the transform. */
function withoutToken(scope: string): string {
  return scope.slice(scope.indexOf("\0"));
}
