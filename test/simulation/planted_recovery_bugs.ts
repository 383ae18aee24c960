/** Bugs of what keeps a run and brings it back: those that need a durable store. See planted_bugs.ts. */

import type { PendingBatch } from "../../beam/engine/pending_elements.js";
import { CommittedProgress } from "../../beam/engine/progress.js";
import { Stage } from "../../beam/engine/stage.js";
import { StageTimers } from "../../beam/engine/stage_timers.js";
import { BundleProcessor } from "../../beam/exec/bundle_processor.js";
import type { ByteTable } from "../../beam/store/byte_table.js";
import { DurableStore } from "../../beam/store/durable_store.js";
import type { Store } from "../../beam/store/store.js";
import { WriteJoined } from "../../transforms/write.js";
import { type PlantedBug, replace } from "./planting.js";

const MANY = 200;

export const PLANTED_RECOVERY_BUGS = {
  "a document says that it was made before": {
    // Where the sink compares it with what is there, it is taken for another's, and refused.
    caughtBy: ["a replay writes the same", "every event in one place"],
    scenarios: { store: "durable" },
    seedsMax: MANY,
    plant: () => {
      const made = new Set<unknown>();
      return replace(WriteJoined.prototype, "toDocument", (toDocument) => {
        return function (this: WriteJoined, pair) {
          const document = toDocument.call(this, pair);
          const isFirst = !made.has(document._id);
          made.add(document._id);
          return isFirst ? document : { ...document, again: true };
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
      replace(CommittedProgress.prototype, "restore", (restore) => {
        return function (this: CommittedProgress, stage) {
          const isKnown = restore.call(this, stage);
          (stage.pending as PendingBatch[]).pop();
          return isKnown;
        };
      }),
  },

  "a partition is read from its beginning after a restart": {
    caughtBy: ["books balance"],
    scenarios: { store: "durable" },
    seedsMax: MANY,
    plant: () =>
      replace(CommittedProgress.prototype, "restore", (restore) => {
        return function (this: CommittedProgress, stage) {
          const isKnown = restore.call(this, stage);
          for (const { residual } of stage.restrictions) {
            const { value: state } = (residual.value as { key: { value: { key: { start: number } } } }).key;
            if (stage.spec.name.includes("ReadPartitions")) Object.assign(state.key, { start: 0 });
          }
          return isKnown;
        };
      }),
  },

  "a restriction that was asked for its watermark stays in state when it is read on": {
    // After a restart a partition has two readers, and each closes the other's subscription.
    caughtBy: ["it comes to an end", "books balance"],
    scenarios: { store: "durable" },
    seedsMax: MANY,
    plant: () =>
      replace(Stage.prototype, "askWatermarks", (askWatermarks) => {
        return function (this: Stage, elapsedMs, turn) {
          const leftBefore = turn.left.length;
          askWatermarks.call(this, elapsedMs, turn);
          for (const restriction of turn.left.slice(leftBefore)) restriction.isStored = false;
        };
      }),
  },

  "timers are forgotten at a restart": {
    caughtBy: ["nothing outlives its expiry"],
    scenarios: { store: "durable", mode: "streaming" },
    seedsMax: MANY,
    plant: () =>
      replace(StageTimers.prototype, "family", (family) => {
        return function (this: StageTimers, transform, name, domain, tableName, beside) {
          const { store } = this as unknown as { readonly store: Store };
          const tables = [tableName, beside?.tableName].flatMap((one) =>
            one === undefined ? [] : [store.table(one)],
          );
          for (const table of tables) table.forEach = () => undefined;
          try {
            return family.call(this, transform, name, domain, tableName, beside);
          } finally {
            for (const table of tables) delete (table as Partial<ByteTable>).forEach;
          }
        };
      }),
  },

  "a sink takes what is not committed yet": {
    caughtBy: ["sinks write what is committed"],
    scenarios: { store: "durable" },
    seedsMax: MANY,
    plant: () =>
      replace(Stage.prototype, "enqueue", (enqueue) => {
        return function (this: Stage, ...args) {
          const pending = enqueue.apply(this, args);
          pending.isCommitted = true;
          return pending;
        };
      }),
  },
} satisfies Record<string, PlantedBug>;
