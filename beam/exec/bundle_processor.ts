/**
 * Turns a process bundle descriptor into connected operators and runs bundles through them. One processor runs one
 * bundle at a time; after a bundle that failed it must be torn down, not used again.
 */
import type { fnApi, runnerApi } from "../model/apache_beam.js";
import type { Coder } from "../model/coders/coder.js";
import { KVCoder } from "../model/coders/kv_coder.js";
import { ProtoCoders } from "../model/coders/registry.js";
import { ParamWindowedValueCoder, WindowedValueCoder } from "../model/coders/windowed_value_coder.js";
import { urns } from "../model/urns.js";
import { elementInputs } from "./do_fn_operator.js";
import {
  type CollectionWindowing,
  createOperator,
  type FiredTimer,
  type NamedMetric,
  Operator,
  type OperatorContext,
  type RestrictionProgress,
} from "./operator.js";
import { PCollectionReceiver, TransformAtWork } from "./receiver.js";
import type { ElementSplit, ExecServices } from "./services.js";
import { topologicalOrder } from "./topological_order.js";
import "./standard_operators.js";

/** The part of a ProcessBundleDescriptor that execution needs. */
export type BundleDescriptor = Pick<
  fnApi.ProcessBundleDescriptor,
  "id" | "transforms" | "pcollections" | "windowingStrategies" | "coders"
>;

/** A user metric with the transform that it belongs to. */
export interface TransformMetric extends NamedMetric {
  readonly transform: string;
}

/** The same with the id that the descriptor has for the transform. */
export interface DescriptorMetric extends TransformMetric {
  readonly transformId: string;
}

interface NamedOperator {
  /** Of the transform. */
  readonly id: string;
  readonly operator: Operator;
}

export class BundleProcessor {
  /** In topological order. */
  readonly #operators: readonly NamedOperator[];
  readonly #byTransform = new Map<string, Operator>();
  readonly #receivers = new Map<string, PCollectionReceiver>();
  readonly #coders: ProtoCoders;
  /** Those that may put work off. */
  readonly #settling: readonly NamedOperator[];
  readonly atWork = new TransformAtWork();
  readonly metrics: readonly DescriptorMetric[];

