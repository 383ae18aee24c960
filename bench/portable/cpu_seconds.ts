/** CPU time of processes, where the system tells: what a busy machine falsifies least. */
import { readdirSync, readFileSync } from "node:fs";

/** Linux counts in these, on all its platforms. */
const TICKS_PER_SECOND = 100;

interface ProcessTimes {
  readonly parent: number;
  /** Of itself and of children that have ended. */
  readonly ticks: number;
}

/** Seconds that a process has used so far, with all that it has started; undefined without a /proc. */
export function cpuSecondsOf(pid: number): number | undefined {
  const all = processTimes();
  if (all.size === 0) return undefined;
  let ticks = 0;
  for (const [each, times] of all) if (descendsFrom(each, pid, all)) ticks += times.ticks;
  return ticks / TICKS_PER_SECOND;
}

function descendsFrom(pid: number, ancestor: number, all: ReadonlyMap<number, ProcessTimes>): boolean {
  for (let each = pid; ; ) {
    if (each === ancestor) return true;
    const times = all.get(each);
    if (times === undefined || times.parent === each) return false;
    each = times.parent;
  }
}

/** Source: proc(5), /proc/pid/stat: ppid is field 4; utime, stime, cutime and cstime are 14 to 17. */
function processTimes(): Map<number, ProcessTimes> {
  const all = new Map<number, ProcessTimes>();
  for (const name of processNames()) {
    let stat: string;
    try {
      stat = readFileSync(`/proc/${name}/stat`, "utf8");
    } catch {
      continue; // It has ended meanwhile.
    }
    // Field 2 is a name in parentheses that may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    all.set(Number(name), { parent: Number(fields[1]), ticks });
  }
  return all;
}

function processNames(): string[] {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** The most memory that a process, or any that it has started, has had so far; undefined without a /proc. */
export function peakBytesOf(pid: number): number | undefined {
  const all = processTimes();
  let peak: number | undefined;
  for (const each of all.keys()) {
    if (!descendsFrom(each, pid, all)) continue;
    try {
      const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${each}/status`, "utf8")) ?? [];
      if (kibibytes !== undefined) peak = Math.max(peak ?? 0, Number(kibibytes) * 1024);
    } catch {
      // It has ended meanwhile.
    }
  }
  return peak;
}
