/** The content of `.env.example`, from the settings themselves; a test holds the file to it. */
import { SETTINGS_BY_SUBJECT } from "./options.js";
import { type Setting, variableOf } from "./setting.js";

const WIDTH = 110;

const HEADER = `# Every setting, with its default. Copy this file to .env and change what you need; the program reads .env in the
# folder that it is started in. The environment comes before it, and flags before both:
# KAFKA_GROUP_ID=x is --kafka_group_id=x.
# Addresses are commented out because \`make run-local\` starts a Kafka and a MongoDB where none is named.`;

/** Defaults that would stand in the way: naming an address keeps run-local from starting one. */
const COMMENTED_OUT: ReadonlySet<string> = new Set([
  "kafka_bootstrap",
  "mongodb_uri",
  // Other commands have other defaults for these.
  "kafka_start",
  "state_timeout_minutes",
  "max_out_of_orderness",
]);

export function envExample(): string {
  const subjects = [...SETTINGS_BY_SUBJECT].map(([subject, table]) => {
    const entries: readonly [string, Setting][] = Object.entries(table);
    const settings = entries
      .filter(([, { isFlagOnly }]) => !isFlagOnly)
      .map(([name, setting]) => settingLines(name, setting));
    return [`# ${subject} ${"─".repeat(WIDTH - subject.length - 3)}`, ...settings].join("\n\n");
  });
  return `${[HEADER, ...subjects].join("\n\n")}\n`;
}

function settingLines(name: string, setting: Setting): string {
  const isCommentedOut = setting.default === undefined || COMMENTED_OUT.has(name);
  const assignment = `${isCommentedOut ? "#" : ""}${variableOf(name)}=${setting.default ?? ""}`;
  return `${wrapped(setting.description)}\n${assignment}`;
}

function wrapped(text: string): string {
  const lines: string[] = [];
  let line = "#";
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = "#";
    }
    line += ` ${word}`;
  }
  return [...lines, line].join("\n");
}