  /** Throws for a transform that nothing registered can run. */
  constructor(
    readonly descriptor: BundleDescriptor,
    services: ExecServices,
  ) {
    this.#coders = new ProtoCoders(descriptor.coders);
    for (const id of Object.keys(descriptor.pcollections)) {
      this.#receivers.set(id, new PCollectionReceiver(this.atWork));
    }
    // Transforms that only group others run nothing themselves.
    const order = topologicalOrder(
      Object.entries(descriptor.transforms).filter(([, transform]) => transform.subtransforms.length === 0),
    );
    for (const id of order) {
      this.#byTransform.set(id, createOperator(this.#context(id, descriptor.transforms[id]!, services)));
    }
    this.#operators = order.map((id) => ({ id, operator: this.#byTransform.get(id)! }));
    this.#settling = this.#operators.filter(({ operator }) => operator.settle !== Operator.prototype.settle);
    for (const { id, operator } of this.#operators) this.#connect(id, descriptor.transforms[id]!, operator);
    this.metrics = order.flatMap((id) =>
      this.#byTransform
        .get(id)!
        .metrics()
        .map((metric) => ({
          ...metric,
          transform: descriptor.transforms[id]!.uniqueName,
          transformId: id,
        })),
    );
  }

  /** Where the elements of a source transform go in. */
  source(transformId: string): PCollectionReceiver {
    const [pcollection] = Object.values(this.descriptor.transforms[transformId]!.outputs);
    return this.#receivers.get(pcollection!)!;
  }

  async setup(): Promise<void> {
    await this.#inTurn(this.#operators, (operator) => operator.setup());
  }

  /** Consumers start before their producers. Answers a promise only if an operator has to wait. */
  startBundle(): void | Promise<void> {
    return this.#inTurn([...this.#operators].reverse(), (operator) => operator.startBundle());
  }

  onTimer(transformId: string, family: string, timer: FiredTimer): void {
    this.atWork.id = transformId;
    this.#byTransform.get(transformId)!.onTimer(family, timer);
    this.atWork.id = "";
  }

  /** Does what operators put off, producers first. Answers a promise only if there is something to wait for. */
  settle(): void | Promise<void> {
    return this.#inTurn(this.#settling, (operator) => operator.settle());
  }

  /** Producers finish before their consumers. Answers a promise only if an operator has to wait. */
  finishBundle(): void | Promise<void> {
    return this.#inTurn(this.#operators, (operator) => {
      const settling = operator.settle();
      return settling === undefined ? operator.finishBundle() : settling.then(() => operator.finishBundle());
    });
  }

  /** The collections of the bundle, with the number of elements that each has had. */
  get collections(): ReadonlyMap<string, PCollectionReceiver> {
    return this.#receivers;
  }

  progress(transformId: string): RestrictionProgress | undefined {
    return this.#byTransform.get(transformId)!.progress();
  }

  acceptPart(transformId: string, ...part: Parameters<Operator["acceptPart"]>): void {
    this.atWork.id = transformId;
    this.#byTransform.get(transformId)!.acceptPart(...part);
    this.atWork.id = "";
  }

  split(transformId: string, fractionOfRemainder: number): ElementSplit | undefined {
    return this.#byTransform.get(transformId)!.split(fractionOfRemainder);
  }

  async teardown(): Promise<void> {
    await this.#inTurn(this.#operators, (operator) => operator.teardown());
  }

  #context(
    transformId: string,
    transform: runnerApi.PTransform,
    services: ExecServices,
  ): OperatorContext<ExecServices> {
    const { descriptor } = this;
    return {
      transformId,
      transform,
      services,
      output: (localName) => this.#receivers.get(transform.outputs[localName]!)!,
      coder: (pcollectionId) => this.#coder(pcollectionId),
      kvCoders: (pcollectionId) => {
        const coder = this.#coder(pcollectionId);
        if (!(coder instanceof KVCoder)) {
          throw new Error(`${transform.uniqueName}: its input is not a collection of KVs`);
        }
        return { key: coder.key, value: coder.value };
      },
      windowing: (pcollectionId) => windowingOf(descriptor, pcollectionId, this.#coders),
    };
  }

  /** Of a collection's elements, without their windows. */
  #coder(pcollectionId: string): Coder<any> {
    const coder = this.#coders.get(this.descriptor.pcollections[pcollectionId]!.coderId);
    // Some runners name the coder of the windowed element here.
    return coder instanceof WindowedValueCoder || coder instanceof ParamWindowedValueCoder
      ? coder.value
      : coder;
  }

  #connect(id: string, transform: runnerApi.PTransform, operator: Operator): void {
    if (operator.input === undefined) return;
    for (const pcollection of elementInputs(transform)) {
      this.#receivers.get(pcollection)!.addConsumer(id, operator.input);
    }
  }

  /** Runs `step` on each operator in turn; goes on synchronously as long as nothing has to be waited for. */
  #inTurn(
    operators: readonly NamedOperator[],
    step: (operator: Operator) => void | Promise<void>,
  ): void | Promise<void> {
    for (let i = 0; i < operators.length; i++) {
      const { id, operator } = operators[i]!;
      this.atWork.id = id;
      const waiting = step(operator);
      if (waiting !== undefined) return waiting.then(() => this.#inTurn(operators.slice(i + 1), step));
    }
    this.atWork.id = "";
  }
}

function windowingOf(
  descriptor: BundleDescriptor,
  pcollectionId: string,
  coders: ProtoCoders,
): CollectionWindowing {
  const strategy =
    descriptor.windowingStrategies[descriptor.pcollections[pcollectionId]!.windowingStrategyId]!;
  const isGlobal = strategy.windowFn?.urn === urns.globalWindows;
  return {
    strategy,
    windowCoder: isGlobal ? undefined : coders.get(strategy.windowCoderId),
    allowedLatenessMs: Number(strategy.allowedLateness),
  };
}
