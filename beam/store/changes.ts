/** What one turn changed, in order. Made by `newChanges`, and of no use after it was committed. */
export interface Changes {
  /** What writing them takes. */
  readonly bytes: number;
}
