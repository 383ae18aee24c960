/**
 * Names that somebody most likely meant otherwise: of flags, of variables in `.env`, and of variables of the
 * environment. Silence would let a run begin with a default in place of what was set.
 *
 * - `.env` is the program's own file: a name near to one of ours is refused, any other is told of once, for the file may
 *   serve other programs too.
 * - The environment is everybody's: only names with one of our prefixes and near to one of ours are told of.
 */
import { variableOf } from "./setting.js";

/** Variables that are read beside the settings, here or by libraries. */
const OTHERS = [
  "PRISM",
  "BEAM_PYTHON",
  "CONFLUENT_PYTHON",
  "ORDER_PAYMENT_STREAM_HOME",
  "JAVA_HOME",
  "GOOGLE_APPLICATION_CREDENTIALS",
  "GOOGLE_CLOUD_PROJECT",
  "SECRET_MANAGER_EMULATOR_HOST",
  "NODE_OPTIONS",
  "NODE_EXTRA_CA_CERTS",
];
const PREFIXES = [
  "KAFKA_",
  "MONGODB_",
  "MONGO_",
  "GCS_",
  "STATE_",
  "WORKER_POOL_",
  "CHECKPOINT",
  "BUNDLE_",
  "SCHEMA_REGISTRY_",
  "AVRO_",
];
/** Kafka's own scripts and images have variables of this kind. */
const OF_KAFKA_ITSELF =
  /^KAFKA_(HOME|OPTS|HEAP_OPTS|LOG4J|JMX|GC_LOG|DEBUG|VERSION|SCALA|JVM_|CFG_|ADVERTISED_|LISTENER|CONTROLLER_|PROCESS_|NODE_ID|BROKER_)/;

export interface Misspelt {
  /** Whoever set these has to correct them. */
  readonly wrong: readonly string[];
  /** For a warning each. */
  readonly doubtful: readonly string[];
}

/** @param settings names of all settings, of whatever command */
export function misspeltVariables(
  settings: readonly string[],
  file: Readonly<Record<string, string | undefined>>,
  environment: Readonly<Record<string, string | undefined>>,
): Misspelt {
  const known = new Set([...settings.map(variableOf), ...OTHERS]);
  const names = [...known];
  const wrong: string[] = [];
  const doubtful: string[] = [];
  const strangers: string[] = [];
  for (const name of Object.keys(file)) {
    if (known.has(name)) continue;
    const nearest = nearestOf(name.toUpperCase(), names);
    if (nearest === undefined) strangers.push(name);
    else wrong.push(`${name} in .env is unknown: did you mean ${nearest}?`);
  }
  if (strangers.length > 0) {
    doubtful.push(`.env sets names that this program does not know and ignores: ${strangers.join(", ")}`);
  }
  for (const name of Object.keys(environment)) {
    const isOurs = PREFIXES.some((prefix) => name.startsWith(prefix)) && !OF_KAFKA_ITSELF.test(name);
    if (known.has(name) || !isOurs) continue;
    const nearest = nearestOf(name, names);
    if (nearest !== undefined) {
      doubtful.push(`${name} in the environment is unknown and has no effect: did you mean ${nearest}?`);
    }
  }
  return { wrong, doubtful };
}

/** The name that a misspelt one was most likely to be, if any is near. */
export function nearestOf(name: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 4)) + 1;
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
