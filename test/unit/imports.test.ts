/**
 * The import table: which folder may import what. A folder that is not in the table may not exist, and an import that
 * the table does not allow is an error, so the layers stay what ARCHITECTURE.md says they are.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, posix, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

interface Layer {
  /** Folders of this project; sub-folders are meant too. A folder may always import itself. */
  readonly folders: readonly string[];
  /** Packages beside Node's own modules. */
  readonly packages: readonly string[];
}

const BEAM = "@order-payment-stream/beam";
const KAFKA = "@order-payment-stream/kafka";
const MONGODB = "@order-payment-stream/mongodb";
const GCS = "@order-payment-stream/gcs";
const FILES = "@order-payment-stream/files";

/** The most specific folder counts. */
const TABLE: Readonly<Record<string, Layer>> = {
  schemas: { folders: [], packages: [BEAM, "avsc"] },
  producers: { folders: ["schemas"], packages: [BEAM, FILES, "kafkajs", "lz4-napi", "snappyjs"] },
  services: { folders: [], packages: [BEAM, "kafkajs", "mongodb"] },
  // A fake of the service, which runs jobs on Prism.
  "services/dataflow": {
    folders: ["services"],
    packages: [BEAM, GCS, "@google-cloud/dataflow", "@grpc/grpc-js", "@grpc/proto-loader"],
  },
  transforms: { folders: ["schemas"], packages: [BEAM, KAFKA, MONGODB, FILES, "avsc", "mongodb"] },
  "beam/platform": { folders: ["beam/model"], packages: ["@bokuweb/zstd-wasm"] },
  "beam/model": { folders: [], packages: ["apache-beam"] },
  "beam/sdk": { folders: ["beam/model", "beam/platform"], packages: [] },
  "beam/exec": { folders: ["beam/model", "beam/platform", "beam/sdk"], packages: [] },
  "beam/store": { folders: ["beam/model", "beam/platform"], packages: ["fs-native-extensions"] },
  "beam/engine": { folders: ["beam/model", "beam/platform", "beam/store"], packages: [] },
  "beam/stored_state": {
    folders: ["beam/model", "beam/platform", "beam/exec", "beam/store", "beam/engine"],
    packages: [],
  },
  "beam/shards": {
    folders: ["beam/model", "beam/sdk", "beam/exec", "beam/store", "beam/engine", "beam/stored_state"],
    packages: [],
  },
  "beam/runners/direct": {
    folders: [
      "beam/model",
      "beam/platform",
      "beam/sdk",
      "beam/exec",
      "beam/store",
      "beam/engine",
      "beam/stored_state",
    ],
    packages: [],
  },
  "beam/harness": {
    folders: ["beam/model", "beam/platform", "beam/sdk", "beam/exec", "beam/shards"],
    packages: ["@grpc/grpc-js", "apache-beam"],
  },
  "beam/runners/portable": {
    folders: ["beam/model", "beam/platform", "beam/sdk"],
    packages: ["@grpc/grpc-js", "apache-beam"],
  },
  "beam/runners/dataflow": {
    folders: ["beam/model", "beam/platform", "beam/sdk", "beam/exec", "beam/runners/portable"],
    packages: ["@google-cloud/dataflow", "@grpc/grpc-js"],
  },
  "beam/runners/run_pipeline.ts": {
    folders: ["beam/model", "beam/sdk", "beam/store", "beam/runners", "beam/harness"],
    packages: [],
  },
  "beam/runners/run_program.ts": { folders: ["beam/sdk", "beam/runners", "beam/harness"], packages: [] },
  "beam/only_copy.ts": { folders: [], packages: [] },
  // The entries of the library: what package.json exports.
  "beam/index.ts": { folders: ["beam/only_copy.js", "beam/model", "beam/sdk", "beam/runners"], packages: [] },
  "beam/io.ts": { folders: ["beam/only_copy.js", "beam/platform", "beam/sdk", "beam/store"], packages: [] },
  "beam/direct.ts": {
    folders: ["beam/only_copy.js", "beam/platform", "beam/sdk", "beam/engine", "beam/store", "beam/runners"],
    packages: [],
  },
  "beam/portable.ts": { folders: ["beam/only_copy.js", "beam/runners"], packages: [] },
  "beam/dataflow.ts": { folders: ["beam/only_copy.js", "beam/runners"], packages: [] },
  "beam/protos.ts": { folders: ["beam/only_copy.js", "beam/model"], packages: [] },
  "beam/worker.ts": { folders: ["beam/only_copy.js", "beam/harness"], packages: [] },
  "beam/testing.ts": { folders: ["beam/only_copy.js", "beam/platform", "beam/sdk"], packages: [] },
  "connectors/kafka": { folders: [], packages: [BEAM] },
  "connectors/mongodb": { folders: [], packages: [BEAM, "mongodb"] },
  "connectors/gcs": { folders: [], packages: [BEAM, "@google-cloud/storage"] },
  "connectors/files": { folders: [], packages: [BEAM, GCS, "avsc", "snappyjs"] },
  // Services start the runners.
  examples: { folders: ["services"], packages: [BEAM, KAFKA, MONGODB] },
  monitor: { folders: ["schemas"], packages: [BEAM, KAFKA, "fastify", "prom-client"] },
  pipeline: {
    folders: ["schemas", "transforms", "producers", "services", "monitor"],
    packages: [
      BEAM,
      KAFKA,
      MONGODB,
      GCS,
      "@google-cloud/secret-manager",
      FILES,
      "aws-msk-iam-sasl-signer-js",
      "commander",
      "dotenv",
      "google-auth-library",
      "kafkajs",
      "mongodb",
      "pino",
      "pino-pretty",
      "zod",
    ],
  },
  // It measures what lies below the entries, too.
  bench: {
    folders: ["beam", "connectors", "schemas", "transforms", "pipeline", "producers", "services", "monitor"],
    packages: ["commander", "kafkajs", "lmdb", "lz4-napi", "mongodb", "snappyjs"],
  },
};

