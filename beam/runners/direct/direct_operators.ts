/** The operators that only this runner has: other runners group, and look after side inputs, by themselves. */
import { registerOperator } from "../../exec/operator.js";
import { urns } from "../../model/urns.js";
import {
  AWAIT_SIDE_INPUTS_URN,
  AwaitSideInputsOperator,
  COLLECT_SIDE_INPUT_URN,
  CollectSideInputOperator,
} from "./await_side_inputs.js";
import { GroupByKeyOperator } from "./group_by_key.js";

registerOperator(COLLECT_SIDE_INPUT_URN, (context) => new CollectSideInputOperator(context));
registerOperator(AWAIT_SIDE_INPUTS_URN, (context) => new AwaitSideInputsOperator(context));
registerOperator(urns.groupByKey, (context) => new GroupByKeyOperator(context));
