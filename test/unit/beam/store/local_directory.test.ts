import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalDirectory } from "../../../../beam/store/local_directory.js";
import { testDirectory } from "../../../connector/directory_suite.js";

describe("local directory", () => {
  let path: string;

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), "local-directory-"));
  });

  afterEach(() => rmSync(path, { recursive: true, force: true }));

  testDirectory(
    () => LocalDirectory.open(path),
    () => LocalDirectory.open(path),
  );
});
