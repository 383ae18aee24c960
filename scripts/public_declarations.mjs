// The declarations of apache-beam's root do not pass a strict check of declarations (they mix up versions of `long`), and
// no public signature of the library names one of its classes. So what is published declares the door to that package
// (beam/model/apache_beam.ts) by its protos alone, and users of the library need no skipLibCheck.
import { readFileSync, writeFileSync } from "node:fs";

const FILE = "beam/dist/model/apache_beam.d.ts";

const protos = readFileSync(FILE, "utf8")
  .split("\n")
  .filter((line) => line.includes("apache-beam/proto/"));
if (protos.length === 0) throw new Error(`${FILE} names no proto`);
const classes = ["Pipeline", "Root"].map((name) => `export type ${name} = unknown;`);
const lines = [...protos, ...classes, "export type PCollection<T> = { readonly element: T };"];
writeFileSync(FILE, `${lines.join("\n")}\n`);
