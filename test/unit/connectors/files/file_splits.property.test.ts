/**
 * However a runner cuts a file, each record comes out once: at each boundary of a block and at each byte beside it, at each
 * claim, again and again, with what is left read by somebody who has never seen the file.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { VirtualClock } from "../../../../beam/platform/clock.js";
import type { OffsetRange } from "../../../../beam/sdk/offset_range.js";
import type { RestrictionTracker, Split } from "../../../../beam/sdk/splittable.js";
import type { FileInfo } from "../../../../connectors/files/file_system.js";
import { FilesConnection, registerFilesConnection } from "../../../../connectors/files/files_connection.js";
import { ReadFiles } from "../../../../connectors/files/read_files.js";
import { FILE_READ_DEFAULTS } from "../../../../connectors/files/read_from_files.js";
import { block, header, NUMBERS, record, SYNC, TemporaryFolder } from "../../../fixtures/avro_files.js";

/** What a runner does at the n-th claim: nothing, or it takes a share of the rest away. */
type Cut = number | undefined;

class CuttingTracker implements RestrictionTracker<OffsetRange, number> {
  readonly residuals: OffsetRange[] = [];

  constructor(
    private readonly inner: RestrictionTracker<OffsetRange, number>,
    private readonly nextCut: () => Cut,
  ) {}

  get restriction(): OffsetRange {
    return this.inner.restriction;
  }

  tryClaim(position: number): boolean {
    const cut = this.nextCut();
    if (cut !== undefined) this.#keep(this.inner.trySplit(cut));
    return this.inner.tryClaim(position);
  }

  trySplit(fraction: number): Split<OffsetRange> | undefined {
    return this.inner.trySplit(fraction);
  }

  #keep(split: Split<OffsetRange> | undefined): void {
    if (split !== undefined) this.residuals.push(split.residual);
  }

  checkDone(): void {
    this.inner.checkDone();
  }

  progress() {
    return this.inner.progress();
  }
}

