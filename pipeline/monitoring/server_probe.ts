/**
 * Whether MongoDB is there, asked twice a second: a pipeline that has nothing to write would not notice, and one that
 * writes notices by its own retries. Asked over a connection of its own, which holds up nobody.
 */
import { maskAddress, systemClock } from "@order-payment-stream/beam/io";
import { connectMongo, describeError } from "@order-payment-stream/mongodb";
import type { MongoClient } from "mongodb";
import type { Server } from "../../monitor/observation.js";
import { CLIENT_ID } from "../connections.js";

const INTERVAL_MS = 500;
/** An answer that takes longer is late. */
const LATE_MS = 700;
const ANSWER_MAX_MS = 2_000;

export class MongoProbe {
  #client: MongoClient | undefined;
  #problem: string | undefined;
  #failingSinceMs = 0;
  #askedAtMs: number | undefined;
  #answerMs: number | undefined;
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(private readonly uri: string) {
    this.#schedule(0);
  }

  get status(): Server {
    const nowMs = systemClock.elapsed();
    const waitedMs = this.#askedAtMs === undefined ? 0 : nowMs - this.#askedAtMs;
    const isLate = this.#problem === undefined && waitedMs > LATE_MS;
    return {
      name: "MongoDB",
      address: maskAddress(this.uri).replace(/^\w+(?:\+srv)?:\/\//, ""),
      problem: this.#problem ?? (isLate ? "it does not answer" : undefined),
      forMs: this.#problem !== undefined ? nowMs - this.#failingSinceMs : isLate ? waitedMs : 0,
      answerMs: this.#answerMs,
    };
  }

  /** For what else the page asks of the database. @throws MongoUnavailableError, MongoConfigurationError */
  async client(): Promise<MongoClient> {
    this.#client ??= await connectMongo(this.uri, { appName: `${CLIENT_ID}-page`, timeoutMs: ANSWER_MAX_MS });
    return this.#client;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    await this.#client?.close().catch(() => undefined);
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return;
    this.#cancel = systemClock.schedule(
      delayMs,
      () => void this.#ask().finally(() => this.#schedule(INTERVAL_MS)),
    );
  }

  async #ask(): Promise<void> {
    const askedAtMs = systemClock.elapsed();
    this.#askedAtMs = askedAtMs;
    try {
      const client = await this.client();
      await client.db("admin").command({ ping: 1 }, { timeoutMS: ANSWER_MAX_MS });
      this.#answerMs = systemClock.elapsed() - askedAtMs;
      this.#problem = undefined;
    } catch (error) {
      if (this.#problem === undefined) this.#failingSinceMs = askedAtMs;
      this.#problem = describeError(error);
    } finally {
      this.#askedAtMs = undefined;
    }
  }
}
