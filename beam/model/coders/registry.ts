/**
 * From a pipeline proto to coders: which URN is which coder. Standard coders are built in; a project adds its own
 * with `registerCoder`, in the program that builds the pipeline and in the worker that runs it.
 */
import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import { BoolCoder } from "./bool_coder.js";
import { BytesCoder } from "./bytes_coder.js";
import type { Coder } from "./coder.js";
import { DoubleCoder } from "./double_coder.js";
import { IterableCoder, type ReadContinuation, StateBackedIterableCoder } from "./iterable_coder.js";
import { KVCoder } from "./kv_coder.js";
import { LengthPrefixCoder } from "./length_prefix_coder.js";
import { NullableCoder } from "./nullable_coder.js";
import { RowCoder } from "./row_coder.js";
import { ShardedKeyCoder } from "./sharded_key_coder.js";
import { StringUtf8Coder } from "./string_utf8_coder.js";
import { TimerCoder } from "./timer_coder.js";
import { CoderUrn } from "./urns.js";
import { Varint64Coder, VarintCoder } from "./varint_coder.js";
import { CustomWindowCoder, GlobalWindowCoder, IntervalWindowCoder } from "./window_coders.js";
import { ParamWindowedValueCoder, WindowedValueCoder } from "./windowed_value_coder.js";

/** What a coder may need that is not in its proto. */
export interface CoderHooks {
  /** Without it, a state-backed iterable that is continued in state cannot be decoded. */
  readonly readContinuation?: ReadContinuation;
}

/** Makes a coder from its payload and its components, whose number is the factory's to check. */
export type CoderFactory = (
  payload: Uint8Array,
  components: readonly Coder<any>[],
  hooks: CoderHooks,
) => Coder<any>;

/** A coder proto that no coder can be made from: the pipeline needs something that this program does not have. */
export class UnknownCoderError extends Error {
  override readonly name = "UnknownCoderError";
}

const standard = new Map<string, CoderFactory>([
  [CoderUrn.BYTES, leaf(BytesCoder.INSTANCE)],
  [CoderUrn.STRING_UTF8, leaf(StringUtf8Coder.INSTANCE)],
  [CoderUrn.VARINT, components(0, varint)],
  [CoderUrn.BOOL, leaf(BoolCoder.INSTANCE)],
  [CoderUrn.DOUBLE, leaf(DoubleCoder.INSTANCE)],
  [CoderUrn.KV, components(2, (_, [key, value]) => new KVCoder(key!, value!))],
  [CoderUrn.ITERABLE, components(1, (_, [element]) => new IterableCoder(element!))],
  [
    CoderUrn.STATE_BACKED_ITERABLE,
    components(1, (_, [element], hooks) => new StateBackedIterableCoder(element!, hooks.readContinuation)),
  ],
  [CoderUrn.LENGTH_PREFIX, components(1, (_, [value]) => new LengthPrefixCoder(value!))],
  [CoderUrn.NULLABLE, components(1, (_, [value]) => new NullableCoder(value!))],
  [CoderUrn.GLOBAL_WINDOW, leaf(GlobalWindowCoder.INSTANCE)],
  [CoderUrn.INTERVAL_WINDOW, leaf(IntervalWindowCoder.INSTANCE)],
  [CoderUrn.CUSTOM_WINDOW, components(1, (_, [window]) => new CustomWindowCoder(window!))],
  [CoderUrn.WINDOWED_VALUE, components(2, (_, [value, window]) => new WindowedValueCoder(value!, window!))],
  [
    CoderUrn.PARAM_WINDOWED_VALUE,
    components(2, (payload, [value, window]) =>
      ParamWindowedValueCoder.fromPayload(value!, window!, payload),
    ),
  ],
  [CoderUrn.TIMER, components(2, (_, [key, window]) => new TimerCoder(key!, window!))],
  [CoderUrn.SHARDED_KEY, components(1, (_, [key]) => new ShardedKeyCoder(key!))],
  [CoderUrn.ROW, components(0, (payload) => RowCoder.fromPayload(payload))],
]);

