/**
 * A side input over the Fn API: all elements of a window in one request, kept for the rest of the bundle. Windows that
 * a batch of elements misses are loaded at once. Source: beam_fn_api.proto, StateKey.IterableSideInput.
 */
import type { SideInputTable } from "../exec/services.js";
import type { ByteReader, ByteWriter } from "../model/bytes.js";
import type { BundleState } from "./remote_state.js";

/** Windows kept: elements of one bundle come in few. */
const WINDOWS_KEPT_MAX = 64;

export class RemoteSideInput implements SideInputTable {
  readonly #loaded = new Map<string, Buffer>();
  readonly #missing = new Map<string, Buffer>();
  #bundle!: BundleState;

  constructor(
    private readonly transformId: string,
    private readonly sideInputId: string,
  ) {}

  begin(bundle: BundleState): void {
    this.#bundle = bundle;
    this.#loaded.clear();
    this.#missing.clear();
  }

  get(window: ByteWriter, out: ByteReader): boolean {
    const id = window.buffer.latin1Slice(0, window.length);
    const elements = this.#loaded.get(id);
    if (elements === undefined) {
      this.#missing.set(id, window.toBytes());
      return false;
    }
    out.reset(elements);
    return true;
  }

  arrive(): void | Promise<void> {
    if (this.#missing.size === 0) return;
    if (this.#loaded.size > WINDOWS_KEPT_MAX) this.#loaded.clear();
    const { instructionId } = this.#bundle;
    const channel = this.#bundle.channel();
    const loads = [...this.#missing].map(async ([id, window]) => {
      const { transformId, sideInputId } = this;
      const iterableSideInput = { transformId, sideInputId, window };
      const key = { type: { oneofKind: "iterableSideInput", iterableSideInput } } as const;
      this.#loaded.set(id, await channel.get(instructionId, key));
    });
    return Promise.all(loads).then(() => this.#missing.clear());
  }
}
