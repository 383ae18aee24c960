/**
 * What is looked at before anything is written to collections that may be there already: whether they can hold our
 * documents at all, whether we may write, and which indexes are missing. What cannot work is refused in one line that
 * says what is in the way and what to do; what will work otherwise than one may expect is told.
 */
import type { Db, Document, IndexDescription, IndexDescriptionInfo } from "mongodb";
import { startError } from "./connect_mongo.js";
import { classifyMongoError, MongoConfigurationError, serverName } from "./errors.js";

/** How a collection will be written. */
export interface CollectionPlan {
  readonly collection: string;
  readonly indexes: readonly IndexDescription[];
  /** What the user calls the setting that names the collection, for messages. */
  readonly setting?: string;
  /** Whether it is the last resort of documents, so that it must accept every one. */
  readonly takesAll?: boolean;
}

/** How collections are prepared. */
export interface PrepareOptions {
  /** Only check, and create nothing. Default: no. */
  readonly isDryRun?: boolean;
}

/**
 * Creates the indexes that are not there yet; their collections too. Returns what the user should know, in sentences.
 * @throws MongoConfigurationError for a collection that cannot be used, an index that contradicts the data, or a missing
 *   privilege; MongoUnavailableError in an outage
 */
export async function prepareCollections(
  db: Db,
  plans: readonly CollectionPlan[],
  { isDryRun = false }: PrepareOptions = {},
): Promise<string[]> {
  const notes: string[] = [];
  for (const plan of plans) {
    const what = `the collection ${db.databaseName}.${plan.collection} at ${serverName(db.client)}`;
    try {
      await refuseWithoutPrivilege(db, plan, what);
      notes.push(...(await inspect(db, plan, what)));
      const existing = await indexesOf(db, plan.collection);
      notes.push(...uniqueIndexNotes(plan, existing, what));
      const missing = plan.indexes.filter((index) => !existing.some((one) => isEquivalent(one, index)));
      if (missing.length > 0 && !isDryRun) await db.collection(plan.collection).createIndexes([...missing]);
    } catch (error) {
      if (error instanceof MongoConfigurationError) throw error;
      throw startError(error, `MongoDB refuses to prepare ${what}`, `MongoDB did not prepare ${what}`);
    }
  }
  return notes;
}

/** What kind of collection it is. */
async function inspect(db: Db, plan: CollectionPlan, what: string): Promise<string[]> {
  const info = await ifAllowed(() => db.listCollections({ name: plan.collection }).next());
  if (info === undefined || info === null) return [];
  const { type, options = {} } = info as { type?: string; options?: Document };
  const refuse = (why: string): never => {
    throw new MongoConfigurationError(`${what} ${why}: ${instead(plan)}`);
  };
  if (type === "view") refuse("is a view, which cannot be written to");
  if (type === "timeseries") refuse("is a time-series collection, which does not keep _ids apart");
  if (options.capped) refuse("is capped, so it throws its oldest documents away");
  if (options.collation) refuse("has a collation, by which different _ids may be the same");
  if (!options.validator || options.validationAction === "warn" || options.validationLevel === "off")
    return [];
  return [
    plan.takesAll
      ? `${what} has a validator; a dead letter that it refuses ends the run, so that nothing is lost`
      : `${what} has a validator; documents that it refuses become dead letters, SINK_REJECTED`,
  ];
}

function uniqueIndexNotes(
  plan: CollectionPlan,
  existing: readonly IndexDescriptionInfo[],
  what: string,
): string[] {
  const wanted = plan.indexes.filter(({ unique }) => unique).map(({ key }) => keyText(key));
  const unique = existing.filter(
    ({ unique, key }) => unique && keyText(key) !== `{"_id":1}` && !wanted.includes(keyText(key)),
  );
  return unique.map(({ name, key }) => {
    const index = `${what} has the unique index ${name} on ${keyText(key)}`;
    if (plan.takesAll) {
      throw new MongoConfigurationError(
        `${index}, which can refuse a dead letter: drop it, or ${instead(plan)}`,
      );
    }
    return `${index}; documents that repeat its key become dead letters, SINK_REJECTED`;
  });
}

/**
 * A user who may only read is found here, also where all indexes are there. Servers without access control, and those
 * that do not tell privileges, are asked by the first write.
 */
async function refuseWithoutPrivilege(db: Db, { collection }: CollectionPlan, what: string): Promise<void> {
  const status = await ifAllowed(() => db.command({ connectionStatus: 1, showPrivileges: true }));
  const { authenticatedUsers = [], authenticatedUserPrivileges = [] } = (status?.authInfo ?? {}) as {
    authenticatedUsers?: { user: string; db: string }[];
    authenticatedUserPrivileges?: { resource: Document; actions: string[] }[];
  };
  const [user] = authenticatedUsers;
  if (user === undefined || authenticatedUserPrivileges.length === 0) return;
  const covers = (resource: Document): boolean =>
    resource.anyResource === true ||
    ((resource.db === "" || resource.db === db.databaseName) &&
      (resource.collection === "" || resource.collection === collection));
  const mayInsert = authenticatedUserPrivileges.some(
    ({ resource, actions }) =>
      covers(resource) && (actions.includes("insert") || actions.includes("anyAction")),
  );
  if (mayInsert) return;
  throw new MongoConfigurationError(
    `the user "${user.user}" may not write into ${what}: grant the role readWrite on the database ${db.databaseName}`,
  );
}

async function indexesOf(db: Db, collection: string): Promise<readonly IndexDescriptionInfo[]> {
  // A collection that is not there has none; some servers call that an error.
  return (await ifAllowed(() => db.collection(collection).listIndexes().toArray())) ?? [];
}

/** Undefined where the server does not know the command, or does not allow it. */
async function ifAllowed<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    const isMissing = (error as { code?: unknown }).code === NAMESPACE_NOT_FOUND;
    if (isMissing || classifyMongoError(error) === "configuration") return undefined;
    throw error;
  }
}

const NAMESPACE_NOT_FOUND = 26;

/** By whatever name, and with whatever options: what is looked up by the key finds it there. */
function isEquivalent(existing: IndexDescriptionInfo, { key, unique }: IndexDescription): boolean {
  return keyText(existing.key) === keyText(key) && (!unique || existing.unique === true);
}

function keyText(key: unknown): string {
  return JSON.stringify(key instanceof Map ? Object.fromEntries(key) : key);
}

function instead({ setting }: CollectionPlan): string {
  return setting === undefined ? "use another collection" : `name another collection in ${setting}`;
}
