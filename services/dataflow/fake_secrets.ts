/** A fake of Secret Manager: secrets by the names of their versions, and who asked for which. */
import { status } from "@grpc/grpc-js";
import { GoogleServer, Refusal } from "./google_service.js";

export class FakeSecrets {
  readonly secrets = new Map<string, string>();
  readonly asked: string[] = [];
  readonly #server = new GoogleServer();

  static async start(secrets: Readonly<Record<string, string>> = {}): Promise<FakeSecrets> {
    const fake = new FakeSecrets();
    for (const [name, value] of Object.entries(secrets)) fake.secrets.set(name, value);
    fake.#server.add("@google-cloud/secret-manager", "google.cloud.secretmanager.v1.SecretManagerService", {
      AccessSecretVersion: ({ name }: { name: string }) => {
        fake.asked.push(name);
        const value = fake.secrets.get(name);
        if (value === undefined) throw new Refusal(status.NOT_FOUND, `Secret [${name}] not found`);
        return { name, payload: { data: Buffer.from(value) } };
      },
    });
    await fake.#server.listen();
    return fake;
  }

  /** For SECRET_MANAGER_EMULATOR_HOST. */
  get address(): string {
    return `127.0.0.1:${this.#server.port}`;
  }

  close(): void {
    this.#server.close();
  }
}
