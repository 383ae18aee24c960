/**
 * A scenario from a seed.
 *
 * Within the bound means, for a streaming run, that everything which pushes the watermark of a partition stays together
 * below D: how late events come, how far clocks are ahead, how long a new leader hides records, how long a new
 * partition stays unknown. The shares of D below add up to less than 1. An event beyond that is so by far, so that it
 * is LATE whichever way the watermark came.
 */
import { MALFORMED_VARIANTS, malformedValue } from "../../producers/malformed_value.js";
import type { Random } from "../../producers/random.js";
import type { Order, Payment } from "../../schemas/events.js";
import { FaultDraw } from "./draw_faults.js";
import { drawHotKey } from "./draw_hot_key.js";
import { drawLogStory, type LogStory } from "./draw_log_changes.js";
import { drawRuns, type RunStory } from "./draw_runs.js";
import { type Arrival, type Fault, type Scenario, START_MS, type Topic } from "./scenario.js";
import { pick, randomFor } from "./world/seeded.js";

/** Shares of D, for runs within the bound. */
const DELAY_SHARE = 0.35;
const PRODUCER_AHEAD_SHARE = 0.05;
const CLOCK_SKEW_SHARE = 0.1;
/** Shares of the scenarios in which they can be. */
const LOG_STORIES = 0.2;
const RUN_STORIES = 0.15;
const HOT_KEYS = 0.04;
const CLOCK_STORIES = 0.03;
/** With smaller bundles very many events would take too many steps. */
const HOT_BUNDLE_SIZE_MIN = 20;
/** Above what is unpacked, see simulation.ts. */
const BOMB_BYTES = 100_000;

export interface GenerateOptions {
  /** Given: not left to the seed. */
  readonly store?: Scenario["store"];
  readonly mode?: Scenario["mode"];
  readonly isWithinBound?: boolean;
  /** Nothing goes wrong but this machine's clock, and no event is in a transaction. */
  readonly isClockAlone?: boolean;
  /** A log is changed; what kind of change it is, the seed says. */
  readonly hasLogChange?: boolean;
  /** It is changed while something stands still, and the brokers know topics by their names alone. */
  readonly isChangeUnseen?: true;
  readonly hasEarlierRuns?: boolean;
  readonly hasHotKey?: boolean;
}

export function generateScenario(seed: number, options: GenerateOptions = {}): Scenario {
  return new Generator(seed, options).scenario();
}

class Generator {
  readonly #random: Random;
  readonly #mode: Scenario["mode"];
  readonly #store: Scenario["store"];
  readonly #isWithinBound: boolean;
  readonly #timeoutMs: number;
  readonly #outOfOrdernessMs: number;
  readonly #loadMs: number;
  readonly #partitions: Record<Topic, number>;
  readonly #arrivals: Arrival[] = [];
  readonly #faults: FaultDraw;
  readonly #partitionOf = new Map<string, number>();
  readonly #jsonShare: number;
  readonly #lingerMs: number;
  readonly #logStory: LogStory | undefined;
  readonly #runStory: RunStory | undefined;
  readonly #hasHotKey: boolean;
  readonly #isClockAlone: boolean;
  readonly #isChangeUnseen: boolean;
  /** The largest D of all runs. */
  readonly #longestOutOfOrdernessMs: number;