describe("a file that is cut", function () {
  this.timeout(60_000);
  const folder = new TemporaryFolder();
  after(() => folder.remove());

  /** Reads all of the parts and all that is cut off them, in any order, and gives the records. */
  async function readAll(
    file: FileInfo,
    parts: readonly OffsetRange[],
    cutAt: (claim: number) => Cut,
    isShared: boolean,
    isOrdered = false,
  ): Promise<number[]> {
    const config = {
      ...FILE_READ_DEFAULTS,
      connection: "cut",
      patterns: [],
      decoder: NUMBERS.urn,
      decoderConfig: null,
      isOrdered,
    };
    registerFilesConnection("cut", { clock: new VirtualClock() });
    const numbers: number[] = [];
    // Over all that read: a runner that always takes everything back would never let anybody read.
    let claims = 0;
    const left = [...parts];
    let reader: ReadFiles | undefined;
    for (let rounds = 0; left.length > 0; rounds++) {
      assert.ok(rounds < 10_000, "it does not come to an end");
      const range = left.pop()!;
      // Somebody else each time, or the one who had it before, who has the file open.
      if (reader === undefined || !isShared) {
        await reader?.teardown();
        reader = new ReadFiles(config);
        await reader.setup();
      }
      const tracker = new CuttingTracker(reader.newTracker(range), () => cutAt(claims++));
      let watermark = Number.MIN_SAFE_INTEGER;
      const ctx = {
        timestamp: 0,
        watermark: {
          get current() {
            return watermark;
          },
          set: (to: number) => {
            watermark = to;
          },
        },
        emit: { events: (n: number) => numbers.push(n), rejected: (text: string) => assert.fail(text) },
      };
      const answer = await reader.process(file, tracker, ctx as any);
      if (answer.kind === "resume") {
        const split = tracker.trySplit(0);
        if (split !== undefined) left.push(split.residual);
      } else if (tracker.residuals.length === 0) tracker.checkDone();
      left.push(...tracker.residuals);
    }
    await reader?.teardown();
    return numbers.sort((a, b) => a - b);
  }

  const infoOf = async (path: string): Promise<FileInfo> => {
    const [file] = await new FilesConnection().list(path);
    return file!;
  };

  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

  /** Numbered records in blocks of these lengths. */
  function containerOf(
    lengths: readonly number[],
    pad: string,
  ): { bytes: Buffer; boundaries: number[]; count: number } {
    const parts = [header("snappy")];
    const boundaries = [parts[0]!.length - SYNC.length];
    let count = 0;
    let at = parts[0]!.length;
    for (const length of lengths) {
      const made = block(
        range(count, count + length).map((n) => record(n, pad)),
        "snappy",
      );
      parts.push(made);
      at += made.length;
      boundaries.push(at - SYNC.length);
      count += length;
    }
    return { bytes: Buffer.concat(parts), boundaries, count };
  }

  it("gives each record once, cut at each boundary of a block and beside it", async () => {
    const { bytes, boundaries, count } = containerOf([3, 0, 1, 40, 2], "pad");
    const file = await infoOf(folder.write("boundaries.avro", bytes));
    for (const boundary of boundaries) {
      for (const beside of [-1, 0, 1, SYNC.length - 1, SYNC.length, SYNC.length + 1]) {
        const cut = boundary + beside;
        if (cut <= 0 || cut >= bytes.length) continue;
        const parts = [
          { start: 0, end: cut },
          { start: cut, end: bytes.length },
        ];
        assert.deepEqual(
          await readAll(file, parts, () => undefined, false),
          range(0, count),
          `cut at ${cut}`,
        );
      }
    }
  });

  it("gives each record once, cut at each claim", async () => {
    const { bytes, count } = containerOf([5, 1, 0, 7, 3, 3], "some padding");
    const file = await infoOf(folder.write("claims.avro", bytes));
    const lines = await infoOf(
      folder.write(
        "claims.jsonl",
        range(0, 3_000)
          .map((n) => `{"n":${n}}\n`)
          .join(""),
      ),
    );
    for (const [info, total] of [
      [file, count],
      [lines, 3_000],
    ] as const) {
      for (let claim = 0; claim < 8; claim++) {
        for (const share of [0, 0.5, 0.999]) {
          for (const isShared of [true, false]) {
            const parts = [{ start: 0, end: info.size }];
            const got = await readAll(info, parts, (n) => (n === claim ? share : undefined), isShared);
            assert.deepEqual(got, range(0, total), `claim ${claim}, share ${share}`);
          }
        }
      }
    }
  });

  it("gives each record once, cut anywhere and at any time", async () => {
    const lengths = fc.array(fc.nat({ max: 12 }), { maxLength: 12 });
    const cuts = fc.array(fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }), {
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(
        lengths,
        fc.string({ maxLength: 40 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
        cuts,
        fc.boolean(),
        fc.boolean(),
        async (blocks, pad, places, shares, isLines, isShared) => {
          const { bytes, count } = containerOf(blocks, pad);
          const text = range(0, count).map((n) => `{"n":${n},"pad":${JSON.stringify(pad)}}`);
          const path = isLines ? folder.write("any.jsonl", text.join("\n")) : folder.write("any.avro", bytes);
          const file = await infoOf(path);
          const ends = [
            ...new Set([...places.map((share) => 1 + Math.floor(share * file.size)), Math.max(1, file.size)]),
          ];
          ends.sort((a, b) => a - b);
          const parts = ends.map((end, i) => ({ start: ends[i - 1] ?? 0, end }));
          const got = await readAll(file, parts, (n) => shares[n], isShared);
          assert.deepEqual(got, range(0, count));
        },
      ),
      { numRuns: 150 },
    );
  });

  it("is read in order by one at a time where that is asked for: only what is not begun is given away", async () => {
    const { bytes, count } = containerOf([5, 5, 5, 5, 5], "");
    const file = await infoOf(folder.write("ordered.avro", bytes));
    const got = await readAll(
      file,
      [{ start: 0, end: file.size }],
      (n) => (n === 2 ? 0.5 : undefined),
      true,
      true,
    );
    assert.deepEqual(got, range(0, count));
  });
});
