/**
 * How results leave a pipeline: a DoFn that appends each element, as a line of JSON, to a file that the test reads. So
 * it does not matter in which process the worker is, whether the pipeline ever ends, or how it failed. Lines are
 * written when their bundle finishes; a runner that tries a bundle again may write some twice.
 */
import { appendFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type PaneInfo, Timing } from "../../beam/model/pane.js";
import { type BoundedWindow, GlobalWindow } from "../../beam/model/windows.js";
import { DoFn, type ElementContext } from "../../beam/sdk/do_fn.js";
import { registerDoFn } from "../../beam/sdk/registry.js";

export interface RecordedElement {
  /** As `plain` gives it. */
  readonly value: any;
  readonly timestamp: number;
  readonly window: string;
  readonly pane: string;
}

type NoOutputs = Record<string, never>;

/** Its configuration is the path of the file. */
export class RecordElements extends DoFn<any, NoOutputs, string> {
  static readonly urn = "conformance:dofn:record_elements:v1";
  override readonly outputs = {};
  #lines: string[] = [];

  override startBundle(): void {
    this.#lines = [];
  }

  process(value: any, { timestamp, window, pane }: ElementContext<NoOutputs>): void {
    const element: RecordedElement = {
      value: plain(value),
      timestamp,
      window: describeWindow(window),
      pane: describePane(pane),
    };
    this.#lines.push(JSON.stringify(element));
  }

  override finishBundle(): void {
    appendLines(this.config, this.#lines);
  }
}
registerDoFn(RecordElements);

export function appendLines(file: string, lines: readonly string[]): void {
  if (lines.length > 0) appendFileSync(file, `${lines.join("\n")}\n`);
}

/** None, while there is no such file. */
export async function readLines(file: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  // What is behind the last newline is still being written.
  return text.split("\n").slice(0, -1);
}

/** A value as JSON can carry it, so that two values are equal when their forms are. */
export function plain(value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) {
    return Object.is(value, -0) ? "-0" : String(value);
  }
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString("hex")}`;
  if (value instanceof Map) return { map: [...value].map(([key, of]) => [plain(key), plain(of)]) };
  if (Symbol.iterator in value) return [...(value as Iterable<unknown>)].map(plain);
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, part]) => [name, plain(part)]),
  );
}

export function describeWindow(window: BoundedWindow): string {
  return window instanceof GlobalWindow ? "global" : String(window);
}

/** "none" for an element that no trigger fired; otherwise as "EARLY 0 first" or "ON_TIME 2 last". */
export function describePane({ timing, index, isFirst, isLast }: PaneInfo): string {
  if (timing === Timing.UNKNOWN) return "none";
  const [name] = Object.entries(Timing).find(([, value]) => value === timing)!;
  return [name, index, ...(isFirst ? ["first"] : []), ...(isLast ? ["last"] : [])].join(" ");
}
