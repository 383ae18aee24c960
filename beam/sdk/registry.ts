/**
 * URN → DoFn class. A worker finds the class of a graph's ParDo here, so each module that defines a DoFn registers it
 * when it is loaded, and a worker loads the modules of the graphs it is to run.
 */
import type { AnyDoFn, DoFnClass } from "./do_fn.js";

const classes = new Map<string, DoFnClass>();

/** Throws when another class has the same URN. */
export function registerDoFn(doFnClass: DoFnClass): void {
  const known = classes.get(doFnClass.urn);
  if (known !== undefined && known !== doFnClass) {
    throw new Error(
      `the URN ${doFnClass.urn} belongs to ${known.name}; ${doFnClass.name} needs one of its own`,
    );
  }
  classes.set(doFnClass.urn, doFnClass);
}

/** A new instance for a ParDo of a graph. Throws for a URN that nothing registered. */
export function instantiateDoFn(urn: string, configJson: Uint8Array): AnyDoFn {
  const doFnClass = classes.get(urn);
  if (doFnClass === undefined) {
    throw new Error(
      `no DoFn is registered under ${urn}: load the module that defines it before the worker starts`,
    );
  }
  return new doFnClass(JSON.parse(Buffer.from(configJson).toString("utf8")));
}

/** The URN of a DoFn instance; throws when its class was not registered. */
export function urnOf(doFn: AnyDoFn): string {
  const doFnClass = doFn.constructor as unknown as DoFnClass;
  if (classes.get(doFnClass.urn) !== doFnClass) {
    throw new Error(
      `${doFnClass.name} is not registered: give it a static urn and call registerDoFn(${doFnClass.name})`,
    );
  }
  return doFnClass.urn;
}
