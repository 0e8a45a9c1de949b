"""JSON documents, and arrays that several processes share."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cpazmal_scale.addresses import join
from cpazmal_scale.errors import StoreDamaged
from cpazmal_scale.storage import files

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_json(url: str, remedy: str = "remove it and run again") -> Any:
    """The content of a JSON document.

    Raises:
        StoreMissing: nothing is there.
        StoreDamaged: it is not JSON.
        StoreError: it cannot be reached.
    """
    try:
        return json.loads(files.read_bytes(url))
    except (ValueError, RecursionError):
        raise StoreDamaged("not a JSON document", where=url, remedy=remedy) from None


def write_json(url: str, value: Any) -> None:
    """Replace a JSON document in one step."""
    files.write_bytes(url, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """A JSON document as `write_json` stores it."""
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode()


def write_arrays(folder: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Store arrays as one file named by its content, for processes that need the same ones.

    Returns:
        Its URL, which never holds anything else.
    """
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    url = join(folder, f"{hashlib.sha256(buffer.getvalue()).hexdigest()[:16]}.npz")
    files.write_bytes(url, buffer.getvalue())
    return url


def read_arrays(url: str) -> dict[str, NDArray[Any]]:
    """Arrays that `write_arrays` stored; pickled ones are refused.

    Raises:
        StoreMissing: nothing is there.
        StoreDamaged: its content is not what its name says.
    """
    import numpy as np

    data = files.read_bytes(url)
    if hashlib.sha256(data).hexdigest()[:16] != url.rpartition("/")[2].removesuffix(".npz"):
        raise StoreDamaged("shared arrays were altered", where=url, remedy="run again")
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
