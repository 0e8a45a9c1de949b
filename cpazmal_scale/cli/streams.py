"""Standard output and error that never stop a run: odd encodings, closed ends, full disks."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from types import TracebackType
from typing import Any, TextIO


class Steady:
    """A text stream whose failures are kept, not raised; the rest is that of the stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write what can be written."""
        if self.failure is None:
            try:
                self._stream.write(text)
            except OSError as error:
                self.failure = error
        return len(text)

    def flush(self) -> None:
        """Hand on what is buffered."""
        if self.failure is None:
            try:
                self._stream.flush()
            except OSError as error:
                self.failure = error
        if self.failure is not None:  # what is left in the buffer would fail once more at the end
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def steady() -> tuple[Steady, Steady]:
    """Make standard output and error of this process steady; signs they lack become `?`."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # else the next file that is opened would take its place
            os.open(os.devnull, os.O_RDWR)
    made = []
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = io.TextIOWrapper(io.FileIO(os.devnull, "w"), encoding="utf-8")
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
        made.append(stream if isinstance(stream, Steady) else Steady(stream))
        setattr(sys, name, made[-1])
    return made[0], made[1]


def ignore_undecodable_words() -> None:
    """Show nothing of GDAL's words that rasterio's callback cannot decode: a damaged file's bytes.

    Such an error comes to `sys.excepthook` without a traceback, then to `sys.unraisablehook` with
    the callback's name; rasterio ignores it. All other errors are shown as before.
    """
    shown, unraised = sys.excepthook, sys.unraisablehook

    def show(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
        if place is not None or kind is not UnicodeDecodeError:
            shown(kind, error, place)

    def show_unraised(ignored: sys.UnraisableHookArgs) -> None:
        rasterio = str(ignored.object).startswith("rasterio.")
        if not rasterio or ignored.exc_type is not UnicodeDecodeError:
            unraised(ignored)

    sys.excepthook, sys.unraisablehook = show, show_unraised
