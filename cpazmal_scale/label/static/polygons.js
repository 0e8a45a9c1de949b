/* Polygons on the map: what is shown of them, and the tools that change them. */
import {
  CircleStyle, Collection, Draw, Feature, Fill, LineString, Modify, MultiPolygon, Point, Polygon, Snap, Stroke, Style, Text, Translate,
  VectorImageLayer, VectorLayer, VectorSource, condition,
} from "./lib/openlayers.js";

const PALE = "rgba(255, 255, 255, .9)";
export const TOOLS = [
  ["choose", "v", "Choose"], ["draw", "d", "Draw"], ["reshape", "r", "Reshape"], ["move", "m", "Move"],
  ["split", "s", "Cut by a line"], ["cut_out", "x", "Cut out"],
];
const NEEDS_ONE = ["reshape", "move", "split", "cut_out"];

/** A geometry of what the server sends: polygons of rings of corners, or a point. */
export function geometry(one) {
  if (one.at) return new Point(one.at);
  return one.shape.length === 1 ? new Polygon(one.shape[0]) : new MultiPolygon(one.shape);
}
const corners = (shape) => (shape.getType() === "Polygon" ? [shape.getCoordinates()] : shape.getCoordinates());

export class Polygons {
  /** `edit` sends an edit, `chosen` is told that others are chosen, `colour` gives that of a class. */
  constructor(map, { edit, chosen, colour, step }) {
    Object.assign(this, { map, edit, onChosen: chosen, colour, step, tool: "choose", corner: null, removing: false });
    this.source = new VectorSource();
    this.selected = new Collection();
    this.styles = new Map();
    // Those that are not chosen are one picture, which a drag of the map moves as it is. Those of a
    // class are painted together, or its making takes several frames.
    this.resting = new VectorSource({ overlaps: false });
    const style = (feature) => this.style(feature);
    const renderOrder = (a, b) => (a.get("class") < b.get("class") ? -1 : Number(a.get("class") > b.get("class")));
    this.layers = [
      new VectorImageLayer({ source: this.resting, style, renderOrder, imageRatio: 1.2 }),
      new VectorLayer({ source: new VectorSource({ features: this.selected }), style }),
    ];
    this.marks = new VectorSource();
    for (const one of this.layers) map.addLayer(one);
    map.addLayer(new VectorLayer({ source: this.marks, style: new Style({
      image: new CircleStyle({ radius: 7, stroke: new Stroke({ color: "#ff5a36", width: 2.5 }) }),
      stroke: new Stroke({ color: "#ff5a36", width: 2, lineDash: [6, 5] }),
    }) }));
    map.on("click", (event) => this.tool === "choose" && this.click(event));
    map.getViewport().addEventListener("pointermove", () => { this.marks.clear(); }, { passive: true });
  }
  style(feature) {
    const chosen = feature.get("chosen"), code = feature.get("class"), key = `${code}|${chosen}`;
    if (!this.styles.has(key)) {
      const colour = this.colour(code), fill = `${colour}${chosen ? "55" : "26"}`;
      const under = new Style({ stroke: new Stroke({ color: chosen ? "#111" : "rgba(0,0,0,.55)", width: chosen ? 6 : 4, lineJoin: "bevel" }) });
      const over = new Style({
        stroke: new Stroke({ color: chosen ? PALE : colour, width: chosen ? 3 : 2, lineJoin: "bevel" }), fill: new Fill({ color: fill }),
        image: new CircleStyle({ radius: chosen ? 9 : 5, stroke: new Stroke({ color: chosen ? "#ff5a36" : colour, width: 2.5 }) }),
      });
      // A dark line under each makes pale colours visible; with hundreds it costs more than it shows.
      this.styles.set(key, chosen || this.source.getFeatures().length < 200 ? [under, over] : [over]);
    }
    const styles = this.styles.get(key);
    if (!chosen || !feature.get("group")) return styles;
    return [...styles, new Style({ text: new Text({
      text: `${code} ${feature.get("group")}`, font: "600 13px system-ui, sans-serif", overflow: true,
      fill: new Fill({ color: "#111" }), stroke: new Stroke({ color: PALE, width: 4 }),
    }) })];
  }
  recolour() { this.styles.clear(); for (const one of this.layers) one.changed(); }
  add(features) { for (const source of [this.source, this.resting]) source.addFeatures(features); }
  load(list) {
    const ids = new Set(this.chosen().map((feature) => feature.getId()));
    for (const source of [this.source, this.resting]) source.clear(true);
    this.selected.clear();
    this.add(list.map((one) => this.feature(one)));
    this.choose(this.source.getFeatures().filter((feature) => ids.has(feature.getId())), true);
  }
  feature(one) {
    const made = new Feature({ geometry: geometry(one), class: one.class, group: one.group, pixel: one.pixel });
    made.setId(one.id);
    return made;
  }
  /** Put in place what an edit changed; without `keep`, what changed is chosen. */
  update({ polygons, gone }, keep) {
    for (const id of gone) {
      const feature = this.source.getFeatureById(id);
      if (!feature) continue;
      if (!this.selected.remove(feature)) this.resting.removeFeature(feature);
      this.source.removeFeature(feature);
    }
    const changed = polygons.map((one) => {
      const old = this.source.getFeatureById(one.id);
      if (!old) { const made = this.feature(one); this.add([made]); return made; }
      old.setProperties({ class: one.class, group: one.group });
      old.setGeometry(geometry(one));
      return old;
    });
    this.choose(keep ? this.chosen() : changed, true);
  }
  chosen() { return this.selected.getArray().slice(); }
  choose(features, always) {
    const now = new Set(features), before = this.chosen();
    if (!always && before.length === now.size && before.every((one) => now.has(one))) return;
    for (const one of before) one.set("chosen", false);
    for (const one of now) one.set("chosen", true);
    this.selected.clear();
    this.resting.addFeatures(before.filter((one) => !now.has(one)));
    this.resting.removeFeatures([...now].filter((one) => this.resting.hasFeature(one)));
    this.selected.extend([...now]);
    this.corner = null;
    this.marks.clear();
    this.onChosen(features);
  }
  click(event) {
    const [x, y] = event.coordinate, reach = 6 * this.map.getView().getResolution(), hit = [];
    this.source.forEachFeatureIntersectingExtent([x - reach, y - reach, x + reach, y + reach], (one) => { hit.push(one); });
    // The smallest of those that lie upon each other is the one that could not be reached otherwise.
    const size = (one) => one.getGeometry().getArea?.() ?? 0;
    const best = hit.sort((a, b) => size(a) - size(b))[0];
    const several = event.originalEvent.shiftKey || event.originalEvent.ctrlKey || event.originalEvent.metaKey || this.several;
    if (!best) { if (!several) this.choose([]); return; }
    const now = this.chosen();
    this.choose(!several ? [best] : now.includes(best) ? now.filter((one) => one !== best) : [...now, best]);
  }
  /** Take up a tool; why it cannot be, as a sentence, or nothing. */
  take(tool) {
    if (NEEDS_ONE.includes(tool) && this.selected.getLength() !== 1) return "choose one polygon first";
    for (const one of this.active ?? []) this.map.removeInteraction(one);
    this.active = [];
    this.drawing = null;
    this.tool = tool;
    this.marks.clear();
    const add = (one) => { this.map.addInteraction(one); this.active.push(one); return one; };
    if (["draw", "split", "cut_out"].includes(tool)) {
      this.drawing = add(new Draw({ type: tool === "split" ? "LineString" : "Polygon", stopClick: true, snapTolerance: 14 }));
      this.drawing.on("drawend", ({ feature }) => this.drawn(tool, feature.getGeometry()));
      add(new Snap({ source: this.source, pixelTolerance: 8 }));
    } else if (tool === "reshape") {
      const modify = add(new Modify({
        features: this.selected, pixelTolerance: 14,
        deleteCondition: (event) => condition.singleClick(event) && (condition.altKeyOnly(event) || this.removing),
      }));
      modify.on("modifyend", () => this.reshaped());
      add(new Snap({ source: this.source, pixelTolerance: 8 }));
    } else if (tool === "move") {
      add(new Translate({ features: this.selected, hitTolerance: 6 })).on("translateend", () => this.reshaped());
    }
    return "";
  }
  drawn(tool, shape) {
    if (tool === "draw") { this.edit({ kind: "draw", shape: corners(shape) }); return; }
    const id = this.chosen()[0].getId();
    if (tool === "split") this.edit({ kind: "split", id, line: shape.getCoordinates() });
    else this.edit({ kind: "cut_out", id, shape: corners(shape) });
  }
  reshaped() {
    for (const one of this.chosen()) this.edit({ kind: "reshape", id: one.getId(), shape: corners(one.getGeometry()) }, true);
  }
  /** Whether a key did something while the map has the focus. */
  key(event) {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const arrow = arrows[event.key];
    if (this.drawing) {
      if (event.key === " ") { this.drawing.appendCoordinates([this.map.getView().getCenter().slice()]); return true; }
      if (event.key === "Enter") { this.drawing.finishDrawing(); return true; }
      if (event.key === "Backspace") { this.drawing.removeLastPoint(); return true; }
      return false;
    }
    if (this.selected.getLength() !== 1) return false;
    const feature = this.chosen()[0], by = event.shiftKey ? 10 : 1;
    if (this.tool === "move" && arrow) {
      feature.getGeometry().translate(arrow[0] * by * this.step[0], arrow[1] * by * this.step[1]);
      this.reshaped();
      return true;
    }
    return this.tool === "reshape" && this.corners(event, feature, arrow, by);
  }
  /** Corners one by one: N and P go to the next and the previous, arrows move it, Delete removes it. */
  corners(event, feature, arrow, by) {
    const shape = corners(feature.getGeometry());
    const places = shape.flatMap((rings, i) => rings.flatMap((ring, j) => ring.slice(1).map((_, k) => [i, j, k])));
    const turn = { n: 1, p: -1 }[event.key.toLowerCase()];
    let at = this.corner ?? -1;
    if (turn) at = (at + turn + places.length) % places.length;
    else if (at < 0 || !places[at] || !(arrow || event.key === "Delete")) return false;
    const [i, j, k] = places[at], ring = shape[i][j];
    if (arrow) {
      ring[k] = [ring[k][0] + arrow[0] * by * this.step[0], ring[k][1] + arrow[1] * by * this.step[1]];
      if (k === 0) ring[ring.length - 1] = ring[0];
    } else if (!turn) {
      if (ring.length <= 4) return true;
      ring.splice(k, 1);
      if (k === 0) ring[ring.length - 1] = ring[0];
    }
    if (!turn) { feature.getGeometry().setCoordinates(shape.length === 1 ? shape[0] : shape); this.reshaped(); }
    this.corner = at;
    this.marks.clear();
    this.marks.addFeature(new Feature(new Point(ring[Math.min(k, ring.length - 1)])));
    return true;
  }
  /** Show a square of the grid. */
  frame(extent) {
    const [west, south, east, north] = extent;
    this.marks.clear();
    this.marks.addFeature(new Feature(new LineString([[west, south], [east, south], [east, north], [west, north], [west, south]])));
  }
}
