import assert from "node:assert/strict";
import { parseGlob } from "../../../../connectors/files/glob.js";

describe("a pattern of paths", () => {
  const cases: readonly [string, string, readonly string[], readonly string[]][] = [
    ["/a/b.avro", "/a/b.avro", ["/a/b.avro"], ["/a/b_avro", "/a/b.avro.gz"]],
    ["/a/*.avro", "/a", ["/a/x.avro", "/a/x.y.avro"], ["/a/.x.avro", "/a/b/x.avro", "/a/.avro"]],
    ["/a/", "/a", ["/a/x"], ["/a/b/x", "/a/.x"]],
    [
      "/a/**/x-?.json",
      "/a",
      ["/a/x-1.json", "/a/b/c/x-1.json"],
      ["/a/x-12.json", "/a/.b/x-1.json", "/b/x-1.json"],
    ],
    ["/a/**", "/a", ["/a/x", "/a/b/c.d"], ["/b/x", "/a/.git/x"]],
    [
      "/a/{b,c-*}/[0-9][!x].avro",
      "/a",
      ["/a/b/1y.avro", "/a/c-9/2z.avro"],
      ["/a/d/1y.avro", "/a/b/1x.avro", "/a/b/1/.avro"],
    ],
    [
      "gs://bucket/p/*-2026.avro",
      "gs://bucket/p",
      ["gs://bucket/p/x-2026.avro"],
      ["gs://other/p/x-2026.avro"],
    ],
    ["/a (1)+$/*.x", "/a (1)+$", ["/a (1)+$/b.x"], ["/a 1/b.x"]],
  ];
  for (const [pattern, base, fitting, others] of cases) {
    it(`${pattern}`, () => {
      const glob = parseGlob(pattern);
      assert.equal(glob.base, base);
      for (const path of fitting) assert.ok(glob.fits(path), path);
      for (const path of others) assert.ok(!glob.fits(path), path);
    });
  }

  it("says what is wrong with it", () => {
    assert.throws(() => parseGlob("/a/[b"), /a "\[" without its "\]"/);
    assert.throws(() => parseGlob("/a/{b"), /a "\{" without its "\}"/);
  });
});
