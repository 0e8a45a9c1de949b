"""What verbs answer: text for people, or with `--json` one document for programs."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date
from pathlib import PurePath
from typing import Any

from cpazmal_scale.cli.obeyed import kept
from cpazmal_scale.errors import CpazmalError

_PRODUCT = "`name`, `kind`, `id`, `path`, `url`, `metadata` of what is in the catalog now"
_STEPS = "what each step that was done answers, by its verb"
_OPEN = "lines of Python that open it"
_SERVED = {"address": "of the page, with the key that opens it", "port": "of this machine"}
KEYS: dict[str, dict[str, str]] = {
    "simulate": {
        "folder": "where the files are",
        "settings": "the run.yaml to go on with",
        "products": "how many were written",
        "acquisitions": "of how many passes",
        "shape": "rows and columns",
        "polygons": "number by class",
    },
    "inspect": {
        "scenes": "`id`, `sensor`, `start`, `beam`, `pass_direction`, `polarisations`, "
        "`incidence_angle` (degrees), `enl` (equivalent looks), `radiometry`, `shape`, `crs`, "
        "`files` of each",
        "pictures": "addresses of the pictures that were drawn",
    },
    "ingest": {
        "cubes": "`beam`, `url`, `shape`, `dates`, `appended`, `unchanged`, `bytes`, `notes` of "
        "each",
        "dry_run": "whether nothing was written",
        "refused": "reasons why nothing would be written, each an error",
        "left_out": "reasons why scenes are left out (`ingest.skip_refused`), each an error",
    },
    "samples": {"product": _PRODUCT},
    "samples import": {"product": _PRODUCT},
    "samples query": {"rows": "the answer, one object per row", "remark": "why it has no row"},
    "train": {"product": _PRODUCT},
    "classify": {
        "map": "`id`, `url`, `shape`, `areas` (by class: `name`, `group`, `pixels`, `km2`, "
        "`share`), `blocks_executed`, `blocks_skipped`, `seconds`, `pixels_per_second`",
        "plan": "with `--dry-run`: `id`, `shape`, `dates`, `blocks`, `bytes_read`, "
        "`bytes_written`, `memory`, `seconds`",
    },
    "map": {
        "map": "as of `classify`",
        "plan": "as of `classify`",
        "files": "addresses of GeoTIFF, picture and page",
    },
    "assess": {
        "methods": "figures of each method over the folds",
        "reference": "figures of the map beside a reference raster",
        "report": "address of the report as Markdown",
        "page": "address of the report as a page",
    },
    "run": {"steps": _STEPS, "open": _OPEN},
    "demo": {"steps": _STEPS, "open": _OPEN},
    "talk": {"steps": _STEPS},
    "verify": {
        "intact": "whether nothing is lost or altered",
        "findings": "what is, each an error",
        "repaired": "with `--repair`: `what`, `where`, `done`, `restored` of each damage",
    },
    "config": {"settings": "every setting by its name"},
    "completion": {"shell": "for which one", "script": "what completes there"},
    "label": {**_SERVED, "file": "where saved polygons or points go"},
    "view": {**_SERVED, "maps": "addresses of what is shown"},
    "serve": {
        "deployments": "address of what can be run",
        "runs": "address of what ran",
        "api": "address of Prefect's API",
        "port": "of this machine",
        "home": "folder of database, logs and key",
        "key_file": "where the key is",
    },
    "export": {
        "files": "addresses of what was written",
        "polygons": "how many polygons, where they were asked for",
    },
    "refine": {"product": _PRODUCT},
    "fuse": {"product": _PRODUCT},
    "change": {
        "product": _PRODUCT,
        "mapped": "km² by class before and class after",
        "expected": "km² expected from the probabilities",
    },
    "zonal": {"rows": "areas (km²) and mean probabilities, one object per glacier"},
    "areas design": {"units": "how many points", "file": "where they are"},
    "areas estimate": {
        "overall": "overall accuracy, lower and upper end of its 95 % interval",
        "classes": "`units`, `mapped`, `area` (km²), accuracies, `…_low` and `…_high` by class",
        "groups": "areas of glacier and other classes, or of what stayed, changed and how",
        "zones": "the same by glacier, one object per row",
        "population": "km² that they are of (`covered`), `mapped`, `rejected` and of `no_data`; "
        "`units`, and of them `unknown` by class, `removed`, and by answer those `beside` the "
        "map's classes",
    },
    "catalog ls": {"products": "`name`, `kind`, `id`, `path`, `url`, `metadata` of each"},
    "catalog show": {"product": _PRODUCT, "open": _OPEN},
    "catalog open": {
        "product": _PRODUCT,
        "sizes": "length of each dimension or table",
        "variables": "names of arrays or columns",
        "files": "addresses of what can be looked at",
    },
    "catalog add": {"product": _PRODUCT},
    "catalog rm": {"product": "what was named"},
    "catalog rebuild": {"catalog": "address of the index", "products": "how many it lists"},
    "dataset show": {
        "groups": "number of series and their label by group",
        "checks": "`what`, `expected`, `found`, `agrees` of each count",
        "healed": "`defect`, `where`, `count`, `total`, `action` of each",
    },
    "dataset import": {
        "cubes": "as of `ingest`",
        "healed": "as of `dataset show`",
        "settings": "the run.yaml to go on with; none: nothing was written",
    },
    "dataset export": {"file": "what was written", "series": "how many it holds"},
    "dataset protocol": {
        "windows": "number by class",
        "dates": "of the windows",
        "runs": "`view`, `gamma`, `by`, `split`, `published`, `spread`, `macro`, `scores` and "
        "`macros` (one per seed) of each",
    },
}
"""Keys of the document that each verb prints with `--json`, and what they hold."""


class Answer:
    """What the running verb found; printed at its end if it is asked for as JSON."""

    def __init__(self) -> None:
        self.as_json = self.told = False
        self.facts: dict[str, Any] = {}
        self.flags: tuple[str, ...] = ()

    def begin(self, *, as_json: bool, flags: Sequence[str] = ()) -> None:
        """Forget what an earlier verb of this process found; `flags` are the settings it got."""
        self.as_json, self.told, self.facts = as_json, False, {}
        self.flags = tuple(flags)

    def next(self, verb: str, why: str, flags: Sequence[str] | None = None) -> str:
        """The line that names another verb and its use; none: with those of the running one's
        settings that it takes too.
        """
        words = ["cpazmal", verb, *(kept(verb, self.flags) if flags is None else flags)]
        return f"next: {shlex.join(words)}  # {why}"

    def document(self, error: Mapping[str, object] | None = None) -> str:
        """All facts, or the error, as JSON."""
        known = {"error": error} if error is not None else self.facts
        return json.dumps(plain(known), ensure_ascii=False, indent=1, allow_nan=False)

    def tell(self, error: Mapping[str, object] | None = None) -> None:
        """Print the document at once, if one is asked for and none was printed yet."""
        if self.as_json and not self.told:
            text = self.document(error) + "\n"
            self.told = True  # a signal from here on adds no second document
            sys.stdout.write(text)
            sys.stdout.flush()


ANSWER = Answer()


def say(text: str, **facts: Any) -> None:
    """Print a text to standard output, or keep its facts for the document at the end."""
    if ANSWER.as_json:
        ANSWER.facts |= facts
    elif text:
        sys.stdout.write(text.rstrip("\n") + "\n")


def error_facts(error: CpazmalError) -> dict[str, Any]:
    """An error as plain values."""
    return {
        "kind": error.kind,
        "exit_code": error.exit_code,
        "what": error.what,
        "where": error.where,
        "remedy": error.remedy,
    }


def stopped(exit_code: int) -> dict[str, Any]:
    """The end of a verb by Ctrl-C or a signal, with the keys of an error."""
    remedy = "run the same command again to continue"
    return {
        "kind": "stopped",
        "exit_code": exit_code,
        "what": "stopped",
        "where": None,
        "remedy": remedy,
    }


def plain(value: Any) -> Any:
    """A value as JSON knows it: dates as ISO 8601, paths as text, numbers that are none as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, CpazmalError):
        return error_facts(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else str(value)
