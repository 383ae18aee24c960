import assert from "node:assert/strict";
import { gcsPathText, parseGcsPath } from "../../../../connectors/gcs/gcs_path.js";

describe("gs:// paths", () => {
  it("are a bucket and a prefix without slashes at its ends", () => {
    const cases: readonly [string, string, string][] = [
      ["gs://bucket", "bucket", ""],
      ["gs://bucket/", "bucket", ""],
      ["gs://bucket/a", "bucket", "a"],
      ["gs://my-bucket.example.com/a/b_c/", "my-bucket.example.com", "a/b_c"],
    ];
    for (const [text, bucket, prefix] of cases) {
      assert.deepEqual(parseGcsPath(text), { bucket, prefix });
      assert.equal(gcsPathText({ bucket, prefix }), text.replace(/\/$/, ""));
    }
  });

  it("are refused when they are none", () => {
    for (const text of [
      "",
      "bucket/a",
      "s3://bucket/a",
      "gs://",
      "gs:///a",
      "gs://Bucket/a",
      "gs://b/a",
      "gs://bucket/a//b",
      "gs://bucket/../a",
      "gs://bucket/a*",
      "gs://bucket/a\nb",
    ]) {
      assert.equal(parseGcsPath(text), undefined, text);
    }
  });
});
