/** The library's entry: each name that it exports says what it is. */
import assert from "node:assert/strict";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ENTRY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../beam/index.ts");

describe("beam/index.ts", () => {
  it("exports nothing without a docstring", function () {
    this.timeout(60_000);
    const options: ts.CompilerOptions = {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      strict: true,
      skipLibCheck: true,
    };
    const program = ts.createProgram([ENTRY], options);
    const checker = program.getTypeChecker();
    const entry = checker.getSymbolAtLocation(program.getSourceFile(ENTRY)!)!;
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
    visit(entry, "");
    assert.deepEqual(bare, []);
  });
});
