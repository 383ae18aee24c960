/**
 * `apache-beam` loads `serialize-closures`, which asks for `util.isPrimitive` while it loads; Node 23 removed it. It is
 * put back for that, as it was, before anything of the package is loaded. We serialize no closures.
 */
import util from "node:util";

const withRemoved = util as typeof util & { isPrimitive?: (value: unknown) => boolean };

withRemoved.isPrimitive ??= (value) =>
  value === null || (typeof value !== "object" && typeof value !== "function");
