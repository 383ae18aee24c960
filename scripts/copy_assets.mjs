// Copies what tsc leaves behind (Avro schemas, service recipes, the page) beside the compiled code, and marks the command executable.
import { chmodSync, cpSync, readdirSync } from "node:fs";
import { extname, join } from "node:path";

const ASSETS = new Set([".avsc", ".xml", ".java", ".properties"]);

for (const folder of ["schemas", "services"]) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && ASSETS.has(extname(entry.name))) {
      const from = join(entry.parentPath, entry.name);
      cpSync(from, join("dist", from));
    }
  }
}
// The page is served as it is.
cpSync("monitor/page", "dist/monitor/page", { recursive: true });
for (const program of ["main", "worker"]) chmodSync(`dist/pipeline/${program}.js`, 0o755);
