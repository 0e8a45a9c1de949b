/* Labels: polygons over the scenes, and the points of an area estimate one by one. */
import { Map as OlMap, ScaleLine, Zoom, interactions } from "./lib/openlayers.js";
import { $, Ground, ask, make, say, sayWhileLoading } from "./lib/page.js";
import { chart } from "./chart.js";
import { Polygons, TOOLS } from "./polygons.js";
import { Units } from "./units.js";

const desk = await ask("desk");
const ground = new Ground(desk.place);
const now = { revision: 0, classes: [], code: "", date: desk.first, layer: desk.polarisations[0], unsaved: 0 };
const [tall, wide] = desk.place.metres;

/* The map. */
const address = (layer) => (level, row, column) => `tile/${encodeURIComponent(layer)}/${now.date}/${level}/${row}/${column}`;
const base = ground.tiles((...at) => address(now.layer)(...at));
const over = ground.tiles((...at) => address($("over").value)(...at), { visible: false, opacity: 0.6 });
const map = new OlMap({
  target: "map", layers: [base, over], controls: [new Zoom(), new ScaleLine()], view: ground.view({ extent: undefined }),
  interactions: interactions({ doubleClickZoom: false }), keyboardEventTarget: $("map"),
});
map.getView().fit(ground.extent);
sayWhileLoading(map, () => desk.features.includes(now.layer)
  ? "computing the features; the first time on a machine their program is compiled, which takes up to a minute …"
  : "reading the picture …");
const colour = (code) => now.classes.find((one) => one.code === code)?.colour ?? "#ffffff";
const polygons = new Polygons(map, { edit, chosen, colour, step: [wide, tall] });
const units = desk.units ? new Units({ desk, polygons, map, edit, showSeries, classes: () => now.classes }) : null;
Object.assign(window, { cpazmal: { map, polygons, now, desk, units } });

/* Edits go to the server one after the other; each is on its disk before the next. */
let queue = Promise.resolve();
const later = (work) => (queue = queue.then(work).catch(failed));
function edit(what, keep = false) {
  if (what.kind === "draw") {
    if (!now.code) { say("give a class first: choose one of the list, or write one", true); $("class").focus(); return; }
    what = { ...what, label: now.code, group: polygons.chosen().length ? "" : $("group").value.trim() };
  }
  return later(async () => {
    const done = await ask("edit", { revision: now.revision, edit: what });
    polygons.update(done, keep || what.kind === "delete");
    stand(done);
    const words = { draw: "drawn", reshape: "reshaped", split: "cut", cut_out: "cut", delete: "deleted", relabel: "named" };
    if (!units) say(`${words[what.kind]}${done.polygons.length ? `: ${done.polygons.map((one) => `${one.class} ${one.group}`).slice(0, 4).join(", ")}` : ""}`);
    if (units) units.after(what);
    if (["split", "cut_out"].includes(what.kind)) take("choose");
    if (keep) refresh();
  });
}
async function failed(error) {
  say(error.message, true);
  if (error.answer?.kind === "writer_conflict" && /file was changed/.test(error.message)) { conflict(error.message); return; }
  try { await load(); } catch (other) { say(other.message, true); }
}
const step = (name) => later(async () => {
  const done = await ask(name, { revision: now.revision });
  polygons.update(done, false);
  stand(done);
  if (units) units.after({ kind: name, ids: done.polygons.map((one) => one.id) });
  say(name === "undo" ? "undone" : "done again");
});
const save = () => later(async () => {
  const done = await ask("save", {});
  stand(done);
  say(done.written ? `saved, ${done.written} changed` : "nothing to save");
});

