/** What can go wrong when services are brought up, told apart by who can mend it. */

/** Something that must be installed or downloaded first is not there: Java, Maven, or the jars. */
export class RequirementMissing extends Error {
  override readonly name = "RequirementMissing";
}

/** The address that the environment names does not answer, or not as the service it should be. */
export class ServiceUnreachable extends Error {
  override readonly name = "ServiceUnreachable";
}

/** A server was started and did not come up; the message ends with the tail of its log. */
export class ServiceFailed extends Error {
  override readonly name = "ServiceFailed";
}

/** One line for a message: the error's own words without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
