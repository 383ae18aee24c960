/**
 * The schemas of a registry by their ids, for decoders, which cannot wait: what is known is there at once, and for the
 * rest they are told when to come again. Schemas never change, so each is fetched once. A registry that is away is an
 * outage: told in health, and retried until `retryMaxMs` are over. An id that the registry does not know is asked for a
 * second time, since a registry's follower may be behind its leader, and taken for unknown for a while then.
 */
import { type Clock, type HealthReporter, silentHealth, systemClock } from "@order-payment-stream/beam/io";

import { backoffMs } from "../client/backoff.js";
import { type KafkaLogger, stderrLogger } from "../client/kafka_client.js";
import { NotReady } from "../record_decoder.js";
import { RegistryUnreachableError, SchemaRefusedError, SchemaRegistryError } from "./registry_errors.js";
import { askRegistry, type RegistryAddress, type RegistryAnswer, unexpected } from "./registry_http.js";

/** How to reach a schema registry, and how long to try. */
export interface SchemaRegistryConfig extends RegistryAddress {
  readonly clock?: Clock;
  /** Told of outages. */
  readonly health?: HealthReporter;
  /** Told of them where nobody looks at the health. Default: standard error. */
  readonly logger?: Pick<KafkaLogger, "info" | "warn">;
  /** How long one schema is asked for in vain, ms. Default: 5 minutes. */
  readonly retryMaxMs?: number;
}

/** A schema with all that it refers to. */
export interface RegisteredSchema {
  /** AVRO, JSON, PROTOBUF. */
  readonly schemaType: string;
  /** As the registry holds it. */
  readonly schema: string;
  /** The schemas that it refers to, each behind those that it refers to itself. */
  readonly references: readonly string[];
}

/** The registry does not know the id, or cannot look for one of its kind. */
export class UnknownSchema {
  constructor(
    /** Goes on after the id: "which the registry at … does not know". */
    readonly reason: string,
  ) {}
}

/** What there is to be said of an id now. */
export type SchemaLookup = RegisteredSchema | UnknownSchema | NotReady;

const RETRY_MAX_MS = 5 * 60_000;
/** Between the two times that an id is asked for which is not known. */
const ASK_AGAIN_MS = 500;
/** Then it counts as unknown. */
const UNKNOWN_FOR_MS = 60_000;
/** From so many unknown ones on these are no ids, but what somebody's bytes look like: waiting would hold up the rest. */
const UNKNOWN_WAITED_FOR_MAX = 16;
/** Of each kind; far more than a topic has schemas. What was there first goes first. */
const KEPT_MAX = 10_000;
const REFERENCES_MAX = 1_000;
const COMPONENT = "schema registry";
const GUIDS = "/schemas/guids/";

interface Pending {
  readonly notReady: NotReady;
  readonly wakes: Set<() => void>;
  /** Ends the read; told once, then the id is asked for anew. */
  error: Error | undefined;
}

/** The schemas of a registry, asked for once each: whoever decodes does not wait, but comes back. */
export class SchemaRegistry {
  readonly #address: RegistryAddress;
  readonly #clock: Clock;
  readonly #health: HealthReporter;
  readonly #logger: Pick<KafkaLogger, "info" | "warn">;
  readonly #retryMaxMs: number;
  #isAway = false;
  #hasAnswered = false;
  /** By the path of the question. */
  readonly #known = new Map<string, RegisteredSchema>();
  readonly #unknown = new Map<string, { readonly is: UnknownSchema; readonly untilMs: number }>();
  readonly #pending = new Map<string, Pending>();
  readonly #cancels = new Set<() => void>();
  #isClosed = false;

  constructor({
    clock = systemClock,
    health = silentHealth,
    logger = stderrLogger,
    retryMaxMs = RETRY_MAX_MS,
    ...address
  }: SchemaRegistryConfig) {
    this.#address = address;
    this.#clock = clock;
    this.#health = health;
    this.#logger = logger;
    this.#retryMaxMs = retryMaxMs;
  }

