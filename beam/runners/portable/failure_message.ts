/**
 * What a user is told of a failed job. Runners send whole stack traces, of the JVM and of workers, each cause wrapped
 * in the next: what counts are the outermost message and the innermost cause.
 */

const LINES_MAX = 12;
const LENGTH_MAX = 2_000;

const TRACEBACK = "Traceback (most recent call last):";

/** Frames of Java, JavaScript, Go and Python stacks, and what stands between them. */
const NOISE = [
  /^\s*at\s/,
  /^\s*\.\.\. \d+ (?:common frames|more)/,
  /^\s*File ".*", line \d+/,
  /^\s*Stacktrace: /,
  /^goroutine \d+ \[/,
  /^\s+\/\S+\.go:\d+/,
  /^\S+\.\S+\(.*\)$/,
  /^\s*$/,
];

export function failureMessage(text: string): string {
  if (text.includes(TRACEBACK)) return ofPython(text);
  const lines = text.split("\n").filter((line) => !NOISE.some((noise) => noise.test(line)));
  const firstCause = lines.findIndex((line) => /^\s*(?:\w+: )?Caused by: /.test(line));
  const outer = firstCause < 0 ? lines : lines.slice(0, firstCause);
  const lastCause = lines.findLastIndex((line) => /^\s*(?:\w+: )?Caused by: /.test(line));
  const inner = lastCause < 0 ? [] : lines.slice(lastCause);
  const innerText = shortened(inner).replace(/^\s*(?:\w+: )?Caused by: /, "");
  const outerText = shortened(outer);
  if (innerText === "" || outerText.includes(innerText)) return outerText;
  return `${outerText}\ncaused by ${innerText}`;
}

/** What stands before the first traceback, and the last line that is no frame. */
function ofPython(text: string): string {
  const outer = text.slice(0, text.indexOf(TRACEBACK)).trim();
  const inner = text.split("\n").findLast((line) => /^\S/.test(line) && !line.startsWith(TRACEBACK)) ?? "";
  return shortened(outer === "" || outer === inner ? [inner] : [outer, inner]);
}

function shortened(lines: readonly string[]): string {
  const kept = lines.slice(0, LINES_MAX).map((line) => withoutClassNames(line.trimEnd()));
  const text = kept.join("\n").trim();
  return text.length <= LENGTH_MAX ? text : `${text.slice(0, LENGTH_MAX)}…`;
}

/** "java.util.concurrent.ExecutionException: java.lang.RuntimeException: x" says no more than "RuntimeException: x". */
function withoutClassNames(line: string): string {
  return line.replace(/((?:^|: ))(?:[a-z]\w*\.)+([A-Z][\w$]*(?:Exception|Error)): /g, "$1$2: ");
}
