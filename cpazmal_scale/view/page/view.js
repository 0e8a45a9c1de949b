/* The page of a map of any size, or of two: layers as tiles, the series of the pixel that is asked for. */
import { CircleStyle, Feature, Fill, Map, Point, ScaleLine, Stroke, Style, VectorLayer, VectorSource, Zoom, getRenderPixel, unByKey } from "./lib/openlayers.js";
import { $, Ground, ask, make, say, sayWhileLoading } from "./lib/page.js";
import { chart, day } from "./lib/chart.js";

const LAYERS = [
  { id: "class", name: "class" },
  { id: "margin", name: "certainty", ramp: "viridis", ends: ["0  doubtful", "1  certain"], note: "Probability of the most probable class minus that of the second." },
  { id: "entropy", name: "entropy", ramp: "magma", ends: ["0  certain", "1  every class alike"], note: "Shannon entropy of the class probabilities." },
  { id: "probability", name: "probability", ramp: "viridis", ends: ["0", "1"], note: "Probability of one class." },
  { id: "change", name: "change", ramp: "magma", ends: ["0", "1"], note: "Probability that the class changed." },
  { id: "radar", name: "radar image", ramp: "grey" },
];
const INKS = ["var(--ink)", "#b5305f", "#0f6cb4", "#7f9c86"];
const BESIDE = 20; // pixels of the screen that stay free around a pixel, beside its series

const maps = await ask("facts").catch((error) => { $("title").textContent = error.message; throw error; });
const facts = maps[0], ground = new Ground(facts.place, facts.edge);
const state = { layer: "class", which: 0, hidden: new Set(), opacity: 1, channel: 0, date: 0, pixel: null, found: null, feature: 0, split: 0.5 };
const longName = (c) => (c.name && c.name !== c.code ? `${c.code} ${c.name}` : c.code);
const mapped = facts.classes.reduce((sum, c) => sum + c.m2, 0) || 1;
/** Classes by their value, as arrays of the map hold them; the legend has an order of its own. */
const valued = (told) => told.classes.filter((c) => c.value < 254).sort((a, b) => a.value - b.value);

/* ---------- layers ---------- */

const radar = facts.channels.length ? ground.tiles(() => undefined, { visible: false }) : null;
const layers = maps.map(() => ground.tiles(() => undefined));
const mark = new VectorSource();
const marked = new VectorLayer({ source: mark, style: [
  new Style({ image: new CircleStyle({ radius: 7, stroke: new Stroke({ color: "#fff", width: 4 }) }) }),
  new Style({ image: new CircleStyle({ radius: 7, stroke: new Stroke({ color: "#1d2126", width: 2 }), fill: new Fill({ color: "rgba(255,255,255,0.15)" }) }) }),
] });
const map = new Map({
  target: "map", view: ground.view(), layers: [radar, ...layers, marked].filter(Boolean),
  controls: [new Zoom({ zoomInTipLabel: "Zoom in (+)", zoomOutTipLabel: "Zoom out (−)" }), new ScaleLine()],
});
sayWhileLoading(map, () => "reading the picture …");
const whole = () => map.getView().fit(ground.extent, { padding: [20, 20, 20, 20] });

