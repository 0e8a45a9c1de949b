"""BEAM-DIMAP products as SNAP writes them: big-endian ENVI rasters and their document."""

from __future__ import annotations

import struct
from collections.abc import Sequence
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


def write_snap_geotiff(
    path: Path,
    bands: dict[str, np.ndarray],
    *,
    unit: str = "intensity",
    operator: str = "Terrain-Flattening",
    big: bool = False,
    virtual: str | None = None,
    change: tuple[str, str] = ("", ""),
) -> Path:
    """A GeoTIFF as SNAP's writer lays it out: big-endian, one strip a band, the product's document
    in tag 65000; `big`: BigTIFF. `virtual` is a band that is an expression and not stored;
    `change` replaces a text of the document.
    """
    height, width = next(iter(bands.values())).shape
    names = [*bands, *([] if virtual is None else [virtual])]
    listed = [BAND.format(index=i, name=n, unit=unit, factor=1.0) for i, n in enumerate(names)]
    if virtual is not None:
        end = "<VIRTUAL_BAND>true</VIRTUAL_BAND><EXPRESSION>1</EXPRESSION></Spectral_Band_Info>"
        listed[-1] = listed[-1].replace("</Spectral_Band_Info>", end)
    facts = {"stem": path.stem, "width": width, "height": height, "count": len(names)}
    document = DOCUMENT.format(
        **facts, files="", bands="".join(listed), product=path.stem, operator=operator
    ).replace(*change)
    pixels = [band.astype(">f4").tobytes() for band in bands.values()]
    sizes = [len(one) for one in pixels]
    shorts, longs, doubles, word = ("H", 3), ("I", 4), ("d", 12), ("Q", 16) if big else ("I", 4)
    tags: list[Tag] = [
        (256, longs, [width]),
        (257, longs, [height]),
        (258, shorts, [32] * len(bands)),
        (259, shorts, [1]),
        (262, shorts, [1]),
        (273, word, [0] * len(bands)),
        (277, shorts, [len(bands)]),
        (278, longs, [height]),
        (279, word, sizes),
        (284, shorts, [2]),
        (339, shorts, [3] * len(bands)),
        (33550, doubles, [3.0, 3.0, 0.0]),
        (33922, doubles, [0.0, 0.0, 0.0, 339_000.0, 5_087_001.0, 0.0]),
        (34735, shorts, [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32632]),
        (65000, ("s", 2), document.encode("latin-1") + b"\0"),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_tiff(tags, pixels, big=big))
    return path


Tag = tuple[int, tuple[str, int], Sequence[float] | bytes]
"""Number, type and values of an entry of a directory."""


def _tiff(tags: list[Tag], pixels: list[bytes], *, big: bool) -> bytes:
    """A big-endian TIFF file of one directory, its values behind it and the strips last."""
    number, entry, offset, room = (">Q", ">HHQ", ">Q", 8) if big else (">H", ">HHI", ">I", 4)
    head = (
        struct.pack(">2sHHHQ", b"MM", 43, 8, 0, 16) if big else struct.pack(">2sHI", b"MM", 42, 8)
    )
    begin = len(head) + struct.calcsize(number) + len(tags) * (4 + 2 * room) + room

    def packed(form: str, values: Sequence[float] | bytes) -> bytes:
        return (
            values if isinstance(values, bytes) else struct.pack(f">{len(values)}{form}", *values)
        )

    at = begin
    for _, (form, _kind), values in tags:
        size = len(packed(form, values))
        at += size + size % 2 if size > room else 0
    starts = [at + sum(map(len, pixels[:n])) for n in range(len(pixels))]
    directory, data = struct.pack(number, len(tags)), b""
    for tag, (form, kind), told in tags:
        values = starts if tag == 273 else told
        value = packed(form, values)
        directory += struct.pack(entry, tag, kind, len(values))
        if len(value) > room:
            directory += struct.pack(offset, begin + len(data))
            data += value + b"\0" * (len(value) % 2)
        else:
            directory += value.ljust(room, b"\0")
    return head + directory + struct.pack(offset, 0) + data + b"".join(pixels)
