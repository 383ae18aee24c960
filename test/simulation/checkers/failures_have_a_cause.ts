/** A process fails only for what really went wrong, and says what it was. */
import { OpenTransactionError } from "../../../connectors/kafka/client/kafka_errors.js";
import { PositionRefusedError } from "../../../connectors/kafka/position_lost.js";
import { type Fault, logChanges, type Scenario } from "../scenario.js";
import type { Checker, CheckerFactory } from "./checker.js";

/** What an error may say, and the faults of which one must then be in the scenario. */
const CAUSES: readonly (readonly [RegExp, readonly Fault["kind"][]])[] = [
  [/^MongoUnavailableError/, ["mongodb down", "mongodb frozen", "mongodb noise", "suspended"]],
  [/^MongoConfigurationError/, ["mongodb noise"]],
  [
    /^Kafka(Unreachable|Request)Error/,
    [
      "broker down",
      "broker frozen",
      "kafka noise",
      "leader moves",
      "suspended",
      "log cut",
      "log restored",
      "topic made again",
      "another cluster",
    ],
  ],
  [/^TopicNotFoundError/, ["topic made again", "another cluster"]],
  [/\bENOSPC\b/, ["disk full"]],
  [/\bEIO\b/, ["disk noise"]],
];

export const failuresHaveACause: CheckerFactory = (world, report): Checker => ({
  onFailure(error) {
    const text = describe(error);
    if (error instanceof PositionRefusedError && world.offsetReset === "none") {
      if (logChanges(world.scenario).length === 0) report(`no log has changed, but: ${text}`);
      return;
    }
    if (error instanceof OpenTransactionError && mayTryPatience(world.scenario)) return;
    const possible = CAUSES.filter(([pattern]) => pattern.test(text)).flatMap(([, kinds]) => kinds);
    if (!world.scenario.faults.some(({ kind }) => possible.includes(kind))) {
      report(error instanceof Error ? (error.stack ?? text) : text);
    }
  },
});

/** A read that has an end waits for open transactions, but not for ever. */
function mayTryPatience({ mode, arrivals, faults, kafka, earlierRuns = [] }: Scenario): boolean {
  if (![mode, ...earlierRuns.map((run) => run.mode)].includes("bounded")) return false;
  const longestMs = Math.max(0, ...arrivals.map(({ transaction }) => transaction?.lastsMs ?? 0));
  return longestMs > kafka.retryMaxMs || (longestMs > 0 && faults.some(({ kind }) => kind === "suspended"));
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : ` (${describe(error.cause)})`;
  return `${error.name}: ${error.message}${cause}`;
}
