/**
 * T changed over kept state: the join's stage, with its real state and timers, goes on with another T again and again.
 * What must hold is told by the contract alone: the present T decides which events are a pair and when one has expired;
 * after T was made smaller an event may stay as long as it would have before.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ElementBatch } from "../../../beam/engine/element_batch.js";
import { Stage } from "../../../beam/engine/stage.js";
import { StageTimers } from "../../../beam/engine/stage_timers.js";
import { NO_FIRING } from "../../../beam/model/pane.js";
import { IN_GLOBAL_WINDOW } from "../../../beam/model/windows.js";
import { systemClock } from "../../../beam/platform/clock.js";
import { type FusedPipeline, fuse } from "../../../beam/runners/direct/fusion.js";
import { descriptorOf } from "../../../beam/runners/direct/stage_descriptor.js";
import { DirectStageProcessor } from "../../../beam/runners/direct/stage_processor.js";
import { protoOf } from "../../../beam/sdk/collection.js";
import { MemoryStore } from "../../../beam/store/memory_store.js";
import { buildPipeline, type GraphOptions } from "../../../pipeline/graph.js";
import type { Order, Payment } from "../../../schemas/events.js";
import type { Pair, Unmatched } from "../../../transforms/outcomes.js";
import { ReceivedEvent } from "../../../transforms/received_event.js";
import { isOfADoFn } from "../../simulation/checkers/checker.js";
import { order, payment } from "./join_stream.js";

type Event = Order | Payment;
const isPayment = (event: Event): event is Payment => "payment_id" in event;
const nameOf = (event: Event): string =>
  isPayment(event) ? `payment ${event.payment_id}` : `order ${event.amount}`;

/** The stage of the join, over state and timers that outlive it. */
class JoinStage {
  readonly #store = new MemoryStore();
  #stage!: Stage;
  #processor!: DirectStageProcessor;
  #watermark = Number.NEGATIVE_INFINITY;

  async restart(timeoutMs: number): Promise<void> {
    await this.#processor?.teardown();
    const fused = fusedBy(timeoutMs);
    const found = fused.stages.find(({ name }) => name.startsWith("CoGroupByOrderId"))!;
    const { components } = fused;
    const spec = {
      name: found.name,
      kind: "ordinary" as const,
      inputs: found.inputs,
      outputs: found.outputs,
      newProcessor: () => assert.fail("the test makes its own"),
    };
    this.#stage = new Stage(spec, new StageTimers(this.#store));
    this.#stage.resumeAt({ input: this.#watermark, output: this.#watermark });
    this.#processor = new DirectStageProcessor(
      this.#stage,
      descriptorOf(found, components),
      systemClock,
      this.#store,
    );
    await this.#processor.setup();
  }

  arrive(event: Event): { pairs: Pair[]; alone: Unmatched[] } {
    const received = new ReceivedEvent(
      event,
      this.#watermark,
      { topic: "t", partition: 0, log: "" },
      0,
      0,
      Buffer.alloc(0),
      -1,
      -1,
      -1,
      -1,
    );
    // As the steps before the group tag it.
    const tag = isPayment(event) ? "payments" : "orders";
    const element = { key: event.order_id, value: { tag, value: received } };
    const batch = new ElementBatch();
    batch.accept(element, event.created_at, IN_GLOBAL_WINDOW, NO_FIRING);
    return this.#bundle(() => this.#processor.process(isPayment(event) ? 1 : 0, batch, 0));
  }

  advance(watermark: number): { pairs: Pair[]; alone: Unmatched[] } {
    this.#watermark = watermark;
    this.#stage.resumeAt({ input: watermark, output: watermark });
    return this.#bundle(() => {
      this.#stage.timers.fireDue("event", watermark, 1_000, (transform, family, timer) =>
        this.#processor.onTimer(transform, family, timer),
      );
    });
  }

  get timers(): number {
    return this.#stage.timers.count("event");
  }

  get leftovers(): string[] {
    return [...this.#store.sizes()]
      .filter(([name, size]) => size > 0 && isOfADoFn(name))
      .map(([name]) => name);
  }

  #bundle(work: () => void): { pairs: Pair[]; alone: Unmatched[] } {
    assert.equal(this.#processor.startBundle(), undefined);
    work();
    assert.equal(this.#processor.finishBundle(), undefined);
    const { outputs } = this.#processor.takeResult();
    const [pairs, alone] = outputs;
    return { pairs: [...pairs!.values] as Pair[], alone: [...alone!.values] as Unmatched[] };
  }
}

const fusedGraphs = new Map<number, FusedPipeline>();

/** Each graph is fused once. */
function fusedBy(timeoutMs: number): FusedPipeline {
  let fused = fusedGraphs.get(timeoutMs);
  if (fused === undefined) {
    fused = fuse(protoOf(graph(timeoutMs)), { cutsBeforeStableInput: true });
    fusedGraphs.set(timeoutMs, fused);
  }
  return fused;
}

function graph(timeoutMs: number) {
  const options: GraphOptions = {
    orderTopic: "orders",
    paymentTopic: "payments",
    isBounded: false,
    start: "earliest",
    groupId: undefined,
    timeoutMs,
    maxOutOfOrdernessMs: 0,
    maxAheadOfClockMs: null,
    database: "d",
    joinedCollection: "j",
    unmatchedCollection: "u",
    deadLetterCollection: "l",
  };
  return buildPipeline(options);
}

/** An event of the contract's: what may and what must become of it. */
interface Story {
  readonly event: Event;
  /** It has not expired by any T so far, as the watermark was then. */
  isSurelyThere: boolean;
  /** The largest expiry that it has had. */
  lastExpiry: number;
  isPaired: boolean;
  isGone: boolean;
}

class Contract {
  readonly stories: Story[] = [];
  timeoutMs = 0;
  watermark = Number.NEGATIVE_INFINITY;

  change(timeoutMs: number): void {
    this.timeoutMs = timeoutMs;
    this.#look();
  }

  #look(): void {
    for (const story of this.stories) {
      if (story.isGone) continue;
      const expiry = story.event.created_at + this.timeoutMs;
      story.lastExpiry = Math.max(story.lastExpiry, expiry);
      if (this.watermark > expiry) story.isSurelyThere = false;
    }
  }

  arrive(event: Event, pairs: readonly Pair[]): void {
    const found = new Set(pairs.map((pair) => nameOf(isPayment(event) ? pair.order : pair.payment)));
    const expiry = event.created_at + this.timeoutMs;
    const mine: Story = { event, isSurelyThere: true, lastExpiry: expiry, isPaired: false, isGone: false };
    for (const story of this.stories) {
      if (isPayment(story.event) === isPayment(event)) continue;
      const near = Math.abs(story.event.created_at - event.created_at) <= this.timeoutMs;
      const isFound = found.delete(nameOf(story.event));
      if (isFound) assert.ok(near && !story.isGone, `${nameOf(event)} paired with ${nameOf(story.event)}`);
      if (near && story.isSurelyThere && !story.isGone)
        assert.ok(isFound, `${nameOf(event)} missed ${nameOf(story.event)}`);
      if (isFound) story.isPaired = mine.isPaired = true;
    }
    assert.equal(found.size, 0);
    this.stories.push(mine);
  }

  advance(watermark: number, alone: readonly Unmatched[]): void {
    this.watermark = watermark;
    this.#look();
    for (const { event, expiresAt } of alone) {
      const story = this.stories.find((one) => nameOf(one.event) === nameOf(event))!;
      assert.ok(!story.isGone && !story.isPaired, `${nameOf(event)} is reported`);
      assert.equal(expiresAt, event.created_at + this.timeoutMs);
      assert.ok(watermark > expiresAt, `${nameOf(event)} is reported too early`);
      story.isGone = true;
    }
    for (const story of this.stories) {
      if (!story.isGone && !story.isPaired)
        assert.ok(watermark <= story.lastExpiry, `${nameOf(story.event)} waits on`);
    }
  }
}

