import type * as runnerApi from "apache-beam/proto/beam_runner_api";
import type { Coder, CoderIds } from "./coder.js";

const NO_PAYLOAD = new Uint8Array(0);

/**
 * The proto of a coder with these components. A plain object: that is what protobuf-ts messages are, and building it
 * here keeps the coders from loading the `apache-beam` package.
 */
export function coderProto(
  urn: string,
  ids: CoderIds,
  components: readonly Coder<any>[] = [],
  payload: Uint8Array = NO_PAYLOAD,
): runnerApi.Coder {
  return { spec: { urn, payload }, componentCoderIds: components.map((coder) => ids.getCoderId(coder)) };
}
