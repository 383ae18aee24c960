/**
 * All that a bundle sends to the runner's data streams. A terminator goes out for every output and every timer family,
 * also where nothing was sent: the runner waits for each. It is a segment of its own, since some runners drop what
 * comes with it. Source: beam_fn_api.proto, Elements.
 */
import type { fnApi } from "../model/apache_beam.js";
import type { ByteWriter } from "../model/bytes.js";
import { systemClock } from "../platform/clock.js";
import type { DataChannel } from "./data_channel.js";
import type { ElementOutput } from "./element_output.js";
import { PIECE_BYTES } from "./piece_bytes.js";
import type { TimerOutput } from "./timer_output.js";

/** What waits longer than this in an open bundle is sent, so that the runner has something to do meanwhile. */
const PIECE_AGE_MS = 500;
/** A writer that grew beyond this is not kept. */
const KEPT_CAPACITY_MAX = 2 * PIECE_BYTES;

const NO_BYTES = new Uint8Array(0);

export class Outputs {
  readonly #elements: ElementOutput[] = [];
  readonly #timers: TimerOutput[] = [];
  readonly #urls = new Set<string>();
  #channelOf!: (url: string) => DataChannel;
  #instructionId = "";
  #lastSentMs = 0;
  /** Some stream has had as much as it takes: what the bundle does next should be `pace`. */
  isFull = false;

  addElements(output: ElementOutput): void {
    this.#elements.push(output);
    this.#urls.add(output.url);
  }

  addTimers(output: TimerOutput): void {
    this.#timers.push(output);
    this.#urls.add(output.url);
  }

  begin(instructionId: string, channelOf: (url: string) => DataChannel): void {
    this.#instructionId = instructionId;
    this.#channelOf = channelOf;
    this.#lastSentMs = systemClock.elapsed();
    this.isFull = false;
    for (const { writer } of this.#elements) writer.reset();
    for (const { writer } of this.#timers) writer.reset();
  }

  sendElements(output: ElementOutput): void {
    this.#send(output.url, { data: [this.#segment(output)], timers: [] });
  }

  sendTimers(output: TimerOutput): void {
    this.#send(output.url, { data: [], timers: [this.#timerSegment(output)] });
  }

  /** Between elements: undefined when the bundle may go on, else when the streams have room again. */
  pace(nowMs: number): Promise<unknown> | undefined {
    this.isFull = false;
    if (nowMs - this.#lastSentMs >= PIECE_AGE_MS) {
      for (const output of this.#elements) if (output.writer.length > 0) this.sendElements(output);
      this.#lastSentMs = nowMs;
    }
    let waiting: Promise<void>[] | undefined;
    for (const url of this.#urls) {
      const draining = this.#channelOf(url).drained();
      if (draining === undefined) continue;
      waiting ??= [];
      waiting.push(draining);
    }
    return waiting && Promise.all(waiting);
  }

  /** Sends what is left, and the terminators: one message for each endpoint. */
  finish(): void {
    const instructionId = this.#instructionId;
    for (const url of this.#urls) {
      const data: fnApi.Elements_Data[] = [];
      const timers: fnApi.Elements_Timers[] = [];
      for (const output of this.#elements) {
        if (output.url !== url) continue;
        if (output.writer.length > 0) data.push(this.#segment(output));
        data.push({ instructionId, transformId: output.transformId, data: NO_BYTES, isLast: true });
      }
      for (const output of this.#timers) {
        if (output.url !== url) continue;
        const { transformId, family: timerFamilyId } = output;
        if (output.writer.length > 0) timers.push(this.#timerSegment(output));
        timers.push({ instructionId, transformId, timerFamilyId, timers: NO_BYTES, isLast: true });
      }
      this.#channelOf(url).write({ data, timers });
    }
  }

  #send(url: string, elements: fnApi.Elements): void {
    const channel = this.#channelOf(url);
    channel.write(elements);
    this.isFull ||= channel.drained() !== undefined;
    this.#lastSentMs = systemClock.elapsed();
  }

  #segment({ transformId, writer }: ElementOutput): fnApi.Elements_Data {
    return { instructionId: this.#instructionId, transformId, data: takeBytes(writer), isLast: false };
  }

  #timerSegment({ transformId, family: timerFamilyId, writer }: TimerOutput): fnApi.Elements_Timers {
    const instructionId = this.#instructionId;
    return { instructionId, transformId, timerFamilyId, timers: takeBytes(writer), isLast: false };
  }
}

/** The message is encoded when the stream gets to it: by then the writer has been used again. */
function takeBytes(writer: ByteWriter): Uint8Array {
  const bytes = writer.toBytes();
  writer.reset();
  writer.shrink(KEPT_CAPACITY_MAX);
  return bytes;
}
