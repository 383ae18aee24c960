// Inside the library: state is had by entering a key, and by nothing else.
import type { KeyedState } from "../../../beam/exec/keyed_state.js";
import { createCell } from "../../../beam/exec/state_cells/create_cell.js";
import { ByteReader, ByteWriter } from "../../../beam/model/bytes.js";
import { VarintCoder } from "../../../beam/model/coders/varint_coder.js";
import { valueState } from "../../../beam/sdk/state.js";

declare const states: KeyedState;
const key = new ByteWriter();
const count = states.cell("count");
const cell = createCell("count", valueState(VarintCoder.INSTANCE), states);

states.mustEnter(key).get(count, new ByteReader());
cell.bind(states.mustEnter(key));

// error: Property 'get' does not exist
states.get(count, new ByteReader());
// error: is missing the following properties from type 'StateOfKey'
cell.bind(key);
// error: 'StateOfKey | undefined' is not assignable
cell.bind(states.enter(key));
