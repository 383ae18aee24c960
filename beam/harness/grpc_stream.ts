/**
 * A gRPC stream of bytes over HTTP/2, for messages that are many and small: any number of them in one write, and read
 * where they lie. Source: gRPC over HTTP2, the wire format of requests and responses.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { status } from "@grpc/grpc-js";
import { ByteReader } from "../model/bytes.js";
import { callError } from "./connection.js";

/** 00 for a message that is not compressed, and its length, 32 bits. */
export const FRAME_HEADER_BYTES = 5;
/** What may be under way from the runner. */
const WINDOW_BYTES = 4 << 20;
/** MiB that a session may hold. */
const SESSION_MEMORY_MAX = 4_096;

export interface GrpcStreamEvents {
  /** One message. The bytes are of use until it returns. */
  onMessage(message: ByteReader): void;
  /** Called once, unless `close` was called before. */
  onFailure(error: Error): void;
}

export class GrpcStream {
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  readonly #message = new ByteReader();
  /** Pieces of a message that has not come whole. */
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  /** What the pieces must come to; at least a frame's header. */
  #neededBytes = FRAME_HEADER_BYTES;
  #isOver = false;

  /**
   * @param what names the stream in messages
   * @param url host:port
   * @param path of the method: /package.Service/Method
   */
  constructor(
    private readonly what: string,
    private readonly url: string,
    path: string,
    workerId: string,
    private readonly events: GrpcStreamEvents,
  ) {
    this.#session = connect(`http://${url}`, {
      settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
      maxSessionMemory: SESSION_MEMORY_MAX,
    });
    this.#session.once("connect", () => this.#session.setLocalWindowSize(2 * WINDOW_BYTES));
    this.#session.on("error", (error) => this.#fail(status.UNAVAILABLE, error.message));
    this.#session.once("goaway", () => this.#fail(status.UNAVAILABLE, "the runner closes the connection"));
    this.#session.once("close", () => this.#fail(status.UNAVAILABLE, "the connection was closed"));
    this.#stream = this.#session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: path,
      [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
      [constants.HTTP2_HEADER_TE]: "trailers",
      worker_id: workerId,
    });
    this.#stream.on("response", (headers) => this.#judge(headers));
    this.#stream.on("trailers", (trailers) => this.#judge(trailers));
    this.#stream.on("data", (bytes: Buffer) => this.#take(bytes));
    this.#stream.on("error", (error) => this.#fail(status.UNAVAILABLE, error.message));
    this.#stream.once("end", () => this.#fail(status.UNAVAILABLE, "the runner has closed the stream"));
  }

  /** @param frames whole messages, each behind a frame's header; they must not change any more */
  write(frames: Buffer): void {
    if (!this.#isOver) this.#stream.write(frames);
  }

  close(): void {
    this.#isOver = true;
    this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#session.destroy();
  }

  #judge(headers: Readonly<Record<string, unknown>>): void {
    const code = headers["grpc-status"];
    const httpStatus = headers[constants.HTTP2_HEADER_STATUS];
    if (code !== undefined && code !== "0") {
      const text = decodeURIComponent(String(headers["grpc-message"] ?? ""));
      this.#fail(Number(code), text || `status ${code}`);
    } else if (httpStatus !== undefined && httpStatus !== 200) {
      this.#fail(status.UNKNOWN, `HTTP status ${httpStatus}`);
    }
  }

  #take(bytes: Buffer): void {
    let at = 0;
    while (!this.#isOver && at < bytes.length) {
      if (this.#pieceBytes === 0) at = this.#takeWhole(bytes, at);
      if (at === bytes.length) return;
      // The end of what came: a message that goes on with the next piece.
      const end = Math.min(bytes.length, at + this.#neededBytes - this.#pieceBytes);
      this.#pieces.push(bytes.subarray(at, end));
      this.#pieceBytes += end - at;
      at = end;
      if (this.#pieceBytes < this.#neededBytes) return;
      const joined = Buffer.concat(this.#pieces);
      this.#neededBytes = FRAME_HEADER_BYTES + joined.readUInt32BE(1);
      if (joined.length < this.#neededBytes) {
        this.#pieces = [joined];
        continue;
      }
      this.#pieces = [];
      this.#pieceBytes = 0;
      this.#neededBytes = FRAME_HEADER_BYTES;
      this.#takeWhole(joined, 0);
    }
  }

  /** Takes all messages that are there whole. Returns where the first is that is not. */
  #takeWhole(bytes: Buffer, from: number): number {
    let at = from;
    while (bytes.length - at >= FRAME_HEADER_BYTES) {
      const start = at + FRAME_HEADER_BYTES;
      const end = start + bytes.readUInt32BE(at + 1);
      if (bytes[at] !== 0) {
        this.#fail(status.INTERNAL, "a compressed message, which was not asked for");
        return bytes.length;
      }
      if (end > bytes.length) break;
      try {
        this.events.onMessage(this.#message.reset(bytes, start, end));
      } catch (error) {
        this.#fail(status.INTERNAL, (error as Error).message);
        return bytes.length;
      }
      at = end;
    }
    return at;
  }

  #fail(code: status, details: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#session.destroy();
    this.events.onFailure(callError(this.what, this.url, { code, details, message: details }));
  }
}
