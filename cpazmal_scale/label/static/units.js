/* The points of an area estimate, one by one: chips of several dates, the series, and the class that somebody sees. */
import { $, make, say } from "./lib/page.js";

const CHIPS = 6;

export class Units {
  constructor(parts) {
    Object.assign(this, parts, { at: 0 });
    $("unit-before").addEventListener("click", () => this.go(this.at - 1));
    $("unit-after").addEventListener("click", () => this.go(this.at + 1));
    $("unit-unknown").addEventListener("click", () => this.name("unknown"));
    this.polygons.onChosen = ([feature]) => {
      const at = this.all().indexOf(feature);
      if (at >= 0 && at !== this.at) { this.at = at; this.show(); }
    };
  }
  all() { return this.polygons.source.getFeatures().sort((a, b) => a.getId() - b.getId()); }
  now() { return this.all()[this.at]; }
  load() {
    const first = this.all().findIndex((one) => !one.get("class"));
    this.go(this.started ? this.at : Math.max(first, 0));
    this.started = true;
  }
  go(at) {
    const all = this.all();
    if (!all.length) { say("no point is left"); return; }
    this.at = Math.min(Math.max(at, 0), all.length - 1);
    this.polygons.choose([all[this.at]], true);
    this.show();
  }
  show() {
    const all = this.all(), one = all[this.at], done = all.filter((each) => each.get("class")).length;
    $("unit-name").textContent = `${one.get("group")}: ${one.get("class") || "?"} (${done} of ${all.length} done)`;
    $("unit-before").disabled = this.at === 0;
    $("unit-after").disabled = this.at === all.length - 1;
    const [row, column] = one.get("pixel"), { dates, polarisations } = this.desk;
    const every = [...Array(Math.min(CHIPS, dates.length)).keys()].map((i) => Math.round((i * (dates.length - 1)) / Math.max(1, Math.min(CHIPS, dates.length) - 1)));
    $("chips").replaceChildren(...every.map((date) => {
      const text = `${polarisations[0]} ${dates[date].time.slice(0, 10)}`;
      return make("figure", {}, make("img", { src: `chip/${encodeURIComponent(polarisations[0])}/${date}/${row}/${column}`, alt: `Surroundings of the point, ${text}` }), make("figcaption", {}, text));
    }));
    const view = this.map.getView();
    view.setCenter(one.getGeometry().getCoordinates());
    if (!this.zoomed) { view.setResolution(this.desk.place.metres[1] / 2); this.zoomed = true; }
    this.classes().forEach((each, i) => $("classes").children[i]?.setAttribute("aria-pressed", String(each.code === one.get("class"))));
    this.showSeries(one.getId());
  }
  name(code) { this.edit({ kind: "relabel", ids: [this.now().getId()], label: code }); }
  /** After an edit: on to the next point that has no class. */
  after(what) {
    const all = this.all();
    if (what.kind === "relabel") {
      const next = [...all.slice(this.at + 1), ...all.slice(0, this.at)].find((one) => !one.get("class"));
      if (next) { this.go(all.indexOf(next)); return; }
      say("every point has a class; save, and give the file to `areas estimate`");
    } else if (what.ids?.length === 1) {
      const place = all.findIndex((one) => one.getId() === what.ids[0]);
      if (place >= 0) this.at = place;
    }
    this.go(this.at);
  }
  key(event) {
    const classes = this.classes();
    if (/^[1-9]$/.test(event.key) && classes[event.key - 1]) { this.name(classes[event.key - 1].code); return true; }
    if (event.key === "ArrowLeft") { this.go(this.at - 1); return true; }
    if (event.key === "ArrowRight") { this.go(this.at + 1); return true; }
    return false;
  }
}
