/** How much of something is done, as it is drawn on a terminal. */

const CELLS = 24;
const MEBIBYTE = 1024 * 1024;

/** "████░░░░ 50 %  1.0 of 2.0 MiB" */
export function bytesBar(done: number, all: number): string {
  const share = all === 0 ? 1 : Math.min(1, done / all);
  const full = Math.floor(share * CELLS);
  const bar = "█".repeat(full) + "░".repeat(CELLS - full);
  return `${bar} ${Math.floor(share * 100)} %  ${mebibytes(done)} of ${mebibytes(all)} MiB`;
}

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(1);
}
