/**
 * Whose state a store holds: the stages, state cells, timers and coders of the graph that wrote it. A graph may go on
 * from it if everything that can hold something is still there and still means the same. Counters, options and new
 * steps may come and go.
 */
import { parDoPayload } from "../../exec/do_fn_operator.js";
import { runnerApi } from "../../model/apache_beam.js";
import { ByteReader, ByteWriter } from "../../model/bytes.js";
import { oldestReadable } from "../../model/coders/registry.js";
import { urns } from "../../model/urns.js";
import type { Store } from "../../store/store.js";
import type { FusedPipeline, FusedStage } from "./fusion.js";
import { IDENTITY_TABLE, stateTableName, timerTableName } from "./table_names.js";

/** By a name for a person, what it is: a coder, a time domain, the configuration of a read. */
export type GraphIdentity = Readonly<Record<string, string>>;

/** The state belongs to another graph. Says in what they differ. */
export class IncompatibleGraphError extends Error {
  override readonly name = "IncompatibleGraphError";

  constructor(differences: readonly string[]) {
    super(
      `the state belongs to another pipeline: ${differences.join("; ")}. ` +
        "Run the pipeline that wrote it, or begin anew with an empty directory",
    );
  }
}

const KEY = "graph";

/** The graph recorded in a store; undefined: none is. */
export function recordedIdentity(store: Store): GraphIdentity | undefined {
  const value = new ByteReader();
  if (!store.table(IDENTITY_TABLE).get(identityKey(), value)) return undefined;
  return JSON.parse(value.readUtf8(value.remaining));
}

/**
 * Checks that the graph can go on from what the store holds. Returns what records it, to be called within a commit.
 * @throws IncompatibleGraphError
 */
export function resumeGraph(pipeline: FusedPipeline, store: Store): { save(): void } {
  const identity = identityOf(pipeline);
  const recorded = recordedIdentity(store);
  const differences = recorded === undefined ? [] : differencesOf(recorded, identity);
  if (differences.length > 0) throw new IncompatibleGraphError(differences);
  return {
    save: () => {
      const value = new ByteWriter();
      value.writeUtf8(JSON.stringify(identity));
      store.table(IDENTITY_TABLE).put(identityKey(), value);
    },
  };
}

/** What of the recorded graph is missing in this one, or not the same. */
export function differencesOf(recorded: GraphIdentity, present: GraphIdentity): string[] {
  return Object.entries(recorded).flatMap(([name, was]) => {
    const is = present[name];
    if (is === was || (is !== undefined && canRead(is, was))) return [];
    return [is === undefined ? `${name} is gone` : `${name} was ${was} and is ${is}`];
  });
}

/** Whether the coders of a later release read what those of an earlier one wrote. */
function canRead(is: string, was: string): boolean {
  return oldestReadable(is) === oldestReadable(was);
}

export function identityOf({ stages, components }: FusedPipeline): GraphIdentity {
  const identity: Record<string, string> = {};
  for (const stage of stages) {
    stage.inputs.forEach((collection, index) => {
      const { coderId } = components.pcollections[collection]!;
      identity[`input ${index} of ${stage.name}`] = coderSignature(coderId, components);
    });
    for (const id of stage.transforms) addTransform(identity, components.transforms[id]!, stage, components);
  }
  return identity;
}

function addTransform(
  identity: Record<string, string>,
  transform: runnerApi.PTransform,
  stage: FusedStage,
  components: runnerApi.Components,
): void {
  const { urn } = transform.spec!;
  const name = transform.uniqueName;
  if (urn !== urns.parDo && urn !== urns.sdfProcess) return;
  const { stateSpecs, timerFamilySpecs, doFn } = parDoPayload(transform);
  if (stage.kind === "splittable" && urn === urns.sdfProcess) {
    identity[`source ${name}`] = sourceSignature(doFn!);
  }
  for (const [cell, { spec }] of Object.entries(stateSpecs)) {
    identity[stateTableName(name, cell)] = stateSignature(spec, components);
  }
  for (const [family, { timeDomain, timerFamilyCoderId }] of Object.entries(timerFamilySpecs)) {
    const domain = runnerApi.TimeDomain_Enum[timeDomain];
    identity[timerTableName(name, family)] = `${domain}, ${coderSignature(timerFamilyCoderId, components)}`;
  }
}

function stateSignature(spec: runnerApi.StateSpec["spec"], components: runnerApi.Components): string {
  switch (spec.oneofKind) {
    case "readModifyWriteSpec":
      return `a value, ${coderSignature(spec.readModifyWriteSpec.coderId, components)}`;
    case "bagSpec":
      return `a bag, ${coderSignature(spec.bagSpec.elementCoderId, components)}`;
    case "combiningSpec": {
      const { accumulatorCoderId, combineFn } = spec.combiningSpec;
      return `an accumulator of ${combineFn!.urn}, ${coderSignature(accumulatorCoderId, components)}`;
    }
    case "mapSpec": {
      const coders = [spec.mapSpec.keyCoderId, spec.mapSpec.valueCoderId].map((id) =>
        coderSignature(id, components),
      );
      return `a multimap, ${coders.join(" to ")}`;
    }
    case "orderedListSpec":
      return `an ordered list, ${coderSignature(spec.orderedListSpec.elementCoderId, components)}`;
    default:
      return String(spec.oneofKind);
  }
}

/** A source with another topic, or one that ends where the other goes on, has read something else. */
function sourceSignature({ urn, payload }: runnerApi.FunctionSpec): string {
  const { topic, isBounded } = (JSON.parse(Buffer.from(payload).toString("utf8")) ?? {}) as {
    topic?: string;
    isBounded?: boolean;
  };
  const parts = [urn];
  if (topic !== undefined) parts.push(`topic ${topic}`);
  if (isBounded !== undefined) parts.push(isBounded ? "bounded" : "unbounded");
  return parts.join(", ");
}

/** The coder and its components, by their URNs. */
function coderSignature(coderId: string, components: runnerApi.Components): string {
  const { spec, componentCoderIds } = components.coders[coderId]!;
  const payload = spec!.payload.length === 0 ? "" : `:${Buffer.from(spec!.payload).toString("base64")}`;
  const parts = componentCoderIds.map((id) => coderSignature(id, components));
  return `${spec!.urn}${payload}${parts.length === 0 ? "" : `(${parts.join(",")})`}`;
}

function identityKey(): ByteWriter {
  const key = new ByteWriter(16);
  key.writeUtf8(KEY);
  return key;
}
