"""The real command line in this process: its words, its exit code, what it prints."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sys
import warnings
from typing import Any, NamedTuple
from unittest import mock

from cpazmal_scale.cli import main
from cpazmal_scale.cli.answers import ANSWER


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        """Sentences for the user on standard error."""
        return [line for line in self.err.splitlines() if line.startswith("cpazmal: ")]

    @property
    def document(self) -> dict[str, Any]:
        """Standard output as one JSON document."""
        return json.loads(self.out)  # type: ignore[no-any-return]


def cpazmal(*words: object) -> Ran:
    """Run `cpazmal` with these words."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    notes = logging.getLogger("cpazmal_scale")
    before = list(notes.handlers)
    with (
        mock.patch.object(sys, "argv", ["cpazmal", *map(str, words)]),
        mock.patch.object(sys, "stdout", out),
        mock.patch.object(sys, "stderr", err),
        mock.patch.object(sys, "unraisablehook", sys.unraisablehook),
        mock.patch.object(sys, "excepthook", sys.excepthook),
        contextlib.ExitStack() as stack,
    ):
        # Cyclopts warns of a call without arguments in a test.
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", message="Cyclopts application invoked without tokens")
        stack.callback(ANSWER.begin, as_json=False)
        stack.callback(lambda: notes.handlers.__setitem__(slice(None), before))
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())


def ended(*words: object, code: int = 0) -> Ran:
    """Run `cpazmal` with these words; it ends with this exit code."""
    ran = cpazmal(*words)
    assert ran.code == code, f"{words}\n{ran.out}\n{ran.err}"
    return ran
