/** The page of a run: everything that it shows comes once a second as one event; the rest is asked for. */

import { DeadLetters, Explain } from "/ask.js";
import { Bars, LineChart } from "/charts.js";
import { html, render, useEffect, useRef, useState } from "/preact.js";
import { ask, bytes, clock, count, duration, moment, percent, rate } from "/tools.js";

const POINTS_MAX = 900;
const SILENT_MS = 3_500;

const PARTS = [
  ["state", "State"],
  ["graph", "Graph"],
  ["partitions", "Partitions"],
  ["time", "Over time"],
  ["explain", "Explain"],
  ["letters", "Dead letters"],
  ["commits", "Commits"],
  ["settings", "Settings"],
  ["log", "Log"],
];

/** The view of now, the points so far, and whether the run still tells. */
function useRun() {
  const [run, setRun] = useState({ view: null, points: [], isLive: false });
  useEffect(() => {
    let heardAtMs = 0;
    const refill = () =>
      ask("/api/history").then(
        (points) => setRun((before) => ({ ...before, points })),
        () => undefined,
      );
    const source = new EventSource("/api/events");
    source.onmessage = ({ data }) => {
      const view = JSON.parse(data);
      // A page that was away, or slept, has gaps that the run can fill.
      if (Date.now() - heardAtMs > 5_000) refill();
      heardAtMs = Date.now();
      setRun(({ points }) => {
        const isNew = view.point !== null && points.at(-1)?.atMs !== view.point.atMs;
        return { view, isLive: true, points: isNew ? [...points.slice(1 - POINTS_MAX), view.point] : points };
      });
    };
    const look = setInterval(() => {
      if (Date.now() - heardAtMs > SILENT_MS)
        setRun((before) => (before.isLive ? { ...before, isLive: false } : before));
    }, 1000);
    return () => {
      source.close();
      clearInterval(look);
    };
  }, []);
  return run;
}

function Theme() {
  const [theme, setTheme] = useState(localStorage.getItem("theme") ?? "auto");
  useEffect(() => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    localStorage.setItem("theme", theme);
  }, [theme]);
  return html`<select aria-label="Light or dark" value=${theme} onChange=${(event) => setTheme(event.currentTarget.value)}>
    <option value="auto">auto</option><option value="light">light</option><option value="dark">dark</option>
  </select>`;
}

/** The sentence is on the screen each second; read out it is only when it says something else than other figures. */
function StateSection({ view, isLive }) {
  const level = isLive ? view.state.level : "trouble";
  const sentence = isLive
    ? view.state.sentence
    : `the run does not answer since ${clock(view.atMs)}: it has ended, stands still, or cannot be reached`;
  const said = sentence.replace(/[\d.,]+/g, "");
  const spoken = useRef({ said: "", text: "" });
  if (spoken.current.said !== said) spoken.current = { said, text: sentence };
  return html`<div class="state ${level}" id="state" data-level=${level}>
    <p><span class="only-read">${level}: </span><span id="sentence">${sentence}</span></p>
    <div class="only-read" role="status">${spoken.current.text}</div>
    ${isLive && view.state.others.length > 0 && html`<ul>${view.state.others.map(({ text }) => html`<li>${text}</li>`)}</ul>`}
  </div>`;
}

function Books({ view }) {
  const [which, setWhich] = useState("run");
  if (!view.tellsFigures)
    return html`<section><h2>Books</h2><p class="soft">The runner ${view.runner} tells no figures while a job runs.</p></section>`;
  const tally = view[which];
  const columns = Object.keys(tally.orders);
  const isSame = JSON.stringify(view.run) === JSON.stringify(view.total);
  const flight = view.inFlight.orders + view.inFlight.payments;
  return html`<section aria-labelledby="books">
    <div class="head"><h2 id="books">Books</h2>
      <span>${flight === 0 ? html`<span class="tag good">balanced</span>` : html`<span class="tag">${count(flight)} in flight</span>`}</span>
      ${!isSame && html`<label>counted <select value=${which} onChange=${(e) => setWhich(e.currentTarget.value)}><option value="run">by this run</option><option value="total">by all runs on this state</option></select></label>`}
    </div>
    <div class="scroll" tabindex="0" role="region" aria-label="Table of books"><table id="books-table">
      <caption>Events: what was read is the sum of the other columns.</caption>
      <thead><tr><th scope="col">of</th>${columns.map((name) => html`<th scope="col">${name.replaceAll("_", " ")}</th>`)}</tr></thead>
      <tbody>${["orders", "payments"].map((kind) => html`<tr><th scope="row">${kind}</th>${columns.map((name) => html`<td data-value=${`${kind}.${name}`}>${count(tally[kind][name])}</td>`)}</tr>`)}</tbody>
    </table></div>
    <p class="small soft">${count(tally.joined)} joined and ${count(tally.unmatched)} unmatched in MongoDB. Dead letters: ${lettersText(tally.dead_letters)}.</p>
  </section>`;
}

