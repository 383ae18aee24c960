/** What the examples share: the end of their graphs. With a worker in another process, the lines are in its output. */
import { type Collection, DoFn, parDo, registerDoFn } from "../beam/index.js";

class PrintLine extends DoFn<string, Record<string, never>> {
  static readonly urn = "example:print_line:v1";
  override readonly outputs = {};
  process(line: string): void {
    console.log(line);
  }
}
registerDoFn(PrintLine);

export function print(name: string, lines: Collection<string>): void {
  parDo(name, lines, new PrintLine(null));
}
