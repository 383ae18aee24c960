/** Reads files: one step finds them, and a second reads them, one restriction for each file or part of one. */
import type { Root } from "@order-payment-stream/beam";
import { applyParDo, type Coder, type Collection, impulse, parDo } from "@order-payment-stream/beam";

import type { FileDecoderDescriptor } from "./file_decoder.js";
import { FindFiles } from "./find_files.js";
import type { FileReadConfig } from "./read_config.js";
import { ReadFiles } from "./read_files.js";

const MEGABYTE = 1024 * 1024;

export const FILE_READ_DEFAULTS = {
  format: "auto",
  badFiles: "fail",
  isOrdered: false,
  maxOutOfOrdernessMs: 30_000,
  partBytes: 64 * MEGABYTE,
  blockMaxBytes: 64 * MEGABYTE,
  unpackedMaxBytes: 64 * MEGABYTE,
} as const satisfies Partial<FileReadConfig>;

type Optional = keyof typeof FILE_READ_DEFAULTS;

/** Options of `readFromFiles`: see FileReadConfig. `C` configures the decoder; `null` when it takes nothing. */
export type ReadFromFiles<T, D, C> = Pick<
  FileReadConfig,
  Exclude<keyof FileReadConfig, Optional | "decoder" | "decoderConfig">
> & {
  readonly [N in Optional]?: FileReadConfig[N] | undefined;
} & {
  readonly decoder: FileDecoderDescriptor<T, D, C>;
} & (C extends null ? { readonly decoderConfig?: null } : { readonly decoderConfig: C });

/**
 * Reads files: events that the decoder understood, and reports of records that it rejected. The read is bounded, and
 * its watermark that of the file that is read least far, each file's being its newest event's time less
 * `maxOutOfOrdernessMs`.
 */
export function readFromFiles<T, D, C>(
  name: string,
  root: Root,
  options: ReadFromFiles<T, D, C>,
): { readonly events: Collection<T>; readonly rejected: Collection<D> } {
  const { decoder } = options;
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const config = {
    ...FILE_READ_DEFAULTS,
    ...given,
    decoder: decoder.urn,
    decoderConfig: options.decoderConfig ?? null,
  } as FileReadConfig;
  const begin = impulse(`${name}/Impulse`, root);
  const { files } = parDo(`${name}/FindFiles`, begin, new FindFiles(config));
  const { events, rejected } = applyParDo(`${name}/ReadFiles`, files, new ReadFiles(config), {
    events: decoder.coder as Coder<unknown>,
    rejected: decoder.rejectedCoder as Coder<unknown>,
  });
  return { events: events!, rejected: rejected! };
}
