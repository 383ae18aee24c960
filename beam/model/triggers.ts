/**
 * The triggers and window strategies that this project builds and runs. Source: beam_runner_api.proto,
 * WindowingStrategy and Trigger.
 */
import { runnerApi } from "./apache_beam.js";

/** The timestamp of a pane: its window's last instant, or the earliest or latest of its elements. */
export type OutputTime = "END_OF_WINDOW" | "EARLIEST_IN_PANE" | "LATEST_IN_PANE";

/**
 * When a group emits: at the end of its window (and for each late element), or whenever a number of elements has
 * arrived.
 */
export type Trigger =
  | { readonly kind: "default" }
  | { readonly kind: "repeated-count"; readonly count: number };

export function triggerToProto(trigger: Trigger): runnerApi.Trigger {
  if (trigger.kind === "default") return { trigger: { oneofKind: "default", default: {} } };
  const elementCount: runnerApi.Trigger = {
    trigger: { oneofKind: "elementCount", elementCount: { elementCount: trigger.count } },
  };
  return { trigger: { oneofKind: "repeat", repeat: { subtrigger: elementCount } } };
}

/** Throws, with the name of what is not supported. */
export function triggerFromProto(proto: runnerApi.Trigger | undefined): Trigger {
  const trigger = proto?.trigger;
  switch (trigger?.oneofKind) {
    case undefined:
    case "default":
      return { kind: "default" };
    case "always":
      return { kind: "repeated-count", count: 1 };
    case "repeat": {
      const inner = trigger.repeat.subtrigger?.trigger;
      if (inner?.oneofKind === "elementCount") {
        return { kind: "repeated-count", count: inner.elementCount.elementCount };
      }
      throw new Error(`trigger repeat(${inner?.oneofKind}) is not supported`);
    }
    default:
      throw new Error(`trigger ${trigger?.oneofKind} is not supported`);
  }
}

/** The trigger of what a group emits: a pane has been waited for already. */
export function continuationTrigger(trigger: Trigger): Trigger {
  return trigger.kind === "repeated-count" ? { kind: "repeated-count", count: 1 } : trigger;
}

export function outputTimeFromProto(proto: runnerApi.OutputTime_Enum): OutputTime {
  switch (proto) {
    case runnerApi.OutputTime_Enum.EARLIEST_IN_PANE:
      return "EARLIEST_IN_PANE";
    case runnerApi.OutputTime_Enum.LATEST_IN_PANE:
      return "LATEST_IN_PANE";
    default:
      return "END_OF_WINDOW";
  }
}
