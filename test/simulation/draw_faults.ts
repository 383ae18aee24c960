/** What goes wrong in a scenario. */
import type { Random } from "../../producers/random.js";
import type { Fault, Moment, Scenario, Topic } from "./scenario.js";
import { pick } from "./world/seeded.js";

const HOUR_MS = 3_600_000;
/** How long a clock stays wrong, where nothing else goes wrong, after everything should have expired. */
const CLOCK_WRONG_MS = 10_000;
const FIRST_CLOCK_MS = 200;
const LEAP_MIN_MS = 30_000;
const STALE_SHARE = 0.05;
const TRANSIENT_CODES = [6, 50, 91, 112, 189, 9001, 10107, 11600, 13435, 16500];
const DOCUMENT_CODES = [112, 16500, 50, 11602];
const UNPROVEN_CODES = [64, 91, 189];
const CONFIGURATION_CODES = [13, 18, 72];

/** What is laid down of a scenario before its faults. */
export interface ScenarioBasics
  extends Pick<
    Scenario,
    "mode" | "store" | "isWithinBound" | "timeoutMs" | "outOfOrdernessMs" | "partitions"
  > {
  readonly loadMs: number;
}

export class FaultDraw {
  readonly faults: Fault[] = [];
  /** When a partition that is added can be written to first. */
  readonly added: { readonly topic: Topic; readonly partition: number; readonly fromMs: number }[] = [];

  constructor(
    private readonly random: Random,
    private readonly basics: ScenarioBasics,
  ) {}

