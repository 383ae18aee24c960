import assert from "node:assert/strict";
import { Access } from "../../../monitor/access.js";

const TOKEN = "0123456789abcdef";

describe("access", () => {
  it("is for this machine's own names where no token is asked for", () => {
    const access = new Access("127.0.0.1", undefined);
    for (const host of ["127.0.0.1:4040", "localhost:4040", "[::1]:4040", "LOCALHOST"])
      assert.equal(access.refusal("GET", "/", { host }), undefined, host);
    // A page of another site has its name lead here.
    assert.equal(access.refusal("GET", "/metrics", { host: "evil.example:4040" })?.status, 403);
    assert.equal(access.refusal("GET", "/healthz", { host: "10.1.2.3:4040" }), undefined);
  });

  it("lets no page of another site act", () => {
    const access = new Access("127.0.0.1", undefined);
    const from = (origin: string) =>
      access.refusal("POST", "/api/log-level", { host: "localhost:4040", origin });
    assert.equal(from("http://localhost:4040"), undefined);
    assert.equal(from("https://evil.example")?.status, 403);
    assert.equal(from("null")?.status, 403);
  });

  it("is for those with the token elsewhere, but for probes", () => {
    const access = new Access("0.0.0.0", TOKEN);
    const host = "orders.example:4040";
    assert.equal(access.refusal("GET", "/", { host })?.status, 401);
    assert.equal(access.refusal("GET", "/", { host, authorization: `Bearer ${TOKEN}x` })?.status, 401);
    assert.equal(access.refusal("GET", "/", { host, authorization: `Bearer ${TOKEN}` }), undefined);
    const cookie = access.cookieFor(TOKEN)!;
    assert.match(cookie, /HttpOnly; SameSite=Strict/);
    assert.equal(access.refusal("GET", "/", { host, cookie: `a=b; ${cookie.split(";")[0]}` }), undefined);
    assert.equal(access.cookieFor("wrong"), undefined);
    assert.equal(access.refusal("GET", "/readyz", { host }), undefined);
  });
});
