import assert from "node:assert/strict";
import { createRequire } from "node:module";
import {
  classifyGcsError,
  explainGcsError,
  GcsRefusedError,
  GcsUnavailableError,
  isTransient,
  StalledError,
} from "../../../../connectors/gcs/gcs_errors.js";
import { errorClasses } from "../../../fixtures/error_classes.js";

// As the client finds them.
const require = createRequire(createRequire(import.meta.url).resolve("@google-cloud/storage"));
const PACKAGES = ["@google-cloud/storage", "gaxios", "teeny-request", "google-auth-library"];
/** Without a status or a code; one that is new has to be decided upon here. */
const DECIDED: Readonly<Record<string, string>> = {
  ApiError: "transient",
  ComposeCleanupError: "transient",
  ExecutableError: "transient",
  GaxiosError: "transient",
  MultiPartUploadError: "transient",
  RequestError: "transient",
};

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
    assert.ok(isTransient(new Error("unheard of")));
    for (const code of [
      "EWHATEVER",
      "ERR_STREAM_PREMATURE_CLOSE",
      "ERR_HTTP2_STREAM_CANCEL",
      "ENETUNREACH",
    ]) {
      assert.ok(isTransient(answered(code)), code);
      assert.ok(isTransient(new Error("request failed", { cause: answered(code) })), code);
    }
    for (const code of [400, 401, 403, 404, 412, "403", "ENOENT", "DEPTH_ZERO_SELF_SIGNED_CERT"]) {
      assert.ok(!isTransient(answered(code)), String(code));
      assert.ok(explainGcsError(answered(code), PATH) instanceof GcsRefusedError, String(code));
    }
    assert.ok(!isTransient(undefined));
  });

  it("are no errors of this program, which stop it as they are", () => {
    const bug = new TypeError("x is not a function");
    assert.equal(classifyGcsError(bug), "programmer");
    assert.equal(explainGcsError(bug, PATH), bug);
  });

  it("of every class that Google's packages export are known", () => {
    const classes = PACKAGES.flatMap((name) => Object.entries(errorClasses(require(name))));
    assert.deepEqual(classes.map(([name]) => name).sort(), Object.keys(DECIDED).sort());
    for (const [name, GoogleError] of classes) {
      const error: Error = Object.create(GoogleError.prototype, { message: { value: "m" } });
      assert.equal(classifyGcsError(error), DECIDED[name], name);
      assert.equal(classifyGcsError(Object.assign(error, { code: 403 })), "refused", `${name} with 403`);
      assert.equal(classifyGcsError(Object.assign(error, { code: 503 })), "transient", `${name} with 503`);
    }
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
