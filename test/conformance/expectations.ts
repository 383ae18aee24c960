/** Builds a conformance pipeline and keeps what must come out of it, to be checked as often as one likes. */
import assert from "node:assert/strict";
import path from "node:path";
import type { Coder } from "../../beam/model/coders/coder.js";
import type { Pipeline, Root } from "../../beam/sdk/collection.js";
import { type Collection, createPipeline, parDo } from "../../beam/sdk/graph.js";
import type { ConformancePipeline, ExpectedElement, GraphUnderTest } from "./conformance_pipeline.js";
import { plain, RecordElements, type RecordedElement, readLines } from "./recorded_elements.js";
import { ScriptedStream } from "./scripted_stream.js";

export class Expectations implements GraphUnderTest {
  readonly pipeline: Pipeline;
  readonly root: Root;
  /** Of its longest source. */
  durationMs = 0;
  readonly #checks: { readonly file: string; readonly check: (lines: readonly string[]) => void }[] = [];

  /**
   * @param folder an empty one, where results are left
   * @param hasTestStream otherwise scripted streams rest between their steps too
   */
  constructor(
    conformance: ConformancePipeline,
    private readonly folder: string,
    readonly pauseMs: number,
    private readonly hasTestStream: boolean,
  ) {
    const { pipeline, root } = createPipeline();
    this.pipeline = pipeline;
    this.root = root;
    conformance.build(this);
    if (this.#checks.length === 0 && conformance.failsWith === undefined) {
      throw new Error(`${conformance.feature}: nothing is expected of it`);
    }
  }

  /** Throws when something is missing, too much or wrong. */
  async check(): Promise<void> {
    for (const { file, check } of this.#checks) check(await readLines(file));
  }

  async hasAny(): Promise<boolean> {
    for (const { file } of this.#checks) if ((await readLines(file)).length > 0) return true;
    return false;
  }

  lasts(ms: number): void {
    this.durationMs = Math.max(this.durationMs, ms);
  }

  stream<T>(name: string, coder: Coder<T>): ScriptedStream<T> {
    return new ScriptedStream(name, this, coder, !this.hasTestStream);
  }

  expectValues(collection: Collection<any>, values: readonly unknown[]): void {
    this.expectElements(
      collection,
      values.map((value) => ({ value })),
    );
  }

  expectElements(collection: Collection<any>, expected: readonly ExpectedElement[]): void {
    const names = Object.keys(expected[0] ?? { value: null }) as (keyof ExpectedElement)[];
    const wanted = sorted(
      expected.map((element) => pick({ ...element, value: plain(element.value) }, names)),
    );
    this.expectThat(collection, (elements) => {
      assert.deepEqual(sorted(elements.map((element) => pick(element, names))), wanted);
    });
  }

  expectThat(collection: Collection<any>, check: (elements: readonly RecordedElement[]) => void): void {
    const file = this.expectLines((lines) => check(lines.map((line) => JSON.parse(line) as RecordedElement)));
    parDo(`Expect ${this.#checks.length}`, collection, new RecordElements(file));
  }

  expectLines(check: (lines: readonly string[]) => void): string {
    const file = path.join(this.folder, `${this.#checks.length}.jsonl`);
    this.#checks.push({ file, check });
    return file;
  }
}

function pick(element: ExpectedElement, names: readonly (keyof ExpectedElement)[]): unknown {
  // A single property needs no name to be understood in a failure.
  if (names.length === 1) return element[names[0]!];
  return Object.fromEntries(names.map((name) => [name, element[name]]));
}

function sorted(elements: readonly unknown[]): unknown[] {
  return elements
    .map((element) => [JSON.stringify(element), element] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, element]) => element);
}
