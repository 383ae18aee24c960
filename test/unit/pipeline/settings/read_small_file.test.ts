import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSmallFile } from "../../../../pipeline/settings/read_small_file.js";

describe("a file that a user names", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "small-file-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("is read, also by a symbolic link", () => {
    writeFileSync(join(folder, "real"), "content ü");
    symlinkSync("real", join(folder, "link"));
    assert.equal(readSmallFile(join(folder, "link")), "content ü");
  });

  it("is refused at once where it is something else", () => {
    execFileSync("mkfifo", [join(folder, "fifo")]);
    symlinkSync("loop", join(folder, "loop"));
    const refused: readonly [string, RegExp][] = [
      [join(folder, "fifo"), /fifo is not a regular file$/],
      [folder, /is a directory$/],
      ["/dev/zero", /\/dev\/zero is not a regular file$/],
      [join(folder, "loop"), /ELOOP/],
      [join(folder, "none"), /ENOENT/],
      [join(folder, "x".repeat(300)), /ENAMETOOLONG/],
    ];
    for (const [path, message] of refused) assert.throws(() => readSmallFile(path), message, path);
  });

  it("is refused where it is far too large", () => {
    const path = join(folder, "large");
    writeFileSync(path, Buffer.alloc(17 * 1024 * 1024));
    assert.throws(() => readSmallFile(path), /has 17825792 bytes, more than/);
  });
});
