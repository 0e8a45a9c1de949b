"""Damaged and hostile variants of a document: of its bytes, its words, and its fields."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable
from typing import Any

import yaml

Mutation = Callable[[bytes, random.Random], bytes]

NASTY: tuple[Any, ...] = (
    *(None, True, -1, 0, 1e308, -1e308, float("nan"), float("inf"), 10**30, 2**63, 0.5),
    *("", " ", "nan", "soon", "\x00", "é\u2028", "../../etc/passwd", "a" * 5000, "1e999"),
    *([], {}, [[]], {"a": []}, [None], ["x"] * 3, {"": ""}),
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORDS = (
    b"nan",
    b"-inf",
    b"1e999",
    b"-1",
    b"0",
    b"",
    b"null",
    b"9" * 5000,
    b"\xff\xfe",
    b"\x00",
    b"[",
    b"}",
    b"&a [*a]",
    b"'",
    b"<",
    b"\xc3\xa9",
)


def of_bytes(data: bytes, chance: random.Random) -> bytes:
    """Bits flipped, bytes cut, doubled, zeroed or made up."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 3, 20))):
        if not changed:
            break
        at = chance.randrange(len(changed))
        size = chance.choice((1, 2, 8, 64, len(changed) // 2))
        match chance.randrange(6):
            case 0:
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                del changed[at : at + size]
            case 2:
                changed[at:at] = changed[at : at + size]
            case 3:
                changed[at : at + size] = bytes(len(changed[at : at + size]))
            case 4:
                changed[at : at + size] = chance.randbytes(len(changed[at : at + size]))
            case _:
                del changed[at:]
    return bytes(changed)


def of_words(data: bytes, chance: random.Random) -> bytes:
    """A number, or another piece of text, replaced by something that is none."""
    numbers = list(_NUMBER.finditer(data))
    if numbers and chance.random() < 0.8:
        found = chance.choice(numbers)
        return data[: found.start()] + chance.choice(_WORDS) + data[found.end() :]
    at = chance.randrange(len(data) or 1)
    return data[:at] + chance.choice(_WORDS) + data[at + chance.choice((0, 1, 5)) :]


def of_lines(data: bytes, chance: random.Random) -> bytes:
    """Lines left out, doubled or swapped."""
    lines = data.splitlines(keepends=True)
    one, two = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(3):
        case 0:
            del lines[one]
        case 1:
            lines.insert(two, lines[one])
        case _:
            lines[one], lines[two] = lines[two], lines[one]
    return b"".join(lines)


def of_fields(value: Any, chance: random.Random) -> Any:
    """A field of a nested value replaced, removed or renamed."""
    changed = copy.deepcopy(value)
    places = list(_places(changed))
    if not places:
        return chance.choice(NASTY)
    holder, key = chance.choice(places)
    match chance.randrange(4):
        case 0 if isinstance(holder, dict):
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[f"{key}x"] = holder.pop(key)
        case _:
            holder[key] = chance.choice(NASTY)
    return changed


def of_json(data: bytes, chance: random.Random) -> bytes:
    """A JSON document with a field changed."""
    return json.dumps(of_fields(json.loads(data), chance)).encode()


def of_yaml(data: bytes, chance: random.Random) -> bytes:
    """A YAML document with a field changed."""
    return yaml.safe_dump(of_fields(yaml.safe_load(data), chance)).encode()


def _places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])
