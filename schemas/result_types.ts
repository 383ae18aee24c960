/** The Avro schemas of results in files: what a document of its collection has, its _id included. */
import { readFileSync } from "node:fs";
import avsc, { type Type } from "avsc";

export type ResultKind = "joined" | "unmatched" | "dead_letter";

export interface ResultType {
  /** JSON, with the documentation of its fields. */
  readonly schema: string;
  /** Logical types are left uninterpreted: a timestamp is a number. */
  readonly type: Type;
  /** The names of its fields. */
  readonly columns: ReadonlySet<string>;
}

function load(kind: ResultKind): ResultType {
  const { fields, ...rest } = JSON.parse(readFileSync(new URL(`${kind}.avsc`, import.meta.url), "utf8"));
  const id = {
    name: "_id",
    type: "string",
    doc: "A function of the content: what is there twice has it twice.",
  };
  const schema = { ...rest, fields: [id, ...fields] };
  const columns = new Set<string>(schema.fields.map(({ name }: { name: string }) => name));
  return { schema: JSON.stringify(schema), type: avsc.Type.forSchema(schema), columns };
}

export const resultTypes: Readonly<Record<ResultKind, ResultType>> = {
  joined: load("joined"),
  unmatched: load("unmatched"),
  dead_letter: load("dead_letter"),
};
