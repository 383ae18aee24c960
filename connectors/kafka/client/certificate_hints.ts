/** What failures of TLS mean, in words that say what to do. */

/** Of codes of Node's. Certificates do not get better by waiting. */
export function isTlsFailure(code: string): boolean {
  return /CERT|SSL|TLS|EPROTO|UNABLE_TO_VERIFY/.test(code);
}

/** @param server "broker", "schema registry"; undefined: the code tells nothing more */
export function certificateHint(code: string, server: string): string | undefined {
  const hint = HINTS.find(([pattern]) => pattern.test(code))?.[1];
  return hint?.replaceAll("SERVER", server).replace("ADVERTISED", server === "broker" ? ADVERTISED : "");
}

/** Clients come back to a broker by what it says of itself. */
const ADVERTISED = ", and have the broker advertise it";

const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/,
    "by the clock of this machine, the SERVER's certificate is not valid now",
  ],
  [/ALTNAME/, "the SERVER's certificate is for other names: connect by one of thoseADVERTISED"],
  [
    /SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/,
    "the SERVER's certificate is by an authority that is not trusted here: name its CA file",
  ],
  [
    /ALERT_(?:BAD_|NO_|UNSUPPORTED_)?CERTIFICATE|ALERT_UNKNOWN_CA|ALERT_ACCESS_DENIED/,
    "the SERVER requires a client certificate, and accepts none, or not this one: it must be valid now and issued by an authority that the SERVER trusts",
  ],
  [/WRONG_VERSION|EPROTO|PACKET_LENGTH/, "does this port expect plain text?"],
];
