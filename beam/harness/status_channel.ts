/** Answers a runner that asks what the worker is doing. Source: beam_fn_api.proto, BeamFnWorkerStatus. */
import type { fnApi } from "../model/apache_beam.js";
import { Connection } from "./connection.js";
import { WORKER_STATUS } from "./fn_methods.js";

/** Returns what ends it. Nothing depends on it, so it ends without a word when the runner does not serve it. */
export function serveStatus(endpoint: string, workerId: string, status: () => string): () => void {
  const connection = new Connection(endpoint, workerId);
  const stream = connection.stream(WORKER_STATUS);
  stream.on("data", ({ id }: fnApi.WorkerStatusRequest) => {
    let error = "";
    let statusInfo = "";
    try {
      statusInfo = status();
    } catch (reason) {
      error = String(reason);
    }
    stream.write({ id, error, statusInfo });
  });
  stream.on("error", () => undefined);
  stream.on("end", () => stream.end());
  return () => {
    stream.cancel();
    connection.close();
  };
}
