/** `dead-letters`: what could not take part in the join, for a person to read, to mend and to send again. */

import { systemClock } from "@order-payment-stream/beam/io";
import { connectMongo } from "@order-payment-stream/mongodb";
import type { Collection } from "mongodb";
import { CLIENT_ID, kafkaConfig } from "../connections.js";
import { letterLine, readLetterLines } from "../dead_letters/letter_lines.js";
import { deadLetterText, wholeLetterText } from "../dead_letters/letter_text.js";
import {
  findLetters,
  type LetterDocument,
  type LetterFilter,
  letterView,
  mongoFilter,
  type Topics,
} from "../dead_letters/letters.js";
import { type ReplayContext, type ReplayResult, replay } from "../dead_letters/replay.js";
import { createLog, type Log } from "../report/log.js";
import { print } from "../report/standard_output.js";
import { formatCount } from "../report/summary.js";
import { Terminal } from "../report/terminal.js";
import type { SettingsOf } from "../settings/setting.js";
import { CommandError } from "./command.js";
import type { DEAD_LETTER_CHOICES, DEAD_LETTER_SETTINGS } from "./command_options.js";
import { EXIT_WRONG_SETTINGS } from "./exit_codes.js";
import { watchInterrupts } from "./interrupts.js";
import { connectBriefly } from "./preflight.js";

export type DeadLetterSettings = SettingsOf<typeof DEAD_LETTER_SETTINGS>;
type Letters = Collection<LetterDocument>;

const LISTED = 20;
const REPLAYED_MAX = 1_000;

/**
 * Resolves with the exit code.
 * @param named behind `show`: the _id of a letter
 */
export async function deadLetters(
  given: DeadLetterSettings,
  what: (typeof DEAD_LETTER_CHOICES)[number],
  named?: string,
): Promise<number> {
  const settings = named === undefined ? given : { ...given, id: [named] };
  if (what === "show" && settings.id === undefined) {
    throw new CommandError(
      "no dead letter is named: expected its _id, as `dead-letters list --json` shows it",
      {
        exitCode: EXIT_WRONG_SETTINGS,
      },
    );
  }
  const client = await connectMongo(settings.mongodb_uri, { appName: CLIENT_ID });
  try {
    const letters = client
      .db(settings.mongodb_database)
      .collection<LetterDocument>(settings.mongodb_dead_letter_collection);
    switch (what) {
      case "list":
      case "show":
        await list(letters, settings, what === "show");
        break;
      case "count":
        await count(letters, settings);
        break;
      case "export":
        for await (const letter of findLetters(letters, filterOf(settings), settings.limit ?? 0)) {
          await print(letterLine(letter));
        }
        break;
      case "replay":
        await replayAll(letters, settings);
    }
  } finally {
    await client.close();
  }
  return 0;
}

function filterOf({ reason, since, until, topic, key, id }: DeadLetterSettings): LetterFilter {
  return { reason, sinceMs: since, untilMs: until, topic, key, ids: id };
}

const topicsOf = (settings: DeadLetterSettings): Topics => ({
  orders: settings.kafka_order_topic,
  payments: settings.kafka_payment_topic,
});

async function list(letters: Letters, settings: DeadLetterSettings, areWhole: boolean): Promise<void> {
  let isEmpty = true;
  const topics = topicsOf(settings);
  for await (const letter of findLetters(letters, filterOf(settings), settings.limit ?? LISTED)) {
    isEmpty = false;
    if (settings.json) await print(JSON.stringify(letterView(letter, topics)));
    else await print(areWhole ? wholeLetterText(letter, topics) : deadLetterText(letter));
  }
  if (isEmpty && !settings.json) await print("no dead letters");
}

async function count(letters: Letters, settings: DeadLetterSettings): Promise<void> {
  const groups = await letters
    .aggregate<{ _id: string; count: number }>([
      { $match: mongoFilter(filterOf(settings)) },
      { $group: { _id: "$reason", count: { $sum: 1 } } },
    ])
    .toArray();
  const rows = groups.map(({ _id, count }): [string, number] => [_id, count]);
  rows.sort(([, a], [, b]) => b - a);
  rows.push(["total", rows.reduce((sum, [, n]) => sum + n, 0)]);
  if (settings.json) await print(JSON.stringify(Object.fromEntries(rows)));
  else await print(rows.map(([name, n]) => `${name.padEnd(18)}${formatCount(n).padStart(12)}`).join("\n"));
}

async function replayAll(letters: Letters, settings: DeadLetterSettings): Promise<void> {
  const terminal = new Terminal();
  const log = createLog(settings.log_level, terminal);
  const { signal, dispose } = watchInterrupts();
  const edits = settings.file === undefined ? undefined : readLetterLines(settings.file);
  const filter = filterOf(settings);
  try {
    const result = await replay(
      {
        // Those that were edited, and no others.
        filter: edits === undefined ? filter : { ...filter, ids: [...edits.keys()] },
        ...(edits !== undefined && { edits }),
        toTopic: settings.to_topic,
        limit: settings.limit ?? Math.max(REPLAYED_MAX, edits?.size ?? 0),
        ratePerSecond: settings.rate,
        isDryRun: settings.dry_run,
        isAnyway: settings.anyway,
        isAgain: settings.again,
      },
      {
        ...contextOf(letters, settings, log),
        signal,
        onProgress: (sent) => terminal.show([`  sent ${formatCount(sent)}`]),
      },
    );
    terminal.keep();
    await print(settings.json ? JSON.stringify(result) : replayText(result));
  } finally {
    dispose();
  }
}

function contextOf(letters: Letters, settings: DeadLetterSettings, log: Log): ReplayContext {
  const { kafka_bootstrap: brokers } = settings;
  return {
    collection: letters,
    kafka: { ...kafkaConfig(settings, log), brokers: [...brokers] } as ReplayContext["kafka"],
    client: () => connectBriefly(settings, log),
    topics: topicsOf(settings),
    timeoutMs: settings.state_timeout_minutes,
    // How far a run that is caught up has come, at least.
    eventTimeMs: systemClock.now() - settings.max_out_of_orderness,
    maxAheadOfClockMs: settings.max_ahead_of_clock,
    needsRegistry: settings.schema_registry_url !== undefined,
  };
}

/** What came of a replay. */
export function replayText({ found, sent, alreadySent, leftOut, isDryRun, examples }: ReplayResult): string {
  const lines = [
    `${formatCount(found)} found, ${formatCount(sent)} ${isDryRun ? "would be sent; nothing was" : "sent"}`,
  ];
  if (alreadySent > 0)
    lines.push(`${formatCount(alreadySent)} had already been sent by an interrupted replay`);
  for (const [why, count] of Object.entries(leftOut)) lines.push(`${formatCount(count)} skipped: ${why}`);
  return [...lines, ...examples.map((example) => `  ${example}`)].join("\n");
}
