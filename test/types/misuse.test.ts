/**
 * What must not compile does not, and says why; what must compile does. A case is a file in cases/: the line behind a
 * comment `// error: TEXT` must be an error whose message contains TEXT, and no other line may be one.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const folder = join(dirname(fileURLToPath(import.meta.url)), "cases");
const root = join(folder, "../../..");

/** One program for all cases: what they import is checked once. */
function compile(files: readonly string[]): Map<string, ts.Diagnostic[]> {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);
  const program = ts.createProgram(files, { ...options, noUnusedLocals: false, noUnusedParameters: false });
  return new Map(
    files.map((file) => {
      const source = program.getSourceFile(file)!;
      return [file, [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]];
    }),
  );
}

/** Line number (from 0) → what its error must say. */
function expectationsOf(text: string): Map<number, string> {
  const expected = new Map<number, string>();
  text.split("\n").forEach((line, number) => {
    const match = /^\s*\/\/ error: (.*)$/.exec(line);
    if (match !== null) expected.set(number + 1, match[1]!.trim());
  });
  return expected;
}

const files = readdirSync(folder)
  .filter((name) => name.endsWith(".ts"))
  .map((name) => join(folder, name));

describe("types", () => {
  let diagnostics: Map<string, ts.Diagnostic[]>;
  before(function () {
    this.timeout(120_000);
    diagnostics = compile(files);
  });

  for (const file of files) {
    it(`of ${basename(file, ".ts").replaceAll("_", " ")}`, () => {
      const expected = expectationsOf(ts.sys.readFile(file)!);
      const problems: string[] = [];
      for (const { file: source, start, messageText } of diagnostics.get(file)!) {
        const line = source!.getLineAndCharacterOfPosition(start!).line;
        const message = ts.flattenDiagnosticMessageText(messageText, "\n");
        const wanted = expected.get(line);
        if (wanted === undefined) problems.push(`line ${line + 1} should compile: ${message}`);
        else if (message.includes(wanted)) expected.delete(line);
        else problems.push(`line ${line + 1} should say "${wanted}", not: ${message}`);
      }
      for (const [line, wanted] of expected) {
        if (!problems.some((problem) => problem.startsWith(`line ${line + 1} `)))
          problems.push(`line ${line + 1} should not compile: "${wanted}"`);
      }
      assert.deepEqual(problems, []);
    });
  }
});
