/** What is in deploy/ is what its readers take, and speaks of metrics, settings and alarms that there are. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import yaml from "js-yaml";
import { StatefulSet } from "kubernetes-models/apps/v1/StatefulSet";
import { ConfigMap } from "kubernetes-models/v1/ConfigMap";
import { Secret } from "kubernetes-models/v1/Secret";
import { Service } from "kubernetes-models/v1/Service";
import { z } from "zod";
import { createRegistry, metricNames } from "../../../monitor/metrics.js";
import { checkTogether, RUN_SETTINGS } from "../../../pipeline/settings/options.js";
import { readSettings } from "../../../pipeline/settings/read_settings.js";
import { variableOf } from "../../../pipeline/settings/setting.js";
import { observation } from "../monitor/observations.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const text = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** Names of metrics in a query. */
const namesIn = (query: string): string[] => query.match(/\b(?:ops|process|nodejs)_[a-z0-9_]+/g) ?? [];
const VARIABLES = new Set(Object.keys(RUN_SETTINGS).map(variableOf));

async function allNames(): Promise<ReadonlySet<string>> {
  const registry = createRegistry(() => observation());
  const names = (await registry.getMetricsAsJSON()).map(({ name }) => name);
  registry.clear();
  return new Set([...names, ...metricNames()]);
}

describe("the dashboard", () => {
  const dashboard = JSON.parse(text("deploy/grafana/order-payment-stream.json"));

  it("asks for metrics that there are, and for most of them", async () => {
    const known = await allNames();
    const asked = dashboard.panels.flatMap(({ targets = [] }: any) =>
      targets.flatMap(({ expr }: any) => namesIn(expr)),
    );
    assert.deepEqual(
      [...new Set(asked)].filter((name: any) => !known.has(name)),
      [],
    );
    const unseen = metricNames().filter((name) => !asked.includes(name));
    assert.ok(unseen.length < metricNames().length / 2, `it shows none of ${unseen.join(", ")}`);
  });

  it("is laid out without panels that overlap", () => {
    const cells = new Set<string>();
    for (const { gridPos, title, id } of dashboard.panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(!cells.has(`${x},${y}`), `${title} lies over another panel`);
          cells.add(`${x},${y}`);
        }
      }
      assert.equal(dashboard.panels.filter((other: any) => other.id === id).length, 1);
    }
  });
});

