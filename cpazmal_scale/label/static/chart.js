/* The series of a polygon or point: mean backscatter of every date, with gaps. */
import { known, minus, path } from "./lib/chart.js";
import { make } from "./lib/page.js";

const WIDE = 330, TALL = 170, LEFT = 34, RIGHT = 6, TOP = 16, BOTTOM = 24;
const number = (value) => minus(value.toFixed(1));

/** A figure's content; `pick` is called with the number of the date that was clicked. */
export function chart(found, dates, now, pick) {
  const days = dates.map((date) => Date.parse(`${date.time}Z`) / 864e5);
  const names = Object.keys(found.decibel);
  const every = names.flatMap((name) => found.decibel[name]).filter(known);
  if (!every.length) {
    const best = found.valid ? `at most ${Math.floor(100 * found.valid)} % of its pixels are valid on one date: too few for a mean` : "no pixel is valid on any date";
    return [make("p", {}, `${best} (layover, shadow and no data are left out)`)];
  }
  const low = Math.floor(Math.min(...every) - 0.5), high = Math.ceil(Math.max(...every) + 0.5);
  const [first, last] = [days[0], days.at(-1)];
  const x = (day) => LEFT + ((day - first) / (last - first || 1)) * (WIDE - LEFT - RIGHT);
  const y = (value) => TOP + ((high - value) / (high - low)) * (TALL - TOP - BOTTOM);
  const texts = names.map((name) => {
    const there = found.decibel[name].filter(known);
    const mean = there.reduce((sum, value) => sum + value, 0) / there.length;
    return there.length ? `${name} ${number(mean)} dB on ${there.length} of ${dates.length} dates` : `${name} on no date`;
  });
  const svg = make("svg", { viewBox: `0 0 ${WIDE} ${TALL}`, role: "img", "aria-label": `Mean backscatter: ${texts.join("; ")}` });
  const step = high - low > 12 ? 5 : high - low > 5 ? 2 : 1;
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
    svg.append(make("line", { class: "axis", x1: LEFT, x2: WIDE - RIGHT, y1: y(value), y2: y(value) }));
    svg.append(make("text", { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" }, minus(String(value))));
  }
  svg.append(make("text", { x: 0, y: 11 }, "dB"));
  const ends = [[0, "start"], [days.length - 1, "end"]];
  for (const [place, anchor] of days.length > 1 ? ends : ends.slice(0, 1)) {
    svg.append(make("text", { x: x(days[place]), y: TALL - 6, "text-anchor": anchor }, dates[place].time.slice(0, 10)));
  }
  svg.append(make("line", { class: "now", x1: x(days[now]), x2: x(days[now]), y1: TOP, y2: TALL - BOTTOM }));
  names.forEach((name, at) => {
    const values = found.decibel[name];
    svg.append(make("path", { class: `s${at}`, d: path(days, values, x, y), fill: "none", "stroke-width": 1.8 }));
    values.forEach((value, i) => {
      if (!known(value)) return;
      const dot = make("circle", { class: `d${at}`, cx: x(days[i]), cy: y(value), r: 2.6 });
      dot.append(make("title", {}, `${name} ${dates[i].time.slice(0, 10)} ${number(value)} dB`));
      svg.append(dot);
    });
  });
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    const day = first + (((event.clientX - box.left) / box.width) * WIDE - LEFT) / (WIDE - LEFT - RIGHT) * (last - first);
    pick(days.reduce((best, one, i) => (Math.abs(one - day) < Math.abs(days[best] - day) ? i : best), 0));
  });
  const legend = make("figcaption", { class: "row" });
  texts.forEach((text, at) => {
    const mark = make("svg", { viewBox: "0 0 12 12", width: 12, height: 12, "aria-hidden": "true" });
    mark.append(make("circle", { class: `d${at}`, cx: 6, cy: 6, r: 4.5 }));
    legend.append(make("span", {}, mark, ` ${text}`));
  });
  const share = found.read < found.count ? `; ${found.read} of ${found.count} pixels read` : "";
  legend.append(make("span", { class: "soft" }, `${found.count} pixel${found.count === 1 ? "" : "s"}${share}`));
  return [svg, legend];
}
