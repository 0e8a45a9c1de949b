"""Windows as a torch dataset; torch is imported here only, if it is there."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from cpazmal_scale.errors import SampleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class LabelledPixels(Protocol):
    """Windows whose pixels can be read, such as `Windows`."""

    @property
    def classes(self) -> NDArray[np.str_]:
        """Class of each window."""
        ...

    def __len__(self) -> int: ...

    def take(self, rows: Sequence[int]) -> Self:
        """Some of the windows."""
        ...

    def to_numpy(self) -> NDArray[np.float32]:
        """Pixels (n, P, T, w, w)."""
        ...


def torch_dataset(windows: LabelledPixels) -> Any:
    """A map-style `torch.utils.data.Dataset`; see `Windows.to_torch`.

    Raises:
        SampleError: torch is not installed.
    """
    try:
        torch = importlib.import_module("torch")
        data = importlib.import_module("torch.utils.data")
    except ImportError:
        raise SampleError(
            "torch is not installed", remedy="install it, or use to_numpy() or to_xarray()"
        ) from None
    items = WindowItems(windows)

    class TorchWindows(data.Dataset):  # type: ignore[misc, name-defined]
        """Pixels and class numbers as tensors."""

        classes = items.classes

        def __len__(self) -> int:
            return len(items)

        def __getitem__(self, row: int) -> tuple[Any, int]:
            return self.__getitems__([row])[0]

        def __getitems__(self, rows: Sequence[int]) -> list[tuple[Any, int]]:
            """A whole batch, so that neighbouring windows share the chunks that are read."""
            pixels, labels = items.read(rows)
            tensors = torch.from_numpy(pixels)
            return [(tensors[at], int(label)) for at, label in enumerate(labels)]

    return TorchWindows()


class WindowItems:
    """Pixels without NaN, and class numbers, of any rows of some windows."""

    def __init__(self, windows: LabelledPixels) -> None:
        self.windows = windows
        self.classes, self.labels = np.unique(windows.classes, return_inverse=True)

    def __len__(self) -> int:
        return len(self.windows)

    def read(self, rows: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Pixels (n, P, T, w, w), 0 where there are none, and class numbers (n)."""
        pixels = self.windows.take(rows).to_numpy()
        return np.nan_to_num(pixels, copy=False, nan=0.0), self.labels[np.asarray(rows)]
