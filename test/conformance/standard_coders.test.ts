/**
 * Every case of Beam's standard_coders.yaml, in both directions. A case must pass, or stand in NOT_IMPLEMENTED and
 * fail.
 */
import assert from "node:assert/strict";
import { runnerApi } from "../../beam/model/apache_beam.js";
import { ByteReader } from "../../beam/model/bytes.js";
import type { Coder, Context } from "../../beam/model/coders/coder.js";
import { decodeFromBytes, encodeToBytes } from "../../beam/model/coders/encode_to_bytes.js";
import type { ReadContinuation } from "../../beam/model/coders/iterable_coder.js";
import { ALL_STANDARD_CODER_URNS, coderFromProto } from "../../beam/model/coders/registry.js";
import { skipBecause } from "../fixtures/skip.js";
import { BEAM_VERSION, type CoderCases, type CoderSpec, loadStandardCoders } from "./standard_coders_yaml.js";
import { valueFromJson } from "./yaml_values.js";

/** URNs in the file that have no coder here, each with the reason. */
const NOT_IMPLEMENTED: Readonly<Record<string, string>> = {};

/** Examples times contexts in the file of this version; fewer would mean that cases are lost on the way. */
const CHECKS_MIN = 227;

describe(`standard coders of Beam ${BEAM_VERSION}`, () => {
  let documents: CoderCases[];

  before(async function () {
    this.timeout(180_000);
    try {
      documents = await loadStandardCoders();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      skipBecause(this, `python3 with pip could not get apache-beam ${BEAM_VERSION}: ${reason}`);
    }
  });

  it("passes every case, or lists it as not implemented", () => {
    const failures: string[] = [];
    const passed = new Map<string, number>();
    for (const { coder: spec, nested, examples } of documents) {
      for (const context of contexts(nested)) {
        for (const [bytes, json] of Object.entries(examples)) {
          const name = `${spec.urn}, ${context}: ${JSON.stringify(bytes)}`;
          const failure = failureOf(() => check(spec, context, Buffer.from(bytes, "latin1"), json));
          const isListed = spec.urn in NOT_IMPLEMENTED;
          if (failure === undefined && isListed)
            failures.push(`${name} is listed as not implemented, and passes`);
          else if (failure !== undefined && !isListed) failures.push(`${name}: ${failure}`);
          else if (failure === undefined) passed.set(spec.urn, (passed.get(spec.urn) ?? 0) + 1);
        }
      }
    }
    assert.deepEqual(failures, []);
    assert.ok([...passed.values()].reduce((sum, count) => sum + count, 0) >= CHECKS_MIN, "cases are missing");
    for (const urn of Object.keys(NOT_IMPLEMENTED)) {
      assert.ok(
        documents.some((document) => document.coder.urn === urn),
        `${urn} is not in the file`,
      );
    }
  });

  it("has cases for every standard coder but length_prefix, which has none", () => {
    const tested = new Set(documents.flatMap((document) => urnsIn(document.coder)));
    const untested = ALL_STANDARD_CODER_URNS.filter((urn) => !tested.has(urn));
    assert.deepEqual(untested, ["beam:coder:length_prefix:v1"]);
  });

  it("writes coder protos that give the same coders again", () => {
    for (const { coder: spec } of documents) {
      if (spec.urn in NOT_IMPLEMENTED) continue;
      const protos: Record<string, runnerApi.Coder> = {};
      const ids = {
        getCoderId(coder: Coder<unknown>): string {
          const proto = coder.toProto(ids);
          const id = `coder_${Object.keys(protos).length}`;
          // Through bytes, as over the wire.
          protos[id] = runnerApi.Coder.fromBinary(runnerApi.Coder.toBinary(proto));
          return id;
        },
      };
      const original = coderOf(spec);
      const id = ids.getCoderId(original);
      const { spec: proto } = protos[id]!;
      assert.equal(proto!.urn, spec.urn);
      assert.equal(Buffer.from(proto!.payload).toString("latin1"), spec.payload ?? "");
      assert.deepEqual(urnsIn(protoSpec(id, protos)), urnsIn(spec));
      assert.equal(coderFromProto(id, protos).constructor, original.constructor);
    }
  });
});

function contexts(nested: boolean | undefined): readonly Context[] {
  if (nested === undefined) return ["nested", "outer"];
  return [nested ? "nested" : "outer"];
}

function failureOf(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function check(spec: CoderSpec, context: Context, bytes: Buffer, json: unknown): void {
  const coder = coderOf(spec);
  const value = valueFromJson(spec, json);
  const decoded = decodeFromBytes(coder, bytes, context);
  assert.deepEqual(spec.state === undefined ? decoded : [...(decoded as Iterable<unknown>)], value);
  if (!spec.non_deterministic) assert.deepEqual(encodeToBytes(coder, value, context), bytes);
}

function coderOf(spec: CoderSpec): Coder<unknown> {
  const protos: Record<string, runnerApi.Coder> = {};
  const add = ({ urn, payload = "", components = [] }: CoderSpec): string => {
    const componentCoderIds = components.map(add);
    const id = `coder_${Object.keys(protos).length}`;
    protos[id] = runnerApi.Coder.create({
      spec: { urn, payload: Buffer.from(payload, "latin1") },
      componentCoderIds,
    });
    return id;
  };
  const readContinuation: ReadContinuation = <T>(token: Uint8Array, element: Coder<T>) => {
    const state = Buffer.from(spec.state?.[Buffer.from(token).toString("latin1")] ?? "", "latin1");
    const reader = new ByteReader(state);
    const values: T[] = [];
    while (reader.remaining > 0) values.push(element.decode(reader, "nested"));
    return values;
  };
  return coderFromProto(add(spec), protos, { readContinuation });
}

function protoSpec(id: string, protos: Record<string, runnerApi.Coder>): CoderSpec {
  const { spec, componentCoderIds } = protos[id]!;
  return { urn: spec!.urn, components: componentCoderIds.map((component) => protoSpec(component, protos)) };
}

function urnsIn({ urn, components = [] }: CoderSpec): readonly string[] {
  return [urn, ...components.flatMap(urnsIn)];
}
