import assert from "node:assert/strict";
import { StoreWriteError, writeProblem } from "../../../../beam/store/store_errors.js";

describe("a problem with writing state", () => {
  const systemError = (code: string, text: string): Error =>
    Object.assign(new Error(`${code}: ${text}, write`), { code });

  it("tells a full disk from what else may be wrong", () => {
    const full = systemError("ENOSPC", "no space left on device");
    assert.equal(writeProblem(full), "the disk is full (ENOSPC: no space left on device, write)");
    assert.match(writeProblem(systemError("EDQUOT", "quota exceeded")), /^the disk is full \(EDQUOT: /);
    assert.equal(writeProblem(systemError("EIO", "i/o error")), "EIO: i/o error, write");
  });

  it("names the directory, what is wrong, and that nothing is lost", () => {
    const { message, cause } = new StoreWriteError("/state", systemError("EIO", "i/o error"));
    assert.equal(
      message,
      "state cannot be written to /state: EIO: i/o error, write. What was committed before is safe: start again once this is fixed",
    );
    assert.equal((cause as NodeJS.ErrnoException).code, "EIO");
  });
});
