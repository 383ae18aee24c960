/** What can go wrong with a schema registry, by what the reader of the message has to do about it. */

/** Any failure of it. */
export class SchemaRegistryError extends Error {
  override readonly name: string = "SchemaRegistryError";
}

/** Outage, or a wrong address: it has not answered, or with an error of its own, for as long as it was retried. */
export class RegistryUnreachableError extends SchemaRegistryError {
  override readonly name = "RegistryUnreachableError";

  /** @param isTls for a certificate, or a port that speaks another protocol */
  constructor(
    urls: readonly string[],
    cause: unknown,
    readonly isTls = false,
  ) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`the schema registry cannot be reached at ${urls.join(", ")}: ${reason}`, { cause });
  }
}

/** It refuses these credentials, or what they ask for. Not retried. */
export class RegistryRefusedError extends SchemaRegistryError {
  override readonly name = "RegistryRefusedError";

  constructor(url: string, status: number, message: string, hasLogin: boolean) {
    const what =
      status === 403
        ? "does not allow what was asked of it"
        : hasLogin
          ? "refuses the login"
          : "requires a login, and none is set";
    super(`the schema registry at ${url} ${what}: status ${status}${message}`);
  }
}

/** An answer that no registry gives: most likely the address is one of something else. Not retried. */
export class NoRegistryError extends SchemaRegistryError {
  override readonly name = "NoRegistryError";

  constructor(url: string, path: string, what: string) {
    super(
      `there is no schema registry at ${url}: ${path} is answered with ${what}. Expected the address under which /subjects is; Apicurio's ends in /apis/ccompat/v7`,
    );
  }
}

/** It does not take a schema: the subject's rules, a mode without writing. Not retried. */
export class SchemaRefusedError extends SchemaRegistryError {
  override readonly name = "SchemaRefusedError";

  constructor(url: string, subject: string, status: number, message: string) {
    super(
      `the schema registry at ${url} does not accept the schema of ${subject}: status ${status}${message}`,
    );
  }
}
