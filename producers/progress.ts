/**
 * Live progress on stderr, so that stdout stays free for results: on a terminal one line that is rewritten,
 * elsewhere (a log) a line every five seconds.
 */
import { systemClock } from "@order-payment-stream/beam/io";
import type { ProduceProgress, ProduceSummary } from "./producer.js";

/** The part of a stream that is needed; process.stderr fits. */
export interface ProgressStream {
  isTTY?: boolean;
  write(text: string): unknown;
}

const LOG_INTERVAL_MS = 5000;
const ERASE_LINE = "\r\x1b[K";

export class ProgressLine {
  private shownMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly label: string,
    private readonly stream: ProgressStream = process.stderr,
    private readonly now: () => number = () => systemClock.elapsed(),
  ) {}

  update(progress: ProduceProgress): void {
    const text = `${this.label}: ${figures(progress)}${restText(progress)}`;
    if (this.stream.isTTY) {
      this.stream.write(ERASE_LINE + text);
    } else if (this.now() - this.shownMs >= LOG_INTERVAL_MS) {
      this.shownMs = this.now();
      this.stream.write(`${text}\n`);
    }
  }

  /** Writes the last line, which stays. */
  end(summary: ProduceSummary): void {
    const seconds = (summary.durationMs / 1000).toFixed(1);
    const text = `${this.label}: ${figures(summary)}, in ${seconds} s\n`;
    this.stream.write(this.stream.isTTY ? ERASE_LINE + text : text);
  }
}

/** How far it is, and what it waits for. */
function restText({ acknowledged, rest }: ProduceProgress): string {
  if (rest === undefined || rest.messages === 0) return "";
  const percent = Math.floor((100 * acknowledged) / (acknowledged + rest.messages));
  if (rest.orders > 0 || rest.dueUntilMs === undefined) return `, ${percent} %`;
  const due = new Date(rest.dueUntilMs).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const waiting = rest.messages.toLocaleString("en-US");
  return `, ${percent} %: all orders sent; ${waiting} delayed payments and repeats due until ${due}; --rate=0 sends at once`;
}

function figures({ sent, acknowledged, errors, ratePerSecond }: ProduceProgress): string {
  const count = (value: number): string => value.toLocaleString("en-US");
  const parts = [
    `${count(sent)} sent`,
    `${count(acknowledged)} acknowledged`,
    `${count(ratePerSecond)}/s`,
    `${errors} errors`,
  ];
  return parts.join(", ");
}
