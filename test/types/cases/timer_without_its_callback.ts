import type { KV } from "../../../beam/model/kv.js";
import { type StatefulContext, StatefulDoFn } from "../../../beam/sdk/do_fn.js";
import { eventTimeTimer } from "../../../beam/sdk/timer.js";

const outputs = {};
const state = {};
const timers = { expiry: eventTimeTimer(), reminder: eventTimeTimer() };

export class OneMissing extends StatefulDoFn<string, number, typeof outputs, typeof state, typeof timers> {
  readonly outputs = outputs;
  readonly state = state;
  readonly timers = timers;
  // error: Property 'reminder' is missing in type
  readonly onTimer = { expiry: () => undefined };
  process(_element: KV<string, number>, _ctx: StatefulContext<typeof outputs, typeof state, typeof timers>): void {}
}

// error: does not implement inherited abstract member onTimer
export class AllMissing extends StatefulDoFn<string, number, typeof outputs, typeof state, typeof timers> {
  readonly outputs = outputs;
  readonly state = state;
  readonly timers = timers;
  process(_element: KV<string, number>, ctx: StatefulContext<typeof outputs, typeof state, typeof timers>): void {
    // error: Argument of type 'string' is not assignable to parameter of type 'number'
    ctx.timers.expiry.set("tomorrow");
  }
}
