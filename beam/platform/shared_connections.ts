/**
 * Connections by name. A graph holds only the name: addresses and passwords stay with the process that runs it, which
 * registers them when it starts. All users of a name share one connection; the last one closes it.
 */
interface Shared<T> {
  readonly connection: Promise<T>;
  /** Once it is open. */
  value: T | undefined;
  users: number;
}

/** Connections of one kind, by name: registered when a process starts, opened by the first user, closed by the last. */
export class SharedConnections<T> {
  readonly #connects = new Map<string, () => Promise<T>>();
  readonly #open = new Map<string, Shared<T>>();

  /** @param kind what is connected to, for messages */
  constructor(
    private readonly kind: string,
    private readonly close: (connection: T) => Promise<void>,
  ) {}

  /** Replaces what was registered under the name; an open connection stays open. */
  register(name: string, connect: () => Promise<T>): void {
    this.#connects.set(name, connect);
  }

  /** Connects if it is not open. Each call needs a `release`. */
  async acquire(name: string): Promise<T> {
    let shared = this.#open.get(name);
    if (shared === undefined) {
      const connect = this.#connects.get(name);
      if (connect === undefined) throw new Error(`no ${this.kind} connection is registered under ${name}`);
      shared = { connection: connect(), value: undefined, users: 0 };
      this.#open.set(name, shared);
    }
    shared.users++;
    try {
      shared.value = await shared.connection;
      return shared.value;
    } catch (error) {
      this.#open.delete(name);
      throw error;
    }
  }

  /** The connection if it is open: to look at, not to use or keep. */
  peek(name: string): T | undefined {
    return this.#open.get(name)?.value;
  }

  /** Forgets an open connection without closing it: those who hold it are gone, as after a simulated crash. */
  abandon(name: string): void {
    this.#open.delete(name);
  }

  async release(name: string): Promise<void> {
    const shared = this.#open.get(name);
    if (shared === undefined || --shared.users > 0) return;
    this.#open.delete(name);
    await this.close(await shared.connection);
  }
}
