/** A worker, and a runner that the test plays; elements in and out are encoded as on the wire. */
import { Worker, type WorkerOptions } from "../../../../beam/harness/worker.js";
import type { WorkerLog } from "../../../../beam/harness/worker_log.js";
import { ByteReader, ByteWriter } from "../../../../beam/model/bytes.js";
import type { Coder } from "../../../../beam/model/coders/coder.js";
import { StringUtf8Coder } from "../../../../beam/model/coders/string_utf8_coder.js";
import { TimerCoder } from "../../../../beam/model/coders/timer_coder.js";
import { GlobalWindowCoder } from "../../../../beam/model/coders/window_coders.js";
import { WindowedValueCoder } from "../../../../beam/model/coders/windowed_value_coder.js";
import { NO_FIRING } from "../../../../beam/model/pane.js";
import type { TimerElement } from "../../../../beam/model/timer.js";
import { IN_GLOBAL_WINDOW } from "../../../../beam/model/windows.js";
import type { Pipeline } from "../../../../beam/sdk/collection.js";
import { protoOf } from "../../../../beam/sdk/collection.js";
import { descriptorOf, FakeFnRunner } from "../../../fixtures/fake_fn_runner.js";

const silent: WorkerLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export class WorkerUnderTest {
  private constructor(
    readonly runner: FakeFnRunner,
    readonly worker: Worker,
  ) {}

  /** @param given options, or what makes them for the runner's endpoint */
  static async start(
    given: Partial<WorkerOptions> | ((endpoint: string) => Partial<WorkerOptions>) = {},
  ): Promise<WorkerUnderTest> {
    const runner = await FakeFnRunner.start();
    const options = typeof given === "function" ? given(runner.endpoint) : given;
    const worker = new Worker({
      workerId: "worker[1]",
      controlEndpoint: runner.endpoint,
      statusEndpoint: runner.endpoint,
      log: silent,
      ...options,
    });
    return new WorkerUnderTest(runner, worker);
  }

  async close(): Promise<void> {
    this.worker.stop();
    await this.worker.finished.catch(() => undefined);
    this.runner.kill();
  }

  /** Makes steps of a graph known to the runner as the descriptor "d". */
  describe(pipeline: Pipeline, steps: readonly string[], id = "d"): void {
    this.runner.descriptors.set(id, descriptorOf(protoOf(pipeline), steps, this.runner.endpoint, id));
  }
}

/** Elements in the global window, as [value, timestamp]. */
export function encodeElements<T>(coder: Coder<T>, ...elements: readonly (readonly [T, number])[]): Buffer {
  const windowed = new WindowedValueCoder(coder, GlobalWindowCoder.INSTANCE);
  const writer = new ByteWriter();
  for (const [value, timestamp] of elements) {
    windowed.encode({ value, timestamp, windows: IN_GLOBAL_WINDOW, pane: NO_FIRING }, writer, "nested");
  }
  return writer.toBytes();
}

export function decodeElements<T>(coder: Coder<T>, bytes: Buffer): [T, number][] {
  const windowed = new WindowedValueCoder(coder, GlobalWindowCoder.INSTANCE);
  const reader = new ByteReader(bytes);
  const elements: [T, number][] = [];
  while (reader.remaining > 0) {
    const { value, timestamp } = windowed.decode(reader, "nested");
    elements.push([value, timestamp]);
  }
  return elements;
}

const timerCoder = new TimerCoder(StringUtf8Coder.INSTANCE, GlobalWindowCoder.INSTANCE);

/** Timers of text keys in the global window that have fired, as [key, time, tag]. */
export function encodeTimers(...timers: readonly (readonly [string, number, string?])[]): Buffer {
  const writer = new ByteWriter();
  for (const [key, at, tag = ""] of timers) {
    const timer = { key, tag, windows: IN_GLOBAL_WINDOW, clear: false, fireTimestamp: at } as const;
    timerCoder.encode({ ...timer, holdTimestamp: at, pane: NO_FIRING }, writer, "nested");
  }
  return writer.toBytes();
}

/** As [key, tag, fire time, hold], or [key, tag, "clear"]. */
export function decodeTimers(bytes: Buffer): unknown[][] {
  const reader = new ByteReader(bytes);
  const timers: TimerElement<string>[] = [];
  while (reader.remaining > 0) timers.push(timerCoder.decode(reader, "nested"));
  return timers.map((timer) =>
    timer.clear
      ? [timer.key, timer.tag, "clear"]
      : [timer.key, timer.tag, timer.fireTimestamp, timer.holdTimestamp],
  );
}
