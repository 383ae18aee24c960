/**
 * Pipeline options as they travel: a Struct whose keys are `beam:option:<name>:v1`. A Struct's numbers are doubles, so
 * whole numbers go as text, which runners take for numbers where they want one.
 */
import { Struct } from "./job_api.js";

/** The value of a pipeline option. */
export type PipelineOption = string | number | boolean | readonly string[];
/** By name, in snake_case. */
export type PipelineOptions = Readonly<Record<string, PipelineOption | undefined>>;

export function optionsToStruct(options: PipelineOptions): Struct {
  const fields = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [[`beam:option:${name}:v1`, valueToJson(value)] as const],
  );
  return Struct.fromJson(Object.fromEntries(fields));
}

function valueToJson(value: PipelineOption): string | number | boolean | string[] {
  if (typeof value === "number" && Number.isInteger(value)) return String(value);
  return typeof value === "object" ? [...value] : value;
}
