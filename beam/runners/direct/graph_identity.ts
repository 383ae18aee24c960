/**
 * Whose state a store holds: the stages, state cells, timers and coders of the graph that wrote it. A graph may go on
 * from it if everything that can hold something is still there and still means the same. Counters, options and new
 * steps may come and go.
 */
import { parDoPayload } from "../../exec/do_fn_operator.js";
import { timedCellOf } from "../../exec/timed_cell.js";
import { runnerApi } from "../../model/apache_beam.js";
import { ByteReader, ByteWriter } from "../../model/bytes.js";
import { oldestReadable } from "../../model/coders/registry.js";
import { urns } from "../../model/urns.js";
import { CHANGELOG_URN } from "../../sdk/state_proto.js";
import type { Store } from "../../store/store.js";
import { stateTableName, timedStateTableName, timerTableName } from "../../stored_state/table_names.js";
import type { FusedPipeline, FusedStage } from "./fusion.js";
import { IDENTITY_TABLE } from "./table_names.js";

/** By a name for a person, what it is: a coder, a time domain, the configuration of a read. */
export type GraphIdentity = Readonly<Record<string, string>>;

/** The state belongs to another graph: the message says how they differ. Nothing was changed. */
export class IncompatibleGraphError extends Error {
  override readonly name = "IncompatibleGraphError";

  constructor(differences: readonly string[]) {
    super(
      `the state belongs to another pipeline: ${differences[0]}${more(differences.length - 1)}. ` +
        "Run the pipeline that wrote it, or start with an empty directory",
    );
  }
}

const KEY = "graph";
const A_VALUE = "a value, ";
const A_BAG = "a bag, ";

/** The graph recorded in a store; undefined if there is none. */
export function recordedIdentity(store: Pick<Store, "table">): GraphIdentity | undefined {
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
  if (recorded !== undefined) {
    const differences = differencesOf(asReadBy(identity, recorded), identity);
    if (differences.length > 0) throw new IncompatibleGraphError(differences);
  }
  return {
    save: () => {
      const value = new ByteWriter();
      value.writeUtf8(JSON.stringify(identity));
      store.table(IDENTITY_TABLE).put(identityKey(), value);
    },
  };
}

/** The topic that a step read; undefined when none is recorded. */
export function recordedTopic(store: Pick<Store, "table">, step: string): string | undefined {
  const source = recordedIdentity(store)?.[`source ${step}/process`];
  return source === undefined ? undefined : /, topic (.*)$/.exec(source)?.[1];
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
  const timed = timedCellOf(
    Object.entries(stateSpecs).map(([name, { spec }]) => ({
      name,
      isMultimap: spec.oneofKind === "mapSpec",
    })),
    Object.entries(timerFamilySpecs).map(([name, { timeDomain }]) => ({
      name,
      isEventTime: timeDomain === runnerApi.TimeDomain_Enum.EVENT_TIME,
    })),
  );
  for (const [cell, { spec }] of Object.entries(stateSpecs)) {
    const isTimed = cell === timed?.cell;
    const table = isTimed ? timedStateTableName(name, timed) : stateTableName(name, cell);
    identity[table] = stateSignature(spec, components);
  }
  for (const [family, { timeDomain, timerFamilyCoderId }] of Object.entries(timerFamilySpecs)) {
    const domain = runnerApi.TimeDomain_Enum[timeDomain];
    identity[timerTableName(name, family)] = `${domain}, ${coderSignature(timerFamilyCoderId, components)}`;
  }
}

function stateSignature(spec: runnerApi.StateSpec["spec"], components: runnerApi.Components): string {
  switch (spec.oneofKind) {
    case "readModifyWriteSpec":
      return `${A_VALUE}${coderSignature(spec.readModifyWriteSpec.coderId, components)}`;
    case "bagSpec":
      return `${A_BAG}${coderSignature(spec.bagSpec.elementCoderId, components)}`;
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

/** A source with another topic has read something else. */
function sourceSignature({ urn, payload }: runnerApi.FunctionSpec): string {
  const { topic } = (JSON.parse(Buffer.from(payload).toString("utf8")) ?? {}) as { topic?: string };
  return topic === undefined ? urn : `${urn}, topic ${topic}`;
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

/**
 * The recorded graph, with changelogs for the values that this graph's changelogs read: each begins with its whole
 * value, so it goes on from what a value state of that coder has written.
 */
export function asReadBy(present: GraphIdentity, recorded: GraphIdentity): GraphIdentity {
  const read = Object.entries(recorded).map(([name, was]) => {
    const is = present[name];
    const isChangelog =
      was.startsWith(A_VALUE) && is?.startsWith(`${A_BAG}${CHANGELOG_URN}(${was.slice(A_VALUE.length)},`);
    return [name, isChangelog ? is! : was];
  });
  return Object.fromEntries(read);
}

function more(count: number): string {
  if (count <= 0) return "";
  return count === 1 ? ", and 1 more difference" : `, and ${count} more differences`;
}
