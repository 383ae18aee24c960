import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

describe("pretenuring", () => {
  it("is turned off by a flag that this Node knows", async function () {
    this.timeout(30_000);
    const module = new URL("../../../pipeline/pretenuring.ts", import.meta.url).href;
    const program = `import(${JSON.stringify(module)}).then(({ turnOffPretenuring }) => turnOffPretenuring())`;
    const { stderr } = await promisify(execFile)(process.execPath, ["--import", "tsx", "-e", program]);
    // V8 goes on without a flag that it does not know, and says so.
    assert.equal(stderr, "");
  });
});
