/**
 * A real Kafka (KRaft) from Maven's jars: one node that is broker and controller, or a cluster whose first node is the
 * only controller, so that any other broker may be ended without ending the cluster. It listens on 127.0.0.1 only,
 * without TLS or SASL unless further listeners are asked for, and creates no topics by itself. Acknowledged records
 * survive kill().
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { serverEnvironment } from "./child_environment.js";
import { freePort, probeKafka } from "./discovery.js";
import { ServiceFailed } from "./errors.js";
import { servicesHome } from "./home.js";
import { LocalServer, type LocalServerOptions } from "./local_server.js";
import { javaCommand, resolveJars } from "./maven.js";

const run = promisify(execFile);

export const KAFKA_VERSION = "4.4.0";

const POM = fileURLToPath(new URL("kafka/pom.xml", import.meta.url));
const PROPERTIES = fileURLToPath(new URL("kafka/server.properties", import.meta.url));

/** A listener beside the one without TLS and login. */
export interface KafkaListener {
  /** In capitals; no other has it. */
  readonly name: string;
  readonly protocol: "SSL" | "SASL_PLAINTEXT" | "SASL_SSL";
  readonly port: number;
  /** Properties of the broker for this listener alone, without `listener.name.…` before them. */
  readonly properties: Readonly<Record<string, string>>;
}

export interface KafkaOptions extends LocalServerOptions {
  readonly listeners?: readonly KafkaListener[];
  /** Properties of the broker, added to those of server.properties. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Such as `SCRAM-SHA-256=[name=bob,password=…]`. They are made with the cluster. */
  readonly scramUsers?: readonly string[];
  /** Java's system properties, without `-D`. */
  readonly javaProperties?: Readonly<Record<string, string>>;
}

/** Starts the broker; its address is host:port. Throws RequirementMissing or ServiceFailed. */
export async function startKafka(options: KafkaOptions): Promise<LocalServer> {
  return startNode(options, { nodeId: 1, brokers: 1, controllerPort: freePort, clusterId: newClusterId() });
}

/** Java's class path of broker and clients. Throws RequirementMissing. */
export async function kafkaClassPath({
  home = servicesHome(),
  log = () => {},
  signal,
}: Pick<KafkaOptions, "home" | "log" | "signal"> = {}): Promise<string> {
  return join(await resolveJars({ name: "kafka", pom: POM, home, log, signal }), "lib", "*");
}

export interface KafkaCluster {
  /** The first is the controller. */
  readonly nodes: readonly LocalServer[];
  /** host:port,host:port… */
  readonly bootstrap: string;
  stop(): Promise<void>;
}

/** Starts several brokers, on free ports. Throws RequirementMissing or ServiceFailed. */
export async function startKafkaCluster(
  options: Omit<LocalServerOptions, "port"> & { readonly brokers: number },
): Promise<KafkaCluster> {
  const { brokers } = options;
  const controllerPort = await freePort();
  const clusterId = newClusterId();
  const nodes: LocalServer[] = [];
  const stop = async (): Promise<void> => {
    // The controller last: a broker reports to it that it leaves.
    for (const node of [...nodes].reverse()) await node.stop();
  };
  try {
    for (let nodeId = 1; nodeId <= brokers; nodeId++) {
      const dataDir = join(options.dataDir, `node-${nodeId}`);
      const node = { nodeId, brokers, clusterId, controllerPort: async () => controllerPort };
      nodes.push(await startNode({ ...options, dataDir }, node));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, bootstrap: nodes.map(({ address }) => address).join(","), stop };
}

interface KafkaNode {
  readonly nodeId: number;
  readonly brokers: number;
  readonly clusterId: string;
  /** Asked before each start. */
  readonly controllerPort: () => Promise<number>;
}

async function startNode(options: KafkaOptions, node: KafkaNode): Promise<LocalServer> {
  const log = options.log ?? (() => {});
  const home = options.home ?? servicesHome();
  const dataDir = resolve(options.dataDir);
  const classPath = await kafkaClassPath({ home, log, signal: options.signal });
  const properties = join(dataDir, "server.properties");
  const port = options.port ?? (await freePort());
  const server = new LocalServer({
    name: "Kafka",
    version: KAFKA_VERSION,
    dataDir,
    port,
    address: `127.0.0.1:${port}`,
    command: javaCommand(),
    args: (mark) => [
      mark,
      "-Xms256m",
      "-Xmx768m",
      "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
      "-Dorg.slf4j.simpleLogger.showDateTime=true",
      "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
      ...Object.entries(options.javaProperties ?? {}).map(([name, value]) => `-D${name}=${value}`),
      "-cp",
      classPath,
      "kafka.Kafka",
      properties,
    ],
    prepare: async () => {
      mkdirSync(dataDir, { recursive: true });
      const values = propertiesOf(node, port, await node.controllerPort(), options);
      writeFileSync(properties, fillIn(readFileSync(PROPERTIES, "utf8"), { ...values, dataDir }));
      if (!existsSync(join(dataDir, "log", "meta.properties"))) {
        await format(classPath, properties, node.clusterId, options.scramUsers ?? []);
      }
    },
    probe: probeKafka,
  });
  await server.start(options.signal);
  return server;
}

function propertiesOf(
  { nodeId, brokers }: KafkaNode,
  port: number,
  controllerPort: number,
  { listeners = [], properties = {} }: KafkaOptions,
): Record<string, string | number> {
  const isController = nodeId === 1;
  const advertised = [
    `PLAINTEXT://127.0.0.1:${port}`,
    ...listeners.map((each) => `${each.name}://127.0.0.1:${each.port}`),
  ].join(",");
  const ofListeners = listeners.flatMap(({ name, properties }) =>
    Object.entries(properties).map(([key, value]) => [`listener.name.${name.toLowerCase()}.${key}`, value]),
  );
  return {
    nodeId,
    brokers,
    roles: isController ? "broker,controller" : "broker",
    listeners: isController ? `${advertised},CONTROLLER://127.0.0.1:${controllerPort}` : advertised,
    advertised,
    protocols: listeners.map(({ name, protocol }) => `,${name}:${protocol}`).join(""),
    further: [...Object.entries(properties), ...ofListeners]
      .map(([key, value]) => `${key}=${value}`)
      .join("\n"),
    controllerPort,
  };
}

/** Writes the identity of a new cluster to the log folder; a broker refuses to start without. */
async function format(
  classPath: string,
  properties: string,
  clusterId: string,
  scramUsers: readonly string[],
): Promise<void> {
  const level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";
  const args = ["format", "--ignore-formatted", "-t", clusterId, "-c", properties];
  for (const user of scramUsers) args.push("--add-scram", user);
  try {
    await run(javaCommand(), [level, "-cp", classPath, "kafka.tools.StorageTool", ...args], {
      env: serverEnvironment(),
    });
  } catch (error) {
    throw new ServiceFailed(
      `Kafka: cannot format its log folder: ${(error as { stderr?: string }).stderr ?? error}`,
    );
  }
}

/** 16 random bytes in base64url, not beginning with the dash that would make it an option. */
function newClusterId(): string {
  const id = randomBytes(16).toString("base64url");
  return id.startsWith("-") ? newClusterId() : id;
}

function fillIn(template: string, values: Readonly<Record<string, string | number>>): string {
  return template.replaceAll(/^(?!#).*$/gm, (line) =>
    line.replaceAll(/\{(\w+)\}/g, (_, name) => `${values[name]}`),
  );
}
