/** Bugs of what becomes of other people's logs, of runs one after the other, and of poison. See planted_bugs.ts. */
import { Stage } from "../../beam/engine/stage.js";
import { StageTimers, TimerFamily } from "../../beam/engine/stage_timers.js";
import { KeptTime } from "../../beam/runners/direct/kept_time.js";
import type { UnreadableRecordsError } from "../../connectors/kafka/client/kafka_errors.js";
import { PartitionReader } from "../../connectors/kafka/client/partition_reader.js";
import { FindPartitions } from "../../connectors/kafka/find_partitions.js";
import { ReadPartitions } from "../../connectors/kafka/read_partitions.js";
import { ORDER_DECODER } from "../../transforms/decode.js";
import { WriteDeadLetters } from "../../transforms/write.js";
import { inner, type PlantedBug, replace } from "./planting.js";
import { SimulatedKafka } from "./world/simulated_kafka.js";

const MANY = 200;
const CHANGED = { store: "durable", mode: "streaming", hasLogChange: true } as const;

export const PLANTED_LOG_BUGS = {
  "the ids of a log are not compared": {
    caughtBy: ["every event in one place", "books balance", "it comes to an end"],
    scenarios: CHANGED,
    seedsMax: MANY,
    plant: () =>
      replace(PartitionReader.prototype, "recognize", (recognize) => {
        return function (this: PartitionReader, told) {
          this.log = told;
          return recognize.call(this, told);
        };
      }),
  },

  "the last batch is not compared": {
    caughtBy: ["every event in one place", "books balance", "it comes to an end"],
    scenarios: CHANGED,
    seedsMax: MANY,
    plant: () =>
      replace(PartitionReader.prototype, "doubt", (doubt) => {
        return function (this: PartitionReader) {
          doubt.call(this);
          this.trust();
        };
      }),
  },

  "what was told under a name is taken for what its id says": {
    caughtBy: ["every event in one place", "lost positions are told", "books balance", "it comes to an end"],
    scenarios: { ...CHANGED, isChangeUnseen: true },
    seedsMax: MANY,
    plant: () =>
      replace(SimulatedKafka.prototype, "fetch", (fetch) => {
        return async function (this: SimulatedKafka, ...args) {
          return { ...(await fetch.apply(this, args)), isById: true };
        };
      }),
  },

  "a position that is lost is moved without a word": {
    caughtBy: ["every event in one place", "books balance", "it comes to an end"],
    scenarios: CHANGED,
    seedsMax: MANY,
    plant: () =>
      replace(PartitionReader.prototype, "fail", (fail) => {
        return function (this: PartitionReader, error) {
          const { found } = error as { found?: { readonly earliestOffset: number } };
          if (found === undefined) return fail.call(this, error);
          this.nextOffset = found.earliestOffset;
          this.trust();
          return true;
        };
      }),
  },

  "earliest is taken for latest": {
    caughtBy: ["lost positions are told"],
    scenarios: CHANGED,
    seedsMax: MANY,
    plant: () =>
      replace(ReadPartitions.prototype, "process", (process) => {
        return function (this: ReadPartitions, ...args) {
          const other = { none: "none", earliest: "latest", latest: "earliest" } as const;
          const config = { ...this.config, offsetReset: other[this.config.offsetReset] };
          Object.assign(this, { config });
          try {
            return process.apply(this, args);
          } finally {
            Object.assign(this, { config: { ...config, offsetReset: other[config.offsetReset] } });
          }
        };
      }),
  },

  "the read goes on where it was told not to": {
    caughtBy: ["lost positions are told"],
    scenarios: CHANGED,
    seedsMax: MANY,
    plant: () =>
      replace(ReadPartitions.prototype, "process", (process) => {
        return function (this: ReadPartitions, ...args) {
          if (this.config.offsetReset === "none")
            Object.assign(this, { config: { ...this.config, offsetReset: "earliest" } });
          return process.apply(this, args);
        };
      }),
  },

  "a position is lost where nothing has changed": {
    caughtBy: ["failures have a cause", "lost positions are told"],
    scenarios: { store: "durable", mode: "streaming", hasLogChange: false },
    seedsMax: MANY,
    plant: () =>
      replace(PartitionReader.prototype, "recognize", (recognize) => {
        let count = 0;
        return function (this: PartitionReader, told) {
          return ++count % 10 === 0 ? false : recognize.call(this, told);
        };
      }),
  },

  "a dead letter's _id does not know its log": {
    caughtBy: ["every event in one place", "output is the oracle's"],
    scenarios: CHANGED,
    seedsMax: 1_000,
    plant: () =>
      replace(WriteDeadLetters.prototype, "toDocument", (toDocument) => {
        return function (this: WriteDeadLetters, letter) {
          const document = toDocument.call(this, letter);
          const parts = document._id.split(":");
          return letter.reason === "SINK_REJECTED"
            ? document
            : { ...document, _id: [...parts.slice(0, 3), "", ""].join(":") };
        };
      }),
  },

  "a run forgets what the one before has left it": {
    caughtBy: ["books balance", "every event in one place", "it comes to an end", "output is the oracle's"],
    scenarios: { store: "durable", hasEarlierRuns: true, hasLogChange: false },
    seedsMax: MANY,
    plant: () =>
      replace(ReadPartitions.prototype, "remainder", (remainder) => {
        return function (this: ReadPartitions, source, range, isDone) {
          const { start } = range;
          return { ...remainder.call(this, source, range, isDone), ...(isDone && { start: start + 1 }) };
        };
      }),
  },

  "new partitions are not looked for behind a run that has ended": {
    caughtBy: ["it comes to an end", "books balance"],
    scenarios: { store: "durable", hasEarlierRuns: true, hasLogChange: false },
    seedsMax: 1_000,
    plant: () =>
      replace(FindPartitions.prototype, "remainder", () => {
        return (_impulse, { end }) => ({
          start: end === Number.POSITIVE_INFINITY ? 1_000 : end + 1_000,
          end: Number.POSITIVE_INFINITY,
        });
      }),
  },

  "a bounded run that keeps what waits expires it": {
    caughtBy: ["output is the oracle's", "every event in one place"],
    scenarios: { store: "durable", hasEarlierRuns: true, isWithinBound: true, hasLogChange: false },
    seedsMax: MANY,
    plant: () => {
      const refresh = Stage.prototype.refreshWatermarks;
      Stage.prototype.refreshWatermarks = function (this: Stage) {
        this.parkedHold = false;
        refresh.call(this);
      };
      return () => {
        Stage.prototype.refreshWatermarks = refresh;
      };
    },
  },

  "a larger T leaves what waits without a timer": {
    caughtBy: ["nothing outlives its expiry", "it comes to an end"],
    scenarios: { store: "durable", hasEarlierRuns: true, hasLogChange: false },
    seedsMax: 1_000,
    plant: () => dropTimersSetWhileFiring((fireAt, firedAt) => fireAt > firedAt),
  },

  "our own code stumbles over a record": {
    caughtBy: ["failures have a cause"],
    scenarios: {},
    seedsMax: MANY,
    plant: () => {
      const prototype = Object.getPrototypeOf(ORDER_DECODER.create({ timeoutMs: 1, maxAheadOfClockMs: 1 }));
      return replace(inner(prototype), "decode", (decode) => {
        return function (this: unknown, ...args) {
          const result = decode.apply(this, args);
          const message = String(result?.report?.message);
          if (message.startsWith("the decoder failed unexpectedly")) throw new TypeError(message);
          return result;
        };
      });
    },
  },

  "records that nobody can read end the run": {
    caughtBy: ["failures have a cause"],
    scenarios: {},
    seedsMax: MANY,
    plant: () => {
      const prototype = Object.getPrototypeOf(ORDER_DECODER.create({ timeoutMs: 1, maxAheadOfClockMs: 1 }));
      return replace(inner(prototype), "unreadable", () => (error: UnreadableRecordsError) => {
        throw error;
      });
    },
  },

  "of very many that expire some are left": {
    caughtBy: ["nothing outlives its expiry", "state is empty", "it comes to an end", "books balance"],
    scenarios: { hasHotKey: true, mode: "streaming" },
    seedsMax: MANY,
    plant: () => dropTimersSetWhileFiring((fireAt, firedAt) => fireAt === firedAt),
  },

  "the time that was kept is forgotten": {
    caughtBy: ["expiry is on time", "nothing expires before its time", "nothing behind the watermark"],
    scenarios: { isClockAlone: true, mode: "streaming", isWithinBound: true, store: "durable" },
    seedsMax: 1_000,
    plant: () => replace(KeptTime.prototype, "save", () => () => undefined),
  },
} satisfies Record<string, PlantedBug>;

function dropTimersSetWhileFiring(isMeant: (fireAt: number, firedAt: number) => boolean): () => void {
  let firedAt: number | undefined;
  const ends = [
    replace(StageTimers.prototype, "fireDue", (fireDue) => {
      return function (this: StageTimers, domain, limit, countMax, fire, isOver) {
        const watched: typeof fire = (transform, family, timer) => {
          firedAt = timer.fireTimestamp;
          fire(transform, family, timer);
          firedAt = undefined;
        };
        return fireDue.call(this, domain, limit, countMax, watched, isOver);
      };
    }),
    replace(TimerFamily.prototype, "set", (set) => {
      return function (this: TimerFamily, key, tag, fireAt, outputTimestamp) {
        if (firedAt !== undefined && isMeant(fireAt, firedAt)) return;
        set.call(this, key, tag, fireAt, outputTimestamp);
      };
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}
