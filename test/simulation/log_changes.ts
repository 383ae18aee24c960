/** What happens to other people's logs: what was read, or was to be read, is not there any more, or something else is. */
import { type LogChange, START_MS } from "./scenario.js";
import { type EventLoop, WORLD } from "./world/event_loop.js";
import type { SimulatedKafka } from "./world/simulated_kafka.js";
import type { SimulatedPartition } from "./world/simulated_partition.js";

const TOPICS = ["orders", "payments"] as const;

/**
 * Changes the logs as a fault says.
 * @param cutOff keeps everybody from the brokers for as long as something is done to them
 */
export function changeLogs(
  fault: LogChange,
  loop: EventLoop,
  kafka: SimulatedKafka,
  cutOff: (isCutOff: boolean) => void,
): void {
  const whileAway = (ms: number, work: () => void): void => {
    cutOff(true);
    work();
    loop.after(ms, WORLD, "the brokers are back", () => cutOff(false));
  };
  switch (fault.kind) {
    case "topic made again":
      kafka.deleteTopic(fault.topic);
      loop.after(fault.goneMs, WORLD, "the topic is made again", () => kafka.makeTopicAgain(fault.topic));
      return;
    case "log cut": {
      const log = kafka.partition(fault.topic, fault.partition);
      log?.cut(Math.max(0, log.nextOffset - fault.lost));
      if (log !== undefined)
        log.leader = kafka.nodes[(kafka.nodes.indexOf(log.leader) + 1) % kafka.nodes.length]!;
      return;
    }
    case "log restored":
      whileAway(fault.goneMs, () => {
        for (const log of kafka.partitionsOf(fault.topic)) log.cut(log.lengthAt(START_MS + fault.copiedAtMs));
      });
      return;
    case "retention": {
      const log = kafka.partition(fault.topic, fault.partition);
      log?.deleteBefore(Math.max(log.firstOffset, log.lastStableOffset - fault.kept));
      return;
    }
    case "another cluster":
      whileAway(fault.goneMs, () => {
        kafka.clusterId = `not ${kafka.clusterId}`;
        for (const topic of TOPICS) {
          const before = kafka.partitionsOf(topic);
          kafka.makeTopicAgain(topic);
          before.forEach((log, partition) => {
            mirror(log, kafka.partition(topic, partition)!, fault.mirrored);
          });
        }
      });
  }
}

function mirror(from: SimulatedPartition, to: SimulatedPartition, count: number): void {
  const { visible } = from;
  for (const { timestampMs, key, value } of visible.slice(Math.max(0, visible.length - count))) {
    to.append({ timestampMs, key, value });
  }
}
