/**
 * URN → class of a DoFn or CombineFn. A worker finds the classes of a graph's steps here, so each module that defines
 * one registers it when it is loaded, and a worker loads the modules of the graphs it is to run.
 */
import type { AnyCombineFn, CombineFnClass } from "./combine_fn.js";
import type { AnyDoFn, DoFnClass } from "./do_fn.js";

interface RegisteredClass<T> {
  readonly urn: string;
  readonly name: string;
  new (config: any): T;
}

class Registry<T extends object> {
  readonly #classes = new Map<string, RegisteredClass<T>>();

  constructor(
    private readonly kind: string,
    private readonly registerName: string,
  ) {}

  add(registered: RegisteredClass<T>): void {
    const known = this.#classes.get(registered.urn);
    if (known !== undefined && known !== registered) {
      throw new Error(
        `the URN ${registered.urn} belongs to ${known.name}; ${registered.name} needs one of its own`,
      );
    }
    this.#classes.set(registered.urn, registered);
  }

  has(urn: string): boolean {
    return this.#classes.has(urn);
  }

  instantiate(urn: string, configJson: Uint8Array): T {
    const found = this.#classes.get(urn);
    if (found === undefined) {
      throw new Error(
        `no ${this.kind} is registered under ${urn}: load the module that defines it before the worker starts`,
      );
    }
    return new found(JSON.parse(Buffer.from(configJson).toString("utf8")));
  }

  urnOf(instance: T): string {
    const found = instance.constructor as unknown as RegisteredClass<T>;
    if (this.#classes.get(found.urn) !== found) {
      throw new Error(
        `${found.name} is not registered: give it a static urn and call ${this.registerName}(${found.name})`,
      );
    }
    return found.urn;
  }
}

const doFns = new Registry<AnyDoFn>("DoFn", "registerDoFn");
const combineFns = new Registry<AnyCombineFn>("CombineFn", "registerCombineFn");

/** Throws when another class has the same URN. */
export function registerDoFn(doFnClass: DoFnClass): void {
  doFns.add(doFnClass);
}

/** Whether a DoFn of this URN is registered: it is one of this SDK. */
export function isRegisteredDoFn(urn: string): boolean {
  return doFns.has(urn);
}

/** A new instance for a ParDo of a graph. Throws for a URN that nothing registered. */
export function instantiateDoFn(urn: string, configJson: Uint8Array): AnyDoFn {
  return doFns.instantiate(urn, configJson);
}

/** The URN of a DoFn instance; throws when its class was not registered. */
export function urnOf(doFn: AnyDoFn): string {
  return doFns.urnOf(doFn);
}

/** Throws when another class has the same URN. */
export function registerCombineFn(combineFnClass: CombineFnClass): void {
  combineFns.add(combineFnClass);
}

/** A new instance for a combine of a graph. Throws for a URN that nothing registered. */
export function instantiateCombineFn(urn: string, configJson: Uint8Array): AnyCombineFn {
  return combineFns.instantiate(urn, configJson);
}

/** The URN of a CombineFn instance; throws when its class was not registered. */
export function combineUrnOf(combineFn: AnyCombineFn): string {
  return combineFns.urnOf(combineFn);
}
