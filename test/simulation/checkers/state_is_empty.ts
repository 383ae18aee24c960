/** When every expiry has passed, no state and no timer is left. */
import { type Checker, type CheckerFactory, isOfADoFn } from "./checker.js";

export const stateIsEmpty: CheckerFactory = (world, report): Checker => ({
  onEnd() {
    for (const [name, size] of world.run?.store.sizes() ?? []) {
      if (size > 0 && isOfADoFn(name)) report(`${size} records are left in ${name}`);
    }
  },
});
