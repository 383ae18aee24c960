// Compiles file by file, without looking at types: some seconds in place of half a minute, for somebody who wants to see
// it run. Declarations are not written; `npm run build` does all of it.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";

const { compilerOptions } = ts.readConfigFile("tsconfig.json", ts.sys.readFile).config;
const { options } = ts.convertCompilerOptionsFromJson(
  // A file alone does not know that its package has ES modules.
  {
    ...compilerOptions,
    module: "esnext",
    moduleResolution: "bundler",
    noEmit: false,
    sourceMap: true,
    customConditions: [],
  },
  ".",
);

const packages = ["beam", ...readdirSync("connectors").map((name) => join("connectors", name))];
for (const folder of packages) compile(folder, (path) => join(folder, "dist", path));
for (const folder of process.argv.slice(2)) compile(folder, (path) => join("dist", folder, path));

/** @param target where what lies at a path of the folder belongs */
function compile(folder, target, below = "") {
  for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
    if (entry.name === "dist" || entry.name === "node_modules") continue;
    const path = join(below, entry.name);
    if (entry.isDirectory()) compile(folder, target, path);
    else if (/(?<!\.d)\.ts$/.test(entry.name)) emit(join(folder, path), target(path));
  }
}

function emit(source, target) {
  const name = target.replace(/\.ts$/, ".js");
  const { outputText, sourceMapText } = ts.transpileModule(readFileSync(source, "utf8"), {
    compilerOptions: options,
    fileName: source,
  });
  mkdirSync(dirname(name), { recursive: true });
  writeFileSync(name, outputText);
  writeFileSync(`${name}.map`, sourceMapText);
}
