/** What a command ends with. Told in the README and by `--help`. */
export const EXIT_FAILED = 1;
export const EXIT_WRONG_SETTINGS = 2;

/** For `--help`. */
export const EXIT_CODES_TEXT = `
Exit codes:
  0    done, or stopped in order by SIGINT, SIGTERM or SIGHUP
  1    failed: an outage, a full disk, damaged state, a bug; stderr says which. From check: something is wrong
  2    wrong usage or settings: nothing was started
  129, 130, 143  ended by SIGHUP, SIGINT or SIGTERM before there was anything to stop in order, or by a second signal`;
