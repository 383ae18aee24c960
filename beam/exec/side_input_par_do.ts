/** Runs a DoFn with side inputs. */
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import type { SideInputDoFn } from "../sdk/do_fn.js";
import type { View } from "../sdk/side_input.js";
import { DoFnOperator, refusePromise } from "./do_fn_operator.js";
import { ElementContextCell } from "./element_context.js";
import type { OperatorContext } from "./operator.js";
import type { Receiver, Windows } from "./receiver.js";
import { SideInputReader } from "./side_input_reader.js";

class SideInputContextCell extends ElementContextCell {
  readonly side: Record<string, unknown> = {};
}

export class SideInputParDoOperator
  extends DoFnOperator<SideInputDoFn<any, any, any, any>>
  implements Receiver
{
  override readonly input: Receiver = this;
  readonly #ctx = this.ctx as SideInputContextCell;
  readonly #sides: readonly { readonly name: string; readonly reader: SideInputReader }[];

  constructor(doFn: SideInputDoFn<any, any, any, any>, context: OperatorContext) {
    super(doFn, context);
    const { transform, transformId, services } = context;
    this.#sides = Object.entries(doFn.sideInputs as Record<string, View>).map(([name, view]) => {
      const pcollectionId = transform.inputs[name];
      if (pcollectionId === undefined) throw new Error(`${this.name}: it has no side input ${name}`);
      const table = services.sideInput(transformId, name);
      return { name, reader: new SideInputReader(view, table, context, pcollectionId) };
    });
  }

  protected override newContext(context: OperatorContext): ElementContextCell {
    return new SideInputContextCell(context);
  }

  override startBundle(): void | Promise<void> {
    for (const { reader } of this.#sides) reader.forget();
    return super.startBundle();
  }

  accept(value: unknown, timestamp: TimestampMs, windows: Windows, pane: PaneInfo): void {
    if (windows.length !== 1) {
      for (const window of windows) this.accept(value, timestamp, [window], pane);
      return;
    }
    for (const { name, reader } of this.#sides) {
      const view = reader.read(windows[0]!);
      if (view === undefined) throw new Error(`${this.name}: its side input ${name} is not at hand`);
      this.#ctx.side[name] = view;
    }
    this.#ctx.enter(timestamp, windows, pane);
    const result: unknown = this.doFn.process(value, this.#ctx as any);
    if (result !== undefined) refusePromise(this.name, result);
  }
}
