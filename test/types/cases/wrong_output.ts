import { StringUtf8Coder } from "../../../beam/model/coders/string_utf8_coder.js";
import { VarintCoder } from "../../../beam/model/coders/varint_coder.js";
import { DoFn, type ElementContext } from "../../../beam/sdk/do_fn.js";

const outputs = { lengths: VarintCoder.INSTANCE, texts: StringUtf8Coder.INSTANCE };

export class Wrong extends DoFn<string, typeof outputs, { readonly limit: number }> {
  readonly outputs = outputs;
  process(element: string, ctx: ElementContext<typeof outputs>): void {
    // error: Property 'words' does not exist on type 'Emitters
    ctx.emit.words(element);
    // error: Argument of type 'string' is not assignable to parameter of type 'number'
    ctx.emit.lengths(element);
    // error: Argument of type 'string' is not assignable to parameter of type 'number'
    ctx.emit.texts(element, "now");
    // error: Property 'state' does not exist on type 'ElementContext
    ctx.state;
    // error: Property 'maximum' does not exist on type
    this.config.maximum;
    // error: Cannot assign to 'timestamp' because it is a read-only property
    ctx.timestamp = 5;
  }
}

// error: Type 'Date' is not assignable to type
new Wrong({ limit: new Date() });
// error: does not satisfy the constraint 'Json'
export abstract class NotJson extends DoFn<string, typeof outputs, { readonly start: Date }> {}
