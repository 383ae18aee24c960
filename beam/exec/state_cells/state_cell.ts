/** A state cell of a stateful DoFn, as its operator drives it. */
import type { ByteWriter } from "../../model/bytes.js";

export interface StateCell {
  /** Turns to another key: the writer's bytes are the encoded key and window, and stay until the next `flush`. */
  bind(key: ByteWriter): void;
  /** Writes what changed. */
  flush(): void;
  clear(): void;
}
