/** The bench's command line. */
import { Command, InvalidArgumentError, Option } from "commander";
import { SUBJECTS, type Subject } from "./subjects.js";

export interface BenchOptions {
  /** About how many records. */
  readonly events: number;
  readonly runs: number;
  /** Orders per second of event time. */
  readonly eventRatePerSecond: number;
  readonly latencySeconds: number;
  readonly subjects: readonly Subject[];
  readonly profile: boolean;
}

interface Flags {
  readonly quick: boolean;
  readonly events?: number;
  readonly runs?: number;
  readonly event_rate: number;
  readonly latency_seconds?: number;
  readonly only: readonly Subject[];
  readonly profile: boolean;
}

/** Prints help or what is wrong, and ends the process, as a command does. */
export function benchOptions(args: readonly string[]): BenchOptions {
  const command = new Command("bench")
    .description("Events per second, peak memory and latency, beside what Node can do without the product")
    .option("--events <n>", "records in both topics (default: 1050000)", positiveInteger)
    .option("--runs <n>", "how often each subject is measured (default: 3)", positiveInteger)
    .option("--quick", "100,000 events, one run, 10 s of latency", false)
    .option("--event_rate <n>", "orders per second of event time; T holds 900 s of it", positiveInteger, 250)
    .option("--latency_seconds <n>", "how long latency is measured (default: 30)", positiveInteger)
    .addOption(
      new Option("--only <names>", `of ${SUBJECTS.map(({ name }) => name).join(",")}`)
        .argParser(subjectsOf)
        .default(SUBJECTS, "all"),
    )
    .option("--profile", "writes V8 CPU profiles to .local/bench/profiles (slower)", false)
    .parse([...args], { from: "user" });
  const flags = command.opts<Record<string, never>>() as unknown as Flags;
  const { quick, profile } = flags;
  return {
    events: flags.events ?? (quick ? 100_000 : 1_050_000),
    runs: flags.runs ?? (quick ? 1 : 3),
    eventRatePerSecond: flags.event_rate,
    latencySeconds: flags.latency_seconds ?? (quick ? 10 : 30),
    subjects: flags.only,
    profile,
  };
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0)
    throw new InvalidArgumentError("expected a whole number above 0");
  return value;
}

function subjectsOf(text: string): Subject[] {
  return text.split(",").map((name) => {
    const subject = SUBJECTS.find((one) => one.name === name);
    if (subject === undefined) throw new InvalidArgumentError(`there is no subject "${name}"`);
    return subject;
  });
}
