/** The parts of the page that ask: why an order is or is not paired, and which dead letters there are. */
import { html, useState } from "/preact.js";
import { ask, count, duration, hexLines, moment } from "/tools.js";

export function Explain() {
  const [id, setId] = useState("");
  const [answer, setAnswer] = useState(null);
  const [error, setError] = useState("");
  const [isAsking, setAsking] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setAsking(true);
    setError("");
    try {
      setAnswer(await ask(`/api/explain?order_id=${encodeURIComponent(id.trim())}`));
    } catch (problem) {
      setAnswer(null);
      setError(problem.message);
    }
    setAsking(false);
  };
  return html`<section id="explain" aria-labelledby="explain-title">
    <h2 id="explain-title">Explain an order</h2>
    <form onSubmit=${submit}>
      <label>order_id <input name="order_id" required value=${id} autocomplete="off" spellcheck=${false} onInput=${(e) => setId(e.currentTarget.value)} /></label>
      <button class="main" disabled=${isAsking}>${isAsking ? "Looking…" : "Explain"}</button>
    </form>
    <div aria-live="polite">
      ${error && html`<p class="error">${error}</p>`}
      ${answer && html`<p class="answer" id="verdict">${answer.verdict}</p>`}
    </div>
    ${answer && html`<${Evidence} answer=${answer} />`}
  </section>`;
}

function Evidence({ answer }) {
  const { arrivals, waiting, joined, unmatched, deadLetters, watermark, notes } = answer;
  const rows = [
    ...(arrivals ?? []).map((a) => [
      a.timestampMs,
      `${a.kind} came: ${a.topic}[${a.partition}], offset ${a.offset}`,
      a.problem ?? `${a.id}, created ${moment(a.createdAtMs)}${a.isRead === false ? ", not read yet" : ""}`,
    ]),
    ...waiting.map((w) => [
      w.createdAtMs,
      `${w.kind} in state`,
      `${w.id}, ${w.isPaired ? "joined" : "pending"}, expires ${moment(w.expiresAtMs)}`,
    ]),
    ...joined.map((p) => [p.createdAtMs, "joined, in MongoDB", `payment ${p.paymentId}`]),
    ...unmatched.map((u) => [u.expiresAtMs, `${u.kind} reported as ${u.reason}`, u.id]),
    ...deadLetters.map((d) => [
      null,
      `dead letter, ${d.reason}`,
      `${d.topic === null ? "" : `${d.topic}[${d.partition}], offset ${d.offset}: `}${d.message}`,
    ]),
  ];
  return html`<div class="scroll" tabindex="0" role="region" aria-label="What is known of it"><table>
      <caption>What is known of ${answer.orderId}; T is ${duration(answer.timeoutMs)}${watermark.atMs === null ? "" : `, event time is ${moment(watermark.atMs)}`}</caption>
      <thead><tr><th scope="col" class="text">time</th><th scope="col" class="text">what</th><th scope="col" class="text">more</th></tr></thead>
      <tbody>${rows.length === 0 ? html`<tr><td class="text" colspan="3">nothing</td></tr>` : rows.map(([at, what, more]) => html`<tr><td class="text">${at === null ? "–" : moment(at)}</td><td class="text">${what}</td><td class="text">${more}</td></tr>`)}</tbody>
    </table></div>
    ${notes.map((note) => html`<p class="small soft">${note}</p>`)}`;
}

const NO_FILTER = { reason: "", topic: "", key: "", id: "", since: "", until: "" };

export function DeadLetters({ reasons }) {
  const [filter, setFilter] = useState(NO_FILTER);
  const [found, setFound] = useState(null);
  const [error, setError] = useState("");
  const [chosen, setChosen] = useState(new Set());
  const set = (name) => (event) => setFilter({ ...filter, [name]: event.currentTarget.value });
  const look = async (event) => {
    event?.preventDefault();
    setError("");
    try {
      const given = Object.entries(filter).filter(([, value]) => value !== "");
      setFound(await ask(`/api/dead-letters?${new URLSearchParams(given)}`));
      setChosen(new Set());
    } catch (problem) {
      setError(problem.message);
    }
  };
  const choose = (id) => (event) => {
    const next = new Set(chosen);
    if (event.currentTarget.checked) next.add(id);
    else next.delete(id);
    setChosen(next);
  };
  const field = (name, title, hint) =>
    html`<label>${title} <input name=${name} value=${filter[name]} placeholder=${hint} autocomplete="off" onInput=${set(name)} /></label>`;
  return html`<section id="letters" aria-labelledby="letters-title">
    <h2 id="letters-title">Dead letters</h2>
    <form onSubmit=${look}>
      <label>reason <select name="reason" value=${filter.reason} onChange=${set("reason")}><option value="">any</option>${reasons.map((reason) => html`<option key=${reason} value=${reason}>${reason}</option>`)}</select></label>
      ${field("topic", "topic", "any")} ${field("key", "key", "order_id")} ${field("since", "since", "2026-01-31T12:00Z")} ${field("until", "until", "now")} ${field("id", "_id", "any")}
      <button class="main">Look</button>
    </form>
    ${error && html`<p class="error" role="alert">${error}</p>`}
    ${found === null && !error && html`<p class="small soft">Look counts them by reason, and shows the newest with their bytes; times may be such as 2h.</p>`}
    ${
      found !== null &&
      html`
      <p aria-live="polite">${
        Object.keys(found.counts).length === 0
          ? "There are none."
          : Object.entries(found.counts)
              .map(([reason, n]) => `${reason} ${count(n)}`)
              .join(", ")
      }${found.letters.length > 0 && html`<span class="soft"> · the newest ${count(found.letters.length)} are shown</span>`}</p>
      <ol class="letters">${found.letters.map((letter) => html`<${Letter} key=${letter.id} letter=${letter} isChosen=${chosen.has(letter.id)} choose=${choose(letter.id)} />`)}</ol>
      ${found.letters.length > 0 && html`<${Replay} filter=${filter} ids=${[...chosen]} onDone=${look} />`}`
    }
  </section>`;
}

