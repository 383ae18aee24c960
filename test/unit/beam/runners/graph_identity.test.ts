import assert from "node:assert/strict";
import { BoolCoder } from "../../../../beam/model/coders/bool_coder.js";
import type { Coder } from "../../../../beam/model/coders/coder.js";
import { fuse } from "../../../../beam/runners/direct/fusion.js";
import {
  asReadBy,
  differencesOf,
  type GraphIdentity,
  identityOf,
} from "../../../../beam/runners/direct/graph_identity.js";
import { protoOf } from "../../../../beam/sdk/collection.js";
import { createPipeline, parDo } from "../../../../beam/sdk/graph.js";
import {
  bagState,
  type Changelog,
  changelogState,
  combiningState,
  mapState,
  multimapState,
  orderedListState,
  type StateSpec,
  valueState,
} from "../../../../beam/sdk/state.js";
import { createKeyed, ints, mean, stateful, strings } from "./small_graphs.js";

let count = 0;

function identityWith(cell: StateSpec): GraphIdentity {
  const doFn = stateful(
    `test:identity:${count++}`,
    { state: { cell }, timers: {} },
    (_element: { key: string; value: number }) => undefined,
    {},
  );
  const { pipeline, root } = createPipeline();
  parDo("Step", createKeyed(root, []), doFn);
  return identityOf(fuse(protoOf(pipeline)));
}

function sumOf<V>(coder: Coder<V>): Changelog<V, number> {
  return { coder, changeCoder: ints, create: () => assert.fail(), apply: () => undefined, sizeOf: () => 1 };
}

describe("a graph's identity", () => {
  const kinds: readonly (readonly [string, () => StateSpec])[] = [
    ["a value", () => valueState(ints)],
    ["a value of texts", () => valueState(strings)],
    ["a bag", () => bagState(ints)],
    ["a changelog", () => changelogState(sumOf(BoolCoder.INSTANCE))],
    ["a map", () => mapState(strings, ints)],
    ["an accumulator", () => combiningState(mean)],
    ["a multimap", () => multimapState(strings, ints)],
    ["a multimap of texts", () => multimapState(strings, strings)],
    ["an ordered list", () => orderedListState(ints)],
    ["an ordered list of texts", () => orderedListState(strings)],
  ];

  for (const [name, spec] of kinds) {
    it(`tells ${name} from every other cell`, () => {
      const recorded = identityWith(spec());
      for (const [otherName, other] of kinds) {
        const differences = differencesOf(recorded, identityWith(other()));
        assert.equal(differences.length, name === otherName ? 0 : 1, `${otherName}: ${differences}`);
      }
    });
  }

  it("lets a changelog go on from a value of its coder, and not the other way around", () => {
    const differences = (was: StateSpec, is: StateSpec): number => {
      const [recorded, present] = [identityWith(was), identityWith(is)];
      return differencesOf(asReadBy(present, recorded), present).length;
    };
    assert.equal(differences(valueState(ints), changelogState(sumOf(ints))), 0);
    assert.equal(differences(changelogState(sumOf(ints)), valueState(ints)), 1);
    assert.equal(differences(valueState(strings), changelogState(sumOf(ints))), 1);
  });
});
