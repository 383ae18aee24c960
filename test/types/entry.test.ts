/** The library's entry: each name that it exports says what it is. */
import assert from "node:assert/strict";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const ENTRIES = [
  "beam/index.ts",
  "beam/io.ts",
  "beam/direct.ts",
  "beam/portable.ts",
  "beam/dataflow.ts",
  "beam/worker.ts",
  "beam/testing.ts",
  "connectors/kafka/index.ts",
  "connectors/mongodb/index.ts",
  "connectors/gcs/index.ts",
  "connectors/files/index.ts",
];

describe("public entries", () => {
  it("export nothing without a docstring", function () {
    this.timeout(60_000);
    const options: ts.CompilerOptions = {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      strict: true,
      skipLibCheck: true,
      customConditions: ["order-payment-stream-source"],
    };
    const files = ENTRIES.map((entry) => path.join(ROOT, entry));
    const program = ts.createProgram(files, options);
    const checker = program.getTypeChecker();
    const bare: string[] = [];
    const visit = (module: ts.Symbol, prefix: string): void => {
      for (const exported of checker.getExportsOfModule(module)) {
        const name = `${prefix}${exported.name}`;
        const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
        if (symbol.flags & ts.SymbolFlags.ValueModule) {
          visit(symbol, `${name}.`);
          continue;
        }
        if (symbol.getDocumentationComment(checker).length === 0) bare.push(name);
      }
    };
    for (const file of files) {
      const entry = checker.getSymbolAtLocation(program.getSourceFile(file)!)!;
      visit(entry, `${path.relative(ROOT, file)} `);
    }
    assert.deepEqual(bare, []);
  });
});
