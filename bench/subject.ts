/**
 * What is between the bench and the programs it measures: each subject is a process of its own that gets one JSON
 * argument and prints one JSON line. A process of its own, because peak memory is a property of a process and because
 * no subject may profit from code that another has warmed up.
 */

export interface SubjectInput {
  readonly brokers: readonly string[];
  readonly topics: { readonly orders: string; readonly payments: string };
  /** Of each topic. */
  readonly partitions: number;
  /** Records in each topic; a subject ends when it has read them all. */
  readonly expected: { readonly orders: number; readonly payments: number };
  /** T of the join. */
  readonly timeoutMs: number;
  /** D of the watermark. */
  readonly outOfOrdernessMs: number;
  readonly mongodbUri: string;
  /** Empty or absent when the subject starts. */
  readonly database: string;
  /** How long the latency subject generates load after its warm-up. */
  readonly latencySeconds: number;
  /** State directory whose log holds what the pipeline did to its store; see record_changes.ts. */
  readonly changes: string;
}

/** Where the events went; two subjects that join the same records must agree on all of it. */
export interface JoinCounts {
  /** Documents, not events: an order with two payments makes two. */
  readonly pairs: number;
  readonly unmatched: number;
  readonly duplicates: number;
  readonly deadLetters: number;
}

/** Milliseconds from the call that sends a payment to its document being found. */
export interface LatencyFigures {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly samples: number;
  /** Payments whose document did not show up in time. */
  readonly missing: number;
}

export interface Measurement {
  /** What was processed: records read, documents inserted, or changes committed. */
  readonly events: number;
  readonly seconds: number;
  readonly counts?: JoinCounts;
  readonly latencyMs?: LatencyFigures;
  /** Of a process that the subject started to do the work, in place of its own. */
  readonly peakRssBytes?: number;
}

export interface SubjectResult extends Measurement {
  readonly peakRssBytes: number;
  /** Of all its threads, without loading the program: what a busy machine falsifies least. */
  readonly cpuSeconds: number;
}

/** Peak of this process so far. */
export function peakRssBytes(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** The whole life of a subject's process. */
export async function runSubject(measure: (input: SubjectInput) => Promise<Measurement>): Promise<void> {
  const argument = process.argv[2];
  if (argument === undefined)
    throw new Error("a subject is started by bench/main.ts, with its input as JSON");
  const before = process.cpuUsage();
  const measurement = await measure(JSON.parse(argument) as SubjectInput);
  const { user, system } = process.cpuUsage(before);
  const cpuSeconds = (user + system) / 1e6;
  const result: SubjectResult = { peakRssBytes: peakRssBytes(), cpuSeconds, ...measurement };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
