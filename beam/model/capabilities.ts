/** What this project's workers can do. Source: beam_runner_api.proto, StandardProtocols. */
import { ALL_STANDARD_CODER_URNS } from "./coders/registry.js";
import { urns } from "./urns.js";
import { SDK_BASE_CAPABILITY } from "./version.js";

export const WORKER_CAPABILITIES: readonly string[] = [
  ...ALL_STANDARD_CODER_URNS,
  "beam:protocol:progress_reporting:v1",
  "beam:protocol:harness_monitoring_infos:v1",
  "beam:protocol:state_caching:v1",
  "beam:protocol:multimap_state:v1",
  "beam:protocol:ordered_list_state:v1",
  "beam:protocol:worker_status:v1",
  "beam:protocol:sibling_workers:v1",
  urns.sdfTruncate,
  SDK_BASE_CAPABILITY,
];
