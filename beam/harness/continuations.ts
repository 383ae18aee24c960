/**
 * Iterables that a runner gave only the beginning of: their rest is in its state, under a token. User code is
 * synchronous, so a rest is read whole, page by page, before its element is handed out.
 * Source: beam_runner_api.proto, StandardCoders STATE_BACKED_ITERABLE; beam_fn_api.proto, StateKey.Runner.
 */
import { ByteReader } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import type { ReadContinuation } from "../model/coders/iterable_coder.js";
import type { BundleState } from "./remote_state.js";

interface Rest {
  readonly token: Uint8Array;
  readonly element: Coder<unknown>;
  readonly values: unknown[];
}

export class Continuations {
  #bundle!: BundleState;
  #missing: Rest[] = [];

  begin(bundle: BundleState): void {
    this.#bundle = bundle;
    this.#missing = [];
  }

  /** For coders: what it returns has its elements once `arrive` has settled. */
  readonly read: ReadContinuation = <T>(token: Uint8Array, element: Coder<T>): Iterable<T> => {
    const values: T[] = [];
    // The bytes around the token belong to a segment that may be gone by then.
    this.#missing.push({ token: Uint8Array.from(token), element, values });
    return values;
  };

  /** Loads all that `read` was asked for, and what that goes on with in turn. Undefined: there is nothing to load. */
  arrive(): Promise<void> | undefined {
    return this.#missing.length === 0 ? undefined : this.#load();
  }

  async #load(): Promise<void> {
    const { instructionId } = this.#bundle;
    const channel = this.#bundle.channel();
    while (this.#missing.length > 0) {
      const missing = this.#missing;
      this.#missing = [];
      await Promise.all(
        missing.map(async ({ token, element, values }) => {
          const bytes = await channel.get(instructionId, {
            type: { oneofKind: "runner", runner: { key: token } },
          });
          const reader = new ByteReader(bytes);
          while (reader.remaining > 0) values.push(element.decode(reader, "nested"));
        }),
      );
    }
  }
}
