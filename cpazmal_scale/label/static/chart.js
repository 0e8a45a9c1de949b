/* The series of a polygon or point: mean backscatter of every date, with gaps. */
import { chart as draw, known, minus } from "./lib/chart.js";
import { make } from "./lib/page.js";

const number = (value) => minus(value.toFixed(1));
const colour = (at) => `var(--series-${at % 4})`;

/** Fill a figure; `pick` is called with the number of the date that was clicked. */
export function chart(figure, found, dates, now, pick) {
  const names = Object.keys(found.decibel);
  if (!names.some((name) => found.decibel[name].some(known))) {
    const best = found.valid ? `at most ${Math.floor(100 * found.valid)} % of its pixels are valid on one date: too few for a mean` : "no pixel is valid on any date";
    figure.replaceChildren(make("p", {}, `${best} (layover, shadow and no data are left out)`));
    return;
  }
  const texts = names.map((name) => {
    const there = found.decibel[name].filter(known);
    const mean = there.reduce((sum, value) => sum + value, 0) / there.length;
    return there.length ? `${name} ${number(mean)} dB on ${there.length} of ${dates.length} dates` : `${name} on no date`;
  });
  const svg = make("svg", { class: "chart", role: "img", "aria-label": `Mean backscatter: ${texts.join("; ")}` });
  const share = found.read < found.count ? `; ${found.read} of ${found.count} pixels read` : "";
  figure.replaceChildren(svg, make("figcaption", { class: "row" },
    ...texts.map((text, at) => make("span", {}, make("i", { class: "key", style: { background: colour(at) } }), ` ${text}`)),
    make("span", { class: "soft" }, `${found.count} pixel${found.count === 1 ? "" : "s"}${share}`)));
  const year = Number(dates[0].time.slice(0, 4)), start = Date.UTC(year, 0, 1);
  draw(svg, {
    days: dates.map((date) => (Date.parse(`${date.time}Z`) - start) / 864e5), dates: dates.map((date) => date.time), year,
    lines: names.map((name, at) => ({ name, values: found.decibel[name], colour: colour(at), dots: true })),
    digits: 1, unit: " dB", now, pick,
  });
}
