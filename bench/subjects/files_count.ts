/** The product from Avro files to a sink that counts, with state in memory. */
import { MemoryStore } from "../../beam/store/memory_store.js";
import { registerFilesConnection } from "../../connectors/files/files_connection.js";
import { FILES_CONNECTION } from "../../pipeline/graph.js";
import { runSubject, type SubjectInput } from "../subject.js";
import { runGraph } from "./counting.js";

export interface FilesInput extends SubjectInput {
  /** With the folders orders and payments. */
  readonly folder: string;
}

await runSubject((input) => {
  const { folder } = input as FilesInput;
  registerFilesConnection(FILES_CONNECTION);
  return runGraph(input, new MemoryStore(), {
    orderFiles: `${folder}/orders/*.avro`,
    paymentFiles: `${folder}/payments/*.avro`,
  });
});