  /** @throws SchemaRegistryError: an outage longer than `retryMaxMs`, or a login that is refused */
  byId(id: number): SchemaLookup {
    return this.#lookUp(`/schemas/ids/${id}`);
  }

  /** @param guid with hyphens; throws as `byId` */
  byGuid(guid: string): SchemaLookup {
    return this.#lookUp(`${GUIDS}${guid}`);
  }

  /**
   * Registers an Avro schema under a subject; one that is there already keeps its id.
   * @throws SchemaRegistryError
   */
  async register(subject: string, schema: string): Promise<number> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`;
    const answer = await this.#ask(path, { schema, schemaType: "AVRO" });
    const { id } = Object(answer.body) as { id?: unknown };
    if (answer.status === 200 && typeof id === "number") return id;
    if (answer.status === 200 || answer.status === 404) throw unexpected(answer, path);
    throw new SchemaRefusedError(answer.url, subject, answer.status, answer.reason);
  }

  /**
   * Shows that it is there and lets us in.
   * @throws SchemaRegistryError, or what a token endpoint refuses with
   */
  async check(): Promise<void> {
    const path = "/schemas/types";
    const answer = await this.#ask(path);
    if (answer.status !== 200 || !Array.isArray(answer.body)) throw unexpected(answer, path);
  }

  /** Nothing is asked for any more. */
  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    this.#health.clear(COMPONENT);
  }

  #lookUp(path: string): SchemaLookup {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const pending = this.#pending.get(path);
    if (pending !== undefined) {
      if (pending.error === undefined) return pending.notReady;
      this.#pending.delete(path);
      throw pending.error;
    }
    const unknown = this.#unknown.get(path);
    if (unknown !== undefined) {
      if (this.#clock.elapsed() < unknown.untilMs) return unknown.is;
      this.#unknown.delete(path);
    }
    return this.#begin(path).notReady;
  }

  #begin(path: string): Pending {
    const wakes = new Set<() => void>();
    const onReady = (wake: () => void): (() => void) => {
      if (this.#pending.get(path) !== pending || pending.error !== undefined) wake();
      else wakes.add(wake);
      return () => wakes.delete(wake);
    };
    const pending: Pending = { notReady: new NotReady(onReady), wakes, error: undefined };
    this.#pending.set(path, pending);
    this.#find(path).then(
      (found) => {
        this.#pending.delete(path);
        if (found instanceof UnknownSchema) {
          keep(this.#unknown, path, { is: found, untilMs: this.#clock.elapsed() + UNKNOWN_FOR_MS });
        } else {
          keep(this.#known, path, found);
        }
        for (const wake of [...wakes]) wake();
      },
      (error: Error) => {
        const isKnown = error instanceof SchemaRegistryError;
        pending.error = isKnown ? error : new SchemaRegistryError(error.message, { cause: error });
        for (const wake of [...wakes]) wake();
      },
    );
    return pending;
  }

  async #find(path: string): Promise<RegisteredSchema | UnknownSchema> {
    let answer = await this.#ask(path);
    if (isUnknown(answer)) {
      this.#forgetUnknown();
      if (this.#unknown.size < UNKNOWN_WAITED_FOR_MAX) await this.#pause(ASK_AGAIN_MS);
      answer = await this.#ask(path);
    }
    const registry = `the schema registry at ${answer.url}`;
    if (isUnknown(answer)) {
      return new UnknownSchema(`which ${registry} does not know (status 404${answer.reason})`);
    }
    if (answer.status === 404 && path.startsWith(GUIDS)) {
      return new UnknownSchema(`and ${registry} does not look up GUIDs (status 404${answer.reason})`);
    }
    const told = schemaIn(answer, path);
    const references: string[] = [];
    const missing = await this.#gather(told.references, references, new Set());
    if (missing !== undefined) {
      return new UnknownSchema(`which refers to ${missing}, which ${registry} does not know`);
    }
    return { schemaType: told.schemaType, schema: told.schema, references };
  }

  /**
   * Appends the schemas that are referred to, those that they refer to first.
   * @returns what there is not, if anything
   */
  async #gather(
    wanted: readonly Reference[],
    found: string[],
    seen: Set<string>,
  ): Promise<string | undefined> {
    for (const { subject, version } of wanted) {
      // A version that was deleted softly can be referred to still.
      const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}?deleted=true`;
      if (seen.has(path)) continue;
      seen.add(path);
      if (seen.size > REFERENCES_MAX) return `more than ${REFERENCES_MAX} schemas`;
      const answer = await this.#ask(path);
      if (isUnknown(answer)) return `version ${version} of ${subject}`;
      const told = schemaIn(answer, path);
      const missing = await this.#gather(told.references, found, seen);
      if (missing !== undefined) return missing;
      found.push(told.schema);
    }
    return undefined;
  }

  /** Until there is an answer, or the time is over. */
  async #ask(path: string, body?: unknown): Promise<RegistryAnswer> {
    const beganAtMs = this.#clock.elapsed();
    for (let failures = 1; ; failures++) {
      try {
        const answer = await askRegistry(this.#address, path, body);
        this.#isThere();
        return answer;
      } catch (error) {
        if (!(error instanceof RegistryUnreachableError)) throw error;
        // At the beginning somebody has to set something; later the registry's certificate is being replaced.
        if (error.isTls && !this.#hasAnswered) throw error;
        const waitMs = backoffMs(failures);
        if (this.#isClosed || this.#clock.elapsed() + waitMs - beganAtMs >= this.#retryMaxMs) throw error;
        this.#isGone(error.message);
        await this.#pause(waitMs);
      }
    }
  }

  /** Those that count as unknown no more; the oldest are first. */
  #forgetUnknown(): void {
    for (const [path, { untilMs }] of this.#unknown) {
      if (this.#clock.elapsed() < untilMs) return;
      this.#unknown.delete(path);
    }
  }

  #isGone(problem: string): void {
    this.#health.report(COMPONENT, problem);
    if (!this.#isAway && this.#health === silentHealth) this.#logger.warn(`${problem}; waiting for it`);
    this.#isAway = true;
  }

  #isThere(): void {
    this.#hasAnswered = true;
    this.#health.clear(COMPONENT);
    if (this.#isAway && this.#health === silentHealth) this.#logger.info("the schema registry answers again");
    this.#isAway = false;
  }

  async #pause(ms: number): Promise<void> {
    if (this.#isClosed) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.schedule(ms, done);
      const off = (): void => {
        cancel();
        resolve();
      };
      const cancels = this.#cancels;
      cancels.add(off);
      function done(): void {
        cancels.delete(off);
        resolve();
      }
    });
  }
}

interface Reference {
  readonly subject: string;
  readonly version: number;
}

/** The registry's own code for what there is not: any other 404 is no registry's. */
function isUnknown({ status, errorCode }: RegistryAnswer): boolean {
  return status === 404 && errorCode !== undefined && errorCode >= 40_400 && errorCode < 40_500;
}

function schemaIn(
  answer: RegistryAnswer,
  path: string,
): { schemaType: string; schema: string; references: readonly Reference[] } {
  const { schema, schemaType = "AVRO", references } = Object(answer.body) as Record<string, unknown>;
  if (answer.status !== 200 || typeof schema !== "string") throw unexpected(answer, path);
  const listed = Array.isArray(references) ? references : [];
  for (const each of listed) {
    if (typeof each?.subject !== "string" || typeof each.version !== "number") throw unexpected(answer, path);
  }
  return { schema, schemaType: String(schemaType ?? "AVRO"), references: listed };
}

/** What was there first goes when there is too much. */
function keep<V>(map: Map<string, V>, key: string, value: V): void {
  if (map.size >= KEPT_MAX) map.delete(map.keys().next().value!);
  map.set(key, value);
}
