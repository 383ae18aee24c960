/** Which operator runs which URN. */
import type { runnerApi } from "../model/apache_beam.js";
import { urns } from "../model/urns.js";
import { type AnyDoFn, DoFn, SideInputDoFn, StatefulDoFn } from "../sdk/do_fn.js";
import { SplittableDoFn } from "../sdk/splittable.js";
import {
  CombineStepOperator,
  combineValues,
  convertToAccumulator,
  extractOutput,
  mergeAccumulators,
  PrecombineOperator,
} from "./combine.js";
import { doFnOf, parDoPayload } from "./do_fn_operator.js";
import { FlattenOperator, SinkOperator } from "./flatten.js";
import { doFnOperator, type OperatorContext, registerOperator } from "./operator.js";
import { ParDoOperator } from "./par_do.js";
import { SideInputParDoOperator } from "./side_input_par_do.js";
import {
  PairWithRestrictionOperator,
  ProcessSizedOperator,
  SplitAndSizeOperator,
  TruncateOperator,
} from "./splittable_par_do.js";
import { StatefulParDoOperator } from "./stateful_par_do.js";
import { WindowIntoOperator } from "./window_into.js";

registerOperator(urns.parDo, (context) => {
  const payload = parDoPayload(context.transform);
  const create = doFnOperator(payload.doFn?.urn ?? "");
  if (create !== undefined) return create(context);
  const doFn = doFnOf(payload);
  if (doFn instanceof StatefulDoFn) return new StatefulParDoOperator(doFn, context);
  if (doFn instanceof SideInputDoFn) return new SideInputParDoOperator(doFn, context);
  if (doFn instanceof DoFn) return new ParDoOperator(doFn, context);
  throw new Error(
    `${context.transform.uniqueName}: ${doFn.constructor.name} must be expanded before it runs`,
  );
});
registerOperator(urns.sdfPair, (context) => new PairWithRestrictionOperator(splittable(context), context));
registerOperator(urns.sdfSplitAndSize, (context) => new SplitAndSizeOperator(splittable(context), context));
registerOperator(urns.sdfTruncate, (context) => new TruncateOperator(splittable(context), context));
registerOperator(urns.sdfProcess, (context) => new ProcessSizedOperator(splittable(context), context));
registerOperator(urns.flatten, (context) => new FlattenOperator(context));
registerOperator(urns.reshuffle, (context) => new FlattenOperator(context));
registerOperator(urns.windowInto, (context) => new WindowIntoOperator(context));
registerOperator(urns.combineGroupedValues, (context) => new CombineStepOperator(context, combineValues));
registerOperator(urns.combinePrecombine, (context) => new PrecombineOperator(context), { emitsLast: true });
registerOperator(
  urns.combineMergeAccumulators,
  (context) => new CombineStepOperator(context, mergeAccumulators),
);
registerOperator(urns.combineExtractOutputs, (context) => new CombineStepOperator(context, extractOutput));
registerOperator(
  urns.combineConvertToAccumulators,
  (context) => new CombineStepOperator(context, convertToAccumulator),
);
registerOperator(urns.sink, (context) => new SinkOperator(context));
registerOperator(urns.source, (context) => new FlattenOperator(context));

function splittable(context: OperatorContext): SplittableDoFn<any, any, any, any, any> {
  const doFn: AnyDoFn = doFnOf(parDoPayload(context.transform as runnerApi.PTransform));
  if (doFn instanceof SplittableDoFn) return doFn;
  throw new Error(`${context.transform.uniqueName}: ${doFn.constructor.name} is not splittable`);
}