async function load() {
  const state = await ask("state");
  now.classes = state.classes;
  polygons.load(state.polygons);
  stand(state);
  if (units) units.load();
  if (state.unsaved && !load.before) say(`${state.unsaved} change${state.unsaved === 1 ? "" : "s"} of an earlier time: not in the file until Save`);
  else if (state.unseen && !load.before) say(`${state.unseen} rows of the file are no ${desk.units ? "points" : "polygons"} and stay as they are`);
  else if (!state.polygons.length && !desk.units && !load.before) say("write a class in the field Class, press Draw, and click the corners");
  load.before = true;
  if (state.changed && state.unsaved) conflict();
  else if (state.changed) { await ask("take", {}); await load(); say("the file was changed elsewhere and is loaded again"); }
}
/** Show how the file stands after what the server answered. */
function stand(answer) {
  Object.assign(now, { revision: answer.revision, unsaved: answer.unsaved });
  $("undo").disabled = !answer.can.undo;
  $("redo").disabled = !answer.can.redo;
  $("save").disabled = !answer.unsaved;
  $("save").textContent = answer.unsaved ? `Save (${answer.unsaved})` : "Saved";
  $("file").textContent = answer.file;
  const shades = JSON.stringify(answer.classes.map((one) => [one.code, one.colour]));
  now.classes = answer.classes;
  if (shades !== stand.shades) { stand.shades = shades; polygons.recolour(); }
  classes();
  list();
}

/* Classes. */
function classes() {
  const chosen = polygons.chosen(), codes = new Set(chosen.map((one) => one.get("class")));
  $("classes").replaceChildren(...now.classes.map((one, at) => {
    const pressed = chosen.length ? codes.has(one.code) : one.code === now.code;
    const text = desk.units ? `${at + 1}` : `${one.groups} group${one.groups === 1 ? "" : "s"}`;
    return make("button", { type: "button", "aria-pressed": String(pressed), onclick: () => name(one.code, "") },
      make("span", { class: "swatch", style: { background: one.colour } }), one.code === one.name ? one.code : `${one.code} ${one.name}`,
      make("small", { class: one.few ? "few" : "" }, one.few ? `${text}, too few` : text));
  }));
  $("known").replaceChildren(...now.classes.map((one) => make("option", { value: one.code })));
}
/** Give the chosen polygons a class and a group, or the next one that is drawn. */
function name(code, group) {
  now.code = code;
  $("class").value = code;
  const ids = polygons.chosen().map((one) => one.getId());
  if (units) { units.name(code); return; }
  if (!ids.length) { classes(); say(`the next polygon is ${code}${group ? `, group ${group}` : ""}`); return; }
  edit({ kind: "relabel", ids, label: code, ...(group ? { group } : {}) });
}
$("name").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = $("class").value.trim();
  if (code) name(code, $("group").value.trim()); else say("write a class", true);
});
$("new-group").addEventListener("click", () => {
  const chosen = polygons.chosen();
  edit({ kind: "relabel", ids: chosen.map((one) => one.getId()), group: fresh(chosen[0].get("class")) });
});
$("join").addEventListener("click", () => join(polygons.chosen()));
function join(features) {
  const names = features.map((one) => one.get("group")).filter(Boolean).sort();
  edit({ kind: "relabel", ids: features.map((one) => one.getId()), group: names[0] });
}
/** A group that is not there yet, named as those of its class. */
function fresh(code) {
  const all = polygons.source.getFeatures(), taken = new Set(all.map((one) => one.get("group")));
  const parts = all.filter((one) => one.get("class") === code).map((one) => /^(.*?)(\d+)$/.exec(one.get("group"))).filter(Boolean);
  const best = parts.sort((a, b) => b[2] - a[2])[0] ?? ["", code, "000"];
  for (let i = Number(best[2]) + 1; ; i++) {
    const made = best[1] + String(i).padStart(best[2].length, "0");
    if (!taken.has(made)) return made;
  }
}

