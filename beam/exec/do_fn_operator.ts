/** The part of an operator that is the same for every DoFn: its instance, its life cycle and its metrics. */
import { runnerApi } from "../model/apache_beam.js";
import { urns } from "../model/urns.js";
import type { AnyDoFn } from "../sdk/do_fn.js";
import { instantiateDoFn } from "../sdk/registry.js";
import { ElementContextCell } from "./element_context.js";
import { type NamedMetric, Operator, type OperatorContext } from "./operator.js";
import type { UserCodeServices } from "./services.js";

/** The ParDoPayload of a transform. */
export function parDoPayload(transform: runnerApi.PTransform): runnerApi.ParDoPayload {
  return runnerApi.ParDoPayload.fromBinary(transform.spec!.payload);
}

export function doFnOf(payload: runnerApi.ParDoPayload): AnyDoFn {
  const spec = payload.doFn;
  if (spec === undefined) throw new Error("a ParDo payload without a DoFn");
  return instantiateDoFn(spec.urn, spec.payload);
}

/** The collections whose elements a transform is given: all but its side inputs. */
export function elementInputs(transform: runnerApi.PTransform): string[] {
  if (transform.spec?.urn !== urns.parDo) return Object.values(transform.inputs);
  const { sideInputs } = parDoPayload(transform);
  return Object.entries(transform.inputs)
    .filter(([name]) => !(name in sideInputs))
    .map(([, collection]) => collection);
}

/** The collection of the main input. */
export function mainInput(transform: runnerApi.PTransform): string {
  const [input] = elementInputs(transform);
  if (input === undefined) throw new Error(`${transform.uniqueName}: a ParDo without input`);
  return input;
}

export abstract class DoFnOperator<F extends AnyDoFn> extends Operator {
  readonly #metrics: readonly NamedMetric[];
  protected readonly ctx: ElementContextCell;
  protected readonly name: string;

  constructor(
    protected readonly doFn: F,
    context: OperatorContext<UserCodeServices>,
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

  protected newContext(context: OperatorContext<UserCodeServices>): ElementContextCell {
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
    throw new Error(`${name}: process must be synchronous; work that waits belongs in finishBundle`);
  }
}