// Small numbers, so that timers of one T and expiries of another fall on the same millisecond again and again.
const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("arrive" as const),
        isOrder: fc.boolean(),
        back: fc.integer({ min: -6, max: 8 }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("advance" as const), by: fc.nat(6) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("change" as const),
        timeoutMs: fc.integer({ min: 1, max: 12 }),
      }),
    },
  ),
  { minLength: 5, maxLength: 60, size: "max" },
);

describe("the join, whatever becomes of T while events wait", () => {
  it("does as the contract says, and ends with nothing in state", async function () {
    this.timeout(60_000);
    const seen = { early: 0, pairs: 0, alone: 0 };
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), steps, async (first, steps) => {
        const stage = new JoinStage();
        const contract = new Contract();
        await stage.restart(first);
        contract.change(first);
        let now = 1_000;
        let count = 0;
        for (const step of steps) {
          if (step.kind === "change") {
            if (step.timeoutMs > contract.timeoutMs && stage.timers > 0) seen.early++;
            await stage.restart(step.timeoutMs);
            contract.change(step.timeoutMs);
          } else if (step.kind === "advance") {
            now += step.by;
            const { alone } = stage.advance(now);
            seen.alone += alone.length;
            contract.advance(now, alone);
          } else {
            const created_at = now - Math.min(step.back, contract.timeoutMs);
            count++;
            const event = step.isOrder
              ? order({ order_id: "o", created_at, amount: count })
              : payment({ payment_id: `p${count}`, created_at });
            // One order at a time: others of its id would be conflicts.
            const standing = contract.stories.some(
              ({ event: other, isGone, lastExpiry }) => !isPayment(other) && !isGone && now <= lastExpiry,
            );
            if (step.isOrder && standing) continue;
            const { pairs } = stage.arrive(event);
            seen.pairs += pairs.length;
            contract.arrive(event, pairs);
          }
        }
        const { alone } = stage.advance(now + 1_000);
        contract.advance(now + 1_000, alone);
        assert.deepEqual(stage.leftovers, []);
        assert.equal(stage.timers, 0);
      }),
      { numRuns: 100 },
    );
    for (const [what, times] of Object.entries(seen)) assert.ok(times > 20, `${what}: ${times} times`);
  });
});
