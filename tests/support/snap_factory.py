"""BEAM-DIMAP products as SNAP writes them: big-endian ENVI rasters and their document."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WKT = (
    'GEOGCS["WGS84(DD)", DATUM["WGS84", SPHEROID["WGS84", 6378137.0, 298.257223563]], '
    'PRIMEM["Greenwich", 0.0], UNIT["degree", 0.017453292519943295], '
    'AXIS["Geodetic longitude", EAST], AXIS["Geodetic latitude", NORTH], '
    'AUTHORITY["EPSG","4326"]]'
)
PIXEL = 2.69494585e-5
PRODUCT = "PAZ1_SAR__SSC______SM_D_SRA_20200108T054412_20200108T054419"

HEADER = """ENVI
description = {{{name} - Unit: {unit}}}
samples = {width}
lines = {height}
bands = 1
header offset = 0
file type = ENVI Standard
data type = {code}
interleave = bsq
byte order = 1
band names = {{ {name} }}
map info = {{Geographic Lat/Lon, 1.0, 1.0, 6.85, 45.95, {pixel}, {pixel}, WGS84, units=Degrees}}
coordinate system string = {{{wkt}}}
data gain values = {{1.0}}
data offset values = {{0.0}}
"""

BAND = """
  <Spectral_Band_Info>
    <BAND_INDEX>{index}</BAND_INDEX>
    <BAND_DESCRIPTION />
    <BAND_NAME>{name}</BAND_NAME>
    <DATA_TYPE>float32</DATA_TYPE>
    <PHYSICAL_UNIT>{unit}</PHYSICAL_UNIT>
    <SCALING_FACTOR>{factor}</SCALING_FACTOR>
    <SCALING_OFFSET>0.0</SCALING_OFFSET>
    <LOG10_SCALED>false</LOG10_SCALED>
    <NO_DATA_VALUE_USED>true</NO_DATA_VALUE_USED>
    <NO_DATA_VALUE>0.0</NO_DATA_VALUE>
  </Spectral_Band_Info>"""

FILE = """
  <Data_File>
    <DATA_FILE_PATH href="{folder}/{name}.hdr" />
    <BAND_INDEX>{index}</BAND_INDEX>
  </Data_File>"""

DOCUMENT = """<?xml version="1.0" encoding="ISO-8859-1"?>
<Dimap_Document name="{stem}.dim">
<Metadata_Id><METADATA_FORMAT version="2.12.1">DIMAP</METADATA_FORMAT></Metadata_Id>
<Raster_Dimensions>
  <NCOLS>{width}</NCOLS><NROWS>{height}</NROWS><NBANDS>{count}</NBANDS>
</Raster_Dimensions>
<Data_Access>
  <DATA_FILE_FORMAT>ENVI</DATA_FILE_FORMAT>
  <DATA_FILE_ORGANISATION>BAND_SEPARATE</DATA_FILE_ORGANISATION>{files}
</Data_Access>
<Image_Interpretation>{bands}
</Image_Interpretation>
<Dataset_Sources>
  <MDElem name="metadata">
    <MDElem name="Abstracted_Metadata">
      <MDATTR name="PRODUCT" type="ascii" mode="rw">{product}</MDATTR>
      <MDATTR name="MISSION" type="ascii" mode="rw">PAZ</MDATTR>
      <MDATTR name="PASS" type="ascii" mode="rw">DESCENDING</MDATTR>
      <MDATTR name="antenna_pointing" type="ascii" mode="rw">right</MDATTR>
      <MDATTR name="incidence_near" type="float64" unit="deg" mode="rw">36.8</MDATTR>
      <MDATTR name="incidence_far" type="float64" unit="deg" mode="rw">38.0</MDATTR>
      <MDATTR name="first_line_time" type="utc" mode="rw">08-JAN-2020 05:44:12.123456</MDATTR>
      <MDATTR name="last_line_time" type="utc" mode="rw">08-JAN-2020 05:44:19.654321</MDATTR>
    </MDElem>
    <MDElem name="Processing_Graph">
      <MDElem name="node.0"><MDATTR name="operator" type="ascii">Calibration</MDATTR></MDElem>
      <MDElem name="node.1"><MDATTR name="operator" type="ascii">{operator}</MDATTR></MDElem>
    </MDElem>
  </MDElem>
</Dataset_Sources>
</Dimap_Document>
"""


def write_dimap(
    folder: Path,
    bands: dict[str, np.ndarray],
    *,
    stem: str = "winter",
    unit: str = "intensity",
    operator: str = "Terrain-Flattening",
    factor: float = 1.0,
    product: str = PRODUCT,
) -> Path:
    """A product with these bands, all of one shape; returns the path of its document."""
    data = folder / f"{stem}.data"
    data.mkdir(parents=True, exist_ok=True)
    height, width = next(iter(bands.values())).shape
    for name, values in bands.items():
        kind, code = (">u1", 1) if name == "layover_shadow_mask" else (">f4", 4)
        (data / f"{name}.img").write_bytes(values.astype(kind).tobytes())
        facts = {"name": name, "unit": unit, "width": width, "height": height, "code": code}
        (data / f"{name}.hdr").write_text(HEADER.format(**facts, pixel=PIXEL, wkt=WKT))
    listed = [{"index": i, "name": name, "unit": unit} for i, name in enumerate(bands)]
    document = DOCUMENT.format(
        stem=stem,
        width=width,
        height=height,
        count=len(bands),
        files="".join(FILE.format(folder=data.name, **one) for one in listed),
        bands="".join(BAND.format(factor=factor, **one) for one in listed),
        product=product,
        operator=operator,
    )
    path = folder / f"{stem}.dim"
    path.write_text(document)
    return path
