/**
 * What all commands of the program share: flags from a settings table, one clear message for whatever goes wrong, and
 * its exit code.
 */

import { maskSecrets } from "@order-payment-stream/beam/io";
import { type Command, Option } from "commander";
import { logOutput, OutputClosedError } from "../report/standard_output.js";
import { misspeltVariables, nearestOf } from "../settings/misspelt.js";
import { RUN_SETTINGS, SETTINGS_BY_SUBJECT } from "../settings/options.js";
import {
  type CombinationCheck,
  type ReadSettings,
  readEnvFile,
  readSettings,
  SettingsError,
} from "../settings/read_settings.js";
import type { SettingsTable } from "../settings/setting.js";
import { EXIT_FAILED, EXIT_WRONG_SETTINGS } from "./exit_codes.js";
import { InterruptedError } from "./interrupts.js";

/** A variable that only another command knows is no mistake. */
const ALL_SETTINGS = Object.keys(RUN_SETTINGS);

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
  /** What may stand behind the choice, or alone, for `--help`. */
  readonly operand?: string;
  /** Lines that somebody can copy, for `--help`. */
  readonly examples?: readonly string[];
  /** Settings that it takes as they are by default alone: they are not shown. */
  readonly hides?: (name: string) => boolean;
  /** Resolves with the exit code. */
  readonly action: (invocation: Invocation<Table>, choice: Choice, operand?: string) => Promise<number>;
}

/** Gives a command its flags and its action. */
export function define<Table extends SettingsTable, Choice extends string>(
  command: Command,
  spec: CommandSpec<Table, Choice>,
): void {
  const { table, choices, operand, examples = [], hides = () => false } = spec;
  for (const [name, setting] of Object.entries(table)) {
    const flags = setting.isSwitch ? `--${name} [yes_or_no]` : `--${name} <value>`;
    const description =
      setting.default === undefined ? setting.description : `${setting.description} [${setting.default}]`;
    const option = new Option(flags, description).helpGroup(subjectOf(name)).hideHelp(hides(name));
    command.addOption(setting.isSwitch ? option.preset("true") : option);
  }
  if (choices !== undefined) command.argument(`[${choices.join("|")}]`);
  if (operand !== undefined) command.argument(`[${operand}]`);
  if (examples.length > 0) {
    command.addHelpText(
      "after",
      `\nExamples:\n${examples.map((line) => `  order-payment-stream ${line}`).join("\n")}`,
    );
  }
  // Wrong arguments are reported together with wrong values.
  command.allowUnknownOption().allowExcessArguments();
  command.action(async () => {
    let showsStack = false;
    try {
      const settings: string[] = [];
      const words: string[] = [];
      const taken =
        operand === undefined ? undefined : operandOf(command.args, choices === undefined ? 0 : 1);
      const left = command.args.filter((_, i) => i !== taken);
      const choice = checkArguments(left, Object.keys(table), choices, words);
      const file = readEnvFile();
      const misspelt = misspeltVariables(ALL_SETTINGS, file, process.env);
      settings.push(...misspelt.wrong);
      const sources = { flags: command.opts(), environment: process.env, file };
      const read = readSettings(table, sources, spec.together, { settings, words });
      for (const line of misspelt.doubtful) logOutput.write(`${line}\n`);
      const { log_level: level } = read.settings as { readonly log_level?: unknown };
      showsStack = level === "debug" || level === "trace";
      const environment = { ...file, ...process.env };
      const named = taken === undefined ? undefined : command.args[taken];
      process.exitCode = await spec.action({ ...read, environment }, choice, named);
    } catch (error) {
      process.exitCode = exitCodeOf(error);
      // Whoever has had enough of the output needs no word.
      if (error instanceof InterruptedError || error instanceof OutputClosedError) return;
      logOutput.write(`${explain(error)}\n`);
      if (error instanceof Error && (showsStack || isBug(error))) {
        logOutput.write(`${maskSecrets(String(error.stack))}\n`);
      }
    }
  });
}

/** Under which a flag stands in the help. */
function subjectOf(name: string): string {
  for (const [subject, table] of SETTINGS_BY_SUBJECT) if (name in table) return `${subject}:`;
  return "This command:";
}

/** Of what commander left over, the word that stands behind the choice, or the first where there is none to make. */
function operandOf(words: readonly string[], before: number): number | undefined {
  const places = words.flatMap((word, place) => (word.startsWith("-") ? [] : [place]));
  return places[before];
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
  if (unknown.length === 0)
    for (const word of words) {
      const expected =
        choices === undefined ? "no arguments besides flags" : `only one of ${choices.join(", ")}`;
      problems.push(`unexpected argument ${JSON.stringify(word)}: expected ${expected}`);
    }
  return choice as Choice;
}

/** The message of an error and of what caused it, each said once. */
export function explain(error: unknown): string {
  const parts: string[] = [];
  for (let cause = error; cause !== undefined && parts.length < 5; ) {
    const message = cause instanceof Error ? cause.message || cause.name : String(cause);
    if (!parts.some((part) => part.includes(message))) parts.push(message);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return maskSecrets(parts.join(": "));
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
  const stack = error instanceof Error ? `\n${maskSecrets(String(error.stack))}` : "";
  return `the program ended because of a bug in it: ${explain(error)}. What was committed is safe${stack}`;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof InterruptedError || error instanceof CommandError) return error.exitCode;
  if (error instanceof OutputClosedError) return 0;
  return error instanceof SettingsError ? EXIT_WRONG_SETTINGS : EXIT_FAILED;
}
