"use strict";
(() => {
{{drawing}}
const $ = (id) => document.getElementById(id);
const facts = JSON.parse($("facts").textContent);
const { classes, features, place } = facts;
const [ROWS, COLUMNS] = place.shape;
const [TALL, WIDE] = place.metres;
const MAPPED = classes.reduce((sum, c) => sum + c.m2, 0) || 1;
/* In the order of the map's values, in which arrays are; `classes` are in that of the legend. */
const VALUED = classes.filter((c) => c.value < 254).sort((a, b) => a.value - b.value);
const byValue = new Map(classes.map((c) => [c.value, c]));

/* Colour-blind safe ramps, dark to bright. */
const RAMPS = {
  viridis: ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"],
  magma: ["#000004", "#1d1147", "#51127c", "#822681", "#b63679", "#e65164", "#fb8861", "#fec287", "#fcfdbf"],
  grey: ["#08090a", "#f4f4f2"],
};
const LAYERS = [
  { id: "class", name: "class" },
  { id: "margin", name: "certainty", ramp: "viridis", ends: ["0  doubtful", "1  certain"],
    note: "Probability of the most probable class minus that of the second." },
  { id: "entropy", name: "entropy", ramp: "magma", ends: ["0  certain", "1  every class alike"],
    note: "Shannon entropy of the class probabilities." },
  { id: "probability", name: "probability", ramp: "viridis", ends: ["0", "1"], note: "Probability of one class." },
  { id: "backscatter", name: "radar image", ramp: "grey" },
].filter(({ id }) => (id === "probability" ? "probability-0" : id) in facts.layers);

/* ---------- small helpers ---------- */

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const percent = (share) => (share > 0 && share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);
const longName = (c) => (c.name ? `${c.code} ${c.name}` : c.code);
function area(m2) {
  if (MAPPED < 1e6) return `${(m2 / 1e4).toFixed(1)} ha`;
  const km2 = m2 / 1e6;
  return `${km2 >= 100 ? Math.round(km2).toLocaleString("en") : km2.toFixed(2)} km²`;
}

/** Inflate an embedded array; the bytes are exact, which reading back a picture would not promise. */
async function bytes(id) {
  const element = $(`data-${id}`);
  const packed = Uint8Array.from(atob(element.textContent), (c) => c.charCodeAt(0));
  element.remove();
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/* ---------- layers ---------- */

const rasters = {};
async function load() {
  for (const [id, [height, width, step]] of Object.entries(facts.layers)) {
    rasters[id] = { height, width, step, values: new Uint8Array(await bytes(`layer-${id}`)), canvas: null };
  }
  const table = {
    at: new Int32Array(await bytes("at")),
    series: new Int16Array(await bytes("series")),
    distances: new Uint16Array(await bytes("distances")),
    classes: new Uint8Array(await bytes("classes")),
    probability: new Uint16Array(await bytes("probability")),
    barycenters: new Float32Array(await bytes("barycenters")),
    means: new Float32Array(facts.series.means ? await bytes("means") : 0),
  };
  Object.assign(samples, table);
}

/** Red, green, blue of the 256 stored values of a layer. */
function colourTable(id) {
  const table = new Uint32Array(256);
  const put = (value, [r, g, b]) => { table[value] = (255 << 24) | (b << 16) | (g << 8) | r; };
  if (id === "class") {
    for (const c of classes) if (!state.hidden.has(c.value)) put(c.value, rgb(c.colour));
    return table;
  }
  const { ramp } = LAYERS.find((layer) => layer.id === id.split("-")[0]);
  const stops = RAMPS[ramp].map(rgb), top = id === "backscatter" ? facts.decibels[2] : 100;
  for (let value = 0; value <= top; value++) {
    const at = (value / top) * (stops.length - 1), i = Math.min(Math.floor(at), stops.length - 2);
    put(value, stops[i].map((low, k) => Math.round(low + (at - i) * (stops[i + 1][k] - low))));
  }
  return table;
}
function picture(id) {
  const raster = rasters[id];
  if (!raster.canvas) {
    raster.canvas = make("canvas", { width: raster.width, height: raster.height });
    const context = raster.canvas.getContext("2d"), table = colourTable(id);
    const image = context.createImageData(raster.width, raster.height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < pixels.length; i++) pixels[i] = table[raster.values[i]];
    context.putImageData(image, 0, 0);
  }
  return raster;
}
/** Stored value of a layer at a pixel; undefined where there is none. */
function valueAt(id, row, column) {
  const { step, width, values } = rasters[id];
  const value = values[Math.floor(row / step) * width + Math.floor(column / step)];
  return value === facts.blank ? undefined : value;
}

/* ---------- the view: metres of the grid at the middle of the canvas, and pixels per metre ---------- */

const canvas = $("map"), paper = canvas.getContext("2d");
const state = { layer: "class", which: 0, opacity: 0.82, hidden: new Set(), dots: false, picked: -1, clicked: null, feature: 0 };
const view = { x: COLUMNS * WIDE / 2, y: ROWS * TALL / 2, scale: 1 };
const samples = { at: [], classes: [] };
let ratio = 1, asked = false;

const size = () => [canvas.clientWidth, canvas.clientHeight];
function toScreen(row, column) {
  const [width, height] = size();
  return [(column * WIDE - view.x) * view.scale + width / 2, (row * TALL - view.y) * view.scale + height / 2];
}
function toGrid(px, py) {
  const [width, height] = size();
  return [((py - height / 2) / view.scale + view.y) / TALL, ((px - width / 2) / view.scale + view.x) / WIDE];
}
function wholeScale() {
  const [width, height] = size();
  return 0.94 * Math.min(width / (COLUMNS * WIDE), height / (ROWS * TALL));
}
function fit() {
  Object.assign(view, { x: COLUMNS * WIDE / 2, y: ROWS * TALL / 2, scale: wholeScale() });
  redraw();
}
function zoom(factor, px, py) {
  const [width, height] = size();
  const before = toGrid(px ?? width / 2, py ?? height / 2);
  view.scale = clamp(view.scale * factor, wholeScale() / 3, Math.max(40 / Math.max(TALL, WIDE), wholeScale()));
  const after = toGrid(px ?? width / 2, py ?? height / 2);
  pan((after[1] - before[1]) * WIDE * view.scale, (after[0] - before[0]) * TALL * view.scale);
}
function pan(dx, dy) {
  view.x = clamp(view.x - dx / view.scale, 0, COLUMNS * WIDE);
  view.y = clamp(view.y - dy / view.scale, 0, ROWS * TALL);
  redraw();
}
function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; paint(); });
}