function lettersText(letters) {
  const all = Object.entries(letters);
  return all.length === 0 ? "none" : all.map(([reason, n]) => `${reason} ${count(n)}`).join(", ");
}

function Cards({ view }) {
  const { recent } = view;
  const cards = [
    ["orders a second", rate(recent.ordersPerSecond)],
    ["payments a second", rate(recent.paymentsPerSecond)],
    ["joined a second", rate(recent.joinedPerSecond)],
    ["event time behind the clock", duration(view.gapMs)],
    ["expiry later than it should be", duration(view.expiryBehindMs)],
    ["payment to document, half of them", duration(recent.p50Ms)],
    ["… and 99 of 100", duration(recent.p99Ms)],
  ];
  return html`<div class="cards">${cards.map(([title, value]) => html`<div class="card"><b>${value}</b><span class="small soft">${title}</span></div>`)}</div>`;
}

/** Stages in columns: each stands behind all that it takes from. */
function columnsOf(stages) {
  // The looks for new partitions are a part of reading, and do next to nothing.
  const shown = stages.filter(({ name }) => !name.includes("/FindPartitions/"));
  const isShown = new Set(shown.map(({ name }) => name));
  const depths = new Map();
  for (const stage of shown) {
    const before = stage.upstream.filter((name) => isShown.has(name)).map((name) => depths.get(name) ?? -1);
    depths.set(stage.name, Math.max(-1, ...before) + 1);
  }
  const columns = [];
  for (const stage of shown) {
    const depth = depths.get(stage.name);
    columns[depth] ??= [];
    columns[depth].push(stage);
  }
  return columns;
}

function Stage({ stage, titles, view }) {
  const { busy, flushing, blocked } = stage;
  const upstream = stage.upstream.filter((name) => !name.includes("/FindPartitions/"));
  const share = (name, part) => html`<i class=${name} style=${{ width: `${part * 100}%` }}></i>`;
  const free = Math.min(1, busy + flushing);
  const records = { ReadOrders: view.recent.ordersPerSecond, ReadPayments: view.recent.paymentsPerSecond }[
    stage.title
  ];
  return html`<li class=${`stage${stage.isBottleneck ? " marked" : ""}`}>
    <h3>${stage.title} ${stage.isBottleneck && html`<span class="tag warn">the others wait for it</span>`} ${stage.isAhead && html`<span class="tag">waits for a slower source</span>`}</h3>
    ${upstream.length > 0 && html`<div class="small soft">behind ${upstream.map((name) => titles.get(name) ?? name).join(", ")}</div>`}
    <dl>
      <dt>${records === undefined ? "elements" : "records"} a second</dt><dd>${rate(records ?? stage.elementsPerSecond)}</dd>
      <dt>event time behind</dt><dd>${duration(stage.gapMs)}</dd>
      <dt>in front of it</dt><dd>${count(stage.pending)}</dd>
      ${stage.timers > 0 && html`<dt>timers</dt><dd>${count(stage.timers)}</dd>`}
    </dl>
    <div class="load" aria-hidden="true">${share("busy", busy)}${share("flushing", Math.max(0, free - busy))}${share("blocked", Math.min(blocked, 1 - free))}</div>
    <div class="shares small soft"><span>busy ${percent(busy)}</span><span>flushing ${percent(flushing)}</span><span>blocked ${percent(blocked)}</span></div>
  </li>`;
}

function Graph({ view }) {
  const titles = new Map(view.stages.map(({ name, title }) => [name, title]));
  return html`<section id="graph" aria-labelledby="graph-title">
    <div class="head"><h2 id="graph-title">Graph</h2>
      <span class="small key"><i class="busy"></i>busy with itself<i class="flushing"></i>waits for a database<i class="blocked"></i>waits for those behind it</span></div>
    ${
      view.stages.length === 0
        ? html`<p class="soft">${view.phase === "starting" ? "It has not begun." : `The runner ${view.runner} does not tell of its stages; its own page does.`}</p>`
        : html`<div class="graph">${columnsOf(view.stages).map((column) => html`<ol>${column.map((stage) => html`<${Stage} key=${stage.name} stage=${stage} titles=${titles} view=${view} />`)}</ol>`)}</div>`
    }
    ${view.stages.length > 0 && html`<p class="small soft">Commits: ${count(view.commits?.count)}, which take ${percent(view.recent.committing)} of the time.</p>`}
  </section>`;
}

