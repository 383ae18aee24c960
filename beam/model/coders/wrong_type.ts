/**
 * The error for a value that a coder cannot write. It tells the type only: values may be personal or secret.
 */
export function wrongType(coder: string, expected: string, value: unknown, got = typeName(value)): TypeError {
  return new TypeError(`the ${coder} coder writes ${expected}, not ${got}`);
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "object") return value.constructor?.name ?? "an object without a prototype";
  return `a ${typeof value}`;
}