const custom = new Map<string, CoderFactory>();

/** For the capabilities of an environment: the runner need not put a length prefix around these. */
export const ALL_STANDARD_CODER_URNS: readonly string[] = [...standard.keys()];

/** By the URN of a coder, that of the one whose bytes it reads too. */
const succeeded = new Map<string, string>();

/**
 * Makes `urn` known. Throws when it is taken by another factory.
 * @param readsToo URN of a coder that this one replaces: a run can continue from state that holds its bytes
 */
export function registerCoder(urn: string, factory: CoderFactory, readsToo?: string): void {
  if (standard.has(urn)) throw new Error(`${urn} is a standard coder`);
  const present = custom.get(urn);
  if (present !== undefined && present !== factory) throw new Error(`${urn} is registered already`);
  custom.set(urn, factory);
  if (readsToo !== undefined) succeeded.set(urn, readsToo);
}

/** A signature of coders, as the first ones would have had that wrote the bytes which these can read. */
export function oldestReadable(signature: string): string {
  let oldest = signature;
  for (const [urn, readsToo] of succeeded) oldest = oldest.replaceAll(urn, readsToo);
  return oldest;
}

/**
 * The coder `coderId` of `coders`. Throws an UnknownCoderError that names coder and URN.
 * For several coders of one pipeline or bundle descriptor, keep a ProtoCoders.
 */
export function coderFromProto(
  coderId: string,
  coders: Readonly<Record<string, runnerApi.Coder>>,
  hooks: CoderHooks = {},
): Coder<any> {
  return new ProtoCoders(coders, hooks).get(coderId);
}

/** The coders of one pipeline or bundle descriptor, each made once. */
export class ProtoCoders {
  private readonly made = new Map<string, Coder<any>>();
  /** Ids of the coders being made, outermost first: a coder inside of itself would have no end. */
  private readonly open = new Set<string>();

  constructor(
    private readonly coders: Readonly<Record<string, runnerApi.Coder>>,
    private readonly hooks: CoderHooks = {},
  ) {}

  get(coderId: string): Coder<any> {
    let coder = this.made.get(coderId);
    if (coder === undefined) {
      if (this.open.has(coderId)) {
        throw new UnknownCoderError(`the coder "${coderId}" is a component of itself`);
      }
      this.open.add(coderId);
      try {
        coder = this.make(coderId);
      } finally {
        this.open.delete(coderId);
      }
      this.made.set(coderId, coder);
    }
    return coder;
  }

  private make(coderId: string): Coder<any> {
    const proto = Object.hasOwn(this.coders, coderId) ? this.coders[coderId] : undefined;
    if (proto === undefined) throw new UnknownCoderError(`there is no coder "${coderId}"`);
    const urn = proto.spec?.urn ?? "";
    const factory = standard.get(urn) ?? custom.get(urn);
    if (factory === undefined)
      throw new UnknownCoderError(`the coder "${coderId}" has the unknown URN "${urn}"`);
    const parts = proto.componentCoderIds.map((id) => this.get(id));
    try {
      return factory(proto.spec?.payload ?? new Uint8Array(0), parts, this.hooks);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new UnknownCoderError(`the coder "${coderId}" (${urn}) cannot be made: ${reason}`, {
        cause: error,
      });
    }
  }
}

function leaf(coder: Coder<any>): CoderFactory {
  return components(0, () => coder);
}

function components(count: number, factory: CoderFactory): CoderFactory {
  return (payload, parts, hooks) => {
    if (parts.length !== count) throw new Error(`${parts.length} components instead of ${count}`);
    return factory(payload, parts, hooks);
  };
}

function varint(payload: Uint8Array): Coder<any> {
  const isBigint = Buffer.compare(payload, Varint64Coder.PAYLOAD) === 0;
  return isBigint ? Varint64Coder.INSTANCE : VarintCoder.INSTANCE;
}
