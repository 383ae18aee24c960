/**
 * The staging step between prepare and run. Workers are found, not shipped, so there is nothing to stage; a runner is
 * told so, and one that wants a file all the same is an error. Source: beam_artifact_api.proto.
 *
 * Here the client answers and the server asks. A server with no questions ends the call without sending anything,
 * headers included: only the end of the stream may be waited for.
 */
import { credentials } from "@grpc/grpc-js";
import { ArtifactStagingServiceClient, artifactApi } from "./job_api.js";
import { CHANNEL_OPTIONS, callError, deadlineIn } from "./rpc.js";

const STAGING_TIMEOUT_MS = 60_000;

export async function stageArtifacts(endpoint: string, stagingToken: string): Promise<void> {
  const client = new ArtifactStagingServiceClient(endpoint, credentials.createInsecure(), CHANNEL_OPTIONS);
  try {
    await answerQuestions(client, endpoint, stagingToken);
  } finally {
    client.close();
  }
}

function answerQuestions(
  client: ArtifactStagingServiceClient,
  endpoint: string,
  stagingToken: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = client.reverseArtifactRetrievalService({ deadline: deadlineIn(STAGING_TIMEOUT_MS) });
    const send = (response: artifactApi.ArtifactResponseWrapper["response"], isLast: boolean): void => {
      call.write(artifactApi.ArtifactResponseWrapper.create({ stagingToken, isLast, response }));
    };
    call.on("data", ({ request }: artifactApi.ArtifactRequestWrapper) => {
      switch (request.oneofKind) {
        case "resolveArtifact": {
          const { artifacts: replacements } = request.resolveArtifact;
          send({ oneofKind: "resolveArtifactResponse", resolveArtifactResponse: { replacements } }, true);
          return;
        }
        case "getArtifact":
          call.cancel();
          reject(
            new Error(
              `the runner at ${endpoint} asks for an artifact (${request.getArtifact.artifact?.typeUrn}), but the pipeline has none`,
            ),
          );
      }
    });
    call.on("end", resolve);
    call.on("error", (error) => reject(callError("stage", endpoint, error as never, STAGING_TIMEOUT_MS)));
    send({ oneofKind: undefined }, false);
  });
}
