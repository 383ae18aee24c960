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
    const text = `${this.label}: ${figures(progress)}`;
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

function figures({ sent, acknowledged, errors, ratePerSecond }: ProduceProgress): string {
  const parts = [`${sent} sent`, `${acknowledged} acknowledged`, `${ratePerSecond}/s`, `${errors} errors`];
  return parts.join(", ");
}