function Partitions({ view }) {
  return html`<section id="partitions" aria-labelledby="partitions-title">
    <h2 id="partitions-title">Partitions</h2>
    ${
      view.partitions.length === 0
        ? html`<p class="soft">${view.phase === "running" ? "None is read in this process." : "Not known yet."}</p>`
        : html`<div class="scroll" tabindex="0" role="region" aria-label="Table of partitions"><table>
      <caption>${view.partitionCount > view.partitions.length ? `The ${view.partitions.length} that are furthest behind of ${count(view.partitionCount)}. ` : ""}Event time of the join is that of the slowest one.</caption>
      <thead><tr><th scope="col">partition</th><th scope="col">position</th><th scope="col">end</th><th scope="col">not read</th><th scope="col">event time behind</th><th scope="col" class="text">state</th></tr></thead>
      <tbody>${view.partitions.map(
        (
          p,
        ) => html`<tr key=${p.name} class=${p.isSlowest ? "marked" : ""}><th scope="row">${p.name}</th><td>${count(p.position)}</td><td>${count(p.end)}</td><td>${count(p.lag)}</td><td>${duration(p.gapMs)}</td>
          <td class="text">${p.isSlowest && html`<span class="tag warn">the slowest</span> `}${p.state}</td></tr>`,
      )}</tbody></table></div>`
    }
  </section>`;
}

const perSecond = (n) => (n === null ? "–" : `${rate(n)}/s`);

function OverTime({ view, points }) {
  const charts = [
    [
      "Read",
      [
        ["orders", "orders", "sa"],
        ["payments", "payments", "sb"],
      ],
      perSecond,
    ],
    [
      "Written",
      [
        ["joined", "joined", "sc"],
        ["unmatched", "unmatched", "sd"],
      ],
      perSecond,
    ],
    [
      "Left out",
      [
        ["late", "late", "sd"],
        ["other dead letters", "dead_letters", "sb"],
        ["duplicates", "duplicates", "sa"],
      ],
      perSecond,
    ],
    [
      "Payment to document",
      [
        ["half", "p50Ms", "sa"],
        ["99 of 100", "p99Ms", "sd"],
      ],
      duration,
    ],
    ["Event time behind the clock", [["the join", "gapMs", "sa"]], duration],
    ["Records not read yet", [["all partitions", "lag", "sb"]], count],
    ["Pending, without a partner", [["events", "pending", "sa"]], count],
  ];
  const { spanMs, counts } = view.expiries;
  const label = (index) =>
    index === 0
      ? `due, or in ${duration(spanMs)}`
      : `in ${duration(index * spanMs)} to ${duration((index + 1) * spanMs)}`;
  return html`<section id="time" aria-labelledby="time-title">
    <h2 id="time-title">Over time</h2>
    <div class="charts">
      ${charts.map(([title, series, format]) => html`<${LineChart} key=${title} title=${title} series=${series} points=${points} format=${format} />`)}
      ${view.stages.length > 0 && html`<${Bars} title="In state, by the time until it expires" counts=${counts} label=${label} format=${count} />`}
    </div>
  </section>`;
}

function Commits({ view }) {
  const { commits, checkpoints } = view;
  return html`<section id="commits" aria-labelledby="commits-title">
    <h2 id="commits-title">Commits and checkpoints</h2>
    ${
      commits
        ? html`<div class="cards">
      <div class="card"><b>${count(commits.count)}</b><span class="small soft">commits</span></div>
      <div class="card"><b>${duration(commits.lastDurationMs)}</b><span class="small soft">the last one</span></div>
      <div class="card"><b>${duration(commits.count ? commits.durationMs / commits.count : null)}</b><span class="small soft">on average</span></div>
      <div class="card"><b>${bytes(commits.lastBytes)}</b><span class="small soft">written by the last</span></div>
      <div class="card"><b>${bytes(view.stateBytes)}</b><span class="small soft">of memory for state</span></div>
    </div>`
        : html`<p class="soft">The runner ${view.runner} keeps the state itself.</p>`
    }
    ${
      checkpoints === null
        ? html`<p class="small soft">No checkpoints are carried away: GCS_CHECKPOINT_PATH is not set.</p>`
        : checkpoints.length === 0
          ? html`<p class="small soft">No checkpoint yet.</p>`
          : html`<div class="scroll" tabindex="0" role="region" aria-label="Table of checkpoints"><table><caption>The latest checkpoints</caption>
      <thead><tr><th scope="col">id</th><th scope="col">finished</th><th scope="col">took</th><th scope="col">size</th><th scope="col">commit</th></tr></thead>
      <tbody>${[...checkpoints].reverse().map((c) => html`<tr key=${c.id}><th scope="row">${c.id}</th><td>${clock(c.atMs)}</td><td>${duration(c.durationMs)}</td><td>${bytes(c.bytes)}</td><td>${count(c.commit)}</td></tr>`)}</tbody></table></div>`
    }
  </section>`;
}

