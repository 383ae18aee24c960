/** What of a Dockerfile says which files are in the image, and what it starts. */

export interface Copy {
  /** Name of the stage that it copies from; undefined: the folder that is built. */
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly target: string;
}

export interface Stage {
  readonly image: string;
  readonly name: string | undefined;
  readonly workdir: string;
  readonly copies: readonly Copy[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: string | undefined;
  readonly entrypoint: readonly string[];
}

const EMPTY: Stage = {
  image: "",
  name: undefined,
  workdir: "/",
  copies: [],
  env: {},
  user: undefined,
  entrypoint: [],
};

/** @throws Error for an instruction that it does not know */
export function parseDockerfile(text: string): {
  readonly args: Readonly<Record<string, string>>;
  readonly stages: readonly Stage[];
} {
  const args: Record<string, string> = {};
  const stages: (Stage & {
    copies: Copy[];
    env: Record<string, string>;
    workdir: string;
    user: string | undefined;
    entrypoint: string[];
  })[] = [];
  const lines = text.replace(/\\\n/g, " ").split("\n");
  for (const line of lines.map((each) => each.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const [, instruction = "", rest = ""] = /^(\w+)\s+(.*)$/s.exec(line) ?? [];
    const stage = stages.at(-1);
    if (instruction === "ARG") {
      const [name = "", value = ""] = rest.split("=");
      if (stage === undefined) args[name] = value;
      continue;
    }
    if (instruction === "FROM") {
      const [from = "", , name] = rest.split(/\s+/);
      const image = from.replace(/\$\{(\w+)\}/g, (_, arg) => args[arg] ?? "");
      // What stands on another stage has all that it has.
      const base = stages.find((each) => each.name === image) ?? EMPTY;
      const { workdir, user, copies, env, entrypoint } = base;
      const own = { copies: [...copies], env: { ...env }, entrypoint: [...entrypoint] };
      stages.push({ image: base === EMPTY ? image : base.image, name, workdir, user, ...own });
      continue;
    }
    if (stage === undefined) throw new Error(`${instruction} stands before FROM`);
    switch (instruction) {
      case "COPY": {
        const words = rest.split(/\s+/);
        const from = words.find((word) => word.startsWith("--from="))?.slice("--from=".length);
        const paths = words.filter((word) => !word.startsWith("--"));
        stage.copies.push({ from, sources: paths.slice(0, -1), target: paths.at(-1)! });
        break;
      }
      case "ENV":
        for (const [, name, value] of rest.matchAll(/(\w+)=(\S*)/g)) stage.env[name!] = value!;
        break;
      case "WORKDIR":
        stage.workdir = rest;
        break;
      case "USER":
        stage.user = rest;
        break;
      case "ENTRYPOINT":
        stage.entrypoint = JSON.parse(rest);
        break;
      case "RUN":
        break;
      default:
        throw new Error(`the instruction ${instruction} is not known`);
    }
  }
  return { args, stages };
}
