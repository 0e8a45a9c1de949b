"""The one reader of XML: no document type, no entities, bounded size, depth and count.

Annotation files come from anywhere. Expat is stopped at the first sign of a document type, so that
no entity is ever declared, expanded or fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from cpazmal_scale import storage
from cpazmal_scale.errors import COPY_AGAIN, SceneUnreadable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES = 64 * 2**20
"""Largest document: the geolocation grid of a long ScanSAR product has about half of it."""
MAX_DEPTH = 64
MAX_ELEMENTS = 500_000
MAX_NAME = 1000
MAX_MARKUP = 2**20
"""Longest tag with its attributes: expat begins with it anew at every piece it is given."""
_PIECE = 64 * 2**10
_STAMP = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d):?(\d\d)(?:\.(\d{1,9}))?)?(?:Z|[+-]00:00)?",
    re.ASCII,
)


class _Refused(Exception):
    """Raised inside expat's callbacks; never leaves this module."""


class _Builder:
    """Expat's callbacks: an element tree within the bounds."""

    def __init__(self) -> None:
        from xml.etree.ElementTree import TreeBuilder

        self.tree = TreeBuilder()
        self.depth = self.elements = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.elements += 1
        if self.depth > MAX_DEPTH:
            raise _Refused(f"elements are nested more than {MAX_DEPTH} deep")
        if self.elements > MAX_ELEMENTS:
            raise _Refused(f"more than {MAX_ELEMENTS} elements")
        if len(tag) > MAX_NAME:
            raise _Refused(f"an element's name is longer than {MAX_NAME} characters")
        self.tree.start(tag, attributes)

    def end(self, tag: str) -> None:
        self.depth -= 1
        self.tree.end(tag)

    def refuse(self, *_: object) -> NoReturn:
        raise _Refused("it declares a document type or entities")


def parse(data: bytes, *, where: object) -> Node:
    """The root of an XML document.

    Raises:
        SceneUnreadable: not well-formed, with a document type, or beyond a bound.
    """
    from xml.parsers import expat

    if len(data) > MAX_BYTES:
        raise _unreadable(f"more than {MAX_BYTES // 2**20} MiB of XML", where)
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.tree.data
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    parser.ExternalEntityRefHandler = builder.refuse
    try:
        for at in range(0, len(data), _PIECE):
            parser.Parse(data[at : at + _PIECE], False)
            if at + _PIECE - parser.CurrentByteIndex > MAX_MARKUP + _PIECE:
                raise _Refused(f"markup is longer than {MAX_MARKUP // 2**20} MiB")
        parser.Parse(b"", True)
        return Node(builder.tree.close(), str(where))
    except _Refused as refusal:
        raise _unreadable(str(refusal), where) from None
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise _unreadable(f"not well-formed XML ({error})", where) from None


def read(url: str) -> Node:
    """The root of an XML file.

    Raises:
        SceneUnreadable: see `parse`.
        StoreMissing: there is no such file.
    """
    with storage.open_binary(url) as file:
        data = file.read(MAX_BYTES + 1)
    return parse(data, where=url)


@dataclass(frozen=True)
class Node:
    """An element whose content is read by path, each failure one sentence naming the path."""

    element: Element
    where: str

    @property
    def tag(self) -> str:
        """Name of the element."""
        return self.element.tag

    def one(self, path: str) -> Node:
        """The first element at a path.

        Raises:
            SceneUnreadable: there is none.
        """
        found = self.element.find(path)
        if found is None:
            raise _unreadable(f"{self.tag}/{path} is missing", self.where)
        return Node(found, self.where)

    def maybe(self, path: str) -> Node | None:
        """The first element at a path, if any."""
        found = self.element.find(path)
        return None if found is None else Node(found, self.where)

    def all(self, path: str) -> Iterator[Node]:
        """All elements at a path."""
        return (Node(found, self.where) for found in self.element.iterfind(path))

    def attribute(self, name: str) -> str | None:
        """An attribute, if set."""
        return self.element.get(name)

    def text(self, path: str = ".", default: str | None = None) -> str:
        """Stripped text at a path, or the default where there is no such element.

        Raises:
            SceneUnreadable: there is none and no default.
        """
        if default is not None and self.element.find(path) is None:
            return default
        return (self.one(path).element.text or "").strip()

    def number(self, path: str = ".", default: float | None = None) -> float:
        """A finite number at a path, or the default where there is no such element.

        Raises:
            SceneUnreadable: missing, or not a finite number.
        """
        if default is not None and self.element.find(path) is None:
            return default
        text = self.text(path)
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not abs(value) < float("inf"):
            raise _unreadable(f"{self.tag}/{path} is `{text[:40]}`, not a number", self.where)
        return value

    def integer(self, path: str = ".", *, least: int = 0, most: int = 2**31) -> int:
        """A whole number within bounds at a path.

        Raises:
            SceneUnreadable: missing, not whole, or out of bounds.
        """
        value = self.number(path)
        if value != int(value) or not least <= value <= most:
            raise _unreadable(
                f"{self.tag}/{path} is {value:g}, not a whole number from {least} to {most}",
                self.where,
            )
        return int(value)

    def flag(self, path: str = ".", default: bool | None = None) -> bool:
        """`true` or `false` at a path, or the default where there is no such element.

        Raises:
            SceneUnreadable: missing, or neither.
        """
        if default is not None and self.element.find(path) is None:
            return default
        text = self.text(path).lower()
        if text not in ("true", "false", "1", "0"):
            raise _unreadable(f"{self.tag}/{path} is `{text[:40]}`, not true or false", self.where)
        return text in ("true", "1")

    def time(self, path: str = ".") -> datetime:
        """A UTC time at a path, to the microsecond.

        Raises:
            SceneUnreadable: missing, or no time.
        """
        return parse_utc(self.text(path), where=self.where)


def parse_utc(text: str, *, where: object) -> datetime:
    """An ISO 8601 time in UTC, to the microsecond; a leap second becomes the next second.

    Raises:
        SceneUnreadable: no such time.
    """
    match = _STAMP.fullmatch(text.strip())
    if match is None:
        raise _unreadable(f"`{text[:40]}` is not a UTC time", where)
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    micro = int((match[7] or "").ljust(6, "0")[:6])
    leap = (hour, minute, second) == (23, 59, 60)
    try:
        when = datetime(year, month, day, hour, minute, 59 if leap else second, micro, UTC)
    except ValueError:
        raise _unreadable(f"`{text[:40]}` is not a UTC time", where) from None
    return when + timedelta(seconds=int(leap))


def _unreadable(what: str, where: object) -> SceneUnreadable:
    return SceneUnreadable(what, where=where, remedy=COPY_AGAIN)
