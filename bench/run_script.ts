/** Runs one compiled script of the bench in a Node process of its own: a JSON argument in, a JSON line out. */
import { spawn } from "node:child_process";

export interface RunScriptOptions {
  /** Absolute path of the compiled script. */
  readonly script: string;
  readonly input: unknown;
  /** Node's own options, such as --cpu-prof. */
  readonly nodeArgs?: readonly string[];
  /** Ends the process. */
  readonly signal: AbortSignal;
}

/** Rejects when the process fails or prints no JSON; its stderr goes to ours. */
export async function runScript<T>({ script, input, nodeArgs = [], signal }: RunScriptOptions): Promise<T> {
  const child = spawn(
    process.execPath,
    ["--enable-source-maps", ...nodeArgs, script, JSON.stringify(input)],
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, KAFKAJS_NO_PARTITIONER_WARNING: "1" },
      signal,
    },
  );
  let output = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    output += text;
  });
  const code = await new Promise<number | string | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode, exitSignal) => resolve(exitCode ?? exitSignal));
  });
  const lastLine = output.trimEnd().split("\n").at(-1) ?? "";
  if (code !== 0) throw new Error(`${script} ended with ${code}`);
  try {
    return JSON.parse(lastLine) as T;
  } catch (error) {
    throw new Error(`${script} printed no result but: ${lastLine.slice(0, 200)}`, { cause: error });
  }
}
