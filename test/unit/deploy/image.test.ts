/** The image without a container engine: what it copies is there, and it is what it says it is. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { load } from "js-yaml";
import { parseDockerfile } from "../../../services/dataflow/dockerfile.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");
const { args, stages } = parseDockerfile(read("deploy/Dockerfile"));
const build = stages.find(({ name }) => name === "build")!;
const last = stages.at(-1)!;

describe("the image", () => {
  it("copies what exists, from the project and from the stage before", () => {
    // Made by `npm run build` and `npm ci` in the stage.
    const isMade = (path: string) => /^(beam|connectors\/\w+)\/dist$|^dist$|^node_modules$/.test(path);
    for (const { from, sources } of stages.flatMap(({ copies }) => copies)) {
      for (const source of sources) {
        if (from === "launcher") continue;
        const path = from === undefined ? source : source.replace(`${build.workdir}/`, "");
        assert.ok(isMade(path) || existsSync(join(ROOT, path)), `${source} is not there`);
      }
    }
  });

  it("has every package and every folder that the build needs", () => {
    const { workspaces } = JSON.parse(read("package.json"));
    assert.deepEqual(workspaces, ["beam", "connectors/*"]);
    const packages = ["beam", ...readdirSync(join(ROOT, "connectors")).map((name) => `connectors/${name}`)];
    const copied = new Set(build.copies.flatMap(({ sources }) => sources));
    const final = new Set(last.copies.flatMap(({ sources }) => sources));
    for (const name of packages) {
      assert.ok(copied.has(`${name}/package.json`), `${name}/package.json is not in the build`);
      assert.ok(final.has(`/app/${name}/dist`), `${name}/dist is not in the image`);
      assert.ok(final.has(`/app/${name}/package.json`), `${name}/package.json is not in the image`);
    }
    for (const folder of JSON.parse(read("tsconfig.build.json")).include) {
      assert.ok(copied.has(folder) || !existsSync(join(ROOT, folder)), `${folder} is not in the build`);
    }
    for (const source of build.copies.flatMap(({ sources }) => sources)) {
      assert.ok(
        read(".dockerignore").includes(`!${source.split("/")[0]}\n`),
        `.dockerignore hides ${source}`,
      );
    }
  });

  it("is of a pinned Node 24, not root's, and starts the boot program", () => {
    assert.match(args.NODE_IMAGE!, /^node:24\.\d+\.\d+-bookworm-slim(@sha256:[0-9a-f]{64})?$/);
    assert.equal(last.image, args.NODE_IMAGE);
    assert.equal(last.user, "node");
    assert.deepEqual(last.entrypoint, ["/opt/apache/beam/boot"]);
    assert.ok(last.env.FLEX_TEMPLATE_GO_BINARY?.endsWith("/launch"));
    for (const program of ["deploy/boot", "deploy/launch"]) {
      assert.ok((statSync(join(ROOT, program)).mode & 0o111) !== 0, `${program} cannot be executed`);
      assert.match(read(program), /\nexec node /);
    }
    const copied = last.copies.map(({ target }) => target);
    assert.ok(copied.includes("/opt/google/dataflow/go_template_launcher"));
  });

  it("keeps secrets and what is built elsewhere out", () => {
    assert.equal(read(".dockerignore"), read(".gcloudignore"));
    assert.match(
      read(".dockerignore"),
      /^\*\*\n[\s\S]*\*\*\/node_modules\n\*\*\/dist\n[\s\S]*\*\*\/\.env\n$/,
    );
  });

  it("is built, pushed and made a template of by Cloud Build", () => {
    const { steps } = load(read("deploy/cloudbuild.yaml")) as { steps: { id: string; args: string[] }[] };
    assert.deepEqual(
      steps.map(({ id }) => id),
      ["pin", "image", "push", "record", "template"],
    );
    const named = steps.flatMap((step) =>
      step.args.flatMap((word) => word.match(/\bdeploy\/[\w./]+/g) ?? []),
    );
    assert.ok(named.length >= 3, named.join());
    for (const file of named) assert.ok(existsSync(join(ROOT, file)), `${file} is not there`);
  });

  it("stands on images by digest: those of the lock, the rest as the registry has them now", () => {
    const folder = mkdtempSync(join(tmpdir(), "pin-"));
    const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
    try {
      for (const file of ["pin", "Dockerfile"]) copyFileSync(join(ROOT, "deploy", file), join(folder, file));
      writeFileSync(join(folder, "images.lock"), `NODE_IMAGE=node@${digest("a")}\n`);
      writeFileSync(
        join(folder, "docker"),
        `#!/bin/sh\ncase $1 in pull) echo "$3" >>"$0.pulled";; image) echo "$5@${digest("b")}";; esac\n`,
        { mode: 0o755 },
      );
      const run = () =>
        execFileSync(join(folder, "pin"), {
          env: { PATH: `${folder}:${process.env.PATH}` },
          encoding: "utf8",
        });
      const pinned = run();
      const launcher = args.LAUNCHER_IMAGE!.replace(/:latest$/, "");
      assert.equal(pinned, `NODE_IMAGE=node@${digest("a")}\nLAUNCHER_IMAGE=${launcher}@${digest("b")}\n`);
      assert.equal(readFileSync(join(folder, "docker.pulled"), "utf8"), `${args.LAUNCHER_IMAGE}\n`);
      // What it printed is a lock that nobody has to ask a registry for.
      writeFileSync(join(folder, "images.lock"), pinned);
      rmSync(join(folder, "docker"));
      assert.equal(run(), pinned);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
