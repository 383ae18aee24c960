/** The seam between a durable store and its checkpoints: what a store offers to whoever carries its state away. */

/** Files of a state directory that show the state as of one commit. */
export interface PinnedFiles {
  /** Plain names in the directory. Up to `length` the bytes do not change; a file may grow behind. */
  readonly files: readonly PinnedFile[];
  /** Number of the last commit that they hold. Grows with each, also over restarts. */
  readonly commit: number;
  /** What must fit when the state is opened again, such as the graph's identity. Any JSON; kept for the reader. */
  readonly identity?: unknown;
  /** The files may go. */
  release(): void | Promise<void>;
}

export interface PinnedFile {
  readonly name: string;
  readonly length: number;
}

/** DurableStore fits. */
export interface CheckpointSource {
  /** Number of the last commit. */
  readonly lastCommit: number;
  /** The state as it was last committed; its files stay until they are released. Everything in them is on disk. */
  checkpoint(): Promise<PinnedFiles>;
}
