/** Packs the packages of the library to .local/packages, from where another project installs them. They must be built. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(import.meta.url), "../..");
const folder = join(root, ".local", "packages");

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const name of ["beam", "connectors/kafka", "connectors/mongodb", "connectors/gcs", "connectors/files"]) {
  execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], {
    cwd: join(root, name),
    stdio: ["ignore", "ignore", "inherit"],
  });
}
console.log(`${readdirSync(folder).length} packages in ${folder}; each is installed with npm install FILE`);
