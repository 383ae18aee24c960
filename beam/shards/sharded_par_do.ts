/**
 * Runs a stateful step whose keys are kept in shards: takes batches of a shard's elements, and the shard's wakes, and has
 * the step's own operator run them over the shard's state and timers.
 */
import { mainInput, parDoPayload } from "../exec/do_fn_operator.js";
import type { KeyedState, StateOfKey } from "../exec/keyed_state.js";
import { type FiredTimer, type NamedMetric, Operator, type OperatorContext } from "../exec/operator.js";
import type { Receiver } from "../exec/receiver.js";
import type { ExecServices } from "../exec/services.js";
import { StatefulParDoOperator } from "../exec/stateful_par_do.js";
import type { TimedCell } from "../exec/timed_cell.js";
import { ByteReader, ByteWriter, CorruptBytesError } from "../model/bytes.js";
import type { Coder } from "../model/coders/coder.js";
import type { WindowedValueCoder } from "../model/coders/windowed_value_coder.js";
import type { KV } from "../model/kv.js";
import type { TimeDomain } from "../model/timer.js";
import type { TimestampMs } from "../model/timestamps.js";
import { StatefulDoFn } from "../sdk/do_fn.js";
import { elementCoderOf, ownStep, SHARD_LOG, SHARD_WAKE, shardedStepFromBytes } from "../sdk/key_shards.js";
import { instantiateDoFn } from "../sdk/registry.js";
import { ChangeList } from "../store/journal.js";
import { multimapParts, type StoredState, WHOLE_BELOW_BYTES } from "../stored_state/stored_state.js";
import { stateTableName, timedStateTableName, timerTableName } from "../stored_state/table_names.js";
import { type Declared, ForeignLogError, HOLD_TAG, Shard, type ShardPlace, STEP } from "./shard.js";
import { batchedCoder } from "./shard_keys.js";

/** The state of the shard at work, as the step's own operator sees it. */
class StateOfShard implements KeyedState, Declared {
  readonly isAtHand = true;
  readonly wholeBelowBytes: number = WHOLE_BELOW_BYTES;
  readonly declarations: ((state: StoredState) => void)[] = [];
  readonly tables = new Set<string>();
  #cells = 0;
  #multimaps = 0;
  #families = 0;
  #state!: StoredState;

  turnTo({ state }: Shard): void {
    this.#state = state;
  }

  cell(name: string): number {
    this.declarations.push((state) => void state.cell(name));
    this.tables.add(stateTableName(STEP, name));
    return this.#cells++;
  }

  multimap(name: string): number {
    this.declarations.push((state) => void state.multimap(name));
    for (const part of multimapParts(name)) this.tables.add(stateTableName(STEP, part));
    return this.#multimaps++;
  }

  timers(family: string, timeDomain: TimeDomain, beside?: TimedCell): number {
    this.declarations.push((state) => void state.timers(family, timeDomain, beside));
    this.tables.add(timerTableName(STEP, family));
    if (beside !== undefined) this.tables.add(timedStateTableName(STEP, beside));
    return this.#families++;
  }

  enter(key: ByteWriter): StateOfKey {
    return this.#state.enter(key);
  }

  mustEnter(key: ByteWriter): StateOfKey {
    return this.#state.enter(key);
  }

  leave(): void {
    this.#state.leave();
  }

  arrive(): void {}
}

/** What waits for shards that are not at hand. */
interface BatchAside {
  readonly shard: number;
  readonly elements: Uint8Array;
}

interface WakeAside {
  readonly key: Buffer;
  /** Undefined: it is the end of a hold. */
  readonly time: TimestampMs | undefined;
}

export class ShardedParDoOperator extends Operator implements Receiver {
  override readonly input: Receiver = this;
  /** The step itself. */
  readonly #step: StatefulParDoOperator;
  readonly #stateOfShard = new StateOfShard();
  readonly #shards: KeyedState;
  readonly #place: ShardPlace;
  readonly #elements: WindowedValueCoder<unknown>;
  readonly #transformId: string;
  readonly #name: string;
  /** Of shards. */
  readonly #count: number;
  readonly #key = new ByteWriter(16);
  readonly #keyCoder: Coder<unknown>;
  readonly #reader = new ByteReader();
  readonly #log = new ByteReader();
  /** Of the shard at work. */
  readonly #changes = new ChangeList();
  #batchesAside: BatchAside[] = [];
  #wakesAside: WakeAside[] = [];

