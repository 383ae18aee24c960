/**
 * Pipeline options as runners hand them on. Portable runners call an option `beam:option:<name>:v1`; Dataflow puts
 * them below "options"; Go's worker keeps its own below `beam:option:go_options:v1`.
 */
const BEAM_NAME = /^beam:option:(.+):v\d+$/;
const NESTED = ["options", "go_options"];

/** By plain name. What stands deeper does not replace what stands above it. */
export function optionsByName(json: unknown): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  if (typeof json !== "object" || json === null || Array.isArray(json)) return options;
  const nested: unknown[] = [];
  for (const [key, value] of Object.entries(json)) {
    const name = BEAM_NAME.exec(key)?.[1] ?? key;
    if (NESTED.includes(name) && typeof value === "object" && value !== null) nested.push(value);
    else options[name] = value;
  }
  for (const inner of nested) Object.assign(options, { ...optionsByName(inner), ...options });
  return options;
}
