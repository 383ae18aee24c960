import assert from "node:assert/strict";
import {
  explainGcsError,
  GcsRefusedError,
  GcsUnavailableError,
  isTransient,
  StalledError,
} from "../../../../connectors/gcs/gcs_errors.js";

const PATH = "gs://bucket/prefix";

function answered(code: number | string, message = "said so"): Error {
  return Object.assign(new Error(message), { code });
}

describe("errors of Google Cloud Storage", () => {
  it("that may pass by themselves are told from those that need a person", () => {
    for (const code of [408, 429, 500, 502, 503, 504, "503", "ECONNREFUSED", "ECONNRESET", "EAI_AGAIN"]) {
      assert.ok(isTransient(answered(code)), String(code));
      assert.ok(explainGcsError(answered(code), PATH) instanceof GcsUnavailableError, String(code));
    }
    assert.ok(isTransient(new Error("request failed", { cause: answered("ETIMEDOUT") })));
    assert.ok(isTransient(new Error("socket hang up")));
    assert.ok(isTransient(new StalledError("no answer for 60 s")));
    for (const code of [400, 401, 403, 404, 412, "403", "ERR_INVALID_ARG_TYPE"]) {
      assert.ok(!isTransient(answered(code)), String(code));
      assert.ok(explainGcsError(answered(code), PATH) instanceof GcsRefusedError, String(code));
    }
    assert.ok(!isTransient(undefined));
  });

  it("say in one line what is wrong and what to do", () => {
    const cases: readonly [Error, RegExp][] = [
      [
        answered(403, "x does not have storage.objects.create access"),
        /no permission for gs:\/\/bucket\/prefix: .*objectAdmin.*\(x does not/,
      ],
      [answered(404), /^gs:\/\/bucket does not exist: .*gcloud storage buckets create gs:\/\/bucket`/],
      [
        new Error("Could not load the default credentials. Browse to https://cloud.google.com/docs"),
        /no valid credentials for gs:\/\/bucket: .*gcloud auth application-default login/,
      ],
      [
        answered("ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:1"),
        /cannot be reached: connect ECONNREFUSED/,
      ],
      [
        answered(503, '{\n "error": {\n  "message": "Backend Error"\n }}'),
        /cannot be reached: 503 Backend Error$/,
      ],
      [answered(400, `<html>\n${"x".repeat(1_000)}`), /^gs:\/\/bucket\/prefix: 400 <html> x+…$/],
    ];
    for (const [error, expected] of cases) {
      const { message } = explainGcsError(error, PATH);
      assert.match(message, expected);
      assert.ok(!message.includes("\n"));
    }
  });
});
