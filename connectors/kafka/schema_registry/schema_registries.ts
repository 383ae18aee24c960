/** The schema registries of this process, by the names that graphs use. */
import { SharedConnections } from "@order-payment-stream/beam/io";

import { SchemaRegistry, type SchemaRegistryConfig } from "./schema_registry.js";

/** Registered when a process starts; the readers of a name share one, and with it what it has fetched. */
export const schemaRegistries = new SharedConnections<SchemaRegistry>("schema registry", async (registry) =>
  registry.close(),
);

/** Registers a schema registry in this process, under the name that graphs use. */
export function registerSchemaRegistry(name: string, config: SchemaRegistryConfig): void {
  schemaRegistries.register(name, async () => new SchemaRegistry(config));
}
