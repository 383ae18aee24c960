/**
 * Window functions: which windows a timestamp belongs to. Source: standard_window_fns.proto.
 * Sizes, periods and offsets are whole milliseconds.
 */
import { type runnerApi, windowFnsApi } from "./apache_beam.js";
import type { TimestampMs } from "./timestamps.js";
import { urns } from "./urns.js";
import { type BoundedWindow, IN_GLOBAL_WINDOW, IntervalWindow } from "./windows.js";

/** Which windows a timestamp belongs to. */
export interface WindowFn {
  assign(timestamp: TimestampMs): readonly BoundedWindow[];
  toProto(): runnerApi.FunctionSpec;
}

interface Seconds {
  seconds: bigint;
  nanos: number;
}

function fromMs(ms: number): Seconds {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) };
}

function toMs(duration: Seconds | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

/** Start of the window of this size that holds `timestamp`; right for times before 1970 too. */
function windowStart(timestamp: TimestampMs, sizeMs: number, offsetMs: number): TimestampMs {
  return Math.floor((timestamp - offsetMs) / sizeMs) * sizeMs + offsetMs;
}

/** One window that holds all of time: what a collection begins with. */
export function globalWindows(): WindowFn {
  return {
    assign: () => IN_GLOBAL_WINDOW,
    toProto: () => ({ urn: urns.globalWindows, payload: new Uint8Array() }),
  };
}

/** Windows of one size that follow one another: [offset + n·size, offset + (n + 1)·size). */
export function fixedWindows(sizeMs: number, offsetMs = 0): WindowFn {
  if (!(sizeMs > 0)) throw new RangeError(`a fixed window of ${sizeMs} ms`);
  // Neighbours in time nearly always share their window.
  let last: readonly IntervalWindow[] = [new IntervalWindow(0, 0)];
  return {
    assign(timestamp) {
      const start = windowStart(timestamp, sizeMs, offsetMs);
      if (last[0]!.start !== start || last[0]!.end !== start + sizeMs)
        last = [new IntervalWindow(start, start + sizeMs)];
      return last;
    },
    toProto: () => ({
      urn: urns.fixedWindows,
      payload: windowFnsApi.FixedWindowsPayload.toBinary({ size: fromMs(sizeMs), offset: fromMs(offsetMs) }),
    }),
  };
}

/** Windows of one size, one of which begins in each period; a timestamp is in size / period of them. */
export function slidingWindows(sizeMs: number, periodMs: number, offsetMs = 0): WindowFn {
  if (!(sizeMs > 0 && periodMs > 0))
    throw new RangeError(`sliding windows of ${sizeMs} ms every ${periodMs} ms`);
  return {
    assign(timestamp) {
      const windows: IntervalWindow[] = [];
      for (
        let start = windowStart(timestamp, periodMs, offsetMs);
        start > timestamp - sizeMs;
        start -= periodMs
      ) {
        windows.push(new IntervalWindow(start, start + sizeMs));
      }
      return windows;
    },
    toProto: () => ({
      urn: urns.slidingWindows,
      payload: windowFnsApi.SlidingWindowsPayload.toBinary({
        size: fromMs(sizeMs),
        period: fromMs(periodMs),
        offset: fromMs(offsetMs),
      }),
    }),
  };
}

/** Throws for a window function that is not among the three above. */
export function windowFnFromProto(spec: runnerApi.FunctionSpec): WindowFn {
  switch (spec.urn) {
    case urns.globalWindows:
      return globalWindows();
    case urns.fixedWindows: {
      const { size, offset } = windowFnsApi.FixedWindowsPayload.fromBinary(spec.payload);
      return fixedWindows(toMs(size), toMs(offset));
    }
    case urns.slidingWindows: {
      const { size, period, offset } = windowFnsApi.SlidingWindowsPayload.fromBinary(spec.payload);
      return slidingWindows(toMs(size), toMs(period), toMs(offset));
    }
    default:
      throw new Error(`window function ${spec.urn} is not supported`);
  }
}
