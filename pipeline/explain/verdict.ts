/** Why an order is or is not paired, in one sentence, from what is known of it. */
import { formatDuration, formatTimestamp } from "@order-payment-stream/beam";
import type { Evidence, UnmatchedView, WaitingView } from "./explanation.js";

export function verdictOf(evidence: Evidence): string {
  return (
    ofJoined(evidence) ??
    ofWaiting(evidence) ??
    ofUnmatched(evidence) ??
    ofDeadLetters(evidence) ??
    ofArrivals(evidence) ??
    nothingKnown(evidence)
  );
}

function ofJoined({ joined, waiting, timeoutMs }: Evidence): string | undefined {
  if (joined.length === 0) return undefined;
  const ids = joined.map(({ paymentId }) => paymentId);
  const alone = waiting.filter(({ isPaired, kind }) => !isPaired && kind === "payment");
  const more =
    alone.length === 0
      ? ""
      : `; ${names(alone)} still waits, because it is more than ${formatDuration(timeoutMs)} from the order`;
  return joined.length === 1
    ? `It is paired with payment ${ids[0]}${more}.`
    : `It is paired with ${joined.length} payments, ${ids.slice(0, 5).join(", ")}${more}.`;
}

function ofWaiting({ waiting, watermark, timeoutMs, deadLetters }: Evidence): string | undefined {
  if (waiting.length === 0) return undefined;
  const paired = waiting.filter(({ isPaired }) => isPaired);
  if (paired.length > 0) {
    const refused = deadLetters.find(({ reason }) => reason === "SINK_REJECTED");
    return refused === undefined
      ? "It was paired in state, but its document is not in the collection: it is still being written, or somebody has removed it."
      : `It was paired, but the collection rejected its document: ${refused.message}`;
  }
  const orders = waiting.filter(({ kind }) => kind === "order");
  const payments = waiting.filter(({ kind }) => kind === "payment");
  const when = expiryText(waiting, watermark);
  if (orders.length > 0 && payments.length > 0) {
    const apart = Math.abs(orders[0]!.createdAtMs - payments[0]!.createdAtMs);
    return `It is not paired: order and payment ${payments[0]!.id} are ${formatDuration(apart)} apart by created_at, and at most ${formatDuration(timeoutMs)} is allowed. ${when}`;
  }
  return orders.length > 0
    ? `It is not paired yet: no payment for it has arrived. ${when}`
    : `It is not paired yet: ${names(payments)} arrived, but the order has not. ${when}`;
}

function expiryText(waiting: readonly WaitingView[], { atMs, heldBy }: Evidence["watermark"]): string {
  const expiresAtMs = Math.min(...waiting.map((event) => event.expiresAtMs));
  const what = `It waits until event time has passed ${formatTimestamp(expiresAtMs)}`;
  if (atMs === null) return `${what}.`;
  const leftMs = expiresAtMs - atMs;
  const by = heldBy === null ? "" : `, held by ${heldBy}`;
  return leftMs <= 0
    ? `${what}; event time has reached that, and it is about to be reported.`
    : `${what}, which is ${formatDuration(leftMs)} away: event time is ${formatTimestamp(atMs)}${by}.`;
}

function ofUnmatched({ unmatched, timeoutMs, deadLetters }: Evidence): string | undefined {
  const order = unmatched.find(({ kind }) => kind === "order");
  const payment = unmatched.find(({ kind }) => kind === "payment");
  if (order === undefined && payment === undefined) return undefined;
  if (order !== undefined && payment !== undefined) {
    const apart = Math.abs(order.createdAtMs - payment.createdAtMs);
    const within = apart <= timeoutMs;
    return within
      ? `It is not paired although order and payment ${payment.id} are only ${formatDuration(apart)} apart: the limit was smaller then, or one arrived after the other's time had ended.`
      : `It is not paired: order and payment ${payment.id} are ${formatDuration(apart)} apart by created_at, and at most ${formatDuration(timeoutMs)} is allowed.`;
  }
  const refused = deadLetters.find(({ topic }) => topic !== null);
  const because =
    refused === undefined
      ? ""
      : `; a record of it became a dead letter, ${refused.reason}: ${refused.message}`;
  return order !== undefined
    ? `It is not paired: until ${until(order)} no payment for it had arrived (UNPAID)${because}.`
    : `It is not paired: until ${until(payment!)} the order of payment ${payment!.id} had not arrived (NO_ORDER)${because}.`;
}

function ofDeadLetters({ deadLetters }: Evidence): string | undefined {
  const [first] = deadLetters;
  if (first === undefined) return undefined;
  const where = first.topic === null ? "" : ` at ${first.topic}[${first.partition}], offset ${first.offset},`;
  const more = deadLetters.length > 1 ? ` (and ${deadLetters.length - 1} more)` : "";
  return `It is not paired: its record${where} became a dead letter, ${first.reason}: ${first.message}${more}.`;
}

function ofArrivals({ arrivals, stateFrom }: Evidence): string | undefined {
  const [first] = arrivals ?? [];
  if (first === undefined) return undefined;
  const where = `${first.topic}[${first.partition}], offset ${first.offset}`;
  if (first.isRead === false) return `It is in Kafka, at ${where}, and has not been read yet.`;
  return stateFrom === null
    ? `It is in Kafka, at ${where}, and there is no document of it: it waits in a state that was not searched, or has not been read.`
    : `It is in Kafka, at ${where}, but neither in state nor in a collection: it is being processed, or was read by a run before this state.`;
}

function nothingKnown({ stateFrom, arrivals }: Evidence): string {
  const places = [
    "the collections",
    ...(stateFrom === null ? [] : ["the state"]),
    ...(arrivals === null ? [] : ["the topics"]),
  ];
  const looked = places.length === 1 ? places[0]! : `${places.slice(0, -1).join(", ")} and ${places.at(-1)}`;
  const hint = stateFrom === null ? " It may wait in the state of a run, which was not searched." : "";
  return `Nothing is known of it: there is no event with this order_id in ${looked}.${hint}`;
}

function until({ expiresAtMs }: UnmatchedView): string {
  return formatTimestamp(expiresAtMs);
}

function names(events: readonly WaitingView[]): string {
  const ids = events.map(({ id }) => id);
  return ids.length === 1 ? `payment ${ids[0]}` : `payments ${ids.slice(0, 3).join(", ")}`;
}
