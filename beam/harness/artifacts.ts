/**
 * Fetches the files that were staged with a job into a folder of the worker. Source: beam_artifact_api.proto,
 * ArtifactRetrievalService.
 */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { finished } from "node:stream/promises";
import { type artifactApi, runnerApi } from "../model/apache_beam.js";
import { Connection } from "./connection.js";
import { GET_ARTIFACT, RESOLVE_ARTIFACTS } from "./fn_methods.js";

const FILE_TYPE = "beam:artifact:type:file:v1";
const STAGING_TO_ROLE = "beam:artifact:role:staging_to:v1";
const REACH_TIMEOUT_MS = 20_000;

/** Resolves with the files' paths. Rejects for a file whose content is not what was staged. */
export async function fetchArtifacts(
  endpoint: string,
  workerId: string,
  dependencies: readonly runnerApi.ArtifactInformation[],
  folder: string,
): Promise<string[]> {
  if (dependencies.length === 0) return [];
  const connection = new Connection(endpoint, workerId);
  try {
    await connection.reach("artifact service", REACH_TIMEOUT_MS);
    const artifacts = [...dependencies];
    const resolved = await connection.call(RESOLVE_ARTIFACTS, { artifacts, preferredUrns: [FILE_TYPE] });
    const paths: string[] = [];
    for (const [index, artifact] of resolved.replacements.entries()) {
      const path = join(folder, nameOf(artifact, index));
      // A name comes from outside: it must not lead out of the folder.
      if (!resolve(path).startsWith(resolve(folder) + sep))
        throw new Error(`the artifact ${path} lies elsewhere`);
      await fetchArtifact(connection, artifact, path);
      paths.push(path);
    }
    return paths;
  } finally {
    connection.close();
  }
}

async function fetchArtifact(
  connection: Connection,
  artifact: runnerApi.ArtifactInformation,
  path: string,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = createWriteStream(path);
  const hash = createHash("sha256");
  await connection.collect(GET_ARTIFACT, { artifact }, ({ data }: artifactApi.GetArtifactResponse) => {
    hash.update(data);
    file.write(data);
  });
  file.end();
  await finished(file);
  const expected = filePayload(artifact)?.sha256 ?? "";
  const found = hash.digest("hex");
  if (expected !== "" && expected !== found) {
    throw new Error(`the artifact ${path} has the SHA-256 ${found}, but ${expected} was staged`);
  }
}

function nameOf(artifact: runnerApi.ArtifactInformation, index: number): string {
  if (artifact.roleUrn === STAGING_TO_ROLE) {
    const { stagedName } = runnerApi.ArtifactStagingToRolePayload.fromBinary(artifact.rolePayload);
    if (stagedName !== "") return stagedName;
  }
  return `${index}-${basename(filePayload(artifact)?.path ?? "artifact")}`;
}

function filePayload(artifact: runnerApi.ArtifactInformation): runnerApi.ArtifactFilePayload | undefined {
  if (artifact.typeUrn !== FILE_TYPE) return undefined;
  return runnerApi.ArtifactFilePayload.fromBinary(artifact.typePayload);
}
