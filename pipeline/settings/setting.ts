/**
 * What a setting is. Its name is its flag (`--kafka_bootstrap`), and in capitals its environment variable, unless it
 * makes sense on the command line only. Values arrive as text; the schema gives them their type.
 */

import { MASK, maskAddress, maskSecrets } from "@order-payment-stream/beam/io";
import type { z } from "zod";

export interface Setting<T = unknown> {
  readonly description: string;
  /** Ends the sentence "expected …". */
  readonly expected: string;
  readonly schema: z.ZodType<T, string>;
  /** As a user would write it. Without one the value may be undefined. */
  readonly default?: string;
  /** Never shown, wherever it comes from. */
  readonly isSecret?: true;
  /** It may have a user and a password in it. */
  readonly isAddress?: true;
  /** May be the name of a secret in Secret Manager, which is its value then, until a worker resolves it. */
  readonly mayRefer?: true;
  /** Its flag needs no value. */
  readonly isSwitch?: true;
  /** Has no environment variable. */
  readonly isFlagOnly?: true;
}

export type SettingsTable = Readonly<Record<string, Setting>>;

type ValueOf<S> = S extends { readonly schema: z.ZodType<infer T, string> }
  ? S extends { readonly default: string }
    ? T
    : T | undefined
  : never;

/** The values of a table's settings, by name. */
export type SettingsOf<Table extends SettingsTable> = { readonly [N in keyof Table]: ValueOf<Table[N]> };

/** Keeps what a table says of each setting, so that its values are typed. */
export function settingsTable<const Table extends SettingsTable>(table: Table): Table {
  return table;
}

export function variableOf(name: string): string {
  return name.toUpperCase();
}

/** How a setting is called in messages: "KAFKA_GROUP_ID (--kafka_group_id)". */
export function nameOf(name: string, { isFlagOnly }: Setting): string {
  return isFlagOnly ? `--${name}` : `${variableOf(name)} (--${name})`;
}

/** A value for a message: secrets masked, also those inside addresses. */
export function shown(text: string, { isSecret, isAddress }: Setting): string {
  if (isSecret) return MASK;
  const mayBeAddress = isAddress || text.includes("@") || text.includes("//");
  return JSON.stringify(mayBeAddress ? maskAddress(text) : maskSecrets(text));
}
