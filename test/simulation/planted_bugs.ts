/**
 * Bugs that the product does not have, so that the checkers can show that they would find them. Each is planted from
 * outside, by replacing a method, and names the checkers of which one must be the first to tell.
 */
import { Progress } from "../../beam/engine/progress.js";
import { Stage } from "../../beam/engine/stage.js";
import { StageTimers } from "../../beam/engine/stage_timers.js";
import { BundleProcessor } from "../../beam/exec/bundle_processor.js";
import { ReadPartitions } from "../../beam/io/kafka/read_partitions.js";
import { MongoWriter } from "../../beam/io/mongodb/writer.js";
import { ByteWriter } from "../../beam/model/bytes.js";
import { DirectStageProcessor } from "../../beam/runners/direct/stage_processor.js";
import type { ByteTable } from "../../beam/store/byte_table.js";
import { DurableStore } from "../../beam/store/durable_store.js";
import type { Store } from "../../beam/store/store.js";
import { JoinOrdersPayments } from "../../transforms/join.js";
import { WriteDeadLetters, WriteJoined, WriteUnmatched } from "../../transforms/write.js";
import type { CheckerName } from "./checkers/all_checkers.js";
import type { GenerateOptions } from "./generate_scenario.js";

export interface PlantedBug {
  readonly caughtBy: readonly CheckerName[];
  /** Which scenarios bring it to light. */
  readonly scenarios: GenerateOptions;
  /** Seeds after which it must have been caught. */
  readonly seedsMax: number;
  /** Returns a function that takes it out again. */
  plant(): () => void;
}

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
          const { duplicate_orders, duplicate_payments } = this.metrics;
          const before = duplicate_orders.delta + duplicate_payments.delta;
          process.call(this, element, ctx);
          if (duplicate_orders.delta + duplicate_payments.delta === before) return;
          const [arrived] = [...element.value.orders, ...element.value.payments];
          ctx.timers.expiry.set(arrived!.event.created_at + 2 * this.config.timeoutMs + 1, "");
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

  "a residual is dropped": {
    caughtBy: ["it comes to an end", "books balance"],
    scenarios: {},
    seedsMax: MANY,
    plant: () => {
      let count = 0;
      return replace(DirectStageProcessor.prototype, "deferResidual", (deferResidual) => {
        return function (this: DirectStageProcessor, residual) {
          if (++count % 50 !== 0) deferResidual.call(this, residual);
        };
      });
    },
  },

  "a source's watermark is ahead of its events": {
    caughtBy: ["nothing behind the watermark"],
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
          this.inputWatermark -= 1_000;
          this.outputWatermark = Math.min(this.outputWatermark, this.inputWatermark);
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
      replace(inner(MongoWriter.prototype), "findAlreadyThere", () => {
        return async (_chunk: unknown, errors: readonly { code: number; index: number }[]) =>
          new Set(errors.filter(({ code }) => code === 11000).map(({ index }) => index));
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

  "a document says how often it was made": {
    caughtBy: ["a replay writes the same"],
    scenarios: { store: "durable" },
    seedsMax: MANY,
    plant: () => {
      let count = 0;
      return replace(WriteUnmatched.prototype, "toDocument", (toDocument) => {
        return function (this: WriteUnmatched, unmatched) {
          return { ...toDocument.call(this, unmatched), count: ++count };
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
          const { duplicate_payments } = this.metrics;
          const { delta } = duplicate_payments;
          process.call(this, element, ctx);
          duplicate_payments.delta = delta;
        };
      }),
  },

  "a late event gets no dead letter": {
    caughtBy: ["every event in one place"],
    scenarios: {},
    seedsMax: MANY,
    plant: () =>
      replace(WriteDeadLetters.prototype, "process", (process) => {
        return function (this: WriteDeadLetters, deadLetter) {
          if (deadLetter.reason !== "LATE") process.call(this, deadLetter);
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

  "a bundle ends before its flush": {
    caughtBy: ["every event in one place"],
    scenarios: { store: "durable" },
    seedsMax: MANY,
    plant: () =>
      replace(BundleProcessor.prototype, "finishBundle", (finishBundle) => {
        return function (this: BundleProcessor) {
          const flushed = finishBundle.call(this);
          // Only sinks; what a source waits for, it needs.
          if (!this.descriptor.id.match(/Write|DeadLetters/)) return flushed;
          flushed?.catch(() => undefined);
        };
      }),
  },

  "a commit is acknowledged before it is done": {
    caughtBy: ["what was committed is there"],
    scenarios: { store: "durable" },
    seedsMax: MANY,
    plant: () =>
      replace(DurableStore.prototype, "commit", (commit) => {
        return async function (this: DurableStore, turns) {
          commit.call(this, turns).catch(() => undefined);
        };
      }),
  },

  "a commit is not synced": {
    caughtBy: ["what was committed is there"],
    scenarios: { store: "durable" },
    seedsMax: MANY,
    plant: () =>
      replace(DurableStore, "open", (open) => {
        return (directory, options) => open.call(DurableStore, directory, { ...options, sync: false });
      }),
  },

  "a pending element is forgotten at a restart": {
    caughtBy: ["books balance", "every event in one place"],
    scenarios: { store: "durable" },
    seedsMax: MANY,
    plant: () =>
      replace(Progress.prototype, "restore", (restore) => {
        return function (this: Progress, stage) {
          const isKnown = restore.call(this, stage);
          stage.pending.pop();
          return isKnown;
        };
      }),
  },

  "a partition is read from its beginning after a restart": {
    caughtBy: ["books balance"],
    scenarios: { store: "durable" },
    seedsMax: MANY,
    plant: () =>
      replace(Progress.prototype, "restore", (restore) => {
        return function (this: Progress, stage) {
          const isKnown = restore.call(this, stage);
          for (const { residual } of stage.restrictions) {
            const { value: state } = (residual.value as { key: { value: { key: { start: number } } } }).key;
            if (stage.spec.name.includes("ReadPartitions")) Object.assign(state.key, { start: 0 });
          }
          return isKnown;
        };
      }),
  },

  "timers are forgotten at a restart": {
    caughtBy: ["nothing outlives its expiry"],
    scenarios: { store: "durable", mode: "streaming" },
    seedsMax: MANY,
    plant: () =>
      replace(StageTimers.prototype, "family", (family) => {
        return function (this: StageTimers, transform, name, domain, tableName) {
          const { store } = this as unknown as { readonly store: Store };
          const table = store.table(tableName);
          table.forEach = () => undefined;
          try {
            return family.call(this, transform, name, domain, tableName);
          } finally {
            delete (table as Partial<ByteTable>).forEach;
          }
        };
      }),
  },

  "a sink takes what is not committed yet": {
    caughtBy: ["sinks write what is committed"],
    scenarios: { store: "durable" },
    seedsMax: MANY,
    plant: () => alwaysReady(),
  },

  "an expired record is left behind empty": {
    caughtBy: ["state is empty"],
    scenarios: { mode: "bounded" },
    seedsMax: MANY,
    plant: () =>
      replace(DirectStageProcessor.prototype, "stateTable", (stateTable) => {
        return function (this: DirectStageProcessor, transform, cell) {
          const table = stateTable.call(this, transform, cell);
          const nobody = new ByteWriter(1);
          nobody.writeVarint(0);
          return {
            get: (key, out) => table.get(key, out),
            put: (key, value) => table.put(key, value),
            append: (key, value) => table.append(key, value),
            delete: (key) => table.put(key, nobody),
          };
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

/** Every stage takes what is in front of it. */
function alwaysReady(): () => void {
  const hasReady = Object.getOwnPropertyDescriptor(Stage.prototype, "hasReady")!;
  Object.defineProperty(Stage.prototype, "hasReady", {
    configurable: true,
    get(this: Stage) {
      return this.pending.length > 0;
    },
  });
  return () => {
    Object.defineProperty(Stage.prototype, "hasReady", hasReady);
  };
}

/** Replaces a method. Returns a function that puts the original back. */
function replace<T extends object, M extends keyof T>(
  target: T,
  method: M,
  make: (original: T[M]) => T[M],
): () => void {
  const original = target[method];
  target[method] = make(original);
  return () => {
    target[method] = original;
  };
}

/** A class from inside: TypeScript's `private` does not reach beyond compiling. */
function inner(prototype: object): Record<string, (...args: any[]) => any> {
  return prototype as Record<string, (...args: any[]) => any>;
}
