"""Names and digests of what a run leaves."""

from __future__ import annotations

import hashlib
from pathlib import Path


def fingerprint(url: str) -> dict[str, str]:
    """SHA-256 of every object of a map, metadata included."""
    files = (path for path in Path(url).rglob("*") if path.is_file())
    return {
        str(path.relative_to(url)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }
