import assert from "node:assert/strict";
import { fnApi, provisionApi, runnerApi } from "../../../../beam/model/apache_beam.js";
import { jobApi } from "../../../../beam/runners/portable/job_api.js";

/** Field 100, of two bytes. */
const UNKNOWN = Buffer.from("a206027878", "hex");

describe("fields that the protos of apache-beam do not have", () => {
  const known = runnerApi.Coder.create({
    spec: { urn: "a", payload: Buffer.from("b") },
    componentCoderIds: ["c", "d"],
  });

  it("are kept, wherever they stand among the others", () => {
    const bytes = Buffer.from(runnerApi.Coder.toBinary(known));
    const spec = runnerApi.FunctionSpec.toBinary(known.spec!);
    // The specification comes first: its tag and length take two bytes.
    const behindSpec = 2 + spec.length;
    for (const at of [0, behindSpec, bytes.length]) {
      const more = Buffer.concat([bytes.subarray(0, at), UNKNOWN, bytes.subarray(at)]);
      const read = runnerApi.Coder.fromBinary(more);
      assert.deepEqual(runnerApi.Coder.toJson(read), runnerApi.Coder.toJson(known), `at ${at}`);
      assert.deepEqual(Buffer.from(runnerApi.Coder.toBinary(read)), Buffer.concat([bytes, UNKNOWN]));
    }
  });

  it("may stand in a message inside of another", () => {
    const request = fnApi.InstructionRequest.toBinary({
      instructionId: "i",
      request: { oneofKind: "finalizeBundle", finalizeBundle: { instructionId: "b" } },
    });
    // finalize_bundle = 1004, which takes two bytes, and its length one.
    const inner = Buffer.concat([fnApi.FinalizeBundleRequest.toBinary({ instructionId: "b" }), UNKNOWN]);
    const longer = Buffer.concat([Buffer.from(request).subarray(0, 5), Buffer.from([inner.length]), inner]);
    const read = fnApi.InstructionRequest.fromBinary(longer);
    assert.equal(read.instructionId, "i");
    assert.ok(read.request.oneofKind === "finalizeBundle");
    assert.equal(read.request.finalizeBundle.instructionId, "b");
  });

  it("are let pass in every proto in use", () => {
    for (const type of [provisionApi.ProvisionInfo, fnApi.Elements, jobApi.JobMessage]) {
      assert.doesNotThrow(() => type.fromBinary(UNKNOWN));
    }
  });
});