  constructor(
    private readonly seed: number,
    options: GenerateOptions,
  ) {
    const random = randomFor(seed, "scenario");
    this.#random = random;
    const isBounded = random.chance(0.4);
    const isDurable = random.chance(0.85);
    const isWithinBound = random.chance(0.75);
    this.#mode = options.mode ?? (isBounded ? "bounded" : "streaming");
    this.#store = options.store ?? (isDurable ? "durable" : "memory");
    this.#outOfOrdernessMs = 1_000 + random.skewed(5_000, 2);
    this.#timeoutMs = 1_000 + random.skewed(10_000, 2);
    this.#loadMs = 500 + random.skewed(12_000, 2);
    this.#partitions = { orders: random.between(1, 4), payments: random.between(1, 4) };
    this.#jsonShare = pick(random, [0, 0.1, 0.5]);
    this.#lingerMs = pick(random, [1, 1, 25]);
    const isClockAlone = random.chance(CLOCK_STORIES);
    this.#isClockAlone = options.isClockAlone ?? isClockAlone;
    const isPlain = this.#store === "memory" || this.#isClockAlone;
    const hasLogChange = random.chance(LOG_STORIES);
    const hasEarlierRuns = random.chance(RUN_STORIES);
    const hasHotKey = random.chance(HOT_KEYS);
    this.#isChangeUnseen = options.isChangeUnseen ?? false;
    this.#hasHotKey = options.hasHotKey ?? hasHotKey;
    if (!isPlain && this.#mode === "streaming" && (options.hasLogChange ?? hasLogChange)) {
      this.#logStory = drawLogStory(
        random,
        this.#loadMs,
        this.#partitions,
        randomFor(seed, "standstill"),
        options.isChangeUnseen,
      );
    }
    if (!isPlain && (options.hasEarlierRuns ?? hasEarlierRuns)) {
      this.#runStory = drawRuns(random, this.#loadMs, this.#timeoutMs, this.#outOfOrdernessMs);
    }
    const runs = this.#runStory?.runs ?? [];
    this.#longestOutOfOrdernessMs = Math.max(
      this.#outOfOrdernessMs,
      ...runs.map((run) => run.outOfOrdernessMs),
    );
    const isExact = this.#logStory?.isReadAgain !== true && this.#runStory?.isExact !== false;
    // Beyond the bound the outcome depends on the run, so what begins again from nothing may decide otherwise.
    this.#isWithinBound = this.#store === "memory" || (isExact && (options.isWithinBound ?? isWithinBound));
    this.#faults = new FaultDraw(random, {
      mode: this.#mode,
      store: this.#store,
      isWithinBound: this.#isWithinBound,
      timeoutMs: this.#timeoutMs,
      outOfOrdernessMs: this.#outOfOrdernessMs,
      partitions: this.#partitions,
      loadMs: this.#loadMs,
    });
  }

  scenario(): Scenario {
    const random = this.#random;
    const brokers = random.between(1, 3);
    if (this.#isClockAlone) this.#faults.drawClockAlone();
    else this.#faults.draw(brokers);
    this.#drawArrivals();
    const skew = pick(random, [1_000, 5_000, 60_000]);
    const faults = [...(this.#logStory?.faults ?? []), ...this.#faults.faults];
    const fetchesById =
      canSleepUnseen(faults) || (!this.#isChangeUnseen && randomFor(this.seed, "brokers").chance(0.5));
    const bundleSizeMax = pick(random, [1, 2, 5, 20, 100, 1_024]);
    return {
      seed: this.seed,
      mode: this.#mode,
      store: this.#store,
      isWithinBound: this.#isWithinBound,
      timeoutMs: this.#timeoutMs,
      outOfOrdernessMs: this.#outOfOrdernessMs,
      partitions: this.#partitions,
      brokers,
      usesGroup: random.chance(0.3),
      ending: random.chance(0.3) ? "expire" : "keep",
      ...(this.#runStory !== undefined && { earlierRuns: this.#runStory.runs }),
      ...(this.#logStory !== undefined && {
        offsetReset: this.#logStory.offsetReset,
        offsetResetThen: this.#logStory.offsetResetThen,
      }),
      engine: {
        bundleSizeMax: this.#hasHotKey ? Math.max(HOT_BUNDLE_SIZE_MIN, bundleSizeMax) : bundleSizeMax,
        bundleTimeMaxMs: pick(random, [1, 50]),
        turnsOpenMax: pick(random, [1, 2, 3, 8]),
        sourceSkewMaxMs: skew,
      },
      kafka: {
        fetchPartitionMaxBytes: pick(random, [100, 1_000, 1 << 20]),
        bufferPartitionMaxBytes: pick(random, [500, 5_000, 2 << 20]),
        retryMaxMs: pick(random, [2_000, 300_000]),
        topicMissingMaxMs: pick(random, [2_000, 30_000]),
        fetchesById,
      },
      mongodb: {
        chunkDocumentsMax: pick(random, [1, 3, 999]),
        retryTimeMaxMs: pick(random, [1_000, 300_000]),
        attemptTimeoutMs: pick(random, [200, 5_000]),
      },
      clockSkewMaxMs: Math.floor(this.#outOfOrdernessMs * pick(random, [0.02, CLOCK_SKEW_SHARE])),
      arrivals: this.#arrivals.sort((a, b) => a.atMs - b.atMs),
      faults,
    };
  }

  // ── Arrivals ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #drawArrivals(): void {
    const random = this.#random;
    const orders = random.skewed(100, 2) + 1;
    const shares = {
      orphan: pick(random, [0, 0.05, 0.3]),
      duplicate: pick(random, [0, 0.1, 0.4]),
      conflict: pick(random, [0, 0.05, 0.2]),
      // Whether it is late may hang on a record that is lost with its log.
      late: pick(random, [0, 0.05]) * (this.#logStory === undefined ? 1 : 0),
      bad: pick(random, [0, 0.05, 0.2]),
    };
    for (let i = 0; i < orders; i++) {
      const id = `o${i}`;
      const atMs = random.between(0, this.#loadMs);
      const createdMs = START_MS + atMs;
      this.#drawStory(id, createdMs);
      if (random.chance(shares.orphan)) this.#send("payments", this.#payment(`x${i}`, `x${i}`, createdMs));
      if (random.chance(shares.duplicate)) this.#drawRepeat(id, createdMs, false);
      if (random.chance(shares.conflict)) this.#drawRepeat(id, createdMs, true);
      if (random.chance(shares.bad)) this.#drawBad(id, createdMs);
      if (random.chance(shares.late)) this.#drawLate(i, createdMs);
    }
    if (this.#hasHotKey) this.#drawHotKey();
    if (this.#mode === "bounded" && this.#runStory === undefined) this.#allBeforeTheStart();
  }

  #drawHotKey(): void {
    const order = (id: string, createdMs: number): Order => this.#order(id, START_MS + createdMs);
    const payment = (id: string, orderId: string, createdMs: number): Payment =>
      this.#payment(id, orderId, START_MS + createdMs);
    for (const { createdMs, event } of drawHotKey(
      this.#random,
      this.#loadMs,
      // An original that is lost with its log leaves a repeat behind as the first.
      this.#logStory === undefined ? this.#timeoutMs / 2 : 0,
      order,
      payment,
    )) {
      const topic = "payment_id" in event ? "payments" : "orders";
      const partition = this.#partition(topic, event.order_id, createdMs);
      const value = { form: "avro", event } as const;
      this.#arrivals.push({ atMs: createdMs, topic, partition, key: event.order_id, value });
    }
  }

  #drawStory(id: string, createdMs: number): void {
    const random = this.#random;
    const order = this.#order(id, createdMs);
    this.#send("orders", order);
    const story = random.uniform();
    const near = (): number => createdMs + random.between(0, Math.floor(this.#timeoutMs / 2));
    if (story < 0.5) {
      this.#send("payments", this.#payment(`p${id}`, id, near()));
    } else if (story < 0.6) {
      for (let n = 0; n < 3; n++) this.#send("payments", this.#payment(`p${id}-${n}`, id, near()));
    } else if (story < 0.7) {
      this.#send("payments", this.#payment(`p${id}`, id, createdMs - random.between(0, this.#timeoutMs)));
    } else if (story < 0.85) {
      // About the edge: exactly T apart is a pair, one more is not.
      const edge = random.between(-1, 1) + this.#timeoutMs;
      this.#send("payments", this.#payment(`p${id}`, id, createdMs + (random.chance(0.5) ? edge : -edge)));
    }
  }

  /** The same id again: with the same content a duplicate, with other content a conflict. */
  #drawRepeat(id: string, createdMs: number, isConflict: boolean): void {
    const original = this.#random.chance(0.5)
      ? this.#order(id, createdMs)
      : this.#arrivals.map(({ value }) => value).findLast(isPaymentOf(id))?.event;
    if (original === undefined) return;
    const amount = isConflict ? original.amount + this.#random.between(1, 5) : original.amount;
    this.#send("payment_id" in original ? "payments" : "orders", { ...original, amount });
    // One whose original is lost with its log would be the first, and come too late.
    if (this.#random.chance(0.3) && this.#logStory === undefined)
      this.#sendAgainFarLater({ ...original, amount });
  }

  /**
   * Beyond D, but well before the expiry: whether the event before still stands is then not in doubt. When its content
   * is another's, though, the order of the two would be.
   */
  #sendAgainFarLater(event: Order | Payment): void {
    const laterMs = event.created_at - START_MS + Math.floor(this.#timeoutMs * 0.5);
    this.#arrive("payment_id" in event ? "payments" : "orders", event, Math.max(0, laterMs));
  }

  #drawBad(id: string, createdMs: number): void {
    const random = this.#random;
    const topic = random.chance(0.5) ? "orders" : "payments";
    const event = topic === "orders" ? this.#order(id, createdMs) : this.#payment(`b${id}`, id, createdMs);
    const atMs = this.#arrivalTime(event.created_at);
    const key = random.chance(0.2) ? null : id;
    const common = { atMs, topic, partition: this.#partition(topic, id, atMs), key } as const;
    if (random.chance(0.3)) {
      this.#arrivals.push({ ...common, value: { form: "null" } });
    } else if (random.chance(0.05)) {
      this.#arrivals.push({ ...common, value: { form: "bomb", length: BOMB_BYTES } });
    } else if (random.chance(0.1)) {
      this.#arrivals.push({ ...common, value: { form: "stumble" } });
    } else if (random.chance(0.02)) {
      const length = (1 << 20) + random.skewed(1 << 20, 2);
      this.#arrivals.push({ ...common, value: { form: "large", length } });
    } else if (random.chance(0.2) && this.#mode === "streaming") {
      const future = { ...event, created_at: event.created_at + 86_400_000 };
      this.#arrivals.push({ ...common, value: { form: "avro", event: future } });
    } else {
      const bytes = malformedValue(event, random.between(0, MALFORMED_VARIANTS - 1));
      this.#arrivals.push({ ...common, value: { form: "bytes", base64: bytes.toString("base64") } });
    }
  }

  /** An event whose time was over by far when it was written, behind one of its partition that says so. */
  #drawLate(i: number, createdMs: number): void {
    const random = this.#random;
    const topic = random.chance(0.5) ? "orders" : "payments";
    const witness =
      topic === "orders" ? this.#order(`w${i}`, createdMs) : this.#payment(`w${i}`, `w${i}`, createdMs);
    const oldMs = createdMs - 2 * (this.#timeoutMs + this.#longestOutOfOrdernessMs);
    const late = { ...witness, created_at: oldMs };
    if (topic === "orders") (late as Order).order_id = `l${i}`;
    else Object.assign(late, { order_id: `l${i}`, payment_id: `l${i}` });
    const atMs = this.#arrivalTime(createdMs);
    const partition = this.#partition(topic, witness.order_id, atMs);
    this.#partitionOf.set(`${topic}/${late.order_id}`, partition);
    this.#arrive(topic, witness, atMs);
    this.#arrive(topic, late, atMs + random.between(1, 500));
  }

  #send(topic: Topic, event: Order | Payment): void {
    this.#arrive(topic, event, this.#arrivalTime(event.created_at));
  }

  #arrive(topic: Topic, event: Order | Payment, atMs: number): void {
    const random = this.#random;
    const form = random.chance(this.#jsonShare) ? "json" : "avro";
    const partition = this.#partition(topic, event.order_id, atMs);
    const common = { atMs, topic, partition, key: event.order_id };
    // Also far longer than anything may be late: the partition stands still meanwhile, and nobody is overtaken.
    const longestMs = random.chance(0.2) ? 4 * this.#timeoutMs : this.#outOfOrdernessMs;
    const lastsMs = random.between(0, longestMs);
    if (!this.#isClockAlone && random.chance(0.05)) {
      const ghost = { ...event, amount: event.amount + 1_000 };
      const transaction = { lastsMs, outcome: "abort" } as const;
      this.#arrivals.push({ ...common, value: { form, event: ghost }, transaction });
    }
    const isInTransaction = !this.#isClockAlone && random.chance(0.05);
    const inTransaction = isInTransaction ? { transaction: { lastsMs, outcome: "commit" } as const } : {};
    this.#arrivals.push({ ...common, value: { form, event }, ...inTransaction });
  }

  #arrivalTime(createdMs: number): number {
    const random = this.#random;
    const atMs = createdMs - START_MS;
    const d = this.#outOfOrdernessMs;
    if (this.#isWithinBound || random.chance(0.7)) {
      const delayMs = random.between(-Math.floor(d * PRODUCER_AHEAD_SHARE), Math.floor(d * DELAY_SHARE));
      // A producer waits a little, to send more at a time.
      return Math.ceil((atMs + delayMs) / this.#lingerMs) * this.#lingerMs;
    }
    return atMs + random.skewed(3 * (d + this.#timeoutMs), 2);
  }

  /** All events of an order lie in one partition of a topic, as its key asks. */
  #partition(topic: Topic, orderId: string, atMs: number): number {
    const random = this.#random;
    const key = `${topic}/${orderId}`;
    const known = this.#partitionOf.get(key);
    if (known !== undefined) return known;
    const count = this.#partitions[topic];
    // Very unequal: most go to the first, and some partitions stay silent.
    let partition = random.skewed(count - 1, 3);
    const added = this.#faults.added.filter((one) => one.topic === topic && one.fromMs <= atMs);
    if (added.length > 0 && random.chance(0.5)) partition = pick(random, added).partition;
    this.#partitionOf.set(key, partition);
    return partition;
  }

  /** A bounded run reads what is there when it begins. */
  #allBeforeTheStart(): void {
    const lastMs = Math.max(...this.#arrivals.map(({ atMs }) => atMs));
    for (const [i, arrival] of this.#arrivals.entries()) {
      this.#arrivals[i] = { ...arrival, atMs: arrival.atMs - lastMs - 100 };
    }
  }

  #order(order_id: string, created_at: number): Order {
    // Drawn from the id, so that a repeat is the same.
    const amount = 100 + order_id.length;
    return {
      order_id,
      order_date: created_at - 86_400_000,
      created_at,
      customer_id: `c-${order_id}`,
      amount,
    };
  }

  #payment(payment_id: string, order_id: string, created_at: number): Payment {
    return { payment_id, order_id, payment_date: created_at - 5_000, created_at, amount: 100 };
  }
}

/** A clock that is set back while nothing measures the time hides that any has passed: only ids tell topics apart then. */
function canSleepUnseen(faults: readonly Fault[]): boolean {
  const isUnmeasured = faults.some((fault) => fault.kind === "suspended" && !fault.isCounted);
  return isUnmeasured && faults.some((fault) => fault.kind === "clock set" && fault.of !== "mongodb");
}

function isPaymentOf(orderId: string) {
  return (value: Arrival["value"]): value is { form: "avro" | "json"; event: Payment } =>
    "event" in value && "payment_id" in value.event && value.event.order_id === orderId;
}
