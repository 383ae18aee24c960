/** What the documents name is there: files in code spans, and the targets of links. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const FOLDERS = [
  "",
  "docs",
  "docs/guides",
  "docs/design",
  "beam",
  "connectors/kafka",
  "connectors/mongodb",
  "connectors/gcs",
  "connectors/files",
];

function documents(): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(folder, name)),
  );
}

/** Relative to the root. Names without a folder are of the same row or sentence, and not looked for. */
function namedFiles(text: string): string[] {
  return [...text.matchAll(/`([a-z_]+\/[a-z_/]*[a-z_]\.(?:ts|mjs|md|avsc))`/g)].map((match) => match[1]!);
}

function links(text: string): string[] {
  return [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1]!);
}

/** Of a table: the cells of each row. */
function rowsUnder(text: string, heading: string): string[][] {
  const section = text.slice(text.indexOf(heading)).split(/\n## /)[0]!;
  const rows = section.split("\n").filter((line) => line.startsWith("|") && !/^\|[-|]+$/.test(line));
  return rows.slice(1).map((row) => row.slice(1, -1).split(" | "));
}

describe("the tables of rules", () => {
  const first = rowsUnder(readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8"), "## Where is the rule for");
  const rows = rowsUnder(readFileSync(join(ROOT, "docs/design/rules.md"), "utf8"), "# Where is the rule for");

  it("point each rule at one file", () => {
    assert.ok(first.length > 20, `${first.length} rows`);
    assert.ok(rows.length > 80, `${rows.length} rows`);
    const others = [...first, ...rows].filter(([, file]) => {
      const [, path] = /^ ?`([^`]+\.ts)` $/.exec(file ?? "") ?? [];
      return path === undefined || !existsSync(join(ROOT, path));
    });
    assert.deepEqual(others, []);
  });

  it("have each rule once", () => {
    const rules = rows.map(([rule]) => rule);
    assert.equal(new Set(rules).size, rules.length);
  });
});

describe("documents", () => {
  for (const document of documents()) {
    it(`${document} names files that exist`, () => {
      const text = readFileSync(join(ROOT, document), "utf8");
      const missing = [
        ...namedFiles(text).filter(
          (file) => !existsSync(join(ROOT, file)) && !existsSync(join(ROOT, dirname(document), file)),
        ),
        ...links(text).filter((target) => !existsSync(join(ROOT, dirname(document), target))),
      ];
      assert.deepEqual(missing, []);
    });
  }
});
