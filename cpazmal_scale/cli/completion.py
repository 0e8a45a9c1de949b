"""Scripts that complete the command line in a shell."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from cpazmal_scale.cli.answers import say


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print a script that completes verbs, flags and values in a shell.

    Args:
        shell: which one; put the script where it looks for completions.
    """
    from cpazmal_scale.cli.app import app

    with parsed_once():
        script = app.generate_completion(shell=shell)
    say(script, shell=shell, script=script)


@contextmanager
def parsed_once() -> Iterator[None]:
    """Parse the docstrings of settings once, not once per verb: all verbs take the same."""
    from docstring_parser.attrdoc import AttributeDocstrings

    parse = AttributeDocstrings.get_attr_docs

    @functools.cache
    def once(component: Any) -> Any:
        return parse(AttributeDocstrings(), component)

    AttributeDocstrings.get_attr_docs = lambda _, component: once(component)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        AttributeDocstrings.get_attr_docs = parse  # type: ignore[method-assign]
