import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildEnvironment, serverEnvironment } from "../../../services/child_environment.js";

const ENVIRONMENT = {
  PATH: "/bin",
  LC_ALL: "C",
  GOPROXY: "x",
  HTTPS_PROXY: "http://u:p@x",
  KAFKA_SASL_PASSWORD: "s",
  MONGODB_URI: "s",
  AWS_SECRET_ACCESS_KEY: "s",
  SOMEBODYS_TOKEN: "s",
};

describe("the environment of programs that are started from here", () => {
  it("is what is listed, and nothing else", () => {
    assert.deepEqual(serverEnvironment(ENVIRONMENT), { PATH: "/bin", LC_ALL: "C" });
    const { PATH, LC_ALL, GOPROXY, HTTPS_PROXY } = ENVIRONMENT;
    assert.deepEqual(buildEnvironment(ENVIRONMENT), { PATH, LC_ALL, GOPROXY, HTTPS_PROXY });
  });

  it("is said wherever the services start something", () => {
    for (const name of readdirSync("services").filter((file) => file.endsWith(".ts"))) {
      const source = readFileSync(join("services", name), "utf8");
      const starts = source.match(/\b(?:run|spawn)\((?!\s*\))/g)?.length ?? 0;
      if (starts > 0) assert.match(source, /(?:server|build)Environment\(/, name);
    }
  });
});