function Letter({ letter, isChosen, choose }) {
  const { id, reason, message, topic, partition, offset, timestamp, key, value, decoded, beside, replay } =
    letter;
  const where = topic === null ? "a document" : `${topic}[${partition}], offset ${offset}`;
  const bytes = (name, part) =>
    part &&
    html`<p class="small soft">${name}, ${count(part.length)} bytes${part.isCut ? ", of which only the beginning is kept" : ""}</p>
      ${part.text !== null && html`<pre>${part.text}</pre>`}
      <details><summary class="small">in hexadecimal</summary><pre>${hexLines(part.hex)}</pre></details>`;
  return html`<li>
    <input type="checkbox" aria-label=${`Choose ${id}`} checked=${isChosen} onChange=${choose} />
    <details><summary><span class="tag">${reason}</span> ${message} <span class="small soft">${timestamp ?? "no time"} · ${where}</span>
      ${replay && html` <span class="tag good">${replay.state === "done" ? `replayed ${replay.count === 1 ? "once" : `${replay.count} times`}` : "being replayed"}</span>`}</summary>
      <p class="small soft">${id}</p>
      ${decoded !== null && html`<p class="small soft">decoded</p><pre>${typeof decoded === "string" ? decoded : JSON.stringify(decoded, null, 1)}</pre>`}
      ${bytes("key", key)} ${bytes("value", value)}
      ${beside !== null && html`<p class="small soft">beside it</p><pre>${JSON.stringify(beside, null, 1)}</pre>`}
      ${replay?.state === "done" && html`<p class="small">Replayed ${replay.at} to ${replay.topic}[${replay.partition}], offset ${replay.offset}.</p>`}
    </details></li>`;
}

/** Sends nothing before it has shown what it would send. */
function Replay({ filter, ids, onDone }) {
  const [options, setOptions] = useState({ toTopic: "", anyway: false, again: false });
  const [dry, setDry] = useState(null);
  const [result, setResult] = useState(null);
  const [error, setError] = useState("");
  const [isBusy, setBusy] = useState(false);
  const request = { ...(ids.length > 0 && { ids }), filter, ...options };
  const wanted = JSON.stringify(request);
  const run = async (dryRun) => {
    setBusy(true);
    setError("");
    try {
      const answer = await ask("/api/dead-letters/replay", { ...request, dryRun });
      if (dryRun) setDry({ wanted, answer });
      else {
        setDry(null);
        setResult(answer);
        await onDone();
      }
    } catch (problem) {
      setError(problem.message);
    }
    setBusy(false);
  };
  const isReady = dry !== null && dry.wanted === wanted && dry.answer.sent > 0;
  const check = (name, title) =>
    html`<label class="check"><input type="checkbox" name=${name} checked=${options[name]} onChange=${(e) => setOptions({ ...options, [name]: e.currentTarget.checked })} />${title}</label>`;
  const left = ({ leftOut, examples }) =>
    html`${Object.entries(leftOut).map(([why, n]) => html`<li>${count(n)} left out: ${why}</li>`)}${examples.slice(0, 3).map((one) => html`<li class="small soft">${one}</li>`)}`;
  return html`<div>
    <h3 class="small">Replay ${ids.length > 0 ? `the ${ids.length} chosen` : "all that the filter finds"}</h3>
    <form onSubmit=${(event) => event.preventDefault()}>
      <label>to another topic <input name="toTopic" value=${options.toTopic} placeholder="where it came from" onInput=${(e) => setOptions({ ...options, toTopic: e.currentTarget.value })} /></label>
      ${check("anyway", "also what would be a dead letter again")} ${check("again", "also what was replayed before")}
      <button type="button" disabled=${isBusy} onClick=${() => run(true)}>Try without sending</button>
      <button type="button" class="main" disabled=${isBusy || !isReady} onClick=${() => run(false)}>${isReady ? `Send ${count(dry.answer.sent)}` : "Send"}</button>
    </form>
    <div aria-live="polite">
      ${error && html`<p class="error">${error}</p>`}
      ${dry !== null && dry.wanted === wanted && html`<ul id="dry-run"><li>${count(dry.answer.sent)} of ${count(dry.answer.found)} would be sent</li>${left(dry.answer)}</ul>`}
      ${result !== null && html`<ul id="replayed"><li>${count(result.sent)} sent${result.alreadySent > 0 ? `, ${count(result.alreadySent)} had been sent before` : ""}</li>${left(result)}</ul>`}
    </div></div>`;
}
