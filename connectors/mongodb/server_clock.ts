/**
 * The clock of the MongoDB server, as a witness of what time it is: asked at the start, each minute, and soon after
 * this machine's clock has been set. A server that does not answer says nothing about the time.
 * Source: the `hello` command, field localTime; `isMaster` where a server does not know that.
 */
import type { Clock, TrustedClock } from "@order-payment-stream/beam/io";
import { type Document, type MongoClient, MongoServerError } from "mongodb";
import { mongoConnections } from "./mongo_connections.js";

const INTERVAL_MS = 60_000;
/** How often is looked whether this machine's clock was set. */
const LOOK_MS = 1_000;
/** How much it must have been set by to ask at once, where the clocks may be further apart. */
const SET_MIN_MS = 1_000;
const ANSWER_MAX_MS = 10_000;

/** Of servers before 4.4.2, and of some that speak MongoDB's protocol only. */
const COMMAND_NOT_FOUND = 59;

/** Asks MongoDB for the time, as a witness for this machine's clock. */
export class ServerClock {
  #isStopped = false;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  /** How far this machine's clock was ahead when the server was asked last. */
  #shownAheadMs = 0;
  #isAsking = false;
  #cancel: (() => void) | undefined;
  #heard: () => void = () => undefined;
  /** Settles with the first answer. */
  readonly answered = new Promise<void>((resolve) => {
    this.#heard = resolve;
  });

  /** @param connection name of a registered MongoDB connection, which this keeps open until `stop` */
  constructor(
    private readonly connection: string,
    private readonly trustedClock: TrustedClock,
    private readonly clock: Clock,
  ) {
    if (trustedClock.isChecked) this.#look();
    else this.#heard();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  #look(): void {
    if (this.#isStopped) return;
    const setByMs = Math.abs(this.trustedClock.shownAheadMs - this.#shownAheadMs);
    const isDue =
      this.clock.elapsed() - this.#askedAtMs >= INTERVAL_MS ||
      setByMs >= Math.min(SET_MIN_MS, this.trustedClock.skewMaxMs / 2);
    if (isDue && !this.#isAsking) void this.#ask();
    this.#cancel = this.clock.schedule(LOOK_MS, () => this.#look());
  }

  /** One that fails is asked again with the next look. */
  async #ask(): Promise<void> {
    this.#isAsking = true;
    try {
      const { client } = await mongoConnections.acquire(this.connection);
      try {
        const sentAtMs = this.clock.elapsed();
        const answer = await hello(client);
        const underWayMs = this.clock.elapsed() - sentAtMs;
        if (this.#isStopped || underWayMs > ANSWER_MAX_MS) return;
        this.#askedAtMs = this.clock.elapsed();
        if (answer.localTime instanceof Date) {
          const shownMs = answer.localTime.getTime();
          // A part of a millisecond is not shown.
          this.trustedClock.hear(shownMs, shownMs + 1 + underWayMs);
        }
        this.#shownAheadMs = this.trustedClock.shownAheadMs;
        this.#heard();
      } finally {
        await mongoConnections.release(this.connection);
      }
    } catch (error) {
      // The writers tell of an outage; a server that refuses to say is asked again in its turn.
      if (error instanceof MongoServerError) {
        this.#askedAtMs = this.clock.elapsed();
        this.#shownAheadMs = this.trustedClock.shownAheadMs;
        this.#heard();
      }
    } finally {
      this.#isAsking = false;
    }
  }
}

async function hello(client: MongoClient): Promise<Document> {
  const admin = client.db("admin");
  const options = { timeoutMS: ANSWER_MAX_MS };
  try {
    return await admin.command({ hello: 1 }, options);
  } catch (error) {
    if (!(error instanceof MongoServerError && error.code === COMMAND_NOT_FOUND)) throw error;
    return admin.command({ isMaster: 1 }, options);
  }
}
