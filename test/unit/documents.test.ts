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
