/**
 * Whether a graph can take the place of a running one: the service moves state and what is under way from step to step by
 * name, as bytes. So each step of the running graph must be there under its name (or one that the mapping gives it), with
 * the same coders, the same state cells and the same timers. New steps are allowed. Source: cloud.google.com/dataflow/docs/
 * guides/updating-a-pipeline, "Job compatibility check".
 */
import { runnerApi } from "../../model/apache_beam.js";
import { urns } from "../../model/urns.js";

/** What of a step must stay: everything as readable text, for messages and for a golden file. */
export interface StepShape {
  /** Of the transform and, where it has one, of its DoFn. */
  readonly does: string;
  /** Coder trees by output. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Kind and coders by cell. */
  readonly state: Readonly<Record<string, string>>;
  /** Time domain and coder by family. */
  readonly timers: Readonly<Record<string, string>>;
  readonly restriction?: string;
}

/** By unique name, in the order of names. */
export type GraphShape = Readonly<Record<string, StepShape>>;

/** The graph cannot take the place of the one that runs. */
export class IncompatibleUpdateError extends Error {
  override readonly name = "IncompatibleUpdateError";

  constructor(readonly changes: readonly string[]) {
    super(
      `the running job cannot be updated to this graph; nothing was sent.\n${changes.map((change) => `  ${change}`).join("\n")}`,
    );
  }
}

/** Of a serialized pipeline. */
export function shapeOf(pipeline: Uint8Array): GraphShape {
  return shapeOfProto(runnerApi.Pipeline.fromBinary(pipeline));
}

/** The leaves of a graph; composites only name them. */
export function shapeOfProto({ components }: runnerApi.Pipeline): GraphShape {
  const { transforms, pcollections } = components!;
  const leaves = Object.values(transforms).filter(({ subtransforms }) => subtransforms.length === 0);
  const shapes = leaves.map((transform): readonly [string, StepShape] => {
    const { spec, outputs, uniqueName } = transform;
    const coders = Object.fromEntries(
      Object.entries(outputs).map(([name, id]) => [name, coderText(pcollections[id]!.coderId, components!)]),
    );
    if (spec?.urn !== urns.parDo) {
      return [uniqueName, { does: spec?.urn ?? "", outputs: coders, state: {}, timers: {} }];
    }
    const payload = runnerApi.ParDoPayload.fromBinary(spec.payload);
    const { restrictionCoderId } = payload;
    return [
      uniqueName,
      {
        does: payload.doFn?.urn ?? "",
        outputs: coders,
        state: mapValues(payload.stateSpecs, (cell) => stateText(cell, components!)),
        timers: mapValues(
          payload.timerFamilySpecs,
          ({ timeDomain, timerFamilyCoderId }) =>
            `${runnerApi.TimeDomain_Enum[timeDomain]} ${coderText(timerFamilyCoderId, components!)}`,
        ),
        ...(restrictionCoderId !== "" && { restriction: coderText(restrictionCoderId, components!) }),
      },
    ];
  });
  return Object.fromEntries(shapes.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Compares the graph of a running job with the one that is to take its place.
 * @throws IncompatibleUpdateError with a sentence for each change that the service would refuse
 */
export function checkCompatible(
  running: GraphShape,
  wanted: GraphShape,
  mapping: Readonly<Record<string, string>> = {},
): void {
  const changes: string[] = [];
  for (const from of Object.keys(mapping)) {
    if (isKnown(running, from)) continue;
    changes.push(`TRANSFORM_NAME_MAPPING names ${from}, which the running job does not have`);
  }
  for (const [name, step] of Object.entries(running)) {
    const mapped = mappedName(name, mapping);
    if (mapped === "") continue;
    const now = wanted[mapped];
    if (now === undefined) {
      changes.push(
        `the step ${name} is gone: name the one that replaces it in TRANSFORM_NAME_MAPPING, or give it "" to drop it with its state`,
      );
    } else {
      changes.push(...stepChanges(name === mapped ? name : `${name} (now ${mapped})`, step, now));
    }
  }
  if (changes.length > 0) throw new IncompatibleUpdateError(changes);
}

function isKnown(running: GraphShape, name: string): boolean {
  return Object.keys(running).some((step) => step === name || step.startsWith(`${name}/`));
}

/** A composite that is mapped takes its parts along. */
function mappedName(name: string, mapping: Readonly<Record<string, string>>): string {
  for (let end = name.length; end > 0; end = name.lastIndexOf("/", end - 1)) {
    const to = mapping[name.slice(0, end)];
    if (to !== undefined) return to === "" ? "" : to + name.slice(end);
  }
  return name;
}

function stepChanges(name: string, before: StepShape, now: StepShape): string[] {
  const changes: string[] = [];
  if (before.does !== now.does) {
    changes.push(`the step ${name} does something else: ${before.does} became ${now.does}`);
  }
  const compare = (what: string, old: Readonly<Record<string, string>>, wanted: typeof old): void => {
    for (const [id, text] of Object.entries(old)) {
      if (wanted[id] === undefined) changes.push(`the ${what} ${id} of the step ${name} is gone`);
      else if (wanted[id] !== text) {
        changes.push(
          `the coder of the ${what} ${id} of the step ${name} has changed: ${text} became ${wanted[id]}`,
        );
      }
    }
  };
  compare("output", before.outputs, now.outputs);
  compare("state cell", before.state, now.state);
  compare("timer family", before.timers, now.timers);
  if (before.restriction !== now.restriction) {
    changes.push(
      `the coder of the restrictions of the step ${name} has changed: ${before.restriction} became ${now.restriction}`,
    );
  }
  return changes;
}

function stateText({ spec }: runnerApi.StateSpec, components: runnerApi.Components): string {
  const text = (...ids: readonly string[]) => ids.map((id) => coderText(id, components)).join(", ");
  switch (spec.oneofKind) {
    case "readModifyWriteSpec":
      return `value of ${text(spec.readModifyWriteSpec.coderId)}`;
    case "bagSpec":
      return `bag of ${text(spec.bagSpec.elementCoderId)}`;
    case "combiningSpec":
      return `accumulator of ${text(spec.combiningSpec.accumulatorCoderId)}`;
    case "mapSpec":
      return `map of ${text(spec.mapSpec.keyCoderId, spec.mapSpec.valueCoderId)}`;
    case "orderedListSpec":
      return `ordered list of ${text(spec.orderedListSpec.elementCoderId)}`;
    case "setSpec":
      return `set of ${text(spec.setSpec.elementCoderId)}`;
    default:
      return spec.oneofKind ?? "nothing";
  }
}

/** Such as kv(string_utf8, ts:order). Ids of coders do not count: the service gives its own. */
function coderText(id: string, components: runnerApi.Components): string {
  const coder = components.coders[id];
  if (coder === undefined) return "?";
  const { urn = "", payload = new Uint8Array() } = coder.spec ?? {};
  const name = urn.replace(/^beam:coder:/, "").replace(/:v1$/, "");
  const parts = coder.componentCoderIds.map((part) => coderText(part, components));
  const config = payload.length === 0 ? "" : `[${Buffer.from(payload).toString("base64")}]`;
  return parts.length === 0 ? name + config : `${name}${config}(${parts.join(", ")})`;
}

function mapValues<T>(
  record: Readonly<Record<string, T>>,
  text: (value: T) => string,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [key, text(value)]),
  );
}
