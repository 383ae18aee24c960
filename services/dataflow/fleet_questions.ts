/** Questions to workers, and their answers; those of a worker that goes away are answered with an error. */
import { fnApi } from "@order-payment-stream/beam/protos";
import type { FleetWorker } from "./fleet_worker.js";

type Answer = (response: fnApi.InstructionResponse) => void;
type Infos = fnApi.MonitoringInfosMetadataResponse["monitoringInfo"];

export class FleetQuestions {
  readonly #answers = new Map<string, Answer>();
  #count = 0;

  ask(worker: FleetWorker, request: fnApi.InstructionRequest, answer: Answer): void {
    this.#answers.set(`${worker.incarnation} ${request.instructionId}`, answer);
    worker.instruct(request);
  }

  /** False: it is the answer to something else. */
  take(worker: FleetWorker, response: fnApi.InstructionResponse): boolean {
    const key = `${worker.incarnation} ${response.instructionId}`;
    const answer = this.#answers.get(key);
    this.#answers.delete(key);
    answer?.(response);
    return answer !== undefined;
  }

  lose(worker: FleetWorker): void {
    const mark = `${worker.incarnation} `;
    for (const [key, answer] of this.#answers) {
      if (!key.startsWith(mark)) continue;
      this.#answers.delete(key);
      const instructionId = key.slice(mark.length);
      answer({ instructionId, error: "its worker is gone", response: { oneofKind: undefined } });
    }
  }

  /** Each worker has short ids of its own: the runner gets them with the worker's mark. */
  async shortIds(workers: readonly FleetWorker[], ids: readonly string[]): Promise<Infos> {
    const infos: Infos = {};
    for (const worker of workers) {
      const mark = markOf(worker);
      const own = ids.filter((id) => id.startsWith(mark)).map((id) => id.slice(mark.length));
      if (own.length === 0) continue;
      const request: fnApi.InstructionRequest = {
        instructionId: `fleet-${this.#count++}`,
        request: { oneofKind: "monitoringInfos", monitoringInfos: { monitoringInfoId: own } },
      };
      const { response } = await new Promise<fnApi.InstructionResponse>((resolve) =>
        this.ask(worker, request, resolve),
      );
      if (response.oneofKind !== "monitoringInfos") continue;
      for (const [id, info] of Object.entries(response.monitoringInfos.monitoringInfo))
        infos[mark + id] = info;
    }
    return infos;
  }
}

/** Data under the marked ids of its worker. */
export function marked(
  worker: FleetWorker,
  data: Readonly<Record<string, Uint8Array>>,
): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(data).map(([id, payload]) => [markOf(worker) + id, payload]));
}

function markOf({ incarnation }: FleetWorker): string {
  return `${incarnation}:`;
}

/** Of a bundle that nobody has now: no progress, no split. */
export function emptyAnswerTo({ request }: fnApi.InstructionRequest): fnApi.InstructionResponse["response"] {
  return request.oneofKind === "processBundleSplit"
    ? { oneofKind: "processBundleSplit", processBundleSplit: fnApi.ProcessBundleSplitResponse.create() }
    : {
        oneofKind: "processBundleProgress",
        processBundleProgress: fnApi.ProcessBundleProgressResponse.create(),
      };
}