function paint() {
  const [width, height] = size();
  ratio = window.devicePixelRatio || 1;
  const wanted = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wanted[0] || canvas.height !== wanted[1]) [canvas.width, canvas.height] = wanted;
  paper.setTransform(ratio, 0, 0, ratio, 0, 0);
  paper.clearRect(0, 0, width, height);
  const [left, top] = toScreen(0, 0), [right, bottom] = toScreen(ROWS, COLUMNS);
  paper.save();
  paper.beginPath();
  paper.rect(left, top, right - left, bottom - top);
  paper.clip();
  paper.fillStyle = "#2b2f36";
  paper.fillRect(left, top, right - left, bottom - top);
  put("backscatter", 1);
  if (state.layer !== "backscatter") put(layerId(), state.opacity);
  paper.restore();
  if (state.dots) paintDots(width, height);
  if (state.picked >= 0) paintPicked();
  if (canvas.matches(":focus-visible")) paintCross(width / 2, height / 2);
  paintScale();
}
const layerId = () => (state.layer === "probability" ? `probability-${state.which}` : state.layer);
function put(id, opacity) {
  const raster = picture(id), cell = raster.step * WIDE * view.scale;
  const [left, top] = toScreen(0, 0);
  paper.globalAlpha = opacity;
  paper.imageSmoothingEnabled = cell * ratio < 1;
  paper.imageSmoothingQuality = "high";
  paper.drawImage(raster.canvas, left, top, raster.width * cell, raster.height * raster.step * TALL * view.scale);
  paper.globalAlpha = 1;
}
function paintDots(width, height) {
  paper.fillStyle = "#fff";
  paper.strokeStyle = "#000a";
  paper.lineWidth = 1;
  for (let i = 0; i < samples.classes.length; i++) {
    const [x, y] = toScreen(samples.at[2 * i] + 0.5, samples.at[2 * i + 1] + 0.5);
    if (x < 0 || y < 0 || x > width || y > height) continue;
    paper.beginPath();
    paper.arc(x, y, 1.8, 0, 7);
    paper.fill();
    paper.stroke();
  }
}
function paintPicked() {
  const [row, column] = placeOf(state.picked);
  const [x, y] = toScreen(row + 0.5, column + 0.5);
  const strokes = [[4.5, "#000b"], [2, "#fff"]];
  if (state.clicked) {
    const [cx, cy] = toScreen(...state.clicked), far = Math.hypot(cx - x, cy - y);
    if (far > 12) {
      for (const [line, colour] of strokes) {
        paper.setLineDash([3, 4]);
        paper.lineWidth = line / 1.6; paper.strokeStyle = colour;
        paper.beginPath(); paper.moveTo(cx, cy);
        paper.lineTo(x + (cx - x) * 9 / far, y + (cy - y) * 9 / far); paper.stroke();
      }
      paper.setLineDash([]);
    }
  }
  const half = [facts.window / 2 * WIDE * view.scale, facts.window / 2 * TALL * view.scale];
  for (const [line, colour] of strokes) {
    paper.lineWidth = line; paper.strokeStyle = colour;
    paper.beginPath(); paper.arc(x, y, 8, 0, 7); paper.stroke();
    if (half[0] > 12) {
      paper.lineWidth = line / 2;
      paper.strokeRect(x - half[0], y - half[1], 2 * half[0], 2 * half[1]);
      paper.strokeRect(x - half[0] / facts.window, y - half[1] / facts.window, 2 * half[0] / facts.window, 2 * half[1] / facts.window);
    }
  }
}
function paintCross(x, y) {
  for (const [line, colour] of [[4, "#000a"], [1.5, "#fff"]]) {
    paper.lineWidth = line; paper.strokeStyle = colour;
    paper.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      paper.moveTo(x + 4 * dx, y + 4 * dy); paper.lineTo(x + 12 * dx, y + 12 * dy);
    }
    paper.stroke();
  }
}
/** The longest bar of 1, 2 or 5 × 10ⁿ metres that is at most 130 pixels long. */
function paintScale() {
  const most = 130 / view.scale, power = 10 ** Math.floor(Math.log10(most));
  const length = [5, 2, 1].map((n) => n * power).find((metres) => metres <= most);
  $("scale-text").textContent = length >= 1000 ? `${length / 1000} km` : `${Number(length.toPrecision(1))} m`;
  $("scale-bar").style.width = `${length * view.scale}px`;
}

