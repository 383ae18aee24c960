/**
 * Where an encoded element, or a timer, ends: the coders that a runner knows. What it does not know is length-prefixed on
 * the way to it. Source: beam_runner_api.proto, StandardCoders.
 */
import { fnApi, type runnerApi } from "@order-payment-stream/beam/protos";

type Coders = Readonly<Record<string, runnerApi.Coder>>;
/** Where what begins at an offset ends. */
type End = (bytes: Uint8Array, at: number) => number;

const TIMESTAMP_BYTES = 8;
const COUNT_BYTES = 4;

/** Elements as they stand one behind the other on a port, each with its windows. */
export function elementsOn(port: runnerApi.PTransform, coders: Coders, data: Uint8Array): Uint8Array[] {
  const { coderId } = fnApi.RemoteGrpcPort.fromBinary(port.spec!.payload);
  const [element, window] = coders[coderId]!.componentCoderIds;
  const [elementEnd, windowEnd] = [endOf(element!, coders), endOf(window!, coders)];
  return pieces(data, (bytes, at) =>
    elementEnd(bytes, paneEnd(bytes, windowsEnd(windowEnd, bytes, at + TIMESTAMP_BYTES))),
  );
}

export interface EncodedTimer {
  /** Key, tag and windows: of two with one identity the later counts. */
  readonly identity: string;
  readonly isCleared: boolean;
  readonly bytes: Uint8Array;
}

/** @param coderId of the family of timers */
export function timersIn(coderId: string, coders: Coders, data: Uint8Array): EncodedTimer[] {
  const [key, window] = coders[coderId]!.componentCoderIds;
  const [keyEnd, windowEnd] = [endOf(key!, coders), endOf(window!, coders)];
  const identityEnd: End = (bytes, at) => windowsEnd(windowEnd, bytes, prefixedEnd(bytes, keyEnd(bytes, at)));
  const isClearedAt = (bytes: Uint8Array, at: number): boolean => bytes[at] !== 0;
  const timerEnd: End = (bytes, at) => {
    const end = identityEnd(bytes, at);
    return isClearedAt(bytes, end) ? end + 1 : paneEnd(bytes, end + 1 + 2 * TIMESTAMP_BYTES);
  };
  return pieces(data, timerEnd).map((bytes) => {
    const end = identityEnd(bytes, 0);
    return {
      identity: Buffer.from(bytes.subarray(0, end)).toString("latin1"),
      isCleared: isClearedAt(bytes, end),
      bytes,
    };
  });
}

function pieces(data: Uint8Array, end: End): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < data.length; ) {
    const next = end(data, at);
    found.push(data.slice(at, next));
    at = next;
  }
  return found;
}

function endOf(coderId: string, coders: Coders): End {
  const { spec, componentCoderIds } = coders[coderId]!;
  const parts = (): End[] => componentCoderIds.map((id) => endOf(id, coders));
  switch (spec?.urn) {
    case "beam:coder:bytes:v1":
    case "beam:coder:string_utf8:v1":
    case "beam:coder:length_prefix:v1":
      return prefixedEnd;
    case "beam:coder:varint:v1":
      return varintEnd;
    case "beam:coder:double:v1":
      return (_, at) => at + 8;
    case "beam:coder:bool:v1":
      return (_, at) => at + 1;
    case "beam:coder:global_window:v1":
      return (_, at) => at;
    case "beam:coder:interval_window:v1":
      return (bytes, at) => varintEnd(bytes, at + TIMESTAMP_BYTES);
    case "beam:coder:kv:v1": {
      const [key, value] = parts();
      return (bytes, at) => value!(bytes, key!(bytes, at));
    }
    case "beam:coder:nullable:v1": {
      const [value] = parts();
      return (bytes, at) => (bytes[at] === 0 ? at + 1 : value!(bytes, at + 1));
    }
    default:
      throw new Error(`the fake of Dataflow does not know where a value of the coder ${spec?.urn} ends`);
  }
}

function windowsEnd(windowEnd: End, bytes: Uint8Array, at: number): number {
  const count = new DataView(bytes.buffer, bytes.byteOffset).getInt32(at);
  let end = at + COUNT_BYTES;
  for (let i = 0; i < count; i++) end = windowEnd(bytes, end);
  return end;
}

/** Its upper four bits say how many numbers follow: none, one, or two. */
function paneEnd(bytes: Uint8Array, at: number): number {
  let end = at + 1;
  for (let numbers = bytes[at]! >> 4; numbers > 0; numbers--) end = varintEnd(bytes, end);
  return end;
}

function varintEnd(bytes: Uint8Array, at: number): number {
  let end = at;
  while (bytes[end++]! >= 0x80);
  return end;
}

function prefixedEnd(bytes: Uint8Array, at: number): number {
  let length = 0;
  let next = at;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[next++]!;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return next + length;
  }
}
