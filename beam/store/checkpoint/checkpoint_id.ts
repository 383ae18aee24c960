/**
 * Names of checkpoints: `20261125T110000Z-9f3ac1d2`, a second and a random number. They sort as text in the order in
 * which one writer takes them, also when the clock was set back; and no two writers ever make the same, so what is
 * found under a name is one writer's.
 */
import { randomBytes } from "node:crypto";

const FORM = /^(\d{8}T\d{6}Z)-[0-9a-f]{8}$/;
const SECOND_MS = 1_000;

/** Whether a text has the form of a checkpoint id. */
export function isCheckpointId(text: string): boolean {
  return FORM.test(text);
}

/** A name that sorts behind `before`: of this second, or else of the one behind that of `before`. */
export function nextCheckpointId(nowMs: number, before: string | undefined): string {
  const [, secondBefore] = FORM.exec(before ?? "") ?? [];
  let second = textOf(nowMs);
  if (secondBefore !== undefined && second <= secondBefore) second = textOf(timeOf(secondBefore) + SECOND_MS);
  return `${second}-${randomBytes(4).toString("hex")}`;
}

function textOf(ms: number): string {
  const toSeconds = new Date(ms).toISOString().slice(0, 19);
  return `${toSeconds.replace(/[-:]/g, "")}Z`;
}

function timeOf(second: string): number {
  return Date.parse(second.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"));
}