/* ---------- coordinates and values under the cursor ---------- */

function lattice(table, row, column) {
  const last = table.length - 1;
  const v = clamp(row / ROWS, 0, 1) * last, u = clamp(column / COLUMNS, 0, 1) * last;
  const i = Math.min(Math.floor(v), last - 1), j = Math.min(Math.floor(u), last - 1);
  const mix = (a, b, t) => a + (b - a) * t;
  return mix(mix(table[i][j], table[i][j + 1], u - j), mix(table[i + 1][j], table[i + 1][j + 1], u - j), v - i);
}
function coordinates(row, column) {
  const [x0, dx, rx, y0, ry, dy] = place.transform;
  const longitude = lattice(place.longitude, row, column), latitude = lattice(place.latitude, row, column);
  const degrees = `${Math.abs(latitude).toFixed(5)}° ${latitude < 0 ? "S" : "N"}, ${Math.abs(longitude).toFixed(5)}° ${longitude < 0 ? "W" : "E"}`;
  if (place.geographic) return degrees;
  const x = x0 + column * dx + row * rx, y = y0 + column * ry + row * dy;
  return `${place.crs}  ${x.toFixed(0)}, ${y.toFixed(0)}  ·  ${degrees}`;
}
const inside = (row, column) => row >= 0 && column >= 0 && row < ROWS && column < COLUMNS;
function bars(holder, shares) {
  holder.replaceChildren(...shares.map(([c, share]) => make("div", { class: "bar" },
    make("span", {}, c.code),
    make("i", { style: { width: `${Math.max(100 * share, 1)}%`, background: c.colour } }),
    make("span", {}, `${Math.round(100 * share)} %`))));
}
function hover(px, py) {
  const [row, column] = toGrid(px, py), there = inside(row, column);
  $("where").hidden = !there;
  const value = there ? valueAt("class", row, column) : undefined;
  $("hover").hidden = !there;
  if (!there) return;
  $("where").textContent = coordinates(row, column);
  const found = byValue.get(value);
  $("hover-class").textContent = found ? longName(found) : "no data";
  $("hover-swatch").style.background = found ? found.colour : "#2b2f36";
  const shares = VALUED.map((c, i) => [c, valueAt(`probability-${i}`, row, column)]).filter(([, p]) => p !== undefined);
  bars($("hover-bars"), shares.map(([c, p]) => [c, p / 100]).sort((a, b) => b[1] - a[1]).slice(0, 6));
}
function leave() { $("hover").hidden = true; $("where").hidden = true; }