  /** All kinds, each with some chance. */
  draw(brokers: number): void {
    const random = this.random;
    // Some runs have few kinds of faults and much of them: what hides behind others shows there.
    const share = pick(random, [0.05, 0.2, 0.5]);
    const kinds: readonly (() => void)[] = [
      () => this.#drawCrash(),
      () => this.#drawCrash(),
      () => this.faults.push({ kind: "stop", atMs: this.#time(), downMs: random.between(10, 3_000) }),
      () => this.faults.push({ kind: "broker down", broker: random.between(1, brokers), ...this.#span() }),
      () => this.faults.push({ kind: "broker frozen", broker: random.between(1, brokers), ...this.#span() }),
      () =>
        this.faults.push({
          kind: "kafka noise",
          latencyMaxMs: random.skewed(200, 2),
          lostRequests: random.skewed(4, 2) / 10,
          lostAnswers: random.skewed(4, 2) / 10,
          ...this.#span(),
        }),
      () => this.#drawLeaderMove(),
      () => this.#drawNewPartition(),
      () => this.faults.push({ kind: "mongodb down", ...this.#span() }),
      () => this.faults.push({ kind: "mongodb frozen", ...this.#span() }),
      () => this.#drawMongoNoise(),
      () => this.#drawMongoNoise(),
      () => this.#drawRefusals(),
      () => this.faults.push({ kind: "disk full", ...this.#span() }),
      () =>
        this.faults.push({
          kind: "disk noise",
          errors: pick(random, [0, 0.01, 0.1]),
          latencyMaxMs: random.skewed(100, 2),
          ...this.#span(),
        }),
      () => this.#drawClock(),
      () => this.#drawSuspension(),
      () => this.faults.push({ kind: "stalls", stallMaxMs: random.skewed(500, 2), ...this.#span() }),
    ];
    for (const draw of kinds) {
      const isDrawn = random.chance(share);
      if (isDrawn) draw();
    }
  }

  #drawCrash(): void {
    const random = this.random;
    const crash = {
      kind: "crash",
      losesPower: random.chance(0.5),
      downMs: random.between(10, 3_000),
    } as const;
    const moments: readonly Moment[] = [
      { when: "time", atMs: this.#time() },
      { when: "disk operation", count: random.skewed(100, 2) + 1 },
      { when: "commit", count: random.skewed(60, 2) + 1 },
      { when: "insert", count: random.skewed(30, 2) + 1 },
    ];
    const repeats = random.chance(0.2) ? random.between(2, 5) : 1;
    for (let i = 0; i < repeats; i++) this.faults.push({ ...crash, ...pick(random, moments) });
  }

  #drawLeaderMove(): void {
    const random = this.random;
    const topic = random.chance(0.5) ? "orders" : "payments";
    this.faults.push({
      kind: "leader moves",
      atMs: this.#time(),
      topic,
      partition: random.between(0, this.basics.partitions[topic] - 1),
      electionMs: random.between(0, 1_000),
      staleMs: random.between(0, Math.floor(this.basics.outOfOrdernessMs * STALE_SHARE)),
    });
  }

  #drawNewPartition(): void {
    const random = this.random;
    const atMs = this.#time();
    if (this.basics.mode === "bounded") return;
    // Looks come no closer than 500 ms, which is too large a part of a small D.
    if (this.basics.isWithinBound && this.basics.outOfOrdernessMs < 2_000) return;
    const topic = random.chance(0.5) ? "orders" : "payments";
    this.faults.push({ kind: "new partition", atMs, topic });
    this.added.push({ topic, partition: this.basics.partitions[topic], fromMs: atMs });
  }

  #drawMongoNoise(): void {
    const random = this.random;
    const share = pick(random, [0.1, 0.5]);
    const isMisconfigured = random.chance(0.15);
    const conditions = pick(random, [
      { lostRequests: share },
      { lostAnswers: share },
      { halfDone: share },
      { unanswered: share },
      {
        refused: share,
        refusalCodes: isMisconfigured ? CONFIGURATION_CODES : TRANSIENT_CODES,
      },
      { unproven: share, unprovenCodes: UNPROVEN_CODES },
      { documentErrors: share, documentCodes: DOCUMENT_CODES },
      { namesNoIndex: true, lostAnswers: share },
      { latencyMaxMs: random.between(10, 2_000) },
    ]);
    this.faults.push({ kind: "mongodb noise", conditions, ...this.#span() });
  }

  #drawRefusals(): void {
    const random = this.random;
    const orderIds = Array.from({ length: random.between(1, 5) }, () => `o${random.skewed(50, 2)}`);
    const how = pick(random, [
      "validator",
      "spoils the insert",
      "unique index",
      "another's document",
    ] as const);
    this.faults.push({ kind: "refusals", orderIds: [...new Set(orderIds)], how });
  }

  /** By fractions, seconds and hours. Of two clocks one is right, or nobody could tell. */
  #drawClock(of: "machine" | "mongodb" = this.random.chance(0.7) ? "machine" : "mongodb"): void {
    const random = this.random;
    const times = random.between(1, 3);
    for (let i = 0; i < times; i++) {
      const byMs = pick(random, [2, 1_100, 60_000, 3 * HOUR_MS]);
      const offsetMs = random.between(-byMs, byMs) + pick(random, [0, 0.25, 0.7]);
      // The clock at the start has nothing before it to be compared with.
      const atMs = FIRST_CLOCK_MS + this.#time();
      this.faults.push({ kind: "clock set", atMs, offsetMs, of });
    }
  }

  /** It stays wrong until what waits should have expired, and is then set right. */
  drawClockAlone(): void {
    if (this.basics.store === "durable" && this.random.chance(0.5)) this.#drawLeapOverRestart();
    else this.#drawClock("machine");
    const atMs =
      this.basics.loadMs + 2 * (this.basics.timeoutMs + this.basics.outOfOrdernessMs) + CLOCK_WRONG_MS;
    this.faults.push({ kind: "clock set", atMs, offsetMs: 0, of: "machine" });
  }

  /**
   * The next process has only what was kept to compare the clock with. By less than that is old, nobody could tell that
   * it was set back.
   */
  #drawLeapOverRestart(): void {
    const { random } = this;
    const atMs = FIRST_CLOCK_MS + this.#time();
    const byMs = LEAP_MIN_MS + random.skewed(3 * HOUR_MS, 3);
    const stoppedMs = random.between(1, 100);
    this.faults.push(
      { kind: "stop", atMs: atMs - stoppedMs, downMs: stoppedMs + random.between(10, 500) },
      { kind: "clock set", atMs, offsetMs: random.chance(0.5) ? byMs : -byMs, of: "machine" },
    );
  }

  #drawSuspension(): void {
    const random = this.random;
    const fromMs = this.#time();
    const forMs = random.chance(0.1) ? 600_000 : random.skewed(10_000, 2);
    this.faults.push({ kind: "suspended", fromMs, toMs: fromMs + forMs, isCounted: random.chance(0.5) });
  }

  /** When a fault begins. A bounded run is over soon. */
  #time(): number {
    return this.random.skewed(
      this.basics.mode === "bounded" ? 2_000 : this.basics.loadMs + this.basics.timeoutMs,
      1,
    );
  }

  #span(): { fromMs: number; toMs: number } {
    const fromMs = this.#time();
    return { fromMs, toMs: fromMs + this.random.skewed(8_000, 2) };
  }
}
