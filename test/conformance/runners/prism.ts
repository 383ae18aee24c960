/** Prism, with a test stream. */
import { startPrism } from "../../../services/index.js";
import type { PortableRecipe } from "./portable.js";

/** With `go install`, where there is no Prism. */
export const PRISM_START_UP_MS = 10 * 60_000;

export const PRISM: PortableRecipe = {
  name: "prism",
  hasTestStream: true,
  takesStreams: true,
  stepPauseMs: 100,
  deadlineMs: 20_000,
  launch: () => startPrism(),
};
