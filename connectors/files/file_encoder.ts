/** What a write of files makes of elements. The write names its encoder. */

/** Makes records of elements. */
export interface FileEncoder<T> {
  /** Of the records, JSON. */
  readonly schema: string;
  /** As Avro, without anything in front. */
  avro(element: T): Uint8Array;
  /** As JSON on one line, without its end. */
  json(element: T): string;
}

/** The name of an encoder of elements `T`. */
export type FileEncoderName<T> = string & { readonly elements?: T };

const encoders = new Map<string, () => FileEncoder<any>>();

/**
 * Makes `name` known, in the program that builds the graph and in the worker that runs it.
 *
 * @returns the name, with the type of the elements
 */
export function registerFileEncoder<T>(name: string, factory: () => FileEncoder<T>): FileEncoderName<T> {
  encoders.set(name, factory);
  return name as FileEncoderName<T>;
}

/** An encoder by name. Throws for a name that nothing registered. */
export function fileEncoder(name: string): FileEncoder<any> {
  const factory = encoders.get(name);
  if (factory === undefined) throw new Error(`no file encoder is registered under ${name}`);
  return factory();
}
