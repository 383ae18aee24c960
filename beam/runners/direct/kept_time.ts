/**
 * The last time that a process was sure of, kept in its state, so that the one that goes on from there notices when
 * somebody sets the clock between the two.
 *
 *     key = "time"   value = instant
 */
import { ByteReader, ByteWriter } from "../../model/bytes.js";
import { readInstant, writeInstant } from "../../model/coders/instant.js";
import type { TrustedClock } from "../../platform/trusted_clock.js";
import type { Store } from "../../store/store.js";
import { CLOCK_TABLE } from "./table_names.js";

/** Commits come up to a thousand times a second. */
const INTERVAL_MS = 1_000;

export class KeptTime {
  readonly #key = new ByteWriter(8);
  readonly #value = new ByteWriter(8);
  #keptMs = Number.NEGATIVE_INFINITY;

  /** The clock goes on from what the store holds. */
  constructor(
    private readonly clock: TrustedClock,
    private readonly store: Store,
  ) {
    this.#key.writeUtf8("time");
    const value = new ByteReader();
    if (store.table(CLOCK_TABLE).get(this.#key, value)) clock.resume(readInstant(value));
  }

  /** Within a commit. */
  save(): void {
    const now = this.clock.now();
    if (Math.abs(now - this.#keptMs) < INTERVAL_MS) return;
    this.#keptMs = now;
    this.#value.reset();
    writeInstant(now, this.#value);
    this.store.table(CLOCK_TABLE).put(this.#key, this.#value);
  }
}
