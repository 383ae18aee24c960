/**
 * What of the environment a program gets that is started from here. It is listed and not cut out: whoever can reach a
 * runner's job port can have it run commands, and such a command sees what the runner sees, so no secret may be there by
 * chance.
 */

/** For finding commands, files and libraries, and for telling the language and the time. */
const COMMON = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "LANG",
  "TZ",
  "TMPDIR",
  "LD_LIBRARY_PATH",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "JAVA_HOME",
  "GODEBUG",
  "GOGC",
  "GOMAXPROCS",
  "GOMEMLIMIT",
  "NODE_OPTIONS",
  "NODE_EXTRA_CA_CERTS",
  "NODE_NO_WARNINGS",
];
const COMMON_PREFIXES = ["LC_", "XDG_", "DOCKER_"];

/** Beside those, for programs that download and build and listen to nobody; proxies may have passwords. */
const OF_BUILDS = ["CC", "CXX", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "NETRC"];
const PREFIXES_OF_BUILDS = ["GO", "CGO_", "MAVEN_", "MVN", "JAVA_", "JDK_", "PIP_", "SSH_"];

/** For servers, runners, and the workers that a runner starts. */
export function serverEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return chosen(env, COMMON, COMMON_PREFIXES);
}

/** For Maven, Go and pip. */
export function buildEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return chosen(env, [...COMMON, ...OF_BUILDS], [...COMMON_PREFIXES, ...PREFIXES_OF_BUILDS]);
}

function chosen(
  env: NodeJS.ProcessEnv,
  names: readonly string[],
  prefixes: readonly string[],
): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => {
      const upper = name.toUpperCase();
      return names.includes(upper) || prefixes.some((prefix) => upper.startsWith(prefix));
    }),
  );
}