function Settings() {
  const [settings, setSettings] = useState([]);
  const [areAll, setAll] = useState(false);
  useEffect(() => {
    ask("/api/settings").then(setSettings, () => undefined);
  }, []);
  const shown = settings.filter(({ origin }) => areAll || origin !== "default");
  return html`<section id="settings" aria-labelledby="settings-title">
    <div class="head"><h2 id="settings-title">Settings</h2>
      <label class="check"><input type="checkbox" checked=${areAll} onChange=${(e) => setAll(e.currentTarget.checked)} />defaults, too</label></div>
    <div class="scroll" tabindex="0" role="region" aria-label="Table of settings"><table><caption>Secrets are masked.</caption>
      <thead><tr><th scope="col">name</th><th scope="col" class="text">value</th><th scope="col" class="text">from</th></tr></thead>
      <tbody>${shown.map(({ name, value, origin }) => html`<tr key=${name}><th scope="row">${name}</th><td class="text">${value || html`<span class="soft">not set</span>`}</td><td class="text">${origin}</td></tr>`)}</tbody></table></div>
  </section>`;
}

function Log({ isLive }) {
  const [logs, setLogs] = useState({ level: "info", lines: [] });
  const box = useRef(null);
  useEffect(() => {
    const look = () => ask("/api/logs").then(setLogs, () => undefined);
    look();
    const timer = setInterval(look, 2000);
    return () => clearInterval(timer);
  }, []);
  const last = logs.lines.at(-1)?.atMs;
  useEffect(() => {
    const { current } = box;
    if (current && current.scrollHeight - current.scrollTop - current.clientHeight < 120)
      current.scrollTop = current.scrollHeight;
  }, [last]);
  const change = (event) =>
    ask("/api/log-level", { level: event.currentTarget.value }).then(setLogs, () => undefined);
  return html`<section id="log" aria-labelledby="log-title">
    <div class="head"><h2 id="log-title">Log</h2>
      <label>level <select value=${logs.level} disabled=${!isLive} onChange=${change}>${["trace", "debug", "info", "warn", "error", "silent"].map((level) => html`<option value=${level}>${level}</option>`)}</select></label></div>
    <div class="log" ref=${box} tabindex="0" role="log" aria-live="off" aria-label="The last lines of the log">
      ${logs.lines.map(({ atMs, level, text }) => html`<div class=${level}>${clock(atMs)} ${level} ${text}</div>`)}
    </div>
  </section>`;
}

function App() {
  const { view, points, isLive } = useRun();
  useEffect(() => {
    if (view !== null) document.title = `${isLive ? view.state.level : "no answer"} · order-payment-stream`;
  }, [view?.state.level, isLive]);
  return html`
    <header><div class="bar"><h1>order-payment-stream</h1>
      <nav aria-label="Parts of the page">${PARTS.map(([id, title]) => html`<a href=${`#${id}`}>${title}</a>`)}</nav>
      <${Theme} /></div></header>
    <main id="main">
      ${
        view === null
          ? html`<p class="soft">Waiting for the run to tell of itself…</p>`
          : html`
        <${StateSection} view=${view} isLive=${isLive} />
        <p class="small soft">On ${view.runner}, since ${moment(view.startedAtMs).replace(/\.\d+/, "")} (${duration(view.atMs - view.startedAtMs)})${view.servers.map(({ name, address, answerMs, problem }) => html` · ${name} at ${address} ${problem ? "does not answer" : `answers in ${duration(answerMs)}`}`)}</p>
        <${Cards} view=${view} />
        <${Books} view=${view} />
        <${Graph} view=${view} />
        <${Partitions} view=${view} />
        <${OverTime} view=${view} points=${points} />
        <div class="two"><${Explain} /><${Commits} view=${view} /></div>
        <${DeadLetters} reasons=${view.deadLetterReasons} />
        <div class="two"><${Settings} /><${Log} isLive=${isLive} /></div>`
      }
    </main>`;
}

render(html`<${App} />`, document.getElementById("app"));
