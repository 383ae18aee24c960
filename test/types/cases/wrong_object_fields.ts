import { coders, type Collection, type Root, type ValueOf } from "../../../beam/index.js";
import { readJsonFromKafka } from "../../../connectors/kafka/read_json.js";
import { writeToMongo } from "../../../connectors/mongodb/write_to_mongo.js";

const click = coders.object({ user: "string", at: "timestamp", referrer: "string?" });
declare const root: Root;
declare const clicks: Collection<ValueOf<typeof click>>;

const referrer: string | null = (null as unknown as ValueOf<typeof click>).referrer;
// error: Type 'string' is not assignable to type 'number'
const wrong: ValueOf<typeof click> = { user: "ann", at: "now", referrer: null };
// error: Type '"time"' is not assignable to type
coders.object({ at: "time" });

const from = { connection: "kafka", topic: "clicks", event: click } as const;
const { events } = readJsonFromKafka("Keyed", root, { ...from, key: "user", eventTime: "at" });
const keyed: Collection<{ readonly key: string }> = events;
const plain: Collection<ValueOf<typeof click>> = readJsonFromKafka("Plain", root, { ...from, eventTime: "at" }).events;
// error: Type '"usr"' is not assignable to type
readJsonFromKafka("Read", root, { ...from, key: "usr", eventTime: "at" });
// error: Type '"user"' is not assignable to type '"at"'
readJsonFromKafka("Read", root, { ...from, key: "user", eventTime: "user" });

const into = { connection: "mongodb", database: "d", collection: "c" };
writeToMongo("Write", clicks, { ...into, id: ["user", "at"] });
// error: Type '"usr"' is not assignable to type
writeToMongo("Write", clicks, { ...into, id: "usr" });
