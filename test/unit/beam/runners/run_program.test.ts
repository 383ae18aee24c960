import assert from "node:assert/strict";
import { readProgramFlags, UsageError } from "../../../../beam/runners/run_program.js";

describe("the command line of a program", () => {
  for (const [argv, options] of [
    [[], { runner: "direct", stateDir: "state" }],
    [["--state_dir=/var/lib/x"], { runner: "direct", stateDir: "/var/lib/x" }],
    [["--job_endpoint=h:1"], { runner: "portable", jobEndpoint: "h:1", jobName: "clicks" }],
    [
      ["--runner=portable", "--job_endpoint", "h:1", "--job_name=other"],
      { runner: "portable", jobEndpoint: "h:1", jobName: "other" },
    ],
    [
      ["--job_endpoint=h:1", "--environment_type=EXTERNAL", "--environment_config=h:2"],
      {
        runner: "portable",
        jobEndpoint: "h:1",
        jobName: "clicks",
        environment: { kind: "external", endpoint: "h:2" },
      },
    ],
    [
      ["--job_endpoint=h:1", "--environment_type=PROCESS", '--environment_config={"command":"/bin/w"}'],
      {
        runner: "portable",
        jobEndpoint: "h:1",
        jobName: "clicks",
        environment: { kind: "process", command: "/bin/w" },
      },
    ],
    [["--help"], "help"],
  ] as const) {
    it(`reads ${argv.join(" ") || "nothing"}`, () => {
      assert.deepEqual(readProgramFlags(argv, { stateDir: "state", jobName: "clicks" }), options);
    });
  }

  for (const [argv, message] of [
    [["--runner=spark"], /--runner=spark: expected direct or portable/],
    [["--runner=portable"], /--runner=portable needs --job_endpoint=HOST:PORT/],
    [["--runner=direct", "--job_endpoint=h:1"], /--job_endpoint means nothing to --runner=direct/],
    [["--job_endpoint=h:1", "--state_dir=x"], /--state_dir means nothing to --runner=portable/],
    [["--job_endpoint=h:1", "--environment_type=CLOUD"], /expected LOOPBACK, EXTERNAL, PROCESS or DOCKER/],
    [["--job_endpoint=h:1", "--environment_type=EXTERNAL"], /EXTERNAL needs --environment_config=HOST:PORT/],
    [["--job_endpoint=h:1", "--environment_config=h:2"], /--environment_config means nothing to LOOPBACK/],
    [
      ["--job_endpoint=h:1", "--environment_type=PROCESS", "--environment_config={}"],
      /expected {"command": PATH}/,
    ],
    [["--runer=direct"], /^Unknown option '--runer'$/],
    [["direct"], /Unexpected argument 'direct'/],
  ] as const) {
    it(`refuses ${argv.join(" ")}`, () => {
      assert.throws(
        () => readProgramFlags(argv),
        (error) => error instanceof UsageError && message.test(error.message),
      );
    });
  }
});