/* ---------- hands: mouse, touch, keyboard ---------- */

const held = new Map();
let moved = 0, pinch = null;
const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
function fingers() {
  const [a, b] = [...held.values()];
  return { apart: Math.hypot(a[0] - b[0], a[1] - b[1]), x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2 };
}
canvas.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  canvas.setPointerCapture(event.pointerId);
  held.set(event.pointerId, at(event));
  if (held.size === 1) moved = 0;
  if (held.size === 2) { pinch = fingers(); moved = 99; }
});
canvas.addEventListener("pointermove", (event) => {
  const now = at(event), before = held.get(event.pointerId);
  if (before && held.size === 1) {
    moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (moved > 4) { canvas.classList.add("held"); pan(now[0] - before[0], now[1] - before[1]); }
  }
  if (before) held.set(event.pointerId, now);
  if (pinch && held.size === 2) {
    const next = fingers();
    zoom(next.apart / Math.max(pinch.apart, 1), next.x, next.y);
    pan(next.x - pinch.x, next.y - pinch.y);
    pinch = next;
  }
  if (event.pointerType === "mouse" || held.size === 1) hover(...now);
});
for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, (event) => {
  if (!held.delete(event.pointerId)) return;
  canvas.classList.remove("held");
  if (held.size < 2) pinch = null;
  if (kind === "pointerup" && held.size === 0 && moved <= 4) {
    hover(...at(event));
    pick(...toGrid(...at(event)));
  }
});
canvas.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") leave(); });
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 30 : event.deltaMode === 2 ? 300 : 1;
  zoom(Math.exp(-clamp(event.deltaY * lines, -240, 240) * (event.ctrlKey ? 0.01 : 0.0022)), ...at(event));
  hover(...at(event));
}, { passive: false });
canvas.addEventListener("dblclick", (event) => zoom(2, ...at(event)));
const KEYS = {
  ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0), ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60),
  "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: fit,
  Enter: () => { const [width, height] = size(); pick(...toGrid(width / 2, height / 2)); },
};
canvas.addEventListener("keydown", (event) => {
  const act = !event.ctrlKey && !event.metaKey && !event.altKey && KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
  const [width, height] = size();
  hover(width / 2, height / 2);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if ($("side").classList.contains("open")) sheet(false); else close();
});
for (const kind of ["focus", "blur"]) canvas.addEventListener(kind, redraw);
$("in").addEventListener("click", () => zoom(1.6));
$("out").addEventListener("click", () => zoom(1 / 1.6));
$("fit").addEventListener("click", fit);
function sheet(open) {
  $("side").classList.toggle("open", open);
  $("menu").setAttribute("aria-expanded", String(open));
}
$("menu").addEventListener("click", () => sheet(!$("side").classList.contains("open")));
canvas.addEventListener("pointerdown", () => sheet(false));