/* What is chosen. */
function chosen(features) {
  $("new-group").disabled = features.length === 0;
  $("join").disabled = new Set(features.map((one) => one.get("group"))).size < 2;
  if (features.length === 1 && !units) {
    now.code = features[0].get("class") || now.code;
    $("class").value = features[0].get("class");
    $("group").value = features[0].get("group");
    showSeries(features[0].getId());
  } else if (!units) {
    $("group").value = "";
    $("series").replaceChildren();
  }
  if (!features.length && ["reshape", "move", "split", "cut_out"].includes(polygons.tool)) take("choose");
  if (now.classes.length) { classes(); list(); }
}
function refresh() { const one = polygons.chosen(); if (one.length === 1 && !units) showSeries(one[0].getId()); }
let asked = 0;
async function showSeries(id) {
  const mine = ++asked;
  try {
    const found = await ask("series", { id });
    if (mine !== asked) return;
    showSeries.last = found;
    chart($("series"), found, desk.dates, now.date, date);
  } catch (error) {
    if (mine === asked) $("series").replaceChildren(make("p", { class: "soft" }, error.message));
  }
}
/** The list of polygons is made when somebody opens it: with many of them it takes a while. */
function list() {
  const all = polygons.source.getFeatures(), one = polygons.chosen();
  const text = one.length === 1 ? `${one[0].get("class")} ${one[0].get("group")} (${one[0].getId()})` : `${all.length} polygons`;
  const open = document.activeElement === $("polygons");
  $("polygons").replaceChildren(make("option", { value: "" }, text));
  list.full = false;
  if (open) { fill(); $("polygons").value = one.length === 1 ? String(one[0].getId()) : ""; }
}
function fill() {
  if (list.full) return;
  list.full = true;
  const by = new Map();
  for (const one of polygons.source.getFeatures()) {
    const code = one.get("class") || "without a class";
    by.set(code, [...(by.get(code) ?? []), one]);
  }
  $("polygons").append(...[...by].sort().map(([code, some]) => make("optgroup", { label: code }, ...some.map((one) =>
      make("option", { value: one.getId() }, `${code} ${one.get("group")} (${one.getId()})`)))));
}
for (const kind of ["pointerdown", "focus"]) $("polygons").addEventListener(kind, fill);
$("polygons").addEventListener("change", () => {
  const feature = polygons.source.getFeatureById(Number($("polygons").value));
  if (feature) { polygons.choose([feature]); look(feature.getGeometry().getExtent()); }
});
const look = (extent) => map.getView().fit(extent, { padding: [70, 70, 70, 70], maxZoom: map.getView().getMaxZoom() - 2 });

/* Dates and layers. */
for (const [title, layers] of [["Backscatter", desk.polarisations], ["Features", desk.features]]) {
  $("layer").append(make("optgroup", { label: title }, ...layers.map((one) => make("option", { value: one }, one))));
}
$("date").append(...desk.dates.map((one, at) => {
  const lacks = desk.polarisations.filter((name) => !one.sent.includes(name));
  return make("option", { value: at }, `${one.time.slice(0, 10)}${lacks.length ? `, no ${lacks.join(" ")}` : ""}`);
}));
for (const [layer, title] of Object.entries(desk.map)) {
  if (!$("over").length) $("over").append(make("option", { value: "" }, "nothing"));
  $("over").append(make("option", { value: layer }, title));
  $("over-row").hidden = false;
}
function date(at) {
  now.date = Math.min(Math.max(at, 0), desk.dates.length - 1);
  $("date").value = String(now.date);
  $("before").disabled = now.date === 0;
  $("after").disabled = now.date === desk.dates.length - 1;
  base.getSource().refresh();
  if (showSeries.last && $("series").firstChild) chart($("series"), showSeries.last, desk.dates, now.date, date);
}
$("date").addEventListener("change", () => date(Number($("date").value)));
$("before").addEventListener("click", () => date(now.date - 1));
$("after").addEventListener("click", () => date(now.date + 1));
$("layer").addEventListener("change", () => { now.layer = $("layer").value; base.getSource().refresh(); scale(); });
$("over").addEventListener("change", () => {
  over.setVisible($("over").value !== "");
  $("opacity").hidden = $("over").value === "";
  over.getSource().refresh();
});
/** Show which values are black and white. */
async function scale() {
  const layer = now.layer, unit = desk.polarisations.includes(layer) ? " dB" : "";
  const ends = await ask(`limits/${encodeURIComponent(layer)}`).catch(() => null);
  if (layer !== now.layer) return;
  $("scale").hidden = !ends;
  if (ends) for (const [at, id] of ["black", "white"].entries()) $(id).textContent = `${ends[at].toFixed(unit ? 1 : 2).replace("-", "−")}${unit}`;
}
$("opacity").addEventListener("input", () => over.setOpacity($("opacity").value / 100));

