import assert from "node:assert/strict";
import type { runnerApi } from "../../../../../beam/model/apache_beam.js";
import type { Coder } from "../../../../../beam/model/coders/coder.js";
import { coderProto } from "../../../../../beam/model/coders/coder_proto.js";
import { DoubleCoder } from "../../../../../beam/model/coders/double_coder.js";
import { KVCoder } from "../../../../../beam/model/coders/kv_coder.js";
import {
  ALL_STANDARD_CODER_URNS,
  coderFromProto,
  ProtoCoders,
  registerCoder,
  UnknownCoderError,
} from "../../../../../beam/model/coders/registry.js";
import { StringUtf8Coder } from "../../../../../beam/model/coders/string_utf8_coder.js";
import { CoderUrn } from "../../../../../beam/model/coders/urns.js";
import { VarintCoder } from "../../../../../beam/model/coders/varint_coder.js";
import { EVERY_CODER } from "./every_coder.js";

const ids = { getCoderId: () => "" };
const proto = (urn: string, componentCoderIds: string[] = [], payload = new Uint8Array(0)) => ({
  spec: { urn, payload },
  componentCoderIds,
});

/** Protos of a coder and its components, as the pipeline holds them. */
function protosOf(coder: Coder<unknown>) {
  const coders: Record<string, runnerApi.Coder> = {};
  const collect = {
    getCoderId(component: Coder<unknown>): string {
      const made = component.toProto(collect);
      const id = `c${Object.keys(coders).length}`;
      coders[id] = made;
      return id;
    },
  };
  return { id: collect.getCoderId(coder), coders };
}

describe("the coder registry", () => {
  for (const { name, coder } of EVERY_CODER) {
    it(`makes the ${name} coder from its proto`, () => {
      const { id, coders } = protosOf(coder);
      const made = coderFromProto(id, coders);
      assert.equal(made.constructor, coder.constructor);
      assert.equal(made.isDeterministic, coder.isDeterministic);
      assert.deepEqual(protosOf(made), { id, coders });
    });
  }

  it("knows every standard URN", () => {
    assert.deepEqual([...ALL_STANDARD_CODER_URNS].sort(), Object.values(CoderUrn).sort());
  });

  it("makes each coder of one pipeline once", () => {
    const coders = new ProtoCoders({
      text: proto(CoderUrn.STRING_UTF8),
      pair: proto(CoderUrn.KV, ["text", "text"]),
    });
    const pair = coders.get("pair") as KVCoder<string, string>;
    assert.equal(coders.get("pair"), pair);
    assert.equal(pair.key, coders.get("text"));
  });

  it("names the coder and the URN that it cannot make", () => {
    const coders = {
      unknown: proto("beam:coder:of_somebody_else:v1"),
      pair: proto(CoderUrn.KV, ["unknown", "unknown"]),
      lonely: proto(CoderUrn.KV, []),
      row: proto(CoderUrn.ROW, [], Uint8Array.of(255)),
      param: proto(CoderUrn.PARAM_WINDOWED_VALUE, ["text", "window"]),
      text: proto(CoderUrn.STRING_UTF8),
      window: proto(CoderUrn.GLOBAL_WINDOW),
      ring: proto(CoderUrn.NULLABLE, ["ring"]),
    };
    const cases: [string, RegExp][] = [
      ["unknown", /"unknown" has the unknown URN "beam:coder:of_somebody_else:v1"/],
      ["pair", /"unknown" has the unknown URN "beam:coder:of_somebody_else:v1"/],
      ["lonely", /"lonely" \(beam:coder:kv:v1\) cannot be made: 0 components instead of 2/],
      ["row", /"row" \(beam:coder:row:v1\) cannot be made: .*no Schema/],
      ["param", /"param" \(beam:coder:param_windowed_value:v1\) cannot be made/],
      ["ring", /"ring" is a component of itself/],
      ["absent", /no coder "absent"/],
      ["constructor", /no coder "constructor"/],
    ];
    for (const [id, message] of cases) {
      assert.throws(
        () => coderFromProto(id, coders),
        (error) => error instanceof UnknownCoderError && message.test(error.message),
        id,
      );
    }
  });

  it("takes coders of a project, under URNs of their own", () => {
    const urn = "beam:coder:registry_test:v1";
    const factory = (payload: Uint8Array, [component]: readonly Coder<any>[]) => {
      assert.deepEqual([...payload], [1, 2]);
      return component!;
    };
    registerCoder(urn, factory);
    registerCoder(urn, factory);
    const coders = { own: proto(urn, ["text"], Uint8Array.of(1, 2)), text: proto(CoderUrn.STRING_UTF8) };
    assert.equal(coderFromProto("own", coders), StringUtf8Coder.INSTANCE);
    assert.throws(() => registerCoder(urn, () => VarintCoder.INSTANCE), /registered already/);
    assert.throws(() => registerCoder(CoderUrn.VARINT, factory), /standard coder/);
  });

  it("makes protos as plain objects, with an empty payload where there is none", () => {
    assert.deepEqual(coderProto(CoderUrn.BYTES, ids), proto(CoderUrn.BYTES));
  });

  it("makes composites deterministic only when all their parts are", () => {
    const [text, double] = [StringUtf8Coder.INSTANCE, DoubleCoder.INSTANCE];
    assert.equal(new KVCoder(text, text).isDeterministic, true);
    assert.equal(new KVCoder(text, double).isDeterministic, false);
    assert.equal(new KVCoder(double, text).isDeterministic, false);
  });
});
