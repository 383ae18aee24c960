/** Small charts of the last quarter of an hour, in SVG: with the values at the cursor, by pointer and by arrow keys. */
import { html, useState } from "/preact.js";
import { clock } from "/tools.js";

const WIDTH = 300;
const HEIGHT = 80;

/** @param series [label, field, class][] @param format of a value */
export function LineChart({ title, series, points, format }) {
  const [cursor, setCursor] = useState(null);
  const shown = points.length > WIDTH ? thinned(points) : points;
  const values = shown.flatMap((point) => series.map(([, field]) => point[field])).filter((v) => v !== null);
  const top = Math.max(1e-9, ...values);
  const at = cursor === null ? shown.length - 1 : Math.min(cursor, shown.length - 1);
  const x = (index) => (shown.length < 2 ? WIDTH : (index / (shown.length - 1)) * WIDTH);
  const y = (value) => HEIGHT - 2 - (value / top) * (HEIGHT - 6);
  const point = shown[at];
  const move = (event) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    setCursor(Math.round(((event.clientX - left) / width) * (shown.length - 1)));
  };
  const keys = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -shown.length, End: shown.length }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    setCursor(Math.min(shown.length - 1, Math.max(0, at + step)));
  };
  const text = point && series.map(([label, field]) => `${label} ${format(point[field])}`).join(", ");
  return html`<figure>
    <figcaption>
      <strong>${title}<span class="soft"> · ${point ? (cursor === null ? "now" : clock(point.atMs)) : "nothing yet"}</span></strong>
      ${series.map(([label, field, color]) => html`<span><i class="swatch ${color}"></i>${label} <b>${point ? format(point[field]) : "–"}</b></span>`)}
      <span class="soft">up to ${values.length ? format(top) : "–"}</span>
    </figcaption>
    <svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" tabindex="0" role="img"
      aria-label="${title}: ${text ?? "nothing yet"}, at most ${values.length ? format(top) : "nothing"} in the time shown"
      onPointerMove=${move} onPointerLeave=${() => setCursor(null)} onKeyDown=${keys} onBlur=${() => setCursor(null)}>
      ${series.map(([, field, color]) =>
        lines(shown, field, x, y).map((line) => html`<polyline class=${color} points=${line} />`),
      )}
      ${cursor !== null && html`<line class="cursor" x1=${x(at)} x2=${x(at)} y1="0" y2=${HEIGHT} />`}
    </svg>
  </figure>`;
}

/** A gap where nothing is known. */
function lines(points, field, x, y) {
  const found = [];
  let line = [];
  points.forEach((point, index) => {
    const value = point[field];
    if (value === null) {
      if (line.length > 0) found.push(line.join(" "));
      line = [];
    } else line.push(`${x(index).toFixed(1)},${y(value).toFixed(1)}`);
  });
  if (line.length > 0) found.push(line.join(" "));
  return found;
}

function thinned(points) {
  const step = Math.ceil(points.length / WIDTH);
  // From the end, so that the newest is always there and old ones do not flicker.
  return points.filter((_, index) => (points.length - 1 - index) % step === 0);
}

/** @param label of a bar, for people */
export function Bars({ title, counts, label, format }) {
  const top = Math.max(1, ...counts);
  const all = counts.reduce((sum, one) => sum + one, 0);
  const width = WIDTH / counts.length;
  return html`<figure>
    <figcaption><strong>${title}</strong><span>${format(all)} in all</span><span class="soft">at most ${format(Math.max(0, ...counts))} in a bar</span></figcaption>
    <svg class="chart bars" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}: ${format(all)} in all">
      ${counts.map(
        (n, index) =>
          html`<rect x=${index * width + 0.5} width=${width - 1} y=${HEIGHT - (n / top) * (HEIGHT - 4)} height=${(n / top) * (HEIGHT - 4)}><title>${label(index)}: ${format(n)}</title></rect>`,
      )}
    </svg>
  </figure>`;
}
