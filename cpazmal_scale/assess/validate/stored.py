"""A cross-validation in a store, under the identity of what it was made from."""

from __future__ import annotations

import io
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.assess.validate.validation import CrossValidation
from cpazmal_scale.storage import seal

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_PLAIN = ("classes", "methods", "groups", "split", "seed")
_TABLES = ("folds", "sides")
_REMEDY = "remove it and assess again"


def save_validation(found: CrossValidation, folder: str, inputs: str) -> None:
    """Write a cross-validation as one file with its digest, in one step.

    Raises:
        StoreError: the store cannot be written.
    """
    plain = {name: getattr(found, name) for name in _PLAIN}
    arrays: dict[str, NDArray[Any]] = {"plain": np.array(json.dumps(plain))}
    for field in fields(found):
        value = getattr(found, field.name)
        if field.name in _TABLES:
            arrays |= {f"{field.name}/{name}": _column(value[name]) for name in value}
        elif field.name not in _PLAIN:
            arrays[field.name] = value
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    data = buffer.getvalue()
    storage.write_bytes(_url(folder, inputs), seal.with_trailer(data, len(data)))


def read_validation(folder: str, inputs: str) -> CrossValidation:
    """The cross-validation that was made from these inputs, bit for bit.

    Raises:
        StoreMissing: there is none.
        StoreDamaged: it is not what was written.
    """
    import pandas as pd

    url = _url(folder, inputs)
    data = storage.read_bytes(url)
    seal.check_trailer(data, url, _REMEDY, required=True)
    with seal.parsing("no cross-validation", url, _REMEDY):
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            values: dict[str, Any] = {name: stored[name] for name in stored.files}
        plain = json.loads(str(values.pop("plain")))
        values |= {n: tuple(v) if isinstance(v, list) else v for n, v in plain.items()}
        for table in _TABLES:
            names = [name for name in values if name.startswith(f"{table}/")]
            columns = {name.partition("/")[2]: values.pop(name).tolist() for name in names}
            values[table] = pd.DataFrame(columns)
        return CrossValidation(**values)


def _url(folder: str, inputs: str) -> str:
    return storage.join(folder, f"{inputs}.npz")


def _column(column: pd.Series[Any]) -> NDArray[Any]:
    """A column of a table as a plain array."""
    plain = column.to_numpy()
    return plain.astype(str) if plain.dtype.kind in "OT" else np.asarray(plain)
