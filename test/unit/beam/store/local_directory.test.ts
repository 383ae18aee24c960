import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DirectoryInUseError } from "../../../../beam/store/directory.js";
import { LOCK_FILE } from "../../../../beam/store/directory_lock.js";
import { DurableStore } from "../../../../beam/store/durable_store.js";
import { LocalDirectory } from "../../../../beam/store/local_directory.js";
import { logName, snapshotName } from "../../../../beam/store/recovery.js";
import { NotARegularFileError } from "../../../../beam/store/regular_file.js";
import { UnusableDirectoryError } from "../../../../beam/store/store_errors.js";
import { testDirectory } from "../../../connector/directory_suite.js";

describe("local directory", () => {
  let path: string;

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), "local-directory-"));
  });

  afterEach(() => rmSync(path, { recursive: true, force: true }));

  testDirectory(
    () => LocalDirectory.open(path),
    () => LocalDirectory.open(path),
    () => rmSync(join(path, LOCK_FILE)),
  );

  describe("that another process took from its user", () => {
    const losses: readonly [string, () => void, RegExp][] = [
      ["removed", () => rmSync(path, { recursive: true }), /it was removed or renamed/],
      ["renamed", () => renameSync(path, `${path}-moved`), /it was removed or renamed/],
      [
        "replaced",
        () => {
          renameSync(path, `${path}-moved`);
          mkdirSync(path);
          writeFileSync(join(path, LOCK_FILE), "");
        },
        /another one is in its place/,
      ],
      [
        "emptied",
        () => {
          for (const name of readdirSync(path)) rmSync(join(path, name));
        },
        /its lock file was removed/,
      ],
    ];
    afterEach(() => rmSync(`${path}-moved`, { recursive: true, force: true }));

    for (const [what, lose, message] of losses) {
      it(`${what}: the store writes nothing more, says so, and can be closed`, async () => {
        const store = await DurableStore.open(await LocalDirectory.open(path));
        const changes = store.newChanges();
        await store.commit([changes]);
        lose();
        const where = existsSync(`${path}-moved`) ? `${path}-moved` : path;
        const before = existsSync(where) ? contents(where) : undefined;
        await assert.rejects(store.commit([store.newChanges()]), (error: Error) => {
          assert.match(error.message, message);
          assert.ok(error.message.startsWith(`${path} is no longer the state directory of this process: `));
          assert.ok(!error.message.includes("\n"));
          return true;
        });
        await assert.rejects(store.snapshot());
        assert.deepEqual(existsSync(where) ? contents(where) : undefined, before);
        await store.close();
      });
    }

    it("is refused to others while the store that lost its lock lives", async () => {
      const store = await DurableStore.open(await LocalDirectory.open(path));
      for (let attempt = 1; attempt <= 3; attempt++) {
        rmSync(join(path, LOCK_FILE));
        await assert.rejects(DurableStore.open(await LocalDirectory.open(path)), DirectoryInUseError);
      }
      await store.close();
      await (await DurableStore.open(await LocalDirectory.open(path))).close();
    });
  });

  describe("whose files are none", () => {
    /** A store with a snapshot and a log, and the names of all files that it reads. */
    const NAMES = [LOCK_FILE, logName(2), snapshotName(2)];
    const others: readonly [string, (file: string) => void, RegExp][] = [
      ["a FIFO", (file) => execFileSync("mkfifo", [file]), /is a FIFO/],
      ["a directory", (file) => mkdirSync(file), /is a directory/],
      ["a symbolic link to itself", (file) => symlinkSync(file, file), /is a symbolic link/],
      ["a symbolic link to a device", (file) => symlinkSync("/dev/zero", file), /is a symbolic link/],
    ];
    for (const name of NAMES) {
      for (const [what, make, message] of others) {
        it(`${what} as ${name} is refused at once, in one line, and nothing is changed`, async () => {
          const store = await DurableStore.open(await LocalDirectory.open(path));
          await store.snapshot();
          await store.close();
          rmSync(join(path, name));
          make(join(path, name));
          const before = readdirSync(path);
          await assert.rejects(DurableStore.open(await LocalDirectory.open(path)), (error: Error) => {
            assert.ok(error instanceof NotARegularFileError, String(error));
            assert.match(error.message, message);
            assert.ok(error.message.startsWith(join(path, name)));
            return true;
          });
          assert.deepEqual(readdirSync(path), before);
        });
      }
    }
  });

  describe("at a place where there can be none", () => {
    const places: readonly [string, () => string][] = [
      ["below /proc", () => "/proc/state"],
      ["deep below /proc", () => "/proc/a/b/c"],
      ["below a device", () => "/dev/null/state"],
      ["a device", () => "/dev/null"],
      ["in /sys", () => "/sys/state"],
      ["a file", () => file("file")],
      ["below a file", () => join(file("file"), "state")],
      ["a FIFO", () => fifo("fifo")],
      ["too long a name", () => join(path, "x".repeat(300))],
      ["too long a path", () => join(path, "x/".repeat(3_000))],
      ["a symbolic link to nothing", () => link("nowhere", "/nonexistent/nothing")],
      ["a symbolic link to itself", () => link("loop", "loop")],
      ["a name with a zero byte", () => "/tmp/a\0b"],
    ];
    const file = (name: string): string => {
      writeFileSync(join(path, name), "");
      return join(path, name);
    };
    const fifo = (name: string): string => {
      execFileSync("mkfifo", [join(path, name)]);
      return join(path, name);
    };
    const link = (name: string, to: string): string => {
      symlinkSync(to, join(path, name));
      return join(path, name);
    };
    for (const [what, place] of places) {
      it(`${what}: refused at once in one line that names it`, async () => {
        const where = place();
        await assert.rejects(
          async () => DurableStore.open(await LocalDirectory.open(where)),
          (error: Error) => {
            assert.ok(error instanceof UnusableDirectoryError, String(error));
            assert.ok(error.message.startsWith(`${where} cannot be used as a state directory: `));
            assert.ok(!error.message.includes("\n"));
            return true;
          },
        );
      });
    }

    it("is made with all that are above it", async () => {
      const where = join(path, "a/b/c");
      await (await DurableStore.open(await LocalDirectory.open(where))).close();
      assert.ok(existsSync(join(where, logName(1))));
    });

    it("through a symbolic link to a directory is used", async () => {
      mkdirSync(join(path, "real"));
      await (await DurableStore.open(await LocalDirectory.open(link("linked", "real")))).close();
      assert.ok(existsSync(join(path, "real", logName(1))));
    });

    it("is not allowed to this user", async function () {
      if (process.getuid?.() === 0) this.skip();
      chmodSync(path, 0o500);
      await assert.rejects(
        async () => DurableStore.open(await LocalDirectory.open(path)),
        /this user has no permission/,
      );
      chmodSync(path, 0o700);
    });
  });
});

function contents(path: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(path).map((name) => [name, readFileSync(join(path, name)).toString("hex")]),
  );
}
