/**
 * What all commands of the program share: flags from a settings table, one clear message for whatever goes wrong, and
 * its exit code.
 */
import { type Command, Option } from "commander";
import { EXIT_FAILED, EXIT_WRONG_SETTINGS } from "./exit_codes.js";
import { InterruptedError } from "./interrupts.js";
import {
  type CombinationCheck,
  type ReadSettings,
  readEnvFile,
  readSettings,
  SettingsError,
} from "./read_settings.js";
import type { SettingsTable } from "./setting.js";
import { logOutput, OutputClosedError } from "./standard_output.js";

/** Ends a command with one message, without a stack: an outage, a missing topic, … */
export class CommandError extends Error {
  override readonly name = "CommandError";

  constructor(
    message: string,
    { exitCode = EXIT_FAILED, ...options }: ErrorOptions & { readonly exitCode?: number } = {},
  ) {
    super(message, options);
    this.exitCode = exitCode;
  }

  readonly exitCode: number;
}

export interface Invocation<Table extends SettingsTable> extends ReadSettings<Table> {
  /** The environment, with `.env` behind it. */
  readonly environment: NodeJS.ProcessEnv;
}

export interface CommandSpec<Table extends SettingsTable, Choice extends string> {
  readonly table: Table;
  readonly together?: CombinationCheck;
  /** Positional arguments, by the values that they may have. */
  readonly choices?: readonly Choice[];
  /** Resolves with the exit code. */
  readonly action: (invocation: Invocation<Table>, choice: Choice) => Promise<number>;
}

/** Gives a command its flags and its action. */
export function define<Table extends SettingsTable, Choice extends string>(
  command: Command,
  spec: CommandSpec<Table, Choice>,
): void {
  const { table, choices } = spec;
  for (const [name, setting] of Object.entries(table)) {
    const flags = setting.isSwitch ? `--${name} [yes_or_no]` : `--${name} <value>`;
    const description =
      setting.default === undefined ? setting.description : `${setting.description} [${setting.default}]`;
    const option = new Option(flags, description).hideHelp(setting.missing !== undefined);
    command.addOption(setting.isSwitch ? option.preset("true") : option);
  }
  if (choices !== undefined) command.argument(`[${choices.join("|")}]`);
  // Wrong arguments are reported together with wrong values.
  command.allowUnknownOption().allowExcessArguments();
  command.action(async () => {
    let showsStack = false;
    try {
      const problems: string[] = [];
      const choice = checkArguments(command.args, Object.keys(table), choices, problems);
      const file = readEnvFile();
      const sources = { flags: command.opts(), environment: process.env, file };
      const read = readSettings(table, sources, spec.together, problems);
      const { log_level: level } = read.settings as { readonly log_level?: unknown };
      showsStack = level === "debug" || level === "trace";
      const environment = { ...file, ...process.env };
      process.exitCode = await spec.action({ ...read, environment }, choice);
    } catch (error) {
      process.exitCode = exitCodeOf(error);
      // Whoever has had enough of the output needs no word.
      if (error instanceof InterruptedError || error instanceof OutputClosedError) return;
      logOutput.write(`${explain(error)}\n`);
      if (error instanceof Error && (showsStack || isBug(error))) {
        logOutput.write(`${withoutPasswords(String(error.stack))}\n`);
      }
    }
  });
}

/** What commander left over: the positional argument, unknown flags (with their values), and what is too much. */
function checkArguments<Choice extends string>(
  left: readonly string[],
  known: readonly string[],
  choices: readonly Choice[] | undefined,
  problems: string[],
): Choice {
  const unknown = left.filter((argument) => argument.startsWith("-"));
  const words = left.filter((argument) => !argument.startsWith("-"));
  for (const flag of unknown) {
    const [name = ""] = flag.replace(/^-+/, "").split("=");
    const nearest = nearestOf(name.replaceAll("-", "_").toLowerCase(), known);
    problems.push(`--${name} is unknown${nearest === undefined ? "" : `: did you mean --${nearest}?`}`);
  }
  const choice = choices === undefined ? "" : (words.shift() ?? "");
  if (choices?.includes(choice as Choice) === false) {
    const expected = `expected ${choices.join(", ")}`;
    problems.push(
      choice === "" ? `nothing to do: ${expected}` : `${JSON.stringify(choice)} is unknown: ${expected}`,
    );
  }
  // After an unknown flag a word is most likely its value.
  if (unknown.length === 0) for (const word of words) problems.push(`${JSON.stringify(word)} is too much`);
  return choice as Choice;
}

/** The name that a misspelt one was most likely to be, if any is near. */
export function nearestOf(name: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Levenshtein's. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The message of an error and of what caused it, each said once. */
export function explain(error: unknown): string {
  const parts: string[] = [];
  for (let cause = error; cause !== undefined && parts.length < 5; ) {
    const message = cause instanceof Error ? cause.message || cause.name : String(cause);
    if (!parts.some((part) => part.includes(message))) parts.push(message);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return withoutPasswords(parts.join(": "));
}

/** Nothing that a user could mend: where it came from has to be told. */
function isBug(error: Error): boolean {
  const isProgrammers =
    error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
  // What `fetch` throws for an outage is a TypeError as well.
  return isProgrammers && error.cause === undefined;
}

/** One line and the stack, for what nobody has caught. */
export function explainBug(error: unknown): string {
  const stack = error instanceof Error ? `\n${withoutPasswords(String(error.stack))}` : "";
  return `a bug of this program has ended it: ${explain(error)}. What was committed is safe${stack}`;
}

/** The last resort: whoever writes a message with an address in it cuts out the credentials already. */
function withoutPasswords(text: string): string {
  return text.replace(/\/\/[^\s"/@]*:[^\s"]*@/g, "//***@");
}

function exitCodeOf(error: unknown): number {
  if (error instanceof InterruptedError || error instanceof CommandError) return error.exitCode;
  if (error instanceof OutputClosedError) return 0;
  return error instanceof SettingsError ? EXIT_WRONG_SETTINGS : EXIT_FAILED;
}
