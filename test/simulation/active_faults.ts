/** Carries out a scenario's faults on the world, and ends them all when it is to be calm. */
import { changeLogs } from "./log_changes.js";
import { type Fault, isClockAlone, type Scenario, START_MS } from "./scenario.js";
import { type EventLoop, WORLD } from "./world/event_loop.js";
import type { SimulatedDisk } from "./world/simulated_directory.js";
import type { SimulatedKafka } from "./world/simulated_kafka.js";
import { calmMongo, type SimulatedMongo } from "./world/simulated_mongodb.js";
import type { Machine } from "./world/simulated_process.js";

export interface FaultTargets {
  readonly loop: EventLoop;
  readonly kafka: SimulatedKafka;
  readonly mongodb: SimulatedMongo;
  readonly disk: SimulatedDisk;
  readonly machine: Machine;
  crash(fault: Extract<Fault, { kind: "crash" }>): void;
  stop(fault: Extract<Fault, { kind: "stop" }>): void;
}

export class ActiveFaults {
  /** By kind, those that have had their effect. */
  readonly counts = new Map<Fault["kind"], number>();
  readonly #active = new Set<Fault>();
  /** How many keep everybody from the brokers. */
  #cutOffs = 0;
  #isCalm = false;

  constructor(
    private readonly scenario: Scenario,
    private readonly targets: FaultTargets,
  ) {}

  /** Plans all that goes by the clock. */
  begin(): void {
    const { loop } = this.targets;
    this.#apply();
    for (const fault of this.scenario.faults) {
      const atMs = "fromMs" in fault ? fault.fromMs : "atMs" in fault ? fault.atMs : undefined;
      if (fault.kind === "refusals") this.#begin(fault);
      if (atMs !== undefined) {
        loop.after(START_MS + atMs - loop.nowMs, WORLD, fault.kind, () => this.#begin(fault));
      }
      if ("toMs" in fault) {
        loop.after(START_MS + fault.toMs - loop.nowMs, WORLD, `${fault.kind} ends`, () => {
          this.#active.delete(fault);
          this.#apply();
        });
      }
    }
  }

  /** Tells of something whose n-th time may be the moment of a crash. */
  countMoment(when: "disk operation" | "commit" | "insert", count: number): void {
    if (this.#isCalm) return;
    for (const fault of this.scenario.faults) {
      if (fault.kind !== "crash" || fault.when !== when || fault.count !== count) continue;
      // A moment later, so that it is cut off in the middle.
      const delayMs = this.targets.machine.random.between(0, 3);
      this.targets.loop.after(delayMs, WORLD, `crash at ${when} ${count}`, () => this.#begin(fault));
    }
  }

  /** From now on everything works. What was refused for good stays so. */
  calm(): void {
    this.#isCalm = true;
    for (const fault of this.#active) if (fault.kind !== "refusals") this.#active.delete(fault);
    // The run comes to its end also with this machine's clock wrong, if nothing else has happened.
    if (!isClockAlone(this.scenario)) this.targets.machine.clockOffsetMs = 0;
    this.targets.mongodb.clockOffsetMs = 0;
    this.#apply();
  }

  #begin(fault: Fault): void {
    if (this.#isCalm) return;
    this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1);
    const { loop, machine, kafka, mongodb } = this.targets;
    switch (fault.kind) {
      case "crash":
        this.targets.crash(fault);
        return;
      case "stop":
        this.targets.stop(fault);
        return;
      case "clock set":
        if (fault.of === "mongodb") mongodb.clockOffsetMs = fault.offsetMs;
        else machine.clockOffsetMs = fault.offsetMs;
        return;
      case "suspended":
        machine.sleep(START_MS + fault.toMs, fault.isCounted);
        return;
      case "broker frozen":
        kafka.freeze(fault.broker, START_MS + fault.toMs);
        return;
      case "new partition":
        kafka.addPartition(fault.topic);
        return;
      case "leader moves":
        this.#moveLeader(fault);
        return;
      case "topic made again":
      case "log cut":
      case "log restored":
      case "retention":
      case "another cluster":
        changeLogs(fault, loop, kafka, (isCutOff) => {
          this.#cutOffs += isCutOff ? 1 : -1;
          this.#apply();
        });
        return;
      default:
        this.#active.add(fault);
        this.#apply();
    }
  }

  #moveLeader({ topic, partition, electionMs, staleMs }: Extract<Fault, { kind: "leader moves" }>): void {
    const { kafka, loop } = this.targets;
    const log = kafka.partition(topic, partition);
    if (log === undefined) return;
    const { leader, highWatermark } = log;
    const next = kafka.nodes[(kafka.nodes.indexOf(leader) + 1) % kafka.nodes.length]!;
    log.leader = -1;
    log.wakeAll();
    loop.after(electionMs, WORLD, "a leader is elected", () => {
      log.leader = next;
      log.shownUpTo = highWatermark;
      log.wakeAll();
      loop.after(staleMs, WORLD, "the leader knows its followers", () => {
        log.shownUpTo = Number.POSITIVE_INFINITY;
        log.wakeAll();
      });
    });
  }

  /** Conditions as all faults that last make them. */
  #apply(): void {
    const { kafka, mongodb, disk, machine } = this.targets;
    const mongo = calmMongo();
    const refused = new Map<string, Extract<Fault, { kind: "refusals" }>["how"]>();
    const down = new Set<number>();
    Object.assign(kafka.conditions, { latencyMaxMs: 2, lostRequests: 0, lostAnswers: 0 });
    Object.assign(disk.conditions, { latencyMaxMs: 3, isFull: false, errors: 0 });
    machine.stallMaxMs = 0;
    for (const fault of this.#active) {
      switch (fault.kind) {
        case "broker down":
          down.add(fault.broker);
          break;
        case "kafka noise": {
          const { latencyMaxMs, lostRequests, lostAnswers } = fault;
          Object.assign(kafka.conditions, { latencyMaxMs, lostRequests, lostAnswers });
          break;
        }
        case "mongodb down":
          mongo.isDown = true;
          break;
        case "mongodb frozen":
          mongo.isFrozen = true;
          break;
        case "mongodb noise":
          Object.assign(mongo, fault.conditions);
          break;
        case "refusals":
          for (const id of fault.orderIds) refused.set(id, fault.how);
          break;
        case "disk full":
          disk.conditions.isFull = true;
          break;
        case "disk noise":
          disk.conditions.errors = fault.errors;
          disk.conditions.latencyMaxMs = fault.latencyMaxMs;
          break;
        case "stalls":
          machine.stallMaxMs = fault.stallMaxMs;
          break;
      }
    }
    for (const node of kafka.nodes) kafka.setDown(node, this.#cutOffs > 0 || down.has(node));
    mongodb.setConditions(mongo);
    mongodb.refusalOf = (collection, { order_id }) =>
      collection === "dead_letters" ? undefined : refused.get(order_id);
  }
}
