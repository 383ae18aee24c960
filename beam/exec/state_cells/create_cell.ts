/**
 * The state cells of a stateful DoFn, bound to the key and window of the element at hand. A cell reads its bytes when
 * it is first asked, and writes back once, after the element: code that writes three times stores one value.
 */
import type { StateSpec } from "../../sdk/state.js";
import type { KeyedState } from "../keyed_state.js";
import { BagCell } from "./bag_cell.js";
import { ChangelogCell } from "./changelog_cell.js";
import { CombiningCell } from "./combining_cell.js";
import { MapCell } from "./map_cell.js";
import { MultimapCell } from "./multimap_cell.js";
import { OrderedListCell } from "./ordered_list_cell.js";
import type { StateCell } from "./state_cell.js";
import { ValueCell } from "./value_cell.js";

/** The cell that a StatefulDoFn declares under a name. */
export function createCell(name: string, spec: StateSpec, states: KeyedState): StateCell {
  switch (spec.kind) {
    case "value":
      return new ValueCell(spec.coder, states.cell(name));
    case "bag":
      return new BagCell(spec.coder, states.cell(name));
    case "map":
      return new MapCell(spec.keyCoder, spec.valueCoder, states.cell(name));
    case "combining":
      return new CombiningCell(spec.combineFn, states.cell(name));
    case "multimap":
      return new MultimapCell(spec.keyCoder, spec.valueCoder, states.multimap(name, spec.keyCoder));
    case "changelog":
      return new ChangelogCell(spec.log, states.cell(name), states.wholeBelowBytes);
    case "orderedList":
      return new OrderedListCell(spec.coder, states.cell(name, "orderedList"));
  }
}
