/**
 * As pipeline-count, with values in Confluent's frame and the schemas from a registry, which is a server in this process
 * that is asked twice.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { MemoryStore } from "../../beam/store/memory_store.js";
import { registerSchemaRegistry } from "../../connectors/kafka/schema_registry/schema_registries.js";
import { SCHEMA_REGISTRY } from "../../pipeline/graph.js";
import { eventTypes } from "../../schemas/avro_types.js";
import { FRAMED_SCHEMA_IDS } from "../load_input.js";
import { runSubject } from "../subject.js";
import { runCounting } from "./counting.js";

const schemas = new Map(
  (["order", "payment"] as const).map((kind) => [
    `/schemas/ids/${FRAMED_SCHEMA_IDS[kind]}`,
    eventTypes[kind].schema,
  ]),
);
/** The load has some values of an id that no registry knows. Half a second is waited for such a one, so it is known here. */
const OTHER = { schema: "syntax", schemaType: "PROTOBUF" };
const server = createServer(({ url }, response) => {
  const schema = schemas.get(url ?? "");
  response.end(JSON.stringify(schema === undefined ? OTHER : { schema }));
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;
registerSchemaRegistry(SCHEMA_REGISTRY, { urls: [`http://127.0.0.1:${port}`] });
await runSubject((input) => runCounting(input, async () => new MemoryStore(), { usesSchemaRegistry: true }));
server.close();