/** Imports beyond the table: one file, one package, and why. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  // The one place that knows the inside of kafkajs.
  "connectors/kafka/client/kafkajs_internals.ts": ["kafkajs"],
  // What unpacks record batches.
  "pipeline/settings/secret_references.ts": ["@grpc/grpc-js"],
  "connectors/kafka/client/codecs.ts": ["lz4-napi", "snappyjs"],
};

/** What only some of a layer's files may import. */
const CONFINED: readonly {
  readonly what: (specifier: string) => boolean;
  readonly to: readonly string[];
  readonly why: string;
}[] = [
  {
    what: (specifier) =>
      packageOf(specifier) === "apache-beam" &&
      specifier.split("/").length > 1 &&
      !specifier.includes("/proto/"),
    to: ["beam/model/apache_beam.ts"],
    why: "apache-beam's modules import one another in a circle; beam/model/apache_beam.ts loads them in order",
  },
  {
    what: (specifier) =>
      specifier.endsWith("beam/model/apache_beam.js") || specifier.endsWith("/apache_beam.js"),
    to: ["beam/protos.ts", "beam/model", "beam/sdk", "beam/exec", "beam/harness", "beam/runners", "bench"],
    why: "no protos in the engine, the store or the transforms",
  },
];

/** Who speaks to runners. */
const GRPC_FOLDERS = [
  "beam/runners/portable",
  "beam/runners/dataflow",
  "beam/harness",
  "services/dataflow",
  "pipeline/settings/secret_references.ts",
];

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const SOURCE_FOLDERS = [
  "beam",
  "connectors",
  "schemas",
  "producers",
  "services",
  "transforms",
  "pipeline",
  "monitor",
  "bench",
  "examples",
];

interface Import {
  /** Relative to the root, with slashes. */
  readonly file: string;
  readonly specifier: string;
  /** For a relative import, the file that it means, relative to the root. */
  readonly target: string | undefined;
}

function sourceFiles(folder: string): string[] {
  let entries: string[];
  try {
    entries = readdirSync(join(root, folder), { recursive: true }) as string[];
  } catch {
    return [];
  }
  return entries
    .filter((name) => name.endsWith(".ts") && !/(^|[\\/])(dist|node_modules)[\\/]/.test(name))
    .map((name) => posix.join(folder, name.split(sep).join("/")));
}

function importsOf(file: string): Import[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(root, file), "utf8"), true, true);
  return importedFiles.map(({ fileName: specifier }) => ({
    file,
    specifier,
    target: specifier.startsWith(".") ? posix.join(posix.dirname(file), specifier) : undefined,
  }));
}

function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? `${parts[0]}/${parts[1]}` : parts[0]!;
}

function isIn(file: string, folder: string): boolean {
  return file === folder || file.startsWith(`${folder}/`);
}

function layerOf(file: string): string | undefined {
  const folders = Object.keys(TABLE).filter((folder) => isIn(file, folder));
  return folders.sort((a, b) => b.length - a.length)[0];
}

/** What is wrong with an import, or undefined. */
function violation({ file, specifier, target }: Import): string | undefined {
  const layer = layerOf(file);
  if (layer === undefined) return `${file}: its folder is not in the import table`;
  const { folders, packages } = TABLE[layer]!;
  for (const { what, to, why } of CONFINED) {
    if (what(target ?? specifier) && !to.some((place) => isIn(file, place)))
      return `${file} imports ${specifier}: ${why}`;
  }
  if (target !== undefined) {
    if (isIn(target, layer) || folders.some((folder) => isIn(target, folder))) return undefined;
    return `${file} imports ${target}: ${layer} may import ${folders.join(", ") || "no other folder"}`;
  }
  if (isBuiltin(specifier)) {
    return specifier.startsWith("node:")
      ? undefined
      : `${file} imports ${specifier}: write node:${specifier}`;
  }
  const name = packageOf(specifier);
  if (packages.includes(name) || EXCEPTIONS[file]?.includes(name)) return undefined;
  return `${file} imports ${name}: ${layer} may import the packages ${packages.join(", ") || "(none)"}`;
}

