"""The command line: one verb per stage, all with the same YAML file and the flags made from it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from itertools import dropwhile
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from cpazmal_scale import __version__
from cpazmal_scale.cli import maps, scenes, stages
from cpazmal_scale.cli.answers import ANSWER, error_facts, say, stopped
from cpazmal_scale.cli.catalog import catalog_app
from cpazmal_scale.cli.console import (
    PLACE,
    Config,
    Notes,
    complain,
    first_sentence,
)
from cpazmal_scale.cli.dataset import dataset_app
from cpazmal_scale.cli.help_text import complete_help
from cpazmal_scale.cli.label import label
from cpazmal_scale.cli.obeyed import require_effect
from cpazmal_scale.cli.samples import samples_app
from cpazmal_scale.cli.serve import serve
from cpazmal_scale.cli.streams import ignore_undecodable_words, steady
from cpazmal_scale.config import RunConfig
from cpazmal_scale.config.section import apart
from cpazmal_scale.errors import ConfigError, CpazmalError, StoreError

DEFAULT = RunConfig()

app = App(
    name="cpazmal",
    version=__version__,
    help="Glacier maps from X-band SAR time series. "
    "Begin with `cpazmal demo`, or `cpazmal run --config run.yaml` on your own scenes.",
    default_parameter=Parameter(negative=(), consume_multiple=True),
    suppress_keyboard_interrupt=False,  # `main` says how to go on
)
app.meta.suppress_keyboard_interrupt = False
for _verb in (
    *(scenes.simulate, scenes.inspect),
    *(stages.demo, stages.ingest, stages.train, stages.classify, stages.assess, stages.run),
    *(stages.talk, stages.verify),
    *(maps.export, maps.refine, maps.fuse, maps.change, maps.zonal, maps.view),
):
    app.command(_verb)
app.command(stages.map_, name="map")
app.command(serve)
app.command(
    "cpazmal_scale.cli.completion:completion",
    name="completion",
    help="Print a script that completes verbs, flags and values in a shell.",
)
app.command(label)
for _verbs in (catalog_app, dataset_app, samples_app, maps.areas_app):
    app.command(_verbs)


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[Path | None, Parameter(name=("--config", "-c")), PLACE] = None,
    debug: bool = False,  # noqa: ARG001 - see `_debugging`
    json: bool = False,
) -> Any:
    """Read the configuration file, then run the command.

    Args:
        tokens: the command and its flags.
        config: YAML run configuration; flags come on top of it.
        debug: show the traceback of an error.
        json: print one JSON document instead of text, also of an error.
    """
    from cpazmal_scale.grid.projections import check_projections

    file = () if config is None else ("--config", str(config))
    flags = dropwhile(lambda word: not word.startswith("-"), tokens)
    ANSWER.begin(as_json=json, flags=(*file, *(word for word in flags if word != "--dry-run")))
    with apart():
        command, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    check_projections()
    _check_threads()
    values = DEFAULT if config is None else RunConfig.load(config)
    if "config" in bound.signature.parameters:
        given = bound.arguments.get("config", DEFAULT).model_dump(exclude_unset=True)
        whole = bound.arguments["config"] = values.with_values(given)
        require_effect(" ".join(app.parse_commands(tokens)[0]), given, whole)
    elif config is not None and "workspace" in bound.signature.parameters:
        bound.arguments.setdefault("workspace", values.workspace)
    try:
        return command(*bound.args, **bound.kwargs)
    finally:
        failed = sys.exc_info()[1]
        if json and (failed is None or isinstance(failed, SystemExit)):
            ANSWER.tell()


def _check_threads() -> None:
    """Numba reads its number of threads once, in the middle of the work.

    Raises:
        ConfigError: it is none.
    """
    name = "NUMBA_NUM_THREADS"
    told = os.environ.get(name, "1")
    if not (told.isascii() and told.isdecimal() and int(told)):
        raise ConfigError("no number of threads", where=f"{name}={told}", remedy=f"unset {name}")


_OF_LIBRARIES = {"A dask config file": "DASK_CONFIG", "Key backend": "MPLBACKEND"}
"""How errors begin that libraries raise of their variables when they are imported."""


def main() -> None:
    """Entry point: errors end in one sentence and their exit code."""
    notes = logging.getLogger("cpazmal_scale")
    notes.setLevel(logging.INFO)
    notes.addHandler(Notes())
    # Zarr asks for many objects at once: the first that fails is the error, the others are no news.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    output, _ = steady()
    if not _debugging():
        ignore_undecodable_words()
    ANSWER.begin(as_json="--json" in sys.argv)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    try:
        app.meta(exit_on_error=False, print_error=False, result_action="return_value")
    except CpazmalError as error:
        if _debugging():
            raise
        _refuse(error)
    except CycloptsError as error:
        _refuse(ConfigError(first_sentence(error)))
    except ValueError as error:
        said = str(error)
        name = next((own for begins, own in _OF_LIBRARIES.items() if said.startswith(begins)), None)
        if name is None or _debugging():
            raise
        what = said.splitlines()[0].partition("; ")[0].rstrip(":")
        _refuse(ConfigError(what, remedy=f"correct it, or unset {name}"))
    except KeyboardInterrupt as end:
        facts = stopped(128 + (end.args[0] if end.args else signal.SIGINT))
        complain(f"{facts['what']}; {facts['remedy']}")
        ANSWER.tell(facts)
        sys.exit(facts["exit_code"])
    finally:
        failed = sys.exc_info()[1]
        if isinstance(failed, Exception):  # its traceback follows
            ANSWER.tell(error_facts(_known(failed)))
    output.flush()
    if output.failure is not None and not isinstance(output.failure, BrokenPipeError):
        complain(f"standard output cannot be written ({output.failure.strerror}); all else is done")
        sys.exit(StoreError.exit_code)


def _debugging() -> bool:
    """Whether tracebacks are asked for, known also where the words cannot be understood."""
    return "--debug" in sys.argv


def _stop(number: int, _frame: object) -> None:
    """End as Ctrl-C does: workers are stopped, and what they shared is removed."""
    raise KeyboardInterrupt(number)


def _known(error: Exception) -> CpazmalError:
    """An error with the facts that a document has, of one that nobody foresaw, too."""
    if isinstance(error, CpazmalError):
        return error
    return CpazmalError(f"{type(error).__name__}: {error}", remedy="report it with its traceback")


def _refuse(error: CpazmalError) -> None:
    """Say why nothing was done, also as JSON where that is asked for, and end."""
    complain(str(error))
    ANSWER.tell(error_facts(error))
    sys.exit(error.exit_code)


@app.command(name="config")
def config_(*, config: Config = DEFAULT) -> None:
    """Print every setting with its meaning: a run configuration to start from."""
    say(config.commented_yaml(), settings=config.model_dump(mode="json"))


complete_help(app)
