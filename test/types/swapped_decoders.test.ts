/** A decoder carries the coders of what it makes, so that those of the two topics cannot take each other's place. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const READS = join(root, "pipeline/read_events.ts");

/** What else is compiled is parsed once. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** What is wrong with the product's reads, once their text is changed. Imports stay as they are. */
function problemsOf(change: (body: string) => string): string[] {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const { getSourceFile } = host;
  host.getSourceFile = (file, languageVersion) => {
    if (file !== READS) {
      if (!parsed.has(file)) parsed.set(file, getSourceFile.call(host, file, languageVersion));
      return parsed.get(file);
    }
    const text = ts.sys.readFile(file)!;
    const body = text.lastIndexOf('.js";\n');
    return ts.createSourceFile(file, text.slice(0, body) + change(text.slice(body)), languageVersion);
  };
  const program = ts.createProgram([READS], options, host);
  return program
    .getSemanticDiagnostics(program.getSourceFile(READS))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}

const swap = (body: string, [one, other]: readonly [string, string]): string =>
  body.replace(new RegExp(`\\b(${one}|${other})\\b`, "g"), (name) => (name === one ? other : one));

describe("decoders of the two topics that are swapped", function () {
  this.timeout(120_000);

  it("do not compile, of Kafka or of files", () => {
    assert.deepEqual(
      problemsOf((body) => body),
      [],
    );
    for (const names of [
      ["ORDER_DECODER", "PAYMENT_DECODER"],
      ["ORDER_FILE_DECODER", "PAYMENT_FILE_DECODER"],
    ] as const) {
      const problems = problemsOf((body) => swap(body, names));
      assert.ok(problems.length >= 2, problems.join("\n"));
      assert.match(problems.join("\n"), /customer_id/);
      assert.match(problems.join("\n"), /payment_id/);
    }
  });
});
