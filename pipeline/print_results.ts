/** The sink that is stdout of this process: whoever reads it decides how fast the run goes on. */
import { DoFn, registerDoFn } from "@order-payment-stream/beam";

import type { ResultKind } from "../schemas/result_types.js";
import { deadLetterDocument } from "../transforms/dead_letter_document.js";
import { documentAsJson, joinedDocumentOf, unmatchedDocumentOf } from "../transforms/file_records.js";
import { print } from "./report/standard_output.js";

const DOCUMENTS: Readonly<Record<ResultKind, (result: any) => Readonly<Record<string, unknown>>>> = {
  joined: joinedDocumentOf,
  unmatched: unmatchedDocumentOf,
  dead_letter: deadLetterDocument,
};

export class PrintResults extends DoFn<unknown, Record<never, never>, { readonly kind: ResultKind }> {
  static readonly urn = "order-payment-stream:dofn:print_results:v1";
  readonly outputs = {};
  /** What was printed stays printed. */
  override readonly needsStableInput = true;
  readonly #toDocument = DOCUMENTS[this.config.kind];
  #lines: string[] = [];

  override startBundle(): void {
    this.#lines = [];
  }

  process(result: unknown): void {
    this.#lines.push(`{"${this.config.kind}":${documentAsJson(this.#toDocument(result))}}`);
  }

  override finishBundle(): void | Promise<void> {
    if (this.#lines.length > 0) return print(this.#lines.join("\n"));
  }
}
registerDoFn(PrintResults);
