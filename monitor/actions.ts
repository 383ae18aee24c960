/** What the page asks of the program beside figures. Answers are plain data, for JSON. */

export interface Setting {
  readonly name: string;
  /** Secrets are masked. */
  readonly value: string;
  /** Where it comes from: flag, environment, .env, default. */
  readonly origin: string;
}

export interface LogLine {
  readonly atMs: number;
  readonly level: string;
  readonly text: string;
}

export interface Logs {
  readonly level: string;
  /** The newest last. */
  readonly lines: readonly LogLine[];
}

/** An error's `statusCode` is the answer's. */
export interface Actions {
  settings(): readonly Setting[];
  logs(): Logs;
  setLogLevel(level: string): Logs;
  explain(orderId: string): Promise<unknown>;
  /** @param filter by name, as texts */
  deadLetters(filter: Readonly<Record<string, string>>): Promise<unknown>;
  replay(request: object): Promise<unknown>;
}

/** What somebody asked for that cannot be. */
export class BadRequest extends Error {
  override readonly name = "BadRequest";
  readonly statusCode = 400;
}
