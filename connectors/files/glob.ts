/**
 * Patterns of paths, as shells have them: `*` and `?` within a name, `**` over folders, `[a-z]`, `{one,other}`. A path
 * that ends in "/" means the files in it. As in shells, `*`, `?` and `**` pass over names that begin with a dot.
 */

export interface Glob {
  /** The folders in front of the first wildcard; no path outside of them fits. Without a slash at its end. */
  readonly base: string;
  /** Whether there is any wildcard. */
  readonly isPattern: boolean;
  fits(path: string): boolean;
}

const WILD = /[*?[{]/;

/**
 * A pattern of paths: `*`, `?`, `[…]`, `{…}` within a folder, `**` over folders.
 * @throws SyntaxError for brackets without an end
 */
export function parseGlob(pattern: string): Glob {
  const whole = pattern.endsWith("/") ? `${pattern}*` : pattern;
  const wild = whole.search(WILD);
  if (wild < 0) return { base: whole, isPattern: false, fits: (path) => path === whole };
  const slash = whole.lastIndexOf("/", wild);
  const expression = new RegExp(`^${translate(whole)}$`, "su");
  return {
    base: slash < 0 ? "" : whole.slice(0, slash),
    isPattern: true,
    fits: (path) => expression.test(path),
  };
}

function translate(pattern: string): string {
  let out = "";
  let depth = 0;
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i]!;
    const isFirstOfName = i === 0 || pattern[i - 1] === "/";
    if (character === "*" && pattern[i + 1] === "*") {
      i++;
      if (pattern[i + 1] === "/") {
        i++;
        out += "(?:[^./][^/]*/)*";
      } else out += isFirstOfName ? "(?:[^./][^/]*(?:/[^./][^/]*)*)?" : ".*";
    } else if (character === "*") out += isFirstOfName ? "(?!\\.)[^/]*" : "[^/]*";
    else if (character === "?") out += isFirstOfName ? "[^./]" : "[^/]";
    else if (character === "[") {
      const end = pattern.indexOf("]", i + 2);
      if (end < 0) throw new SyntaxError(`${pattern}: a "[" without its "]"`);
      const inside = pattern.slice(i + 1, end).replace(/[\\\][&~|]/g, "\\$&");
      out += /^[!^]/.test(inside) ? `(?!/)[^${inside.slice(1)}]` : `[${inside}]`;
      i = end;
    } else if (character === "{") {
      depth++;
      out += "(?:";
    } else if (character === "}" && depth > 0) {
      depth--;
      out += ")";
    } else if (character === "," && depth > 0) out += "|";
    else out += character.replace(/[\\^$.|+()[\]{}/]/g, "\\$&");
  }
  if (depth > 0) throw new SyntaxError(`${pattern}: a "{" without its "}"`);
  return out;
}
