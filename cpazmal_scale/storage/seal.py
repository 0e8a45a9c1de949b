"""Digests that travel with what is stored, so that an altered bit is noticed when it is read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from cpazmal_scale import storage
from cpazmal_scale.errors import CpazmalError, StoreDamaged

FIELD = "seal"
"""Field of a document that holds the digest of the others."""
_MARK = b"\n# cpazmal-scale sha256: "
_DIGEST = 64
_PNG = b"\x89PNG\r\n\x1a\n"
_KIND = "sha256:"
"""What a digest begins with: one that is found under another name is no field."""


@contextlib.contextmanager
def parsing(
    what: str, where: object, remedy: str, kind: type[CpazmalError] = StoreDamaged
) -> Iterator[None]:
    """Turn whatever a decoder raises on bytes that are not what they should be into one sentence.

    For the decoding of bytes that are in memory, or of files whose format's library reads them.

    Raises:
        CpazmalError: of this kind; errors of the project pass unchanged.
        StoreError: the store failed, not the decoder.
    """
    try:
        yield
    except CpazmalError:
        raise
    except Exception as error:
        if storage.is_from_store(error):
            with storage.one_sentence(str(where), "read"):
                raise
        first = (str(error).strip().splitlines() or [""])[0][:120].strip(" .:;")
        reason = f"{type(error).__name__}: {first}" if first else type(error).__name__
        raise kind(f"{what} ({reason})", where=where, remedy=remedy) from error


def write_document(url: str, values: Mapping[str, Any]) -> None:
    """Replace a JSON document in one step, with the digest of its values.

    Raises:
        StoreError: the store cannot be written.
    """
    storage.write_json(url, sealed(values))


def read_document(url: str, remedy: str = "remove it and run again") -> dict[str, Any]:
    """The values of a JSON document; one that was written without a seal is taken as it is.

    Raises:
        StoreMissing: nothing is there.
        StoreDamaged: it is no JSON document, or its values are not those that were written.
    """
    return opened(storage.read_json(url, remedy), url, remedy)


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain JSON values with their digest."""
    plain = json.loads(json.dumps(dict(values), allow_nan=False))
    return {**plain, FIELD: _digest(plain)}


def opened(document: Any, where: str, remedy: str) -> dict[str, Any]:
    """The values of a sealed document, compared with their digest if there is one.

    Raises:
        StoreDamaged: they are no fields, or not those that were sealed.
    """
    if not isinstance(document, dict):
        raise StoreDamaged("not a document of fields", where=where, remedy=remedy)
    values = {key: value for key, value in document.items() if key != FIELD}
    astray = any(isinstance(one, str) and one.startswith(_KIND) for one in values.values())
    if astray or (FIELD in document and document[FIELD] != _digest(values)):
        raise StoreDamaged("the document was altered", where=where, remedy=remedy)
    return values


def _digest(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return _KIND + hashlib.sha256(text.encode()).hexdigest()


def with_trailer(data: bytes, at: int) -> bytes:
    """Bytes with their digest put in at a place that the readers of the format pass over."""
    digest = hashlib.sha256(data).hexdigest().encode()
    return data[:at] + _MARK + digest + data[at:]


def check_trailer(data: bytes, where: str, remedy: str, *, required: bool = False) -> None:
    """Compare bytes with the digest that `with_trailer` put in.

    Without one nothing is compared, unless it is required.

    Raises:
        StoreDamaged: a byte was altered.
    """
    at = data.rfind(_MARK)
    if at < 0 and not required:
        return
    end = at + len(_MARK) + _DIGEST
    rest = hashlib.sha256(memoryview(data)[: max(at, 0)])
    rest.update(data[end:])
    if at < 0 or rest.hexdigest().encode() != data[at + len(_MARK) : end]:
        raise StoreDamaged("the file was altered", where=where, remedy=remedy)


def whole_png(data: bytes, where: object) -> bytes:
    """A stored picture, every part of which has the checksum that PNG gives it (ISO 15948, 5.3).

    Raises:
        StoreDamaged: it is not what was written.
    """
    at, kind = len(_PNG), b""
    sound = data.startswith(_PNG)
    while sound and at < len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        kind, told = data[at + 4 : at + 8], data[end : end + 4]
        sound = len(told) == 4 and zlib.crc32(data[at + 4 : end]) == int.from_bytes(told)
        at = end + 4
    if not sound or kind != b"IEND":
        raise StoreDamaged("the picture was altered", where=where, remedy="make it again")
    return data
