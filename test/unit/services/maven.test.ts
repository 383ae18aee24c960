import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RequirementMissing } from "../../../services/errors.js";
import { javaCommand, javaVersion, requireJava } from "../../../services/maven.js";

describe("services/maven", () => {
  it("reads the feature release of any Java", () => {
    assert.equal(javaVersion('openjdk version "17.0.15" 2025-04-15'), 17);
    assert.equal(javaVersion('openjdk version "21" 2023-09-19'), 21);
    assert.equal(javaVersion('java version "1.8.0_402"'), 8);
    assert.equal(javaVersion("something else"), 0);
  });

  it("prefers JAVA_HOME, as Maven does", () => {
    assert.equal(javaCommand({ JAVA_HOME: "/opt/jdk" }), "/opt/jdk/bin/java");
    assert.equal(javaCommand({}), "java");
  });

  it("tells that Java is missing or too old, and what to do", async () => {
    const folder = mkdtempSync(join(tmpdir(), "java-test-"));
    const old = join(folder, "java");
    writeFileSync(old, "#!/bin/sh\necho 'java version \"1.8.0_402\"' >&2\n");
    chmodSync(old, 0o755);
    try {
      await assert.rejects(requireJava(join(folder, "absent")), (error) => {
        assert.ok(error instanceof RequirementMissing);
        assert.match(error.message, /not found\. Install Java 17 or newer and Maven/);
        return true;
      });
      await assert.rejects(requireJava(old), /version 8, too old/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