/* ---------- the series of a pixel ---------- */

const placeOf = (i) => [samples.at[2 * i], samples.at[2 * i + 1]];
function pick(row, column) {
  let best = -1, least = Infinity;
  for (let i = 0; i < samples.classes.length; i++) {
    const [r, c] = placeOf(i);
    const far = ((r + 0.5 - row) * TALL) ** 2 + ((c + 0.5 - column) * WIDE) ** 2;
    if (far < least) [best, least] = [i, far];
  }
  if (best < 0 || !inside(row, column)) return;
  Object.assign(state, { picked: best, clicked: [row, column] });
  $("series").hidden = false;
  show(Math.sqrt(least));
  uncover(...placeOf(best));
  redraw();
}
/** Move a pixel out from behind the card of its series. */
function uncover(row, column) {
  const [x, y] = toScreen(row + 0.5, column + 0.5), card = $("series"), room = 36;
  const left = card.offsetLeft, top = card.offsetTop;
  if (x < left - room || y < top - room) return;
  if (left > canvas.clientWidth / 3 && x - left < y - top) pan(left - room - x, 0);
  else pan(0, top - room - y);
}
function close() {
  Object.assign(state, { picked: -1, clicked: null });
  $("series").hidden = true;
  redraw();
}
/** Series (T) of a sampled pixel, NaN where missing. */
function seriesOf(i, k) {
  const T = facts.dates.length, from = (i * features.length + k) * T;
  const { scale, offset } = facts.series;
  return Array.from(samples.series.subarray(from, from + T), (n) => (n === -32768 ? NaN : n * scale[k] + offset[k]));
}
function centre(c, m, k) {
  const T = facts.barycenter_days.length, M = facts.series.centroids;
  const from = ((c * M + m) * features.length + k) * T;
  return Array.from(samples.barycenters.subarray(from, from + T));
}
/** Mean (T') of a class's training windows, date by date; nothing where typical series are that. */
function meanOf(c, k) {
  const T = facts.barycenter_days.length, from = (c * features.length + k) * T;
  return Array.from(samples.means.subarray(from, from + T));
}
/** Distances (C) of one feature, and the mean over the features that have all of them. */
function distancesOf(i) {
  const C = VALUED.length, K = features.length;
  const rows = features.map((_, k) => Array.from(samples.distances.subarray((i * K + k) * C, (i * K + k + 1) * C), (n) => (n === 65535 ? NaN : n / 1000)));
  const whole = rows.filter((row) => row.every(Number.isFinite));
  return { rows, all: VALUED.map((_, c) => whole.reduce((sum, row) => sum + row[c], 0) / whole.length) };
}
function show(metres) {
  const i = state.picked, found = byValue.get(samples.classes[i]);
  const [row, column] = placeOf(i), k = state.feature;
  const position = VALUED.indexOf(found);
  const sure = position < 0 || !samples.probability.length ? "" : `, ${Math.round(samples.probability[i * VALUED.length + position] / 100)} %`;
  $("pixel-swatch").style.background = found.colour;
  $("pixel-class").textContent = `${longName(found)}${sure}`;
  const away = metres === undefined ? "" : ` · ${metres < 1000 ? `${Math.round(metres)} m` : `${(metres / 1000).toFixed(1)} km`} from the click`;
  if (metres !== undefined || !$("pixel-where").textContent) $("pixel-where").textContent = `row ${row}, column ${column}${away}`;
  $("feature-meaning").textContent = `${features[k].meaning}, ${facts.window} × ${facts.window} pixels`;
  const dashed = samples.means.length ? "; dashed: mean of the class's windows on each date" : "";
  $("typical").textContent = [facts.typical, facts.aligned].filter(Boolean).join(", ") + dashed;
  $("measure").textContent = `${facts.measure} distance to the ${facts.typical} (1: usual within a class)`;
  const { rows, all } = distancesOf(i);
  lines(seriesOf(i, k), k, position);
  table(rows[k], all);
  $("said").textContent = `Pixel in row ${row}, column ${column}: ${longName(found)}${sure}.`;
}
function table(one, all) {
  const body = $("distances").tBodies[0];
  const nearest = all.indexOf(Math.min(...all.filter(Number.isFinite)));
  const cell = (value, among, colour) => make("td", {}, Number.isFinite(value) ? value.toFixed(2) : "–",
    make("i", { style: { width: Number.isFinite(value) ? `${100 * value / Math.max(...among)}%` : "0", background: colour } }));
  body.replaceChildren(...VALUED.map((c, n) => make("tr", n === nearest ? { class: "nearest" } : {},
    make("td", {}, make("span", { class: "what" }, make("i", { class: "swatch", style: { background: c.colour } }), c.code)),
    cell(one[n], one, c.colour), cell(all[n], all, c.colour))));
}
function lines(values, k, position) {
  const centres = VALUED.flatMap((c, n) => Array.from({ length: facts.series.centroids }, (_, m) => (
    { name: c.code, values: centre(n, m, k), days: facts.barycenter_days, colour: c.colour, wide: n === position, quiet: true })));
  const mean = position < 0 || !samples.means.length ? [] : [
    { name: "mean", values: meanOf(position, k), days: facts.barycenter_days, colour: VALUED[position].colour, dashed: true, quiet: true }];
  chart($("chart"), {
    days: facts.days, dates: facts.dates, year: facts.year, digits: 3,
    lines: [...centres.sort((a, b) => a.wide - b.wide), ...mean, { name: features[k].label, values, colour: "var(--ink)", dots: true }],
  });
  $("chart").setAttribute("aria-label", `${features[k].label}, ${features[k].meaning}: ${values.filter(known).length} dates of the pixel and the ${facts.typical} of ${VALUED.map((c) => c.code).join(", ")}`);
}
$("close").addEventListener("click", () => { close(); canvas.focus({ preventScroll: true }); });
$("feature").addEventListener("change", (event) => { state.feature = Number(event.target.value); show(); });