/* Tools. */
function take(tool) {
  const reason = polygons.take(tool);
  if (reason) { say(reason, true); return; }
  for (const button of $("tools").children) if (button.dataset.tool) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  $("cross").hidden = $("end").hidden = !polygons.drawing;
  $("remove").hidden = tool !== "reshape";
  $("several").hidden = tool !== "choose";
  const hints = {
    choose: "", draw: "click corners, then the last one again or End here", split: "draw a line across the polygon",
    cut_out: "draw what is to be cut out of the polygon", move: "drag the polygon", reshape: "drag corners and edges",
  };
  if (hints[tool]) say(hints[tool]);
}
const remove = () => { const ids = polygons.chosen().map((one) => one.getId()); if (ids.length) edit({ kind: "delete", ids }); };
if (!units) {
  $("tools").append(...TOOLS.map(([tool, key, text]) => make("button", { type: "button", "data-tool": tool, "aria-pressed": "false", title: key.toUpperCase(), onclick: () => take(tool) }, text)),
    make("button", { type: "button", title: "Delete", onclick: remove }, "Delete"));
  const toggle = (id, text, set) => make("button", { type: "button", id, hidden: true, "aria-pressed": "false", onclick: ({ target }) => {
    const on = target.getAttribute("aria-pressed") !== "true";
    target.setAttribute("aria-pressed", String(on));
    set(on);
  } }, text);
  $("tools").append(make("button", { type: "button", id: "end", hidden: true, title: "Enter", onclick: () => polygons.drawing.finishDrawing() }, "End here"));
  $("tools").append(toggle("several", "Several", (on) => (polygons.several = on)), toggle("remove", "Remove corners", (on) => (polygons.removing = on)));
  take("choose");
}
$("keys").textContent = desk.units
  ? "1 … 9 name the class of the point\n← → previous and next point\n[ ] earlier and later date\nCtrl+Z, Ctrl+Y, Ctrl+S"
  : `${TOOLS.map(([, key, text]) => `${key.toUpperCase()} ${text}`).join(", ")}, Delete\n` +
    "drawing: arrows move the view, Space sets a corner at the cross, Backspace takes it back, Enter ends\n" +
    "move: arrows by a pixel, with Shift by ten\nreshape: N and P go from corner to corner, arrows move it, Delete removes it\n" +
    "[ ] earlier and later date, Esc lays the tool down\nCtrl+Z, Ctrl+Y, Ctrl+S anywhere; letters while the map has the focus";
$("map").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const tool = TOOLS.find(([, key]) => key === event.key.toLowerCase());
  let used = true;
  if (units ? units.key(event) : polygons.key(event)) used = true;
  else if (event.key === "[") date(now.date - 1);
  else if (event.key === "]") date(now.date + 1);
  else if (units) used = false;
  else if (event.key === "Escape") take("choose");
  else if (event.key === "Delete") remove();
  else if (tool) take(tool[0]);
  else used = false;
  if (used) { event.preventDefault(); event.stopImmediatePropagation(); }
}, true);
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey)) return;
  const key = event.key.toLowerCase(), typing = event.target.matches?.("input:not([type=range])");
  if (key === "s") { event.preventDefault(); save(); }
  else if (key === "z" && !typing) { event.preventDefault(); step(event.shiftKey ? "redo" : "undo"); }
  else if (key === "y" && !typing) { event.preventDefault(); step("redo"); }
});
$("undo").addEventListener("click", () => step("undo"));
$("redo").addEventListener("click", () => step("redo"));
$("save").addEventListener("click", save);

