/**
 * Runs a DoFn with side inputs. Where these are a round trip away, elements whose side inputs are not at hand are put
 * aside until `settle`, which has all of them loaded in one round.
 */
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import type { SideInputDoFn } from "../sdk/do_fn.js";
import type { View } from "../sdk/side_input.js";
import { DoFnOperator, refusePromise } from "./do_fn_operator.js";
import { ElementContextCell } from "./element_context.js";
import type { OperatorContext } from "./operator.js";
import type { Receiver, Windows } from "./receiver.js";
import type { SideInputServices, SideInputTable, UserCodeServices } from "./services.js";
import { SideInputReader } from "./side_input_reader.js";

interface ElementAside {
  readonly value: unknown;
  readonly timestamp: TimestampMs;
  readonly windows: Windows;
  readonly pane: PaneInfo;
}

class SideInputContextCell extends ElementContextCell {
  readonly side: Record<string, unknown> = {};
}

export class SideInputParDoOperator
  extends DoFnOperator<SideInputDoFn<any, any, any, any>>
  implements Receiver
{
  override readonly input: Receiver = this;
  readonly #ctx = this.ctx as SideInputContextCell;
  readonly #sides: readonly {
    readonly name: string;
    readonly table: SideInputTable;
    readonly reader: SideInputReader;
  }[];
  #aside: ElementAside[] = [];

  constructor(
    doFn: SideInputDoFn<any, any, any, any>,
    context: OperatorContext<UserCodeServices & SideInputServices>,
  ) {
    super(doFn, context);
    const { transform, transformId, services } = context;
    this.#sides = Object.entries(doFn.sideInputs as Record<string, View>).map(([name, view]) => {
      const pcollectionId = transform.inputs[name];
      if (pcollectionId === undefined) throw new Error(`${this.name}: it has no side input ${name}`);
      const table = services.sideInput(transformId, name);
      return { name, table, reader: new SideInputReader(view, table, context, pcollectionId) };
    });
  }

  protected override newContext(context: OperatorContext<UserCodeServices>): ElementContextCell {
    return new SideInputContextCell(context);
  }

  override startBundle(): void | Promise<void> {
    for (const { reader } of this.#sides) reader.forget();
    // A bundle that failed leaves them behind.
    this.#aside = [];
    return super.startBundle();
  }

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    if (windows.length !== 1) {
      for (const window of windows) this.accept(value, timestamp, [window], pane);
      return;
    }
    let isAtHand = true;
    for (const { name, reader } of this.#sides) {
      const view = reader.read(windows[0]!);
      if (view === undefined) isAtHand = false;
      else this.#ctx.side[name] = view;
    }
    if (!isAtHand) {
      this.#aside.push({ value, timestamp, windows, pane });
      return;
    }
    this.#ctx.enter(timestamp, windows, pane);
    const result: unknown = this.doFn.process(value, this.#ctx as any);
    if (result !== undefined) refusePromise(this.name, result);
  }

  override settle(): void | Promise<void> {
    if (this.#aside.length === 0) return;
    const arriving = this.#sides.map(({ table }) => table.arrive()).filter((each) => each !== undefined);
    if (arriving.length === 0) this.#resume();
    else return Promise.all(arriving).then(() => this.#resume());
  }

  #resume(): void {
    const aside = this.#aside;
    this.#aside = [];
    for (const { value, timestamp, windows, pane } of aside) this.accept(value, timestamp, windows, pane);
  }
}
