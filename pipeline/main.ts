#!/usr/bin/env node
/** The command line. Each command loads its own code only. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { define, explainBug } from "./commands/command.js";
import {
  CHECK_SETTINGS,
  CHECKPOINTS_CHOICES,
  CHECKPOINTS_SETTINGS,
  DEAD_LETTER_CHOICES,
  DEAD_LETTER_SETTINGS,
  EXPLAIN_SETTINGS,
  EXPORT_SETTINGS,
  JOBS_CHOICES,
  JOBS_SETTINGS,
  JOINED_SETTINGS,
  LIST_CHOICES,
  RUN_DATAFLOW_LOCAL_SETTINGS,
  RUN_LOCAL_SETTINGS,
  SERVICE_CHOICES,
  STATE_CHOICES,
  STATE_COMMAND_SETTINGS,
  TOPIC_CHOICES,
  UNMATCHED_SETTINGS,
} from "./commands/command_options.js";
import { EXIT_CODES_TEXT, EXIT_FAILED, EXIT_WRONG_SETTINGS } from "./commands/exit_codes.js";
import { giveSignalsBack, sayNow } from "./commands/interrupts.js";
import { PRODUCE_SETTINGS } from "./commands/load_options.js";
import { turnOffPretenuring } from "./pretenuring.js";
import { logOutput } from "./report/standard_output.js";
import { DATAFLOW_SETTINGS } from "./settings/dataflow_settings.js";
import { FILE_SETTINGS, withEnd } from "./settings/file_settings.js";
import { checkTogether, RUN_SETTINGS, withOffsetReset } from "./settings/options.js";
import { RUNNER_SETTINGS } from "./settings/runner_options.js";

turnOffPretenuring();
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error: unknown) => {
    sayNow(explainBug(error));
    process.exit(EXIT_FAILED);
  });
}

/** `run-local` runs on the direct runner alone, from topics that it fills itself, and writes to MongoDB. */
const isOfOtherRunners = (name: string): boolean =>
  name in RUNNER_SETTINGS || name in DATAFLOW_SETTINGS || name in FILE_SETTINGS;

const program = new Command("order-payment-stream")
  .description("Joins orders and payments from Kafka and writes each pair once to MongoDB.")
  .version(version(), "--version")
  .helpOption("-h, --help", "show this help")
  .helpCommand("help [command]", "show the help of a command")
  .addHelpText(
    "after",
    "\nEach flag is an environment variable too, in capitals, and may stand in .env: see .env.example.",
  )
  .addHelpText("afterAll", EXIT_CODES_TEXT)
  .exitOverride();

define(program.command("run").description("read, join and write until stopped, or to the end"), {
  table: RUN_SETTINGS,
  examples: [
    "run",
    "run --bounded --summary=json",
    "run --state_dir=/var/lib/orders",
    "run --runner=prism",
    "run --orders=history/orders-*.avro --payments=history/payments-*.avro",
  ],
  together: checkTogether,
  action: async (read) => {
    const settings = withEnd(withOffsetReset(read.settings, read.origins));
    if (settings.runner === "dataflow") {
      return (await import("./commands/run_dataflow.js")).runOnDataflow(settings, read);
    }
    return (await import("./commands/run.js")).run(settings, read);
  },
});

define(
  program
    .command("check")
    .description("test everything that run would use, and say what works and what does not"),
  {
    table: CHECK_SETTINGS,
    together: checkTogether,
    action: async ({ settings }) => (await import("./commands/check.js")).check(settings),
  },
);

define(program.command("produce").description("send generated orders and payments to Kafka"), {
  table: PRODUCE_SETTINGS,
  examples: ["produce all --rate=500", "produce orders --count=1000 --seed=7"],
  together: checkTogether,
  choices: TOPIC_CHOICES,
  action: async ({ settings }, which) => (await import("./commands/produce.js")).produce(settings, which),
});

define(program.command("run-local").description("start what is missing, generate load and run"), {
  table: RUN_LOCAL_SETTINGS,
  examples: ["run-local", "run-local --rate=2000 --duration=1m"],
  hides: isOfOtherRunners,
  together: checkTogether,
  action: async (invocation) =>
    (await import("./commands/run_local.js")).runLocal(invocation, invocation.environment),
});

define(
  program
    .command("run-dataflow-local")
    .description("submit to a fake of Dataflow on this machine, under load"),
  {
    table: RUN_DATAFLOW_LOCAL_SETTINGS,
    together: checkTogether,
    action: async (invocation) =>
      (await import("./commands/run_dataflow_local.js")).runDataflowLocal(invocation, invocation.environment),
  },
);

