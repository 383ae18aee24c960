/** The part of an operator that is the same for every DoFn: its instance, its life cycle and its metrics. */
import { runnerApi } from "../model/apache_beam.js";
import type { AnyDoFn } from "../sdk/do_fn.js";
import { instantiateDoFn } from "../sdk/registry.js";
import { ElementContextCell } from "./element_context.js";
import { type NamedMetric, Operator, type OperatorContext } from "./operator.js";

/** The ParDoPayload of a transform. */
export function parDoPayload(transform: runnerApi.PTransform): runnerApi.ParDoPayload {
  return runnerApi.ParDoPayload.fromBinary(transform.spec!.payload);
}

export function doFnOf(payload: runnerApi.ParDoPayload): AnyDoFn {
  const spec = payload.doFn;
  if (spec === undefined) throw new Error("a ParDo payload without a DoFn");
  return instantiateDoFn(spec.urn, spec.payload);
}

/** Local name of the main input: the one that is no side input. */
export function mainInput(transform: runnerApi.PTransform): string {
  const payload = parDoPayload(transform);
  const sideInputs = Object.keys(payload.sideInputs);
  if (sideInputs.length > 0) {
    throw new Error(`${transform.uniqueName}: side inputs are not supported (${sideInputs.join(", ")})`);
  }
  const [name] = Object.keys(transform.inputs);
  if (name === undefined) throw new Error(`${transform.uniqueName}: a ParDo without input`);
  return transform.inputs[name]!;
}

export abstract class DoFnOperator<F extends AnyDoFn> extends Operator {
  readonly #metrics: readonly NamedMetric[];
  protected readonly ctx: ElementContextCell;
  protected readonly name: string;

  constructor(
    protected readonly doFn: F,
    context: OperatorContext,
  ) {
    super();
    this.name = context.transform.uniqueName;
    this.ctx = this.newContext(context);
    this.#metrics = Object.entries(doFn.metrics).map(([name, cell]) => ({
      namespace: doFn.constructor.name,
      name,
      cell,
    }));
  }

  protected newContext(context: OperatorContext): ElementContextCell {
    return new ElementContextCell(context);
  }

  override setup(): void | Promise<void> {
    return this.doFn.setup?.();
  }

  override startBundle(): void | Promise<void> {
    this.ctx.leave();
    return this.doFn.startBundle?.(this.ctx);
  }

  override finishBundle(): void | Promise<void> {
    this.ctx.leave();
    return this.doFn.finishBundle?.(this.ctx);
  }

  override teardown(): void | Promise<void> {
    return this.doFn.teardown?.();
  }

  override metrics(): readonly NamedMetric[] {
    return this.#metrics;
  }
}

/** An `async process` would let the bundle end before its work: a programmer error, and a loud one. */
export function refusePromise(name: string, result: unknown): void {
  if (result !== undefined && typeof (result as { then?: unknown } | null)?.then === "function") {
    throw new Error(`${name}: process must be synchronous; work that waits belongs into finishBundle`);
  }
}