/* ---------- what is beside the map ---------- */

function legend() {
  const holder = $("legend"), layer = LAYERS.find((one) => one.id === state.layer);
  if (state.layer === "class") {
    const shown = [...classes].sort((a, b) => (a.group === "not glacier") - (b.group === "not glacier"));
    const parts = shown.flatMap((c, n) => {
      const begins = c.group && c.group !== shown[n - 1]?.group;
      return begins ? [make("h3", {}, total(c.group)), entry(c)] : [entry(c)];
    });
    holder.replaceChildren(make("h2", {}, "Classes and their areas"), ...parts);
    return;
  }
  const [low, high] = facts.decibels.map((v) => `${v.toFixed(1).replace("-", "−")} dB`);
  const ends = layer.ends ?? [low, high];
  const note = layer.note ?? `Mean ${facts.polarisations[0]} backscatter of ${facts.dates.length} dates.`;
  const title = state.layer === "probability" ? `Probability of ${longName(VALUED[state.which])}` : layer.name;
  holder.replaceChildren(make("h2", {}, title),
    make("div", { class: "ramp", style: { background: `linear-gradient(to right, ${RAMPS[layer.ramp].join(", ")})` } }),
    make("div", { class: "ends" }, make("span", {}, ends[0]), make("span", {}, ends[1])), make("p", {}, note));
}
function total(group) {
  const sum = classes.filter((c) => c.group === group).reduce((all, c) => all + c.m2, 0);
  return `${group}: ${percent(sum / MAPPED)}, ${area(sum)}`;
}
function entry(c) {
  const share = c.m2 / MAPPED;
  const row = make("button", { type: "button", class: "entry", "aria-pressed": String(!state.hidden.has(c.value)), title: `Show or hide ${longName(c)}` },
    make("i", { class: "swatch", style: { background: c.colour } }),
    make("span", {}, make("b", {}, c.code), ` ${c.name}`), make("span", {}, percent(share)),
    make("small", {}, area(c.m2)),
    make("span", { class: "meter" }, make("i", { style: { width: `${100 * share}%`, background: c.colour } })));
  row.addEventListener("click", () => {
    if (!state.hidden.delete(c.value)) state.hidden.add(c.value);
    row.setAttribute("aria-pressed", String(!state.hidden.has(c.value)));
    rasters.class.canvas = null;
    redraw();
  });
  return row;
}
function choose(id) {
  state.layer = id;
  $("which-row").hidden = id !== "probability";
  $("opacity-row").hidden = id === "backscatter";
  legend();
  redraw();
}
function describe() {
  const beam = facts.beam ? `Beam ${facts.beam} · ` : "";
  $("title").textContent = facts.title;
  $("subtitle").textContent = `${beam}${day(facts.dates[0])} – ${day(facts.dates.at(-1))} · ${facts.dates.length} dates · ${facts.used} · ${facts.pixel}`;
  const known = facts.calibration ? ` Probabilities: ${facts.calibration}.` : "";
  const without = facts.withheld ? ` No probabilities: ${facts.withheld}.` : known;
  $("origin").textContent = `Map ${facts.map}, model ${facts.model}, ${facts.software}.${without} ${facts.floored}`;
  const step = rasters.class.step;
  canvas.setAttribute("aria-label", `${facts.title}, ${ROWS} × ${COLUMNS} pixels${step > 1 ? `, shown in cells of ${step} × ${step}` : ""}`);
  $("choices").append(...LAYERS.map(({ id, name }) => {
    const box = make("input", { type: "radio", name: "layer", value: id });
    box.checked = id === state.layer;
    box.addEventListener("change", () => choose(id));
    return make("label", {}, box, make("span", {}, name));
  }));
  $("which").append(...VALUED.map((c, n) => make("option", { value: n }, longName(c))));
  $("which").addEventListener("change", (event) => { state.which = Number(event.target.value); choose("probability"); });
  $("feature").append(...features.map((one, k) => make("option", { value: k }, one.label)));
  $("opacity").addEventListener("input", (event) => {
    state.opacity = event.target.value / 100;
    $("opacity-value").textContent = `${event.target.value} %`;
    redraw();
  });
  $("dots").addEventListener("change", (event) => { state.dots = event.target.checked; redraw(); });
  $("layers").addEventListener("submit", (event) => event.preventDefault());
}

async function begin() {
  try {
    await load();
  } catch (error) {
    $("wait").textContent = "This browser is too old for this page: it cannot inflate the map.";
    throw error;
  }
  describe();
  choose("class");
  let shown = false;
  new ResizeObserver(() => {
    if (shown) redraw(); else fit();
    shown = true;
    if (state.picked >= 0) show();
  }).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  $("wait").remove();
  requestAnimationFrame(() => { document.documentElement.dataset.ready = "yes"; });
}
window.viewer = { ready: begin(), view, state, toScreen, toGrid, pick, zoom, fit, coordinates, valueAt, seriesOf, distancesOf, placeOf };
})();
