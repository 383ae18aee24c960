// Has Maven get what Kafka and the MongoDB-protocol server need into its own repository, beside npm and the compiler, so
// that a first run need not wait for it then. Whether that works is nobody's business here: services/maven.ts says what is
// wrong when the jars are needed. Nothing but Node is needed, and nothing is said.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const home = process.env.ORDER_PAYMENT_STREAM_HOME || ".local";
const cache = join(home, "cache");
const there = existsSync(cache) ? readdirSync(cache) : [];
for (const [name, variable] of [
  ["kafka", "KAFKA_BOOTSTRAP"],
  ["mongodb", "MONGODB_URI"],
]) {
  const isThere = there.some((folder) => folder.startsWith(`${name}-`) && !/\.(partial|lock)$/.test(folder));
  if (isThere || process.env[variable]) continue;
  const folder = join(tmpdir(), `order-payment-stream-${name}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  const goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", `-DoutputDirectory=${folder}`];
  const maven = spawn("mvn", ["-B", "-q", "-f", `services/${name}/pom.xml`, ...goal], { stdio: "ignore" });
  const end = () => rmSync(folder, { recursive: true, force: true });
  maven.once("error", end);
  maven.once("exit", end);
}