  constructor(context: OperatorContext<ExecServices>) {
    super();
    const { transform, transformId, services } = context;
    this.#transformId = transformId;
    this.#name = transform.uniqueName;
    const sharded = shardedStepFromBytes(parDoPayload(transform).doFn!.payload);
    this.#count = sharded.shards;
    const doFn = instantiateDoFn(sharded.doFn.urn, sharded.doFn.payload);
    if (!(doFn instanceof StatefulDoFn)) {
      throw new Error(`${this.#name}: ${doFn.constructor.name} has no state that could be kept in shards`);
    }
    const element = elementCoderOf(sharded);
    this.#elements = batchedCoder(element);
    this.#keyCoder = context.kvCoders(mainInput(transform)).key;
    this.#shards = services.keyedState(transformId);
    this.#place = {
      log: this.#shards.cell(SHARD_LOG, "log"),
      wake: this.#shards.timers(SHARD_WAKE, "event"),
    };
    this.#step = new StatefulParDoOperator(doFn, {
      ...context,
      transform: ownStep(transform, sharded),
      kvCoders: () => element,
      services: {
        clock: services.clock,
        onFinalize: (callback) => services.onFinalize(callback),
        keyedState: () => this.#stateOfShard,
        inputWatermark: () => services.inputWatermark(),
        dropsExpiredState: services.dropsExpiredState,
      },
    });
  }

  override setup(): void | Promise<void> {
    return this.#step.setup();
  }

  override startBundle(): void | Promise<void> {
    return this.#step.startBundle();
  }

  override finishBundle(): void | Promise<void> {
    return this.#step.finishBundle();
  }

  override teardown(): void | Promise<void> {
    return this.#step.teardown();
  }

  override metrics(): readonly NamedMetric[] {
    return this.#step.metrics();
  }

  accept(value: unknown): void {
    const { key: shard, value: elements } = value as KV<number, Uint8Array>;
    this.#key.reset();
    this.#keyCoder.encode(shard, this.#key, "nested");
    const runner = this.#shards.enter(this.#key);
    if (runner === undefined) this.#batchesAside.push({ shard, elements });
    else this.#take(runner, elements);
  }

  override onTimer(family: string, { identity, keyAndWindowLength, tag }: FiredTimer): void {
    if (family !== SHARD_WAKE) throw new Error(`${this.#name}: shards have no timer ${family}`);
    this.#key.reset();
    this.#key.writeBytes(identity.buffer, identity.position, identity.position + keyAndWindowLength);
    const runner = this.#shards.enter(this.#key);
    const time = tag === HOLD_TAG ? undefined : Number(tag);
    if (runner !== undefined && this.#shards.isAtHand) this.#wake(runner, time);
    else this.#wakesAside.push({ key: this.#key.toBytes(), time });
  }

  override settle(): void | Promise<void> {
    if (this.#batchesAside.length === 0 && this.#wakesAside.length === 0) return;
    const arriving = this.#shards.arrive();
    if (arriving === undefined) this.#resume();
    else return arriving.then(() => this.#resume());
  }

  /** Elements as they came, then wakes in the order of their times. */
  #resume(): void {
    const batches = this.#batchesAside;
    const wakes = this.#wakesAside;
    this.#batchesAside = [];
    this.#wakesAside = [];
    for (const { shard, elements } of batches) {
      this.#key.reset();
      this.#keyCoder.encode(shard, this.#key, "nested");
      this.#take(this.#shards.mustEnter(this.#key), elements);
    }
    wakes.sort((a, b) => (a.time ?? Number.MAX_VALUE) - (b.time ?? Number.MAX_VALUE));
    for (const { key, time } of wakes) {
      this.#key.reset();
      this.#key.writeBytes(key);
      this.#wake(this.#shards.mustEnter(this.#key), time);
    }
  }

  #take(runner: StateOfKey, elements: Uint8Array): void {
    const shard = this.#shardOf(runner);
    const { buffer, byteOffset, byteLength } = elements;
    const reader = this.#reader.reset(Buffer.from(buffer, byteOffset, byteLength));
    while (reader.remaining > 0) this.#elements.decodeInto(reader, "nested", this.#step);
    shard.flush(runner, this.#changes);
    this.#shards.leave();
  }

  #wake(runner: StateOfKey, time: TimestampMs | undefined): void {
    const shard = this.#shardOf(runner);
    if (time === undefined) shard.holdFired();
    else shard.wake(time, (family, timer) => this.#step.onTimer(family, timer));
    shard.flush(runner, this.#changes);
    this.#shards.leave();
  }

  /** The shard that was entered, which is at work from now on. */
  #shardOf(runner: StateOfKey): Shard {
    const { log } = this.#place;
    let shard = runner.recall(log) as Shard | undefined;
    if (shard === undefined) {
      if (!runner.get(log, this.#log)) this.#log.reset(NO_BYTES, 0, 0);
      const bytes = this.#log.remaining;
      try {
        shard = new Shard(this.#transformId, this.#place, this.#count, this.#stateOfShard, this.#log);
      } catch (error) {
        if (!(error instanceof CorruptBytesError || error instanceof ForeignLogError)) throw error;
        const message = `${this.#name}: the state of a shard cannot be gone on with: ${error.message}`;
        throw new Error(message, { cause: error });
      }
      if (bytes > 0) runner.remember(log, shard, bytes);
    }
    shard.noteIn(this.#changes);
    this.#stateOfShard.turnTo(shard);
    return shard;
  }
}

const NO_BYTES = Buffer.alloc(0);
