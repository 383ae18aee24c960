/**
 * As pipeline-count, with the page of the run served, a browser's stream of events that is read, and a scrape of the
 * metrics each second. Who watches is a process of its own, as it is in life.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { systemClock } from "../../beam/platform/clock.js";
import { Health } from "../../beam/platform/health.js";
import { MemoryStore } from "../../beam/store/memory_store.js";
import { Monitor } from "../../monitor/server.js";
import { RunWatch } from "../../pipeline/monitoring/run_watch.js";
import type { RunSettings } from "../../pipeline/settings/options.js";
import { runSubject, type SubjectInput } from "../subject.js";
import { runCounting } from "./counting.js";

/** Little programs: on a machine of few cores what a watcher takes would else be counted for what is watched. */
const WATCHER = `
  (while sleep 1; do curl -s "$0/metrics" > /dev/null; done) &
  trap "kill $!" EXIT
  curl -sN "$0/api/events" | { read -r line && echo "$line"; cat > /dev/null; }
`;

const nothing = async (): Promise<undefined> => undefined;
const actions = {
  settings: () => [],
  logs: () => ({ level: "info", lines: [] }),
  setLogLevel: () => ({ level: "info", lines: [] }),
  explain: nothing,
  deadLetters: nothing,
  replay: nothing,
};

const { topics, timeoutMs, outOfOrdernessMs } = JSON.parse(process.argv[2] ?? "{}") as SubjectInput;
const settings = {
  runner: "direct",
  bounded: true,
  kafka_order_topic: topics.orders,
  state_timeout_minutes: timeoutMs,
  max_out_of_orderness: outOfOrdernessMs,
} as RunSettings;
const watch = new RunWatch(settings, new Health(systemClock), () => []);
const monitor = await Monitor.start({
  host: "127.0.0.1",
  port: 0,
  observe: () => watch.observe(),
  actions,
});
const watcher = spawn("sh", ["-c", WATCHER, monitor.url], {
  stdio: ["ignore", "pipe", "inherit"],
  detached: true,
});
const [said] = await once(watcher.stdout, "data");
if (!/^(event|data|id|retry):/.test(String(said))) throw new Error(`the page's events begin with ${said}`);
try {
  await runSubject((input) =>
    runCounting(
      input,
      async () => new MemoryStore(),
      {},
      (run) => watch.runs(run),
    ),
  );
} finally {
  process.kill(-watcher.pid!);
  await monitor.close();
}
