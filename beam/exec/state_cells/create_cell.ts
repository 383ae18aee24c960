/**
 * The state cells of a stateful DoFn, bound to the key and window of the element at hand. A cell reads its bytes when
 * it is first asked, and writes back once, after the element: code that writes three times stores one value.
 */
import type { StateSpec } from "../../sdk/state.js";
import type { OperatorContext } from "../operator.js";
import { BagCell } from "./bag_cell.js";
import { ChangelogCell } from "./changelog_cell.js";
import { CombiningCell } from "./combining_cell.js";
import { MapCell } from "./map_cell.js";
import { MultimapCell } from "./multimap_cell.js";
import { OrderedListCell } from "./ordered_list_cell.js";
import type { StateCell } from "./state_cell.js";
import { ValueCell } from "./value_cell.js";

/** The cell that a StatefulDoFn declares under a name. */
export function createCell(
  name: string,
  spec: StateSpec,
  { services, transformId }: Pick<OperatorContext, "services" | "transformId">,
): StateCell {
  switch (spec.kind) {
    case "value":
      return new ValueCell(spec.coder, services.stateTable(transformId, name));
    case "bag":
      return new BagCell(spec.coder, services.stateTable(transformId, name));
    case "map":
      return new MapCell(spec.keyCoder, spec.valueCoder, services.stateTable(transformId, name));
    case "combining":
      return new CombiningCell(spec.combineFn, services.stateTable(transformId, name));
    case "multimap": {
      const table = services.multimapTable(transformId, name, spec.keyCoder);
      return new MultimapCell(spec.keyCoder, spec.valueCoder, table);
    }
    case "changelog":
      return new ChangelogCell(spec.log, services.changelogTable(transformId, name));
    case "orderedList":
      return new OrderedListCell(spec.coder, services.stateTable(transformId, name, "orderedList"));
  }
}