describe("the alarms", () => {
  const rules = z.object({
    groups: z.array(
      z.strictObject({
        name: z.string(),
        rules: z.array(
          z.strictObject({
            alert: z.string().regex(/^[A-Z][A-Za-z]+$/),
            expr: z.string(),
            for: z.string().regex(/^\d+[smh]$/),
            labels: z.strictObject({ severity: z.enum(["page", "ticket"]) }),
            annotations: z.strictObject({ summary: z.string(), runbook_url: z.string() }),
          }),
        ),
      }),
    ),
  });
  const { groups } = rules.parse(yaml.load(text("deploy/prometheus/alerts.yaml")));
  const alarms = groups.flatMap((group) => group.rules);
  const runbook = text("docs/runbook.md");
  const headings = [...runbook.matchAll(/^## (.+)$/gm)].map(([, title]) => title!);

  it("ask for metrics that there are, with parentheses that close", async () => {
    const known = await allNames();
    for (const { alert, expr } of alarms) {
      assert.deepEqual(
        namesIn(expr).filter((name) => !known.has(name)),
        [],
        alert,
      );
      assert.equal(expr.split("(").length, expr.split(")").length, alert);
    }
  });

  it("are each in the runbook, and nothing else is", () => {
    assert.deepEqual(
      alarms.map(({ alert }) => alert),
      headings,
    );
    for (const { alert, annotations } of alarms) {
      assert.equal(annotations.runbook_url, `docs/runbook.md#${alert.toLowerCase()}`);
    }
    for (const [, anchor] of runbook.matchAll(/\]\(#([a-z]+)\)/g)) {
      assert.ok(
        headings.some((title) => title.toLowerCase() === anchor),
        anchor,
      );
    }
  });

  it("are scraped with the token", () => {
    const scrape: any = yaml.load(text("deploy/prometheus/scrape.yaml"));
    assert.deepEqual(scrape.rule_files, ["alerts.yaml"]);
    assert.ok(scrape.scrape_configs[0].authorization.credentials_file);
  });
});

describe("the Kubernetes objects", () => {
  const objects = yaml.loadAll(text("deploy/kubernetes/order-payment-stream.yaml")) as any[];
  const kinds: Record<string, new (object: any) => { validate(): void }> = {
    ConfigMap,
    Secret,
    Service,
    StatefulSet,
  };
  const of = (kind: string): any => objects.find((object) => object.kind === kind);

  for (const { kind } of objects) {
    it(`have a ${kind} that Kubernetes takes`, () => new kinds[kind]!(of(kind)).validate());
  }

  it("are not taken with a field of another name", () => {
    const broken = structuredClone(of("StatefulSet"));
    broken.spec.replicas = "one";
    assert.throws(() => new StatefulSet(broken).validate());
  });

  it("give state one owner, and time to end", () => {
    const { spec } = of("StatefulSet");
    assert.equal(spec.replicas, 1);
    assert.deepEqual(spec.volumeClaimTemplates[0].spec.accessModes, ["ReadWriteOnce"]);
    const { terminationGracePeriodSeconds, containers } = spec.template.spec;
    assert.ok(terminationGracePeriodSeconds >= 120);
    assert.equal(containers[0].livenessProbe.httpGet.path, "/healthz", "an outage must not end it");
    assert.equal(containers[0].readinessProbe.httpGet.path, "/readyz");
  });

  it("set what there is to set, and what fits together", () => {
    const environment = { ...of("ConfigMap").data, ...of("Secret").stringData };
    for (const name of Object.keys(environment)) assert.ok(VARIABLES.has(name), name);
    readSettings(RUN_SETTINGS, { flags: {}, environment, file: {} }, checkTogether);
  });
});

describe("the compose file", () => {
  const strings = z.record(z.string(), z.string());
  // Of the Compose Specification, what is used here; a name that it does not have is refused.
  const service = z.strictObject({
    image: z
      .string()
      .regex(/:[\w.]+$/)
      .optional(),
    build: z.strictObject({ context: z.string(), dockerfile: z.string(), target: z.string() }).optional(),
    entrypoint: z.array(z.string()).optional(),
    command: z.array(z.string()).optional(),
    environment: strings.optional(),
    volumes: z.array(z.string().regex(/^[a-z]+:\//)).optional(),
    ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/)).optional(),
    user: z.string().optional(),
    restart: z.enum(["no", "always", "on-failure", "unless-stopped"]).optional(),
    stop_grace_period: z
      .string()
      .regex(/^\d+[sm]$/)
      .optional(),
    depends_on: z
      .record(z.string(), z.strictObject({ condition: z.enum(["service_healthy", "service_started"]) }))
      .optional(),
    healthcheck: z
      .strictObject({
        test: z.array(z.string()),
        interval: z.string(),
        timeout: z.string(),
        retries: z.number(),
      })
      .optional(),
  });
  const schema = z.strictObject({
    name: z.string(),
    services: z.record(z.string(), service),
    volumes: z.record(z.string(), z.strictObject({})),
  });
  const { services, volumes } = schema.parse(yaml.load(text("deploy/compose/compose.yaml")));

  it("names services, volumes and settings that there are", () => {
    for (const [name, { image, build, depends_on = {}, volumes: mounts = [] }] of Object.entries(services)) {
      assert.ok((image === undefined) !== (build === undefined), name);
      for (const [other, { condition }] of Object.entries(depends_on)) {
        assert.ok(services[other] !== undefined, other);
        if (condition === "service_healthy") assert.ok(services[other].healthcheck !== undefined, other);
      }
      for (const mount of mounts) assert.ok(mount.split(":")[0]! in volumes, mount);
    }
    const { environment = {} } = services.pipeline!;
    for (const name of Object.keys(environment)) assert.ok(VARIABLES.has(name), name);
    readSettings(RUN_SETTINGS, { flags: {}, environment, file: {} }, checkTogether);
  });
});

describe("the systemd unit", () => {
  const sections = new Map<string, [string, string][]>();
  for (const line of text("deploy/systemd/order-payment-stream.service").split("\n")) {
    const [, section] = /^\[(\w+)\]$/.exec(line) ?? [];
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (section !== undefined) sections.set(section, []);
    else if (name !== undefined) [...sections.values()].at(-1)!.push([name, value!]);
    else assert.match(line, /^(#.*)?$/);
  }
  const all = (section: string, name: string): string[] =>
    sections.get(section)!.flatMap(([one, value]) => (one === name ? [value] : []));

  it("starts again after failures, but not with wrong settings, and gives time to end", () => {
    assert.deepEqual([...sections.keys()], ["Unit", "Service", "Install"]);
    assert.deepEqual(all("Service", "Type"), ["exec"]);
    assert.deepEqual(all("Service", "Restart"), ["on-failure"]);
    assert.deepEqual(all("Service", "RestartPreventExitStatus"), ["2"]);
    assert.ok(Number(all("Service", "TimeoutStopSec")[0]) >= 120);
    assert.deepEqual(all("Unit", "ExecStart"), []);
  });

  it("sets what there is to set, in directories that systemd makes", () => {
    for (const assignment of all("Service", "Environment")) {
      const [name = "", value = ""] = assignment.split("=");
      assert.ok(VARIABLES.has(name) || name === "NODE_ENV", name);
      if (value.startsWith("/")) assert.match(value, /^\/var\/(lib|log)\/order-payment-stream/);
    }
  });
});
