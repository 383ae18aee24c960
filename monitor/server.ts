/**
 * What a run serves to those who watch it: `/metrics`, `/healthz`, `/readyz`, and the page with what it asks for. The
 * page gets a view each second as a server-sent event. An observation is made for each scrape, and each second for the
 * history; nothing here is called by the pipeline.
 */

import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { every } from "@order-payment-stream/beam/io";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Registry } from "prom-client";
import { Access } from "./access.js";
import type { Actions } from "./actions.js";
import { History } from "./history.js";
import { createRegistry } from "./metrics.js";
import type { Observation } from "./observation.js";
import { type View, viewOf } from "./view.js";

const SAMPLE_MS = 1_000;
const WATCHERS_MAX = 50;
/** Somebody who reads more slowly misses views. */
const WATCHER_WAITING_MAX = 1 << 20;
const BODY_MAX = 4 << 20;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};
/** Nothing from anywhere else, and nothing that stands in the page itself. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export interface MonitorOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  readonly token?: string | undefined;
  readonly observe: () => Observation;
  readonly actions: Actions;
}

export class Monitor {
  readonly history = new History();
  readonly #app: FastifyInstance;
  readonly #registry: Registry;
  readonly #watchers = new Set<ServerResponse>();
  readonly #endTicks: () => void;
  #view: View;

  private constructor(private readonly options: MonitorOptions) {
    this.#registry = createRegistry(options.observe);
    this.#view = this.#sample();
    this.#app = Fastify({ forceCloseConnections: true, bodyLimit: BODY_MAX });
    this.#serve();
    this.#endTicks = every(SAMPLE_MS, () => this.#tick());
  }

  /** @throws what the system says of the address, EADDRINUSE for one */
  static async start(options: MonitorOptions): Promise<Monitor> {
    const monitor = new Monitor(options);
    try {
      await monitor.#app.listen({ host: options.host, port: options.port });
    } catch (error) {
      await monitor.close();
      throw error;
    }
    return monitor;
  }

  /** Where a browser on this machine finds it. */
  get url(): string {
    const { host } = this.options;
    const name = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
    return `http://${name.includes(":") ? `[${name}]` : name}:${this.port}`;
  }

  get port(): number {
    return (this.#app.server.address() as AddressInfo).port;
  }

  /** The latest view. */
  get view(): View {
    return this.#view;
  }

  async close(): Promise<void> {
    this.#endTicks();
    for (const watcher of this.#watchers) watcher.end();
    this.#registry.clear();
    await this.#app.close();
  }

  #sample(): View {
    const observation = this.options.observe();
    return viewOf(observation, this.history.add(observation), this.history);
  }

  #tick(): void {
    this.#view = this.#sample();
    if (this.#watchers.size === 0) return;
    const event = `data: ${JSON.stringify(this.#view)}\n\n`;
    for (const watcher of this.#watchers) {
      if (watcher.writableLength < WATCHER_WAITING_MAX) watcher.write(event);
    }
  }

  #serve(): void {
    const app = this.#app;
    const { actions, host, token } = this.options;
    const access = new Access(host, token);
    app.addHook("onRequest", async (request, reply) => {
      const path = request.url.replace(/\?.*$/, "");
      const given = (request.query as { token?: string }).token;
      if (path === "/" && given !== undefined) {
        const cookie = access.cookieFor(given);
        if (cookie !== undefined) return reply.header("set-cookie", cookie).redirect("/");
      }
      const refusal = access.refusal(request.method, path, request.headers);
      if (refusal !== undefined) return reply.code(refusal.status).send({ error: refusal.message });
    });
    app.addHook("onSend", async (_request, reply) => {
      reply.header("x-content-type-options", "nosniff").header("referrer-policy", "no-referrer");
      if (!reply.hasHeader("cache-control")) reply.header("cache-control", "no-store");
    });
    app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
      reply.code(error.statusCode ?? 500).send({ error: error.message });
    });
    app.setNotFoundHandler((request, reply) => {
      reply.code(404).send({ error: `there is no ${request.url.replace(/\?.*$/, "")}` });
    });

    app.get("/healthz", async (_request, reply) => reply.type("text/plain").send("ok\n"));
    app.get("/readyz", async (_request, reply) => this.#ready(reply));
    app.get("/metrics", async (_request, reply) =>
      reply.type(this.#registry.contentType).send(await this.#registry.metrics()),
    );
    app.get("/api/now", async () => this.#view);
    app.get("/api/history", async () => this.history.points);
    app.get("/api/events", (request, reply) => this.#watch(request, reply));
    app.get("/api/settings", async () => actions.settings());
    app.get("/api/logs", async () => actions.logs());
    app.get("/api/explain", async (request) => actions.explain(textOf(request.query, "order_id") ?? ""));
    app.get("/api/dead-letters", async (request) => actions.deadLetters(queryOf(request.query)));
    app.post("/api/dead-letters/replay", async (request) => actions.replay(request.body as object));
    app.post("/api/log-level", async (request) => actions.setLogLevel(textOf(request.body, "level") ?? ""));
    servePage(app);
  }

  #ready(reply: FastifyReply): FastifyReply {
    const { phase, servers, partitions, doing } = this.options.observe();
    const away = servers.find(({ problem }) => problem !== undefined);
    const lost = partitions.find(({ failure, error }) => failure !== undefined || error !== undefined);
    const why =
      phase !== "running"
        ? `${phase}: ${doing}`
        : away !== undefined
          ? `${away.name}: ${away.problem}`
          : lost && `${lost.topic}[${lost.partition}]: ${lost.error ?? lost.failure?.message}`;
    return reply
      .code(why === undefined ? 200 : 503)
      .type("text/plain")
      .send(`${why ?? "ready"}\n`);
  }

  #watch(request: FastifyRequest, reply: FastifyReply): void {
    if (this.#watchers.size >= WATCHERS_MAX) {
      void reply.code(503).send({ error: `${WATCHERS_MAX} pages are open already` });
      return;
    }
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    });
    raw.write(`retry: 1000\ndata: ${JSON.stringify(this.#view)}\n\n`);
    this.#watchers.add(raw);
    request.raw.once("close", () => this.#watchers.delete(raw));
  }
}

/** The page's own files, and those of the packages that it uses, from memory: nothing else can be asked for. */
function servePage(app: FastifyInstance): void {
  const require = createRequire(import.meta.url);
  const own = (name: string): string => fileURLToPath(new URL(`page/${name}`, import.meta.url));
  const files: readonly [string, string][] = [
    ["/", own("index.html")],
    ["/page.css", own("page.css")],
    ["/page.js", own("page.js")],
    ["/charts.js", own("charts.js")],
    ["/ask.js", own("ask.js")],
    ["/tools.js", own("tools.js")],
    ["/icon.svg", own("icon.svg")],
    ["/preact.js", join(dirname(require.resolve("htm")), "../preact/standalone.module.js")],
  ];
  for (const [path, file] of files) {
    const content = readFileSync(file);
    const type = TYPES[file.replace(/^.*\./, "")]!;
    app.get(path, async (_request, reply) =>
      reply
        .type(type)
        .header("content-security-policy", POLICY)
        .header("cache-control", "no-cache")
        .send(content),
    );
  }
}

function textOf(fields: unknown, name: string): string | undefined {
  const value = (fields as Record<string, unknown> | null | undefined)?.[name];
  return typeof value === "string" ? value : undefined;
}

function queryOf(fields: unknown): Record<string, string> {
  const texts = Object.entries(fields as Record<string, unknown>).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string" && entry[1] !== "",
  );
  return Object.fromEntries(texts);
}