function redraw() {
  const hide = [...state.hidden].join(",");
  layers.forEach((layer, side) => {
    const shown = maps[side].layers.includes(state.layer);
    layer.setVisible(shown);
    layer.setOpacity(state.opacity);
    if (!shown) return;
    const query = state.layer === "class" && hide ? `?hide=${hide}` : "", start = `map/${side}/${state.layer}/${state.which}`;
    ground.show(layer, (level, row, column) => `${start}/${level}/${row}/${column}.png${query}`, `${start}${query}`);
  });
  if (!radar) return;
  radar.setVisible(state.layer === "radar" || state.opacity < 1);
  const start = `cube/${state.channel}/${state.date}`;
  if (radar.getVisible()) ground.show(radar, (level, row, column) => `${start}/${level}/${row}/${column}.png`, start);
}
if (maps.length > 1) {
  $("swipe").hidden = false;
  layers[1].on("prerender", (event) => {
    const [width, height] = map.getSize(), left = width * state.split, context = event.context;
    const corners = [[left, 0], [width, 0], [width, height], [left, height]].map((pixel) => getRenderPixel(event, pixel));
    context.save();
    context.beginPath();
    corners.forEach(([x, y], n) => (n ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath();
    context.clip();
  });
  layers[1].on("postrender", (event) => event.context.restore());
  $("split").addEventListener("input", () => { state.split = $("split").value / 100; divide(); map.render(); });
  divide();
}
function divide() { $("divider").style.left = `${100 * state.split}%`; }

/* ---------- the series of a pixel ---------- */

let asked = null;
async function show(pixel, side = 0) {
  if (!pixel) return;
  asked?.abort();
  asked = new AbortController();
  state.pixel = pixel;
  mark.clear();
  mark.addFeature(new Feature(new Point(ground.centre(pixel))));
  const waiting = setTimeout(() => say("reading the series …"), 250);
  try {
    state.found = await ask(`pixel/${side}/${pixel[0]}/${pixel[1]}`, undefined, { signal: asked.signal });
    state.side = side;
    $("series").hidden = false;
    draw();
    makeRoom(pixel);
    say("");
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
  } finally { clearTimeout(waiting); }
}
/** Where the series would lie over its pixel, the map ends above it or, where that leaves more of it, left of it. */
function makeRoom(pixel) {
  const { style } = $("map"), { clientWidth: wide, clientHeight: high } = $("map").parentElement, { offsetLeft: left, offsetTop: top } = $("series");
  const low = matchMedia("(max-width: 760px)").matches, above = low || maps.length > 1 || wide * top > left * high;
  if (pixel && !low && !covered(pixel, left, top)) return;
  style.bottom = pixel && above ? `${high - top}px` : "";
  style.right = pixel && !above ? `${wide - left}px` : "";
  map.updateSize();
  if (pixel) map.getView().setCenter(ground.centre(pixel));
}
function covered(pixel, left, top) {
  map.renderSync();
  const [x, y] = map.getPixelFromCoordinate(ground.centre(pixel));
  return x > left - BESIDE && y > top - BESIDE;
}
function close() {
  asked?.abort();
  $("series").hidden = true;
  makeRoom(null);
  state.pixel = state.found = null;
  mark.clear();
}
const sideAt = ([x]) => (maps.length > 1 && x > map.getSize()[0] * state.split ? 1 : 0);
map.on("singleclick", (event) => show(ground.pixel(event.coordinate), sideAt(event.pixel)));
$("close").addEventListener("click", () => { close(); $("map").focus(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
$("map").addEventListener("keydown", (event) => {
  if (event.key === "0") whole();
  if (event.key === "Enter") show(ground.pixel(map.getView().getCenter()));
});

function draw() {
  const found = state.found, told = maps[state.side], value = found.class, chosen = told.classes.find((c) => c.value === value);
  $("pixel-swatch").style.background = chosen?.colour ?? "none";
  $("pixel-class").textContent = chosen ? longName(chosen) : "no data";
  const [row, column] = state.pixel, [x, y] = ground.outside(ground.centre(state.pixel));
  const digits = facts.place.geographic ? 5 : 0;
  const valid = found.valid === undefined ? "" : `, features on ${found.valid} of ${told.dates.length} dates`;
  $("pixel-where").textContent = `row ${row}, column ${column}; ${x.toFixed(digits)}, ${y.toFixed(digits)} (${facts.place.crs})${valid}`;
  const axis = { days: told.days ?? told.dates.map((_, n) => n), dates: told.dates, year: told.year ?? 2000 };
  const channels = (found.channels ?? []).map((one, n) => ({ name: one.name, values: one.mean, colour: INKS[n % INKS.length], dots: true }));
  $("channels").hidden = !channels.length;
  $("channel-keys").replaceChildren(...channels.map((one) => make("span", {}, make("i", { style: { borderColor: one.colour } }), one.name)));
  if (!channels.length) $("channel-keys").textContent = "The map's cube is not here.";
  else chart($("channels"), { ...axis, lines: channels, unit: " dB" });
  $("channels").setAttribute("aria-label", `Backscatter of ${channels.map((one) => `${one.name}: ${one.values.filter((v) => v !== null).length} dates`).join(", ")}`);
  $("features").hidden = !found.features;
  if (found.features) drawFeature(found, told, axis, value);
  const nearest = (c) => found.distances?.[state.feature][c];
  $("classes").replaceChildren(...valued(told).map((c, n) => make("tr", c.value === value ? { class: "chosen" } : {},
    make("td", {}, make("i", { class: "swatch", style: { background: c.colour } }), c.code),
    make("td", {}, text(found.probability?.[n])), make("td", {}, text(nearest(n))))));
}
const text = (value) => (typeof value === "number" ? value.toFixed(2) : "–");
function drawFeature(found, told, axis, value) {
  const k = state.feature, classes = valued(told);
  const centres = told.centres.flatMap((each, c) => each.map((one) => ({
    name: classes[c].code, values: one[k], days: told.barycenter_days, colour: classes[c].colour, wide: classes[c].value === value, quiet: true })));
  centres.sort((a, b) => a.wide - b.wide);
  const own = classes.findIndex((c) => c.value === value);
  const mean = own < 0 || !told.means ? [] : [
    { name: "mean", values: told.means[own][k], days: told.barycenter_days, colour: classes[own].colour, dashed: true, quiet: true }];
  const label = told.features[k].label;
  const typical = [told.typical, told.aligned].filter(Boolean).join(", ");
  const dashed = told.means ? "; dashed: mean of the class's windows on each date" : "";
  $("feature-meaning").textContent = `${told.features[k].meaning}; beside it ${typical}${dashed}`;
  chart($("chart"), { ...axis, digits: 3, lines: [...centres, ...mean, { name: label, values: found.features[k], colour: "var(--ink)", dots: true }] });
  $("chart").setAttribute("aria-label", `${label}, ${told.features[k].meaning}: ${found.features[k].filter((v) => v !== null).length} dates of the pixel beside ${classes.map((c) => c.code).join(", ")}`);
}

/* ---------- what is beside the map ---------- */

const percent = (share) => (share > 0 && share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);
function area(m2) {
  if (mapped < 1e6) return `${(m2 / 1e4).toFixed(1)} ha`;
  return m2 >= 1e8 ? `${Math.round(m2 / 1e6).toLocaleString("en")} km²` : `${(m2 / 1e6).toFixed(2)} km²`;
}
async function legend() {
  const layer = LAYERS.find((one) => one.id === state.layer), body = $("legend-body");
  if (state.layer === "class") {
    $("legend-title").textContent = "Classes and their areas";
    body.replaceChildren(...facts.classes.map((c) => {
      const row = make("button", { type: "button", class: "entry", "aria-pressed": String(!state.hidden.has(c.value)) },
        make("i", { class: "swatch", style: { background: c.colour } }), make("span", {}, make("b", {}, c.code), ` ${c.name === c.code ? "" : c.name}`),
        make("span", {}, percent(c.m2 / mapped)), make("small", {}, area(c.m2)));
      row.addEventListener("click", () => {
        if (!state.hidden.delete(c.value)) state.hidden.add(c.value);
        row.setAttribute("aria-pressed", String(!state.hidden.has(c.value)));
        redraw();
      });
      return row;
    }));
    return;
  }
  const titles = { probability: () => `Probability of ${longName(valued(facts)[state.which])}`, radar: () => `Backscatter of ${facts.channels[state.channel].name}` };
  $("legend-title").textContent = titles[state.layer]?.() ?? layer.name;
  const ends = layer.ends ?? (await ask(`limits/${state.channel}`)).map((v) => `${v.toFixed(1).replace("-", "−")} dB`);
  const note = layer.note ?? "A shade means the same on all dates.";
  if (layer.id !== state.layer) return;
  body.replaceChildren(make("div", { class: `ramp ${layer.ramp}` }), make("div", { class: "ends" }, ...ends.map((end) => make("span", {}, end))), make("p", { class: "soft" }, note));
}
function change(values) {
  Object.assign(state, values);
  $("which-row").hidden = state.layer !== "probability";
  $("opacity-row").hidden = !radar || state.layer === "radar";
  legend().catch((error) => say(error.message, true));
  redraw();
}
function dated() {
  const has = facts.channels[state.channel].dates[state.date];
  $("date-name").textContent = `${day(facts.dates[state.date])}${has ? "" : `: no ${facts.channels[state.channel].name}`}`;
  $("date").setAttribute("aria-valuetext", $("date-name").textContent);
}
function describe() {
  const beam = facts.beam ? `Beam ${facts.beam} · ` : "";
  document.title = $("title").textContent = maps.length > 1 ? `${facts.title}: two maps` : facts.title;
  $("subtitle").textContent = `${beam}${facts.compared || `${day(facts.dates[0])} – ${day(facts.dates.at(-1))} · ${facts.dates.length} dates`} · ${facts.used} · ${facts.pixel}`;
  $("origin").textContent = maps.map((one, n) => `${maps.length > 1 ? ["left: ", "right: "][n] : ""}map ${one.map}, model ${one.model}, ${one.software}${one.withheld ? `; no probabilities: ${one.withheld}` : one.calibration ? `; probabilities: ${one.calibration}` : ""}. ${one.floored}`).join(" ");
  $("map").setAttribute("aria-label", `${facts.title}, ${facts.place.shape.join(" × ")} pixels`);
  const offered = LAYERS.filter((one) => (one.id === "radar" ? radar : facts.layers.includes(one.id)));
  $("choices").append(...offered.map(({ id, name }) => {
    const box = make("input", { type: "radio", name: "layer", value: id });
    box.checked = id === state.layer;
    box.addEventListener("change", () => change({ layer: id }));
    return make("label", {}, box, name);
  }));
  $("which").append(...valued(facts).map((c, n) => make("option", { value: n }, longName(c))));
  $("which").addEventListener("change", () => change({ which: Number($("which").value) }));
  $("opacity").addEventListener("input", () => { $("opacity-value").textContent = `${$("opacity").value} %`; change({ opacity: $("opacity").value / 100 }); });
  $("radar").hidden = !radar;
  if (radar) {
    $("channel").append(...facts.channels.map((one, n) => make("option", { value: n }, one.name)));
    $("channel").addEventListener("change", () => { change({ channel: Number($("channel").value) }); dated(); });
    $("date").max = facts.dates.length - 1;
    $("date").addEventListener("input", () => { state.date = Number($("date").value); dated(); });
    $("date").addEventListener("change", () => change({ date: Number($("date").value) }));
    dated();
  }
  $("feature").append(...facts.features.map((one, k) => make("option", { value: k }, one.label)));
  $("feature").addEventListener("change", () => { state.feature = Number($("feature").value); draw(); });
  $("layers").addEventListener("submit", (event) => event.preventDefault());
  $("menu").addEventListener("click", () => $("menu").setAttribute("aria-expanded", String($("side").classList.toggle("open"))));
}

describe();
change({});
whole();
new ResizeObserver(() => { if (state.found) draw(); }).observe($("series"));
const first = map.on("rendercomplete", () => { unByKey(first); document.documentElement.dataset.ready = "yes"; });
window.view = { map, ground, state, show, change, whole };
