/**
 * Bugs that the product does not have, so that the checkers can show that they would find them. Each is planted from
 * outside, by replacing a method, and names the checkers of which one must be the first to tell.
 */
import type { MongoBulkWriteError } from "mongodb";
import { Stage, type StageObserver } from "../../beam/engine/stage.js";
import { StageTimers } from "../../beam/engine/stage_timers.js";
import { ByteWriter } from "../../beam/model/bytes.js";
import type { Clock } from "../../beam/platform/clock.js";
import { TrustedClock } from "../../beam/platform/trusted_clock.js";
import { DirectStageProcessor } from "../../beam/runners/direct/stage_processor.js";
import { type ProcessContinuation, resume } from "../../beam/sdk/splittable.js";
import { StoredState } from "../../beam/stored_state/stored_state.js";
import { PartitionReader } from "../../connectors/kafka/client/partition_reader.js";
import { FindPartitions } from "../../connectors/kafka/find_partitions.js";
import { ReadPartitions } from "../../connectors/kafka/read_partitions.js";
import { unwrapBulkError } from "../../connectors/mongodb/errors.js";
import { MongoWriter } from "../../connectors/mongodb/writer.js";

import { JoinOrdersPayments } from "../../transforms/join.js";
import { WriteDeadLetters, WriteJoined } from "../../transforms/write.js";
import { inner, type PlantedBug, replace } from "./planting.js";
import { SimulatedKafka } from "./world/simulated_kafka.js";

const MANY = 200;

