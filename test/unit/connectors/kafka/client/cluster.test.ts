import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { systemClock } from "../../../../../beam/platform/clock.js";
import { Cluster } from "../../../../../connectors/kafka/client/cluster.js";
import { connectKafka } from "../../../../../connectors/kafka/client/connect_kafka.js";
import { defaultKafkaLimits } from "../../../../../connectors/kafka/client/kafka_client.js";

const logger = { debug() {}, info() {}, warn() {}, error() {} };
const limits = { connectTimeoutMs: 400 };

async function listen(onSocket: (socket: Socket) => void): Promise<{ address: string; close(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    address: `127.0.0.1:${port}`,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

describe("cluster", () => {
  it("refuses addresses that are none", () => {
    for (const address of ["localhost", ":9092", "host:", "host:0", "host:70000", "host:kafka", ""]) {
      const config = { brokers: [address], clientId: "c", logger };
      assert.throws(
        () => new Cluster(config, defaultKafkaLimits, systemClock),
        /expected host:port/,
        address,
      );
    }
    assert.throws(() => new Cluster({ brokers: [], clientId: "c", logger }, defaultKafkaLimits, systemClock));
    new Cluster({ brokers: ["[::1]:9092"], clientId: "c", logger }, defaultKafkaLimits, systemClock).close();
  });

  it("says that nobody listens, in time", async () => {
    const closed = await listen(() => {});
    closed.close();
    await assert.rejects(connectKafka({ brokers: [closed.address], clientId: "c", logger, limits }), {
      name: "KafkaUnreachableError",
      message: new RegExp(`${closed.address}.*ECONNREFUSED`),
    });
  });

  it("says that a listener never answers, in time", async () => {
    const mute = await listen(() => {});
    await assert.rejects(connectKafka({ brokers: [mute.address], clientId: "c", logger, limits }), {
      name: "KafkaUnreachableError",
      message: /no answer while connecting.*TLS/,
    });
    mute.close();
  });

  it("says that a listener hangs up, and what that may mean", async () => {
    const rude = await listen((socket) => socket.end());
    await assert.rejects(connectKafka({ brokers: [rude.address], clientId: "c", logger, limits }), {
      name: "KafkaUnreachableError",
      message: /TLS, or a SASL login/,
    });
    rude.close();
  });
});
