/* Series over time as SVG: lines with gaps, months below, the value under the pointer. */
import { make } from "./make.js";

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
export const known = (value) => typeof value === "number" && Number.isFinite(value);
/** Numbers with the sign that people write. */
export const minus = (text) => text.replace("-", "−");

/** A day as people write it. */
export function day(iso) {
  const [year, month, date] = iso.slice(0, 10).split("-").map(Number);
  return `${date} ${MONTHS[month - 1]} ${year}`;
}

/**
 * Draw lines into an SVG element that has a size.
 *
 * `days` are days since 1 January of `year` and `dates` the same as ISO text; every line has
 * `values` (null: a gap), and may have its own `days`, a `colour`, `wide`, `dashed`, `dots` and a `name`;
 * lines without `quiet` are read out under the pointer. `now` is the number of a date that is
 * marked; `pick` is called with that of the date that was clicked.
 */
export function chart(svg, { days, dates, year, lines, digits = 2, unit = "", now, pick }) {
  const { width, height } = svg.getBoundingClientRect();
  const frame = { left: 40, right: 10, top: 10, bottom: 22 };
  const every = lines.flatMap((line) => line.values).filter(known);
  let low = every.length ? Math.min(...every) : 0, high = every.length ? Math.max(...every) : 1;
  const margin = 0.06 * (high - low || 1);
  [low, high] = [low - margin, high + margin];
  const times = lines.flatMap((line) => line.days ?? days), first = Math.min(...times), last = Math.max(...times, first + 1);
  const X = (t) => frame.left + (t - first) / (last - first) * (width - frame.left - frame.right);
  const Y = (v) => height - frame.bottom - (v - low) / (high - low) * (height - frame.top - frame.bottom);
  const parts = [], ticks = steps(low, high, Math.max(2, height / 36));
  for (const v of ticks.found) {
    parts.push(make("line", { class: "grid", x1: frame.left, x2: width - frame.right, y1: Y(v), y2: Y(v) }));
    parts.push(make("text", { x: frame.left - 6, y: Y(v) + 3.5, "text-anchor": "end" }, minus(v.toFixed(ticks.digits))));
  }
  parts.push(...months(year, first, last, X, height - frame.bottom));
  for (const line of lines) {
    const at = line.days ?? days;
    parts.push(make("path", { class: ["line", line.wide && "wide", line.dashed && "dashed"].filter(Boolean).join(" "), "data-name": line.name, stroke: line.colour, d: path(at, line.values, X, Y) }));
    if (line.dots) line.values.forEach((v, t) => { if (known(v)) parts.push(make("circle", { class: "dot", fill: line.colour, cx: X(at[t]), cy: Y(v), r: 2.6 })); });
  }
  if (now !== undefined) parts.push(make("line", { class: "now", x1: X(days[now]), x2: X(days[now]), y1: frame.top, y2: height - frame.bottom }));
  const rule = make("line", { class: "rule", y1: frame.top, y2: height - frame.bottom, visibility: "hidden" });
  const note = make("text", { class: "note", y: frame.top + 4, visibility: "hidden" });
  parts.push(rule, note);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(...parts);
  const under = (event) => {
    const x = event.clientX - svg.getBoundingClientRect().left;
    return days.reduce((best, d, n) => (Math.abs(X(d) - x) < Math.abs(X(days[best]) - x) ? n : best), 0);
  };
  if (pick) svg.onclick = (event) => pick(under(event));
  svg.onpointermove = (event) => {
    const t = under(event);
    const at = X(days[t]), right = at > width / 2;
    for (const [name, value] of Object.entries({ x1: at, x2: at, visibility: "visible" })) rule.setAttribute(name, value);
    for (const [name, value] of Object.entries({ x: at + (right ? -6 : 6), "text-anchor": right ? "end" : "start", visibility: "visible" })) note.setAttribute(name, value);
    const told = lines.filter((line) => !line.quiet).map((line) => `${line.name} ${known(line.values[t]) ? minus(line.values[t].toFixed(digits)) + unit : "no data"}`);
    note.textContent = [day(dates[t]), ...told].join("  ");
  };
  svg.onpointerleave = () => { for (const part of [rule, note]) part.setAttribute("visibility", "hidden"); };
}

function steps(low, high, about) {
  const raw = (high - low) / about, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw * 0.999);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high + 1e-9; n++) found.push(n * step);
  return { found, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}
/** A line as the data of an SVG path, with gaps where values miss or dates are three usual steps apart. */
function path(days, values, X, Y) {
  const strides = days.slice(1).map((day, t) => day - days[t]).sort((a, b) => a - b);
  const most = 3 * (strides[strides.length >> 1] ?? 0);
  let text = "", pen = false;
  values.forEach((value, t) => {
    pen = pen && known(value) && days[t] - days[t - 1] <= most;
    if (known(value)) { text += `${pen ? "L" : "M"}${X(days[t]).toFixed(1)} ${Y(value).toFixed(1)}`; pen = true; }
  });
  return text;
}
function months(year, first, last, X, y) {
  const parts = [], start = Date.UTC(year, 0, 1);
  let named = false;
  const every = [1, 2, 3, 6, 12, 24, 60].find((n) => (last - first) / 30.4 / n <= Math.max((X(last) - X(first)) / 52, 2)) ?? 120;
  for (let month = 0; ; month += every) {
    const date = new Date(Date.UTC(year, month, 1)), at = (date - start) / 864e5;
    if (at > last) return parts;
    if (at < first) continue;
    parts.push(make("line", { class: "grid", x1: X(at), x2: X(at), y1: y, y2: y + 4 }));
    const name = MONTHS[date.getUTCMonth()], whole = date.getUTCFullYear();
    parts.push(make("text", { x: X(at), y: y + 16, "text-anchor": "middle" }, !date.getUTCMonth() ? String(whole) : named ? name : `${name} ${whole}`));
    named = true;
  }
}
