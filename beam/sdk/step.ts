/** Puts a named step into a graph. */
import { withName } from "../model/apache_beam.js";

/** What apache-beam says of a name that another step has; it advises what users of this library cannot import. */
const NAME_TAKEN = /^Duplicate stage name: "(.*)"/;

/**
 * Has `apply` put the step `expand` into the graph under a name.
 *
 * Throws an Error when another step beside it has that name: state, metrics and updates of a job go by the names.
 */
export function applyNamed<E, R>(name: string, expand: E, apply: (step: E) => R): R {
  try {
    return apply(withName(name, expand as any) as E);
  } catch (error) {
    const taken = NAME_TAKEN.exec((error as Error).message)?.[1];
    if (taken === undefined) throw error;
    throw new Error(
      `two steps of this graph are named "${taken}": give one of them another name, since state and metrics go by it`,
    );
  }
}