/* Where a label helps. */
$("propose").addEventListener("click", async () => {
  say("looking …");
  try {
    const found = await ask("proposals");
    const square = (one) => ({ text: `${one.value.toFixed(2)}`, go: () => {
      const [x, y] = ground.centre([one.row, one.column]), half = one.size / 2;
      const extent = [x - half * wide, y - half * tall, x + half * wide, y + half * tall];
      look(extent); polygons.frame(extent);
    } });
    const pair = (verb) => ([one, two]) => {
      const features = [one, two].map((id) => polygons.source.getFeatureById(id)).filter(Boolean);
      return { text: `${verb}${features.map((each) => `${each.get("class")} ${each.get("group")}`).join(" + ")}`, go: () => {
        polygons.choose(features);
        const both = features.map((each) => each.getGeometry().getExtent());
        look([0, 1, 2, 3].map((i) => (i < 2 ? Math.min : Math.max)(...both.map((extent) => extent[i]))));
      } };
    };
    const group = (one) => ({ text: `${one.label} ${one.group}: ${Math.round(one.share * 100)} % of errors, as ${one.mistaken_for}`, go: () => {
      const features = polygons.source.getFeatures().filter((each) => each.get("group") === one.group && each.get("class") === one.label);
      if (!features.length) { say("this group is no longer there", true); return; }
      polygons.choose(features);
      look(features[0].getGeometry().getExtent());
    } });
    const few = now.classes.filter((one) => one.few).map((one) => ({ text: `${one.code}: ${one.groups} of 5`, go: () => { polygons.choose([]); name(one.code, ""); take("draw"); } }));
    const parts = [
      ["Classes with too few groups", few], ["The map is unsure (entropy)", found.uncertain.map(square)],
      ["Far from every class (distance)", found.far.map(square)], ["Groups that decide the errors", found.errors.map(group)],
      ["Neighbours whose windows share pixels: join them?", found.near.map(pair(""))], ["Two classes on one place", found.overlapping.map(pair(""))],
    ].filter(([, items]) => items.length);
    $("proposals").replaceChildren(...(parts.length ? parts.flatMap(([title, items]) => [make("h3", {}, title),
      make("ul", {}, ...items.slice(0, 12).map((item) => make("li", {}, make("button", { type: "button", onclick: item.go }, item.text))))])
      : [make("p", {}, "Nothing stands out; maps and reports say more.")]));
    $("propose").textContent = "Look again";
    say("");
  } catch (error) { say(error.message, true); }
});

/* The file elsewhere. */
function conflict(text) {
  $("conflict-text").textContent = text ?? "The file was changed elsewhere while changes from here were not in it yet; nothing was overwritten.";
  $("keep-name").value = ($("file").textContent.split("/").at(-1) ?? "labels.gpkg").replace(/(-\d+)?\.gpkg$/, (end) => `-${Number(/\d+/.exec(end)?.[0] ?? 1) + 1}.gpkg`);
  if (!$("conflict").open) $("conflict").showModal();
}
$("keep").addEventListener("submit", (event) => {
  event.preventDefault();
  later(async () => {
    const done = await ask("keep", { name: $("keep-name").value.trim() });
    $("conflict").close();
    await load();
    say(`saved to ${done.file}, which is edited from now on`);
  });
});
$("take").addEventListener("click", () => later(async () => {
  const done = await ask("take", {});
  $("conflict").close();
  await load();
  say(`your changes are set aside in ${done.aside}`);
}));
$("later").addEventListener("click", () => $("conflict").close());
window.addEventListener("focus", () => later(async () => {
  const state = await ask("state");
  if (state.changed && !$("conflict").open) { if (state.unsaved) conflict(); else await load(); } else if (state.revision !== now.revision) await load();
}));

document.title = desk.units ? "Points – cpazmal" : "Labels – cpazmal";
$("title").textContent = `${desk.units ? "Points" : "Labels"} ${desk.beam}`;
if (desk.units) {
  for (const one of document.querySelectorAll(".of-polygons")) one.hidden = true;
  for (const id of ["help", "tools"]) $(id).hidden = true;
  $("h-chosen").textContent = "Series";
  $("unit").hidden = false;
}
date(now.date);
scale();
await load();
document.documentElement.dataset.ready = "yes";