define(program.command("explain").description("say why an order is or is not paired"), {
  table: EXPLAIN_SETTINGS,
  examples: [
    "explain o-4711 --page=http://127.0.0.1:4040",
    "explain o-4711 --state_dir=/var/lib/orders",
    "explain o-4711",
  ],
  together: checkTogether,
  operand: "order_id",
  action: async (read, _, orderId) => (await import("./commands/explain.js")).explain(read, orderId),
});

define(program.command("joined").alias("pairs").description("list the pairs that were written"), {
  table: JOINED_SETTINGS,
  examples: ["joined list --since=10m --json", "joined list --order_id=o-4711", "joined count"],
  choices: LIST_CHOICES,
  action: async ({ settings }, what) => (await import("./commands/list_documents.js")).joined(settings, what),
});

define(program.command("unmatched").description("list the events that found no partner in time"), {
  table: UNMATCHED_SETTINGS,
  examples: ["unmatched list --reason=UNPAID --since=1h"],
  choices: LIST_CHOICES,
  action: async ({ settings }, what) =>
    (await import("./commands/list_documents.js")).unmatched(settings, what),
});

define(
  program
    .command("dead-letters")
    .description("list, export and replay records that could not take part in the join"),
  {
    table: DEAD_LETTER_SETTINGS,
    examples: [
      "dead-letters list --reason=INVALID --since=2h",
      "dead-letters show ID",
      "dead-letters replay --reason=CONFLICT --dry_run",
      "dead-letters export --reason=INVALID > letters.jsonl",
      "dead-letters replay --file=letters.jsonl --rate=50",
    ],
    together: checkTogether,
    choices: DEAD_LETTER_CHOICES,
    operand: "id",
    action: async ({ settings }, what, id) =>
      (await import("./commands/dead_letters.js")).deadLetters(settings, what, id),
  },
);

define(program.command("export").description("write the collections to files"), {
  table: EXPORT_SETTINGS,
  together: checkTogether,
  action: async ({ settings }) =>
    (await import("./commands/export_collections.js")).exportCollections(settings),
});

define(program.command("checkpoints").description("list the checkpoints that a run can be restored from"), {
  table: CHECKPOINTS_SETTINGS,
  choices: CHECKPOINTS_CHOICES,
  action: async ({ settings }) => (await import("./commands/checkpoints.js")).listCheckpoints(settings),
});

define(
  program
    .command("state")
    .description("show the contents of a state directory, or export them as JSON lines"),
  {
    table: STATE_COMMAND_SETTINGS,
    examples: ["state inspect --state_dir=/var/lib/orders", "state export --state_dir=/var/lib/orders"],
    choices: STATE_CHOICES,
    action: async ({ settings }, what) =>
      (await import("./commands/state_commands.js")).state(settings, what),
  },
);

define(program.command("jobs").description("show, drain and cancel jobs on Google Cloud Dataflow"), {
  table: JOBS_SETTINGS,
  choices: JOBS_CHOICES,
  operand: "job",
  action: async ({ settings }, what, job) => (await import("./commands/jobs.js")).jobs(settings, what, job),
});

define(program.command("services").description("start Kafka and MongoDB in the background, or stop them"), {
  table: {},
  choices: SERVICE_CHOICES,
  action: async ({ environment }, what) =>
    (await import("./commands/services.js")).services(what, environment),
});

try {
  await program.parseAsync(withUnderscores(process.argv));
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // It has printed its message; help and version are no mistakes.
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_WRONG_SETTINGS;
}
await logOutput.flush();
giveSignalsBack();
// Sockets that linger must not keep a command alive that has ended.
process.exit();

/** Of the package, which is one folder up from the sources and two from what is built. */
function version(): string {
  for (const up of ["..", "../.."]) {
    try {
      const { version } = JSON.parse(readFileSync(new URL(`${up}/package.json`, import.meta.url), "utf8"));
      return version;
    } catch {
      // Not there.
    }
  }
  return "unknown";
}

/** Names have underscores, as Beam's have; who writes dashes means the same. */
function withUnderscores(words: readonly string[]): string[] {
  return words.map((word) =>
    word.replace(/^--[a-z0-9]+(-[a-z0-9]+)+(?==|$)/, (flag) => `--${flag.slice(2).replaceAll("-", "_")}`),
  );
}
