/**
 * The login by OAUTHBEARER (RFC 7628). A broker refuses a token in a challenge, not in an error; kafkajs takes the
 * challenge for a success, and the connection then breaks at the next request.
 */
import type { OAuthBearerLogin } from "./kafka_client.js";
import { Encoder, KafkaJSSASLAuthenticationError, type LoginProvider } from "./kafkajs_internals.js";

const SEPARATOR = "\u0001";
const LENGTH_BYTES = 4;

/**
 * A login with tokens of an OAuth 2.0 issuer: KIP-255, RFC 7628.
 *
 * @param token resolves with one that counts now
 * @param extensions such as Confluent Cloud's `logicalCluster` and `identityPoolId`
 */
export function oauthBearer(
  token: () => Promise<string>,
  extensions: Readonly<Record<string, string>> = {},
): OAuthBearerLogin {
  const authenticationProvider: LoginProvider = ({ saslAuthenticate }) => ({
    async authenticate() {
      const pairs = [`auth=Bearer ${await token()}`];
      for (const [name, value] of Object.entries(extensions)) pairs.push(`${name}=${value}`);
      const challenge = await saslAuthenticate(
        exchange(`n,,${SEPARATOR}${pairs.join(SEPARATOR)}${SEPARATOR}${SEPARATOR}`),
      );
      if (challenge === "") return;
      // The broker waits for this before it ends the login; its own words for the refusal are then in the error.
      await saslAuthenticate(exchange(SEPARATOR));
      throw new KafkaJSSASLAuthenticationError(`the token is refused: ${challenge}`);
    },
  });
  return { mechanism: "oauthbearer", authenticationProvider };
}

function exchange(message: string) {
  return {
    request: { encode: async () => new Encoder().writeBytes(Buffer.from(message)).buffer },
    response: {
      decode: async (bytes: Buffer) => bytes.subarray(LENGTH_BYTES).toString(),
      parse: async (text: string) => text,
    },
  };
}
