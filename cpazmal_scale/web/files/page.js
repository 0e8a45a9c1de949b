/* What local pages share: elements made of text, questions to the server, a raster as a map. */
import { Projection, TileGrid, TileImage, TileLayer, View } from "./openlayers.js";

export { make } from "./make.js";
export const $ = (id) => document.getElementById(id);

/** The server's answer to a question at an address relative to the page; errors are one sentence. */
export async function ask(address, body, options = {}) {
  const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  let response;
  try {
    response = await fetch(address, { ...sent, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the program in the terminal does not answer; start it again");
  }
  const json = (response.headers.get("content-type") ?? "").startsWith("application/json");
  const value = json ? await response.json() : await response.text();
  if (!response.ok) throw Object.assign(new Error(json ? value.error : value.slice(0, 300)), { status: response.status, answer: value });
  return value;
}

/** Say something to everybody, also to those who hear the page: element `said` is a live region. */
export function say(text, wrong = false) {
  const place = $("said");
  place.textContent = text;
  place.classList.toggle("wrong", wrong);
}

/** Say what a map waits for, if its tiles take long enough to wonder; `text()` says it. */
export function sayWhileLoading(map, text) {
  let waiting, said;
  map.on("loadstart", () => { clearTimeout(waiting); waiting = setTimeout(() => { if (!$("said").textContent) say((said = text())); }, 400); });
  map.on("loadend", () => { clearTimeout(waiting); if ($("said").textContent === said) say(""); });
}

/**
 * A raster as a map in metres from its upper left corner, x to the right and y up, in its own grid.
 *
 * `place` holds `shape` [rows, columns], `metres` [height, width] of a pixel, `transform` (GDAL's
 * six numbers). Tiles of `edge` pixels at every power of two come from the server.
 */
export class Ground {
  constructor(place, edge = 256) {
    this.place = place;
    const [rows, columns] = place.shape, [tall, wide] = place.metres;
    this.extent = [0, -rows * tall, columns * wide, 0];
    this.projection = new Projection({ code: "ground", units: "m", extent: this.extent, metersPerUnit: 1 });
    const fine = Math.min(tall, wide), levels = Math.max(0, Math.ceil(Math.log2(Math.max(-this.extent[1], this.extent[2]) / fine / edge)));
    this.levels = levels;
    this.grid = new TileGrid({
      extent: this.extent, origin: [0, 0], tileSize: edge,
      resolutions: Array.from({ length: levels + 1 }, (_, z) => fine * 2 ** (levels - z)),
    });
  }
  view(options = {}) {
    const [tall, wide] = this.place.metres;
    const view = new View({
      projection: this.projection, extent: this.extent, showFullExtent: true, smoothExtentConstraint: false,
      minResolution: Math.min(tall, wide) / 24, constrainRotation: true, enableRotation: false, ...options,
    });
    return view;
  }
  /** A layer of tiles; `address(level, row, column)` gives where one is, level 0 the finest. */
  tiles(address, options = {}) {
    const source = new TileImage({
      projection: this.projection, tileGrid: this.grid, interpolate: false, transition: 0, wrapX: false,
      tileUrlFunction: ([z, x, y]) => address(this.levels - z, y, x),
    });
    source.on("tileloaderror", ({ tile }) => ask(source.getTileUrlFunction()(tile.getTileCoord())).catch((error) => say(error.message, true)));
    return new TileLayer({ source, preload: 1, ...options });
  }
  /** Let a layer show other tiles; `key` names them. */
  show(layer, address, key) {
    layer.getSource().setTileUrlFunction(([z, x, y]) => address(this.levels - z, y, x), key);
  }
  /** Row and column of a coordinate of the map, or null outside. */
  pixel([x, y]) {
    const [tall, wide] = this.place.metres;
    const row = Math.floor(-y / tall), column = Math.floor(x / wide);
    return row >= 0 && column >= 0 && row < this.place.shape[0] && column < this.place.shape[1] ? [row, column] : null;
  }
  /** The coordinate of a pixel's centre. */
  centre([row, column]) {
    const [tall, wide] = this.place.metres;
    return [(column + 0.5) * wide, -(row + 0.5) * tall];
  }
  /** Coordinates of the raster's reference system, from those of the map and back. */
  outside([x, y]) {
    const [a, b, c, d, e, f] = this.place.transform, [tall, wide] = this.place.metres;
    const column = x / wide, row = -y / tall;
    return [a + b * column + c * row, d + e * column + f * row];
  }
  inside([x, y]) {
    const [a, b, c, d, e, f] = this.place.transform, [tall, wide] = this.place.metres, area = b * f - c * e;
    const column = (f * (x - a) - c * (y - d)) / area, row = (b * (y - d) - e * (x - a)) / area;
    return [column * wide, -row * tall];
  }
}
