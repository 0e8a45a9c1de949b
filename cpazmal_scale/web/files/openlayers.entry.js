/*
 * The parts of OpenLayers that local pages use. `openlayers.js` is made of this file:
 *   npm install ol@10.11.0 esbuild@0.28.2
 *   npx esbuild openlayers.entry.js --bundle --minify --format=esm --legal-comments=none --outfile=openlayers.js
 * `openlayers.css` is the package's `ol.css`; licences are in `openlayers.LICENSE.txt`.
 */
export { default as Feature } from "ol/Feature.js";
export { default as Map } from "ol/Map.js";
export { default as Overlay } from "ol/Overlay.js";
export { default as View } from "ol/View.js";
export { default as Collection } from "ol/Collection.js";
export { unByKey } from "ol/Observable.js";
export { default as Control } from "ol/control/Control.js";
export { default as ScaleLine } from "ol/control/ScaleLine.js";
export { default as Zoom } from "ol/control/Zoom.js";
export { default as OverviewMap } from "ol/control/OverviewMap.js";
export { default as GeoJSON } from "ol/format/GeoJSON.js";
export { default as Circle } from "ol/geom/Circle.js";
export { default as LineString } from "ol/geom/LineString.js";
export { default as MultiPolygon } from "ol/geom/MultiPolygon.js";
export { default as Point } from "ol/geom/Point.js";
export { default as Polygon } from "ol/geom/Polygon.js";
export { default as Draw } from "ol/interaction/Draw.js";
export { default as DragBox } from "ol/interaction/DragBox.js";
export { default as Modify } from "ol/interaction/Modify.js";
export { default as Select } from "ol/interaction/Select.js";
export { default as Snap } from "ol/interaction/Snap.js";
export { default as Translate } from "ol/interaction/Translate.js";
export { defaults as interactions } from "ol/interaction/defaults.js";
export { default as ImageLayer } from "ol/layer/Image.js";
export { default as TileLayer } from "ol/layer/Tile.js";
export { default as VectorLayer } from "ol/layer/Vector.js";
export { default as VectorImageLayer } from "ol/layer/VectorImage.js";
export { default as Projection } from "ol/proj/Projection.js";
export { addProjection, get as projection } from "ol/proj.js";
export { getRenderPixel } from "ol/render.js";
export { default as ImageStatic } from "ol/source/ImageStatic.js";
export { default as TileImage } from "ol/source/TileImage.js";
export { default as VectorSource } from "ol/source/Vector.js";
export { default as XYZ } from "ol/source/XYZ.js";
export { default as CircleStyle } from "ol/style/Circle.js";
export { default as Fill } from "ol/style/Fill.js";
export { default as RegularShape } from "ol/style/RegularShape.js";
export { default as Stroke } from "ol/style/Stroke.js";
export { default as Style } from "ol/style/Style.js";
export { default as Text } from "ol/style/Text.js";
export { default as TileGrid } from "ol/tilegrid/TileGrid.js";
export * as condition from "ol/events/condition.js";
export * as extent from "ol/extent.js";
