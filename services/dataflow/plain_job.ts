/** A job as it comes over gRPC, with plain objects in place of Structs. */
import { fromStruct, toStruct } from "@order-payment-stream/beam/dataflow";
import type { ReceivedJob } from "./job_checks.js";

const STRUCTS = ["userAgent", "version", "sdkPipelineOptions"] as const;

export function plainJob(message: any): ReceivedJob {
  const environment = { ...message.environment };
  for (const name of STRUCTS) environment[name] = fromStruct(environment[name]);
  return { ...message, environment };
}

export function messageOf({ environment, ...job }: ReceivedJob): object {
  const message = { ...environment };
  for (const name of STRUCTS) message[name] = toStruct(message[name]);
  return { ...job, environment: message };
}
