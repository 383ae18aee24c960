/**
 * One side input of a transform: finds the window that belongs to an element's, and makes of its elements what the DoFn
 * declared. What was made is kept for the rest of the bundle, for a few windows.
 */
import { ByteReader, ByteWriter } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import { type WindowFn, windowFnFromProto } from "../model/window_fns.js";
import type { BoundedWindow } from "../model/windows.js";
import { type View, viewOf } from "../sdk/side_input.js";
import type { CollectionWindowing, OperatorContext } from "./operator.js";
import type { SideInputTable } from "./services.js";

const WINDOWS_KEPT_MAX = 16;

/** The window of a side input that an element's window is mapped to: the one that holds its end. */
export class WindowMapping {
  readonly #windowFn: WindowFn;
  readonly #windowCoder: Coder<BoundedWindow> | undefined;

  constructor({ strategy, windowCoder }: CollectionWindowing) {
    this.#windowFn = windowFnFromProto(strategy.windowFn!);
    this.#windowCoder = windowCoder;
  }

  /** Of several, the one that ends first. */
  map(window: BoundedWindow): BoundedWindow {
    return this.#windowFn.assign(window.maxTimestamp).at(-1)!;
  }

  /** The side input's window, encoded. */
  encode(window: BoundedWindow, out: ByteWriter): void {
    this.#windowCoder?.encode(window, out, "nested");
  }
}

export class SideInputReader {
  readonly #mapping: WindowMapping;
  readonly #coder: Coder<unknown>;
  readonly #made = new Map<string, unknown>();
  readonly #window = new ByteWriter(32);
  readonly #reader = new ByteReader();

  constructor(
    private readonly view: View,
    private readonly table: SideInputTable,
    context: OperatorContext,
    pcollectionId: string,
  ) {
    this.#mapping = new WindowMapping(context.windowing(pcollectionId));
    this.#coder = context.coder(pcollectionId);
  }

  /** What the DoFn sees in an element's window; undefined when it is not at hand. */
  read(elementWindow: BoundedWindow): unknown {
    this.#window.reset();
    this.#mapping.encode(this.#mapping.map(elementWindow), this.#window);
    const key = this.#window.view().toString("latin1");
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    if (!this.table.get(this.#window, this.#reader)) return undefined;
    const elements: unknown[] = [];
    while (this.#reader.remaining > 0) elements.push(this.#coder.decode(this.#reader, "nested"));
    const made = viewOf(this.view, elements);
    if (this.#made.size >= WINDOWS_KEPT_MAX) this.#made.clear();
    this.#made.set(key, made);
    return made;
  }

  /** Before another bundle: late elements may have come. */
  forget(): void {
    this.#made.clear();
  }
}
