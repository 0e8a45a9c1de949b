"""What GDAL and QGIS read beside a GeoTIFF: names and colours of its values."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from cpazmal_scale.palette import NO_DATA as NO_DATA_COLOUR
from cpazmal_scale.palette import REJECTED as REJECTED_COLOUR
from cpazmal_scale.palette import rgb
from cpazmal_scale.vocabulary import NO_DATA, REJECTED

if TYPE_CHECKING:
    from cpazmal_scale.legend import Legend

_INTEGER, _STRING = "0", "2"
_FIELDS = (
    ("Value", _INTEGER, "5"),
    ("Class", _STRING, "2"),
    ("Name", _STRING, "0"),
    ("Glacier", _INTEGER, "0"),
    ("Red", _INTEGER, "6"),
    ("Green", _INTEGER, "7"),
    ("Blue", _INTEGER, "8"),
)
"""Columns of the attribute table with GDAL's numbers of their type and usage."""
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"


def category_names(legend: Legend) -> bytes:
    """GDAL's sidecar `.aux.xml` of a class raster: category names and an attribute table."""
    root = ET.Element("PAMDataset")
    band = ET.SubElement(root, "PAMRasterBand", band="1")
    names = [""] * 256
    for value, code in enumerate(legend.classes, 1):
        names[value] = legend.label(code)
    names[REJECTED], names[NO_DATA] = "rejected", "no data"
    categories = ET.SubElement(band, "CategoryNames")
    for name in names:
        ET.SubElement(categories, "Category").text = _printable(name)
    table = ET.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for index, (title, kind, usage) in enumerate(_FIELDS):
        field = ET.SubElement(table, "FieldDefn", index=str(index))
        for tag, text in (("Name", title), ("Type", kind), ("Usage", usage)):
            ET.SubElement(field, tag).text = text
    for index, row in enumerate(_rows(legend)):
        line = ET.SubElement(table, "Row", index=str(index))
        for cell in row:
            ET.SubElement(line, "F").text = _printable(str(cell))
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _rows(legend: Legend) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [
        (value, code, legend.name(code), int(code in legend.glacier), *rgb(legend.colours[code]))
        for value, code in enumerate(legend.classes, 1)
    ]
    return [*rows, (REJECTED, "rejected", "rejected", 0, *rgb(REJECTED_COLOUR))]


def qgis_classes(legend: Legend) -> bytes:
    """QGIS style of a class raster: a paletted renderer, its entries in the legend's order."""
    entries = [
        (legend.classes.index(code) + 1, legend.colours[code], legend.label(code))
        for code in legend.order
    ]
    pipe, root = _pipe()
    renderer = ET.SubElement(
        pipe,
        "rasterrenderer",
        {"type": "paletted", "band": "1", "alphaBand": "-1", "opacity": "1", "nodataColor": ""},
    )
    ET.SubElement(renderer, "rasterTransparency")
    palette = ET.SubElement(renderer, "colorPalette")
    for value, colour, label in (*entries, (REJECTED, REJECTED_COLOUR, "rejected")):
        ET.SubElement(
            palette,
            "paletteEntry",
            {"value": str(value), "color": colour, "alpha": "255", "label": _printable(label)},
        )
    return _document(pipe, root)


def qgis_grey(low: float, high: float) -> bytes:
    """QGIS style of a raster of numbers: its first band, black at `low`, white at `high`."""
    pipe, root = _pipe()
    renderer = ET.SubElement(
        pipe,
        "rasterrenderer",
        {
            "type": "singlebandgray",
            "grayBand": "1",
            "alphaBand": "-1",
            "opacity": "1",
            "gradient": "BlackToWhite",
            "nodataColor": NO_DATA_COLOUR,
        },
    )
    ET.SubElement(renderer, "rasterTransparency")
    stretch = ET.SubElement(renderer, "contrastEnhancement")
    for tag, text in (
        ("minValue", f"{low:g}"),
        ("maxValue", f"{high:g}"),
        ("algorithm", "StretchToMinimumMaximum"),
    ):
        ET.SubElement(stretch, tag).text = text
    return _document(pipe, root)


def _pipe() -> tuple[ET.Element, ET.Element]:
    root = ET.Element(
        "qgis",
        {
            "version": "3.28.0",
            "styleCategories": "AllStyleCategories",
            "hasScaleBasedVisibilityFlag": "0",
        },
    )
    return ET.SubElement(root, "pipe"), root


def _document(pipe: ET.Element, root: ET.Element) -> bytes:
    ET.SubElement(pipe, "brightnesscontrast", {"brightness": "0", "contrast": "0", "gamma": "1"})
    ET.SubElement(pipe, "huesaturation", {"saturation": "0", "grayscaleMode": "0"})
    ET.SubElement(pipe, "rasterresampler", {"maxOversampling": "2"})
    ET.SubElement(root, "blendMode").text = "0"
    ET.indent(root)
    return _DOCTYPE.encode() + bytes(ET.tostring(root, encoding="utf-8"))


def _printable(text: str) -> str:
    """Text without signs that XML cannot hold."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
