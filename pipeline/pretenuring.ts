/** A flag of V8 for the processes that elements pass through by the million. */
import v8 from "node:v8";

/**
 * Has every object begin in the young generation. V8 otherwise notes that what some line of code made was all alive at a
 * collection, and has that line make its objects in the old generation from then on. An element's objects are all alive
 * when their bundle is being read, and gone with it: in the old generation they are garbage until a full collection, and
 * keep alive whatever young objects they refer to.
 */
export function turnOffPretenuring(): void {
  v8.setFlagsFromString("--no-allocation-site-pretenuring");
}
