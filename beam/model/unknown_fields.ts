/**
 * Newer runners send fields that the protos of `apache-beam` do not have. The package's generated readers should keep
 * them as unknown fields, but its build has dropped a variable that only this path uses, so they throw a ReferenceError,
 * and with it a whole stream would end. Where that happens the message is read again, by protobuf-ts's own reader, which
 * goes by the description of the message's type.
 */

interface GeneratedType {
  internalBinaryRead(reader: { pos: number }, length: number, options: unknown, target?: unknown): unknown;
}

/** Mends the message types among the exports of a module. May be called again. */
export function readUnknownFields(module: Readonly<Record<string, unknown>>): void {
  for (const type of Object.values(module)) if (isGeneratedType(type)) mend(type);
}

function isGeneratedType(value: unknown): value is GeneratedType {
  return typeof value === "object" && value !== null && "internalBinaryRead" in value;
}

function mend(type: GeneratedType): void {
  if (Object.hasOwn(type, "internalBinaryRead")) return;
  const generated = Object.getPrototypeOf(type) as GeneratedType;
  const described = Object.getPrototypeOf(generated) as GeneratedType;
  type.internalBinaryRead = (reader, length, options, target) => {
    const start = reader.pos;
    try {
      return generated.internalBinaryRead.call(type, reader, length, options, target);
    } catch (error) {
      if (!(error instanceof ReferenceError)) throw error;
      reader.pos = start;
      return described.internalBinaryRead.call(type, reader, length, options);
    }
  };
}
