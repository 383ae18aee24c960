/** An explanation for people at a terminal. */
import { formatDuration, formatTimestamp } from "@order-payment-stream/beam";
import type { Explanation } from "./explanation.js";

export function explanationText(explanation: Explanation): string {
  const { orderId, verdict, watermark, stateFrom, arrivals, timeoutMs, notes } = explanation;
  const lines = [`order ${orderId}: ${verdict}`, ""];
  if (arrivals !== null) {
    lines.push(...arrivals.map((one) => `  in Kafka     ${arrivalText(one)}`));
    if (arrivals.length === 0) lines.push("  in Kafka     nothing in the time that was searched");
  }
  for (const { kind, id, createdAtMs, expiresAtMs, isPaired } of explanation.waiting) {
    const state = isPaired ? "joined" : "pending";
    lines.push(
      `  in state     ${kind} ${id}, created ${formatTimestamp(createdAtMs)}, ${state}, expires ${formatTimestamp(expiresAtMs)}`,
    );
  }
  for (const { paymentId, createdAtMs } of explanation.joined) {
    lines.push(`  joined       payment ${paymentId}, order created ${formatTimestamp(createdAtMs)}`);
  }
  for (const { kind, id, reason, createdAtMs, expiresAtMs } of explanation.unmatched) {
    lines.push(
      `  unmatched    ${kind} ${id}, ${reason}, created ${formatTimestamp(createdAtMs)}, waited until ${formatTimestamp(expiresAtMs)}`,
    );
  }
  for (const { reason, message, topic, partition, offset, id } of explanation.deadLetters) {
    const where = topic === null ? "" : `${topic}[${partition}], offset ${offset}: `;
    lines.push(`  dead letter  ${reason}, ${where}${message}`, `               ${id}`);
  }
  if (watermark.atMs !== null) {
    const by = watermark.heldBy === null ? "" : `, held by ${watermark.heldBy}`;
    lines.push(`  event time   ${formatTimestamp(watermark.atMs)}${by}`);
  }
  lines.push(`  T            ${formatDuration(timeoutMs)}`);
  if (stateFrom !== null) lines.push(`  state of     ${stateFrom}`);
  return [...lines, ...notes.map((note) => `  note         ${note}`)].join("\n");
}

function arrivalText({
  kind,
  id,
  topic,
  partition,
  offset,
  timestampMs,
  createdAtMs,
  problem,
  isRead,
}: NonNullable<Explanation["arrivals"]>[number]): string {
  const at = timestampMs === null ? "without a time" : `came ${formatTimestamp(timestampMs)}`;
  const what = problem ?? `${id}, created ${formatTimestamp(createdAtMs ?? Number.NaN)}`;
  return `${kind} at ${topic}[${partition}], offset ${offset}, ${at}: ${what}${isRead === false ? ", not read yet" : ""}`;
}
