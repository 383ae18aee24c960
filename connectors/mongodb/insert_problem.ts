/** Inserts in trouble, for the health of their collection. */
import { after, type HealthReporter, silentHealth } from "@order-payment-stream/beam/io";

const SLOW_MS = 5_000;

/** An insert that fails or hangs, for the health of its collection: that is well when no insert is in trouble. */
export class InsertProblem {
  constructor(
    private readonly health: HealthReporter,
    private readonly component: string,
    private readonly all: Set<InsertProblem>,
  ) {}

  begin(problem: string): void {
    this.all.add(this);
    this.health.report(this.component, problem);
  }

  end(): void {
    if (this.all.delete(this) && this.all.size === 0) this.health.clear(this.component);
  }

  /** An attempt may hang for long before it fails. */
  async unlessSlow<T>(server: string, attempt: Promise<T>): Promise<T> {
    if (this.health === silentHealth) return attempt;
    const cancel = after(SLOW_MS, () =>
      this.begin(`${server} has not answered an insert for ${SLOW_MS / 1000} s`),
    );
    try {
      return await attempt;
    } finally {
      cancel();
    }
  }
}
