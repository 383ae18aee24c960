/**
 * Where settings come from: flags, then the environment, then `.env`, then the default. An empty variable counts as
 * not set. Everything that is wrong is reported at once, before anything starts.
 */

import { maskSecrets, rememberSecret, rememberSecretsOf } from "@order-payment-stream/beam/io";
import dotenv from "dotenv";
import { readSmallFile } from "./read_small_file.js";
import { secretReference } from "./secret_references.js";
import { nameOf, type Setting, type SettingsOf, type SettingsTable, shown, variableOf } from "./setting.js";
import { whyNot } from "./setting_values.js";

export interface Problem {
  /** The setting. */
  readonly name: string;
  /** Goes on after the setting's name: "is …: expected …". */
  readonly text: string;
}

/** Finds what no value shows by itself. Settings that are wrong by themselves, or of other commands, are absent. */
export type CombinationCheck = (settings: Readonly<Record<string, unknown>>) => readonly Problem[];

/** Somebody has to correct what is set. The message lists all that is wrong, without secrets. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";

  /** @param argumentCount how many of them are words of the command line that set nothing */
  constructor(
    readonly problems: readonly string[],
    argumentCount = 0,
  ) {
    const settingCount = problems.length - argumentCount;
    const counts = [counted(settingCount, "setting"), counted(argumentCount, "argument")].filter(Boolean);
    const verb = problems.length === 1 ? "is" : "are";
    super(
      `${counts.join(" and ")} ${verb} wrong; nothing was started.\n${problems.map((problem) => `  ${problem}`).join("\n")}`,
    );
  }
}

function counted(count: number, what: string): string {
  return count === 0 ? "" : `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** What is known to be wrong before the values are looked at, a sentence each. */
export interface KnownProblems {
  readonly settings: readonly string[];
  /** Words of the command line that set nothing. */
  readonly words: readonly string[];
}

const NONE: KnownProblems = { settings: [], words: [] };

export interface SettingsSources {
  /** By name of the setting. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Content of `.env`. */
  readonly file: Readonly<Record<string, string | undefined>>;
}

export type Origin = "flag" | "environment" | ".env" | "default";

export interface ReadSettings<Table extends SettingsTable> {
  readonly settings: SettingsOf<Table>;
  readonly origins: ReadonlyMap<string, Origin>;
  /** As they were written, those that have a value. */
  readonly texts: ReadonlyMap<string, string>;
}

/** The content of `.env` in a folder; empty when there is none. The environment is not touched. */
export function readEnvFile(path = ".env"): Record<string, string> {
  let content: string;
  try {
    content = readSmallFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new SettingsError([`${path} cannot be read: ${(error as Error).message}`]);
  }
  return dotenv.parse(content);
}

/** @throws SettingsError */
export function readSettings<Table extends SettingsTable>(
  table: Table,
  sources: SettingsSources,
  together: CombinationCheck = () => [],
  found: KnownProblems = NONE,
): ReadSettings<Table> {
  const values: Record<string, unknown> = {};
  const origins = new Map<string, Origin>();
  const texts = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [name, setting] of Object.entries(table)) {
    const [text, origin] = findText(name, setting, sources);
    origins.set(name, origin);
    if (text !== undefined) {
      texts.set(name, text);
      if (setting.mayRefer && secretReference.test(text)) {
        // No secret, and its value is not known here.
        values[name] = text;
        continue;
      }
      if (setting.isSecret) rememberSecret(text);
      else if (setting.isAddress) rememberSecretsOf(text);
    }
    if (text === undefined) {
      values[name] = undefined;
    } else {
      const result = setting.schema.safeParse(text);
      if (result.success) values[name] = result.data;
      else problems.push({ name, text: complaint(text, origin, setting, whyNot(result.error)) });
    }
  }
  problems.push(...together(values));
  if (found.settings.length + found.words.length + problems.length > 0)
    throw settingsError(table, problems, found);
  return { settings: values as SettingsOf<Table>, origins, texts };
}

export function settingsError(
  table: SettingsTable,
  problems: readonly Problem[],
  { settings, words }: KnownProblems = NONE,
): SettingsError {
  const ofValues = problems.map(({ name, text }) => `${nameOf(name, table[name]!)} ${text}`);
  return new SettingsError([...settings, ...words, ...ofValues], words.length);
}

function findText(name: string, setting: Setting, sources: SettingsSources): [string | undefined, Origin] {
  const flag = sources.flags[name];
  if (flag !== undefined) return [flag, "flag"];
  const variable = variableOf(name);
  if (!setting.isFlagOnly) {
    // As dotenv has it, a variable that is set but empty hides the one in the file.
    const inEnvironment = sources.environment[variable];
    if (inEnvironment) return [inEnvironment, "environment"];
    if (inEnvironment === undefined && sources.file[variable]) return [sources.file[variable], ".env"];
  }
  return [setting.default, "default"];
}

function complaint(text: string, origin: Origin, setting: Setting, why: string | undefined): string {
  const reason = why && !setting.isSecret ? ` (${maskSecrets(why)})` : "";
  return `is ${shown(text, setting)}${from(origin)}: expected ${setting.expected}${reason}`;
}

function from(origin: Origin): string {
  return origin === ".env" ? ", from .env" : "";
}
