/** Reads files into a pipeline, and writes its results to files. */

export { AvroValues } from "./avro_values.js";
export { AVRO_CODECS, type AvroCodec, isAvroCodec, whyNoCodec } from "./codecs.js";
export {
  BLOCK_BYTES,
  containerBlock,
  containerBytes,
  containerHeader,
  type Pack,
} from "./container_writer.js";
export { defineFileDecoder, type FileDecoderDefinition } from "./define_decoder.js";
export { BadFileError, FileChangedError, NoFilesError } from "./errors.js";
export {
  DamagedBlockError,
  type FileDecoder,
  type FileDecoderDescriptor,
  type FilePlace,
  type RecordReader,
  RejectedRecord,
  registerFileDecoder,
  type UnreadablePart,
} from "./file_decoder.js";
export { type FileEncoder, type FileEncoderName, registerFileEncoder } from "./file_encoder.js";
export type { FileFormat } from "./file_reader.js";
export type { FileInfo } from "./file_system.js";
export {
  type FilesConfig,
  FilesConnection,
  filesConnections,
  registerFilesConnection,
} from "./files_connection.js";
export { listFiles } from "./find_files.js";
export { parseGlob } from "./glob.js";
export { NewFile } from "./local_files.js";
export type { BadFiles } from "./read_config.js";
export { type ReadFromFiles, readFromFiles } from "./read_from_files.js";
export { type WriteToFiles, writeToFiles, writtenFiles } from "./write_to_files.js";
