/**
 * An operator runs one transform of a bundle. A bundle's life: setup (once) → startBundle → elements and timers, now
 * and then a settle → settle and finishBundle, in topological order, so that what an operator emits while finishing
 * still finds its consumers open → … → teardown (once). Operators are found by the URN of their transform.
 */
import type { runnerApi } from "../model/apache_beam.js";
import type { ByteReader } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import type { PaneInfo } from "../model/pane.js";
import type { TimestampMs } from "../model/timestamps.js";
import type { BoundedWindow } from "../model/windows.js";
import type { MetricCell } from "../sdk/metrics.js";
import type { PCollectionReceiver, Receiver, Windows } from "./receiver.js";
import type { ElementSplit, ExecServices } from "./services.js";

/** A PCollection's windowing, as far as an operator needs it. */
export interface CollectionWindowing {
  readonly strategy: runnerApi.WindowingStrategy;
  /** Undefined for the global window, which encodes to nothing. */
  readonly windowCoder: Coder<BoundedWindow> | undefined;
  readonly allowedLatenessMs: number;
}

/** What the processor hands to the factory of an operator. `S`: what the operator uses of the runner; nothing if left out. */
export interface OperatorContext<S = unknown> {
  readonly transformId: string;
  readonly transform: runnerApi.PTransform;
  readonly services: S;
  /** The receiver of an output, by its local name. */
  output(localName: string): PCollectionReceiver;
  /** Coder of the PCollection behind a local input or output name. */
  coder(pcollectionId: string): Coder<any>;
  /** Coders of key and value of a PCollection of KVs. Throws for any other. */
  kvCoders(pcollectionId: string): { readonly key: Coder<any>; readonly value: Coder<any> };
  windowing(pcollectionId: string): CollectionWindowing;
}

/** A user metric and what the present bundle added to it. */
export interface NamedMetric {
  readonly namespace: string;
  readonly name: string;
  readonly cell: MetricCell;
}

/** A timer that fired: its key and window as encoded, its tag, its times. Reused: do not keep it. */
export interface FiredTimer {
  /** At the encoded key; what follows it are the encoded window and the tag. */
  readonly identity: ByteReader;
  /** Bytes of key and window together. */
  keyAndWindowLength: number;
  tag: string;
  fireTimestamp: TimestampMs;
  outputTimestamp: TimestampMs;
}

/** Of a restriction, in any unit. */
export interface RestrictionProgress {
  readonly completed: number;
  readonly remaining: number;
}

export abstract class Operator {
  /** Receives the elements of the main input (or of all inputs, for a flatten). Undefined: a source. */
  readonly input: Receiver | undefined;

  setup(): void | Promise<void> {}
  startBundle(): void | Promise<void> {}
  /**
   * Does what was put off: until the state of its keys is at hand, or until what `process` waits for has come. Answers
   * a promise only if there is something to wait for; until it settles, the operator must be given nothing.
   */
  settle(): void | Promise<void> {}
  finishBundle(): void | Promise<void> {}
  teardown(): void | Promise<void> {}
  onTimer(family: string, _timer: FiredTimer): void {
    throw new Error(`this operator has no timer family ${family}`);
  }
  metrics(): readonly NamedMetric[] {
    return [];
  }
  /** Work done and left of the splittable element that is being processed; undefined when none is. */
  progress(): RestrictionProgress | undefined {
    return undefined;
  }
  /** As its input, for a part of a splittable element that is drained, or that an earlier run has left. */
  acceptPart(
    _origin: "drained" | "resumed",
    _element: unknown,
    _timestamp: TimestampMs,
    _windows: Windows,
    _pane: PaneInfo,
  ): void {
    throw new Error("this operator accepts no parts of elements");
  }
  /** Gives away part of the splittable element that is being processed; undefined when there is nothing to give. */
  split(_fractionOfRemainder: number): ElementSplit | undefined {
    return undefined;
  }
}

export type OperatorFactory = (context: OperatorContext<ExecServices>) => Operator;

/** What a runner must know of an operator before it makes one. */
export interface OperatorTraits {
  /** It emits when its bundle finishes. */
  readonly emitsLast?: boolean;
}

interface OperatorEntry {
  readonly create: OperatorFactory;
  readonly traits: OperatorTraits;
}

const entries = new Map<string, OperatorEntry>();

/** Says which operator runs the transforms of a URN. A runner that fuses by itself runs what is registered. */
export function registerOperator(urn: string, create: OperatorFactory, traits: OperatorTraits = {}): void {
  entries.set(urn, { create, traits });
}

/** What is known of the operator of a URN; undefined: nothing runs it. */
export function operatorTraits(urn: string): OperatorTraits | undefined {
  return entries.get(urn)?.traits;
}

const ofDoFns = new Map<string, OperatorFactory>();

/** Says which operator runs the ParDos of a DoFn that is no class: one that a runner has put into the graph. */
export function registerDoFnOperator(doFnUrn: string, create: OperatorFactory): void {
  ofDoFns.set(doFnUrn, create);
}

/** Undefined: the DoFn is a class. */
export function doFnOperator(doFnUrn: string): OperatorFactory | undefined {
  return ofDoFns.get(doFnUrn);
}

export function createOperator(context: OperatorContext<ExecServices>): Operator {
  const urn = context.transform.spec?.urn ?? "";
  const entry = entries.get(urn);
  if (entry === undefined) {
    throw new Error(
      `transform ${context.transform.uniqueName}: nothing here runs ${urn === "" ? "a transform without URN" : urn}`,
    );
  }
  return entry.create(context);
}