export const PLANTED_BUGS = {
  "a timer is skipped": {
    caughtBy: ["nothing outlives its expiry"],
    scenarios: { mode: "streaming" },
    seedsMax: MANY,
    plant: () =>
      replace(StageTimers.prototype, "fireDue", (fireDue) => {
        return function (this: StageTimers, domain, limit, countMax, fire) {
          return fireDue.call(this, domain, limit, countMax, (transform, family, timer) => {
            if (timer.fireTimestamp % 5 !== 0) fire(transform, family, timer);
          });
        };
      }),
  },

  "a duplicate arms the expiry again": {
    caughtBy: ["nothing outlives its expiry"],
    scenarios: {},
    seedsMax: MANY,
    plant: () =>
      replace(JoinOrdersPayments.prototype, "process", (process) => {
        return function (this: JoinOrdersPayments, element, ctx) {
          const { duplicates_orders, duplicates_payments } = this.metrics;
          const before = duplicates_orders.delta + duplicates_payments.delta;
          process.call(this, element, ctx);
          if (duplicates_orders.delta + duplicates_payments.delta === before) return;
          const [arrived] = element.value;
          const { created_at } = arrived!.value.event;
          ctx.timers.payments.set(created_at + 2 * this.config.timeoutMs + 1, String(created_at));
        };
      }),
  },

  "a timer fires before the watermark": {
    caughtBy: ["nothing behind the watermark", "output is the oracle's"],
    scenarios: { isWithinBound: true },
    seedsMax: MANY,
    plant: () => {
      const early = (limit: number): number => limit + 2_000;
      const ends = [
        replace(StageTimers.prototype, "fireDue", (fireDue) => {
          return function (this: StageTimers, domain, limit, countMax, fire) {
            return fireDue.call(this, domain, early(limit), countMax, fire);
          };
        }),
        replace(StageTimers.prototype, "hasDue", (hasDue) => {
          return function (this: StageTimers, domain, limit) {
            return hasDue.call(this, domain, early(limit));
          };
        }),
      ];
      return () => {
        for (const end of ends) end();
      };
    },
  },

  "partitions are looked for without a pause": {
    caughtBy: ["brokers are asked in moderation"],
    scenarios: { mode: "streaming" },
    seedsMax: MANY,
    plant: () =>
      replace(FindPartitions.prototype, "process", (process) => {
        return function (this: FindPartitions, impulse, tracker, ctx) {
          const soon = (continuation: ProcessContinuation): ProcessContinuation =>
            continuation.kind === "stop" ? continuation : resume(1);
          const continuation = process.call(this, impulse, tracker, ctx);
          return continuation instanceof Promise ? continuation.then(soon) : soon(continuation);
        };
      }),
  },

  "a residual is dropped": {
    caughtBy: ["it comes to an end", "books balance"],
    scenarios: {},
    seedsMax: MANY,
    plant: () => {
      let count = 0;
      return replace(DirectStageProcessor.prototype, "deferResidual", (deferResidual) => {
        return function (this: DirectStageProcessor, rest, continuation) {
          if (++count % 50 !== 0) deferResidual.call(this, rest, continuation);
        };
      });
    },
  },

  "a source's watermark is ahead of its events": {
    caughtBy: ["nothing behind the watermark", "output is the oracle's"],
    scenarios: { isWithinBound: true },
    seedsMax: MANY,
    plant: () =>
      replace(ReadPartitions.prototype, "process", (process) => {
        return function (this: ReadPartitions, source, tracker, ctx) {
          const { watermark } = ctx;
          const ahead = this.config.maxOutOfOrdernessMs;
          const eager = {
            get current() {
              return watermark.current;
            },
            set: (timestamp: number) => watermark.set(timestamp + ahead),
          };
          const context = Object.create(ctx, { watermark: { value: eager } });
          return process.call(this, source, tracker, context);
        };
      }),
  },

  "an empty answer is taken for the end of the log": {
    caughtBy: ["nothing behind the watermark", "output is the oracle's"],
    scenarios: { isWithinBound: true, mode: "streaming" },
    seedsMax: MANY,
    plant: () =>
      replace(PartitionReader.prototype, "accept", (accept) => {
        return function (this: PartitionReader, batches, nextOffset, anchor, highWatermark, sentAtMs) {
          const end = batches.length === 0 ? nextOffset : highWatermark;
          return accept.call(this, batches, nextOffset, anchor, end, sentAtMs);
        };
      }),
  },

  "a bounded read ends at the last stable offset": {
    // A run that goes on reads the rest, so that nothing is missing then; but the run before has expired its partners.
    caughtBy: ["books balance", "every event in one place", "output is the oracle's"],
    scenarios: { mode: "bounded" },
    seedsMax: MANY,
    plant: () =>
      replace(SimulatedKafka.prototype, "listOffset", (listOffset) => {
        return function (this: SimulatedKafka, owner, node, topic, partition, at) {
          return listOffset.call(this, owner, node, topic, partition, at === "end" ? "stable" : at);
        };
      }),
  },

  "a watermark goes back": {
    caughtBy: ["watermarks never retreat"],
    scenarios: {},
    seedsMax: MANY,
    plant: () => {
      let count = 0;
      return replace(Stage.prototype, "refreshWatermarks", (refreshWatermarks) => {
        return function (this: Stage) {
          refreshWatermarks.call(this);
          if (++count % 500 !== 0) return;
          const { input, output } = this.watermarks;
          this.resumeAt({ input: input - 1_000, output: Math.min(output, input - 1_000) });
          (this as unknown as { readonly observer: StageObserver }).observer.onStage(this);
        };
      });
    },
  },

  "an insert is acknowledged before it is done": {
    caughtBy: ["every event in one place"],
    scenarios: {},
    seedsMax: MANY,
    plant: () =>
      replace(MongoWriter.prototype, "write", (write) => {
        return async function (this: MongoWriter, documents) {
          write.call(this, documents).catch(() => undefined);
          return { inserted: documents.length, alreadyThere: 0, rejected: [], retries: 0 };
        };
      }),
  },

  "every duplicate key is taken for the document's own": {
    caughtBy: ["every event in one place"],
    scenarios: {},
    seedsMax: 1_000,
    plant: () =>
      replace(inner(MongoWriter.prototype), "findDuplicates", () => {
        return async (_chunk: unknown, { result }: MongoBulkWriteError) => {
          const duplicates = result.getWriteErrors().filter(({ code }) => code === 11000);
          return { alreadyThere: new Set(duplicates.map(({ index }) => index)), others: new Map() };
        };
      }),
  },

  "another's document is taken for ours": {
    caughtBy: ["every event in one place"],
    scenarios: {},
    seedsMax: 1_000,
    plant: () =>
      replace(inner(MongoWriter.prototype), "findDuplicates", (findDuplicates) => {
        return async function (this: unknown, ...args: unknown[]) {
          return { ...(await findDuplicates.apply(this, args)), others: new Map() };
        };
      }),
  },

  "a frozen server is taken for a bug": {
    caughtBy: ["failures have a cause"],
    scenarios: {},
    seedsMax: MANY,
    plant: () =>
      replace(inner(MongoWriter.prototype), "judgeOperation", (judgeOperation) => {
        return async function (this: unknown, chunk: unknown, error: unknown, tally: unknown) {
          const cause = unwrapBulkError(error);
          // As it is when the name decides.
          if ((cause as Error).name === "PoolClearedOnNetworkError") throw cause;
          return judgeOperation.call(this, chunk, error, tally);
        };
      }),
  },

  "a write that failed is never tried again": {
    caughtBy: ["it comes to an end"],
    scenarios: {},
    seedsMax: MANY,
    plant: () =>
      replace(inner(MongoWriter.prototype), "insert", (insert) => {
        return async function (this: unknown, ...args: unknown[]) {
          const remainder = await insert.apply(this, args);
          return remainder === undefined ? undefined : new Promise(() => {});
        };
      }),
  },

  "an _id changes from one attempt to the next": {
    caughtBy: ["no pair twice"],
    scenarios: {},
    seedsMax: MANY,
    plant: () => {
      let count = 0;
      return replace(WriteJoined.prototype, "toDocument", (toDocument) => {
        return function (this: WriteJoined, pair) {
          const document = toDocument.call(this, pair);
          return { ...document, _id: `${document._id}:${++count}` };
        };
      });
    },
  },

  "a duplicate is not counted": {
    caughtBy: ["books balance"],
    scenarios: {},
    seedsMax: MANY,
    plant: () =>
      replace(JoinOrdersPayments.prototype, "process", (process) => {
        return function (this: JoinOrdersPayments, element, ctx) {
          const { duplicates_payments } = this.metrics;
          const { delta } = duplicates_payments;
          process.call(this, element, ctx);
          duplicates_payments.delta = delta;
        };
      }),
  },

  "a late event gets no dead letter": {
    caughtBy: ["every event in one place"],
    scenarios: {},
    seedsMax: MANY,
    plant: () =>
      replace(WriteDeadLetters.prototype, "process", (process) => {
        return function (this: WriteDeadLetters, deadLetter, ctx) {
          if (deadLetter.reason !== "LATE") process.call(this, deadLetter, ctx);
        };
      }),
  },

  "state is forgotten": {
    caughtBy: ["every event in one place", "books balance"],
    scenarios: {},
    seedsMax: MANY,
    plant: () => {
      let count = 0;
      return replace(JoinOrdersPayments.prototype, "process", (process) => {
        return function (this: JoinOrdersPayments, element, ctx) {
          if (++count % 40 === 0) ctx.state.waiting.clear();
          process.call(this, element, ctx);
        };
      });
    },
  },

  "an expired record is left behind empty": {
    caughtBy: ["state is empty"],
    scenarios: { mode: "bounded" },
    seedsMax: MANY,
    plant: () =>
      replace(StoredState.prototype, "delete", () => {
        return function (this: StoredState, cell) {
          const nobody = new ByteWriter(1);
          nobody.writeVarint(0);
          this.put(cell, nobody);
        };
      }),
  },

  "a clock that was set is believed": {
    caughtBy: [
      "nothing expires before its time",
      "nothing behind the watermark",
      "expiry is on time",
      "output is the oracle's",
    ],
    scenarios: { isClockAlone: true, mode: "streaming", isWithinBound: true },
    seedsMax: MANY,
    plant: () =>
      replace(TrustedClock.prototype, "now", () => {
        return function (this: TrustedClock) {
          return Math.floor(machineClock(this).now());
        };
      }),
  },

  "a clock that is set back is followed": {
    caughtBy: ["expiry is on time"],
    scenarios: { isClockAlone: true, mode: "streaming", isWithinBound: true },
    seedsMax: MANY,
    plant: () =>
      replace(TrustedClock.prototype, "now", (now) => {
        return function (this: TrustedClock) {
          const sure = now.call(this);
          // By so much at most: an hour would let the run come to no end.
          return Math.max(sure - 20_000, Math.floor(Math.min(machineClock(this).now(), sure)));
        };
      }),
  },

  "a fraction of a millisecond goes into state": {
    caughtBy: ["failures have a cause"],
    scenarios: { mode: "streaming", store: "durable" },
    seedsMax: MANY,
    plant: () =>
      replace(TrustedClock.prototype, "now", (now) => {
        return function (this: TrustedClock) {
          return now.call(this) + 0.5;
        };
      }),
  },

  "a step throws": {
    caughtBy: ["failures have a cause"],
    scenarios: {},
    seedsMax: MANY,
    plant: () => {
      let count = 0;
      return replace(JoinOrdersPayments.prototype, "process", (process) => {
        return function (this: JoinOrdersPayments, element, ctx) {
          if (++count % 40 === 0) throw new TypeError("undefined is not a function");
          process.call(this, element, ctx);
        };
      });
    },
  },
} satisfies Record<string, PlantedBug>;

/** The clock of the machine behind a trusted one. */
function machineClock(trusted: TrustedClock): Clock {
  return (trusted as unknown as { readonly clock: Clock }).clock;
}
