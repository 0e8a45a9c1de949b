"""A cross-validation in a store, under the identity of what it was made from."""

from __future__ import annotations

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
    """Write a cross-validation: its arrays, then the sealed document that names them.

    Raises:
        StoreError: the store cannot be written.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for field in fields(found):
        value = getattr(found, field.name)
        if field.name in _TABLES:
            arrays |= {f"{field.name}/{name}": _column(value[name]) for name in value}
        elif field.name not in _PLAIN:
            arrays[field.name] = value
    url = storage.write_arrays(folder, arrays)
    told = {name: getattr(found, name) for name in _PLAIN}
    seal.write_document(
        storage.join(folder, f"{inputs}.json"), {**told, "arrays": url.rpartition("/")[2]}
    )


def read_validation(folder: str, inputs: str) -> CrossValidation:
    """The cross-validation that was made from these inputs, bit for bit.

    Raises:
        StoreMissing: there is none.
        StoreDamaged: it is not what was written.
    """
    import pandas as pd

    url = storage.join(folder, f"{inputs}.json")
    told = seal.read_document(url, _REMEDY)
    with seal.parsing("no cross-validation", url, _REMEDY):
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in told.items()
            if name in _PLAIN
        }
        values |= storage.read_arrays(storage.join(folder, told["arrays"]))
        for table in _TABLES:
            names = [name for name in values if name.startswith(f"{table}/")]
            columns = {name.partition("/")[2]: values.pop(name).tolist() for name in names}
            values[table] = pd.DataFrame(columns)
        return CrossValidation(**values)


def _column(column: pd.Series[Any]) -> NDArray[Any]:
    """A column of a table as a plain array."""
    plain = column.to_numpy()
    return plain.astype(str) if plain.dtype.kind in "OT" else np.asarray(plain)