const all = SOURCE_FOLDERS.flatMap(sourceFiles).flatMap(importsOf);

describe("imports", () => {
  it("follow the table", () => {
    assert.ok(all.length > 500, `only ${all.length} imports were found`);
    assert.deepEqual(
      all.map(violation).filter((problem) => problem !== undefined),
      [],
    );
  });

  it("never lead to gRPC: what runs a bundle speaks no protocol", () => {
    const found = all.filter(
      ({ file, specifier }) =>
        packageOf(specifier).startsWith("@grpc/") && !GRPC_FOLDERS.some((folder) => isIn(file, folder)),
    );
    assert.deepEqual(found, []);
  });

  it("end in .js and stay inside the project, where they are relative", () => {
    for (const { file, specifier, target } of all) {
      if (target === undefined) continue;
      assert.match(specifier, /\.js(on)?$/, `${file} imports ${specifier}`);
      assert.ok(!target.startsWith(".."), `${file} imports ${specifier}`);
      assert.ok(!isIn(target, "test"), `${file} imports a test`);
    }
  });

  it("make no circle of folders", () => {
    const edges = new Map<string, Set<string>>();
    for (const { file, target } of all) {
      if (target === undefined) continue;
      const from = layerOf(file)!;
      const to = layerOf(target);
      if (to === undefined || to === from) continue;
      const known = edges.get(from) ?? new Set();
      known.add(to);
      edges.set(from, known);
    }
    assert.equal(circleIn(edges), undefined);
  });

  it("make no circle of files, types included", () => {
    const edges = new Map<string, Set<string>>();
    for (const { file, target } of all) {
      if (target === undefined) continue;
      const known = edges.get(file) ?? new Set();
      known.add(target.replace(/\.js$/, ".ts"));
      edges.set(file, known);
    }
    assert.equal(circleIn(edges), undefined);
  });

  it("are caught when they break the table", () => {
    const wrong: [string, string][] = [
      ["schemas/order.ts", "../transforms/match.js"],
      ["schemas/order.ts", "kafkajs"],
      ["beam/exec/par_do.ts", "../engine/engine.js"],
      ["beam/exec/par_do.ts", "../runners/direct/direct_runner.js"],
      ["beam/exec/par_do.ts", "../../connectors/kafka/read_from_kafka.js"],
      ["connectors/kafka/read_partitions.ts", "../../beam/sdk/splittable.js"],
      ["pipeline/graph.ts", "../beam/sdk/graph.js"],
      ["beam/engine/engine.ts", "../model/apache_beam.js"],
      ["beam/engine/engine.ts", "../exec/operator.js"],
      ["beam/engine/engine.ts", "apache-beam"],
      ["beam/sdk/graph.ts", "apache-beam/pvalue"],
      ["beam/model/coders/x.ts", "apache-beam/pvalue"],
      ["beam/store/slab.ts", "../../transforms/join.js"],
      ["connectors/kafka/client/cluster.ts", "kafkajs"],
      ["transforms/join.ts", "kafkajs"],
      ["transforms/join.ts", "@grpc/grpc-js"],
      ["transforms/join.ts", "../pipeline/graph.js"],
      ["transforms/join.ts", "fs"],
      ["utils/x.ts", "node:fs"],
      ["monitor/server.ts", "../pipeline/graph.js"],
      ["beam/sdk/graph.ts", "../index.js"],
      ["examples/x.ts", "../beam/sdk/graph.js"],
    ];
    for (const [file, specifier] of wrong) {
      const target = specifier.startsWith(".") ? posix.join(posix.dirname(file), specifier) : undefined;
      assert.notEqual(violation({ file, specifier, target }), undefined, `${file} imports ${specifier}`);
    }
    assert.deepEqual(
      circleIn(
        new Map([
          ["a", new Set(["b"])],
          ["b", new Set(["c"])],
          ["c", new Set(["a"])],
        ]),
      ),
      ["a", "b", "c", "a"],
    );
  });
});

/** A way from a node back to itself. */
function circleIn(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): string[] | undefined => {
    const at = path.indexOf(node);
    if (at >= 0) return [...path.slice(at), node];
    if (done.has(node)) return undefined;
    path.push(node);
    for (const next of edges.get(node) ?? []) {
      const circle = visit(next);
      if (circle !== undefined) return circle;
    }
    path.pop();
    done.add(node);
    return undefined;
  };
  for (const node of edges.keys()) {
    const circle = visit(node);
    if (circle !== undefined) return circle;
  }
  return undefined;
}
