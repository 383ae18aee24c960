import type { AnyCombineFn } from "../../sdk/combine_fn.js";
import type { CombiningState } from "../../sdk/state.js";
import type { StateOfKey } from "../keyed_state.js";
import type { StateCell } from "./state_cell.js";
import { ValueCell } from "./value_cell.js";

/** The accumulator of a CombineFn. */
export class CombiningCell implements StateCell, CombiningState<unknown, unknown> {
  readonly #accumulator: ValueCell<unknown>;

  constructor(
    private readonly combineFn: AnyCombineFn,
    number: number,
  ) {
    this.#accumulator = new ValueCell(combineFn.accumulatorCoder, number);
  }

  bind(state: StateOfKey): void {
    this.#accumulator.bind(state);
  }

  add(input: unknown): void {
    const accumulator = this.#accumulator.read() ?? this.combineFn.createAccumulator();
    this.#accumulator.write(this.combineFn.addInput(accumulator, input));
  }

  read(): unknown {
    return this.combineFn.extractOutput(this.#accumulator.read() ?? this.combineFn.createAccumulator());
  }

  isEmpty(): boolean {
    return this.#accumulator.read() === undefined;
  }

  clear(): void {
    this.#accumulator.clear();
  }

  flush(): void {
    this.#accumulator.flush();
  }
}
