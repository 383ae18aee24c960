/** A fake of the Dataflow service, and of Secret Manager beside it. */
export { FakeDataflow, type FakeDataflowOptions } from "./fake_dataflow.js";
export { FakeSecrets } from "./fake_secrets.js";
export { layOutImage } from "./image_layout.js";
export type { LaidOutImage } from "./job_execution.js";
