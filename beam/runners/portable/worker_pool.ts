/**
 * What a run needs of a worker pool in its own process. The pool must listen before the job is run: a runner that
 * cannot reach it gives up on the job, and Prism on itself.
 */
export interface WorkerPool {
  /** host:port, as a runner on this machine reaches it. */
  readonly endpoint: string;
  /** Ends the workers that still run, and the server. May be called again. */
  close(): Promise<void>;
}
