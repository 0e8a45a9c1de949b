"""A small workspace with every class of stored object, and what reading each of them gives."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cpazmal_scale import catalog, model, storage
from cpazmal_scale.assess import read_errors
from cpazmal_scale.assess.report.report import ERRORS
from cpazmal_scale.config import RunConfig
from cpazmal_scale.execute import Execution
from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.label.edits import Draw
from cpazmal_scale.label.session import Session
from cpazmal_scale.mapping import (
    compare_maps,
    fuse_maps,
    map_cube,
    open_map,
    open_source,
    refine_map,
)
from cpazmal_scale.mapping.classify import records, store
from cpazmal_scale.pictures import png
from cpazmal_scale.samples import BY_DATE, read_index, write_index
from cpazmal_scale.storage import seal
from cpazmal_scale.terrain import files
from cpazmal_scale.terrain.layers import lacking
from cpazmal_scale.view import Held, ShownMap
from support.labelling import square, users_file
from support.small_campaign import make_cube, make_model, workspace

ALL = os.environ.get("CPAZMAL_FAULTS") == "all"
"""Whether every fault is tried, and not the share that a usual run affords."""


@dataclass(frozen=True)
class Stored:
    """Files of one class, and a reader whose results are equal if what it read is."""

    name: str
    files: tuple[Path, ...]
    read: Callable[[], object]


def whole(dataset: Any) -> str:
    """The digest of all values of a dataset."""
    total = hashlib.sha256(repr(sorted(dataset.attrs.items(), key=str)).encode())
    for name in sorted(map(str, dataset.variables)):
        variable = dataset[name]
        total.update(f"{name} {variable.dims} {sorted(map(str, variable.attrs.items()))}".encode())
        total.update(repr(variable.values.tolist()).encode())
    return total.hexdigest()


def table() -> pd.DataFrame:
    """An index of windows as `cpazmal samples` writes it."""
    dates = np.array(["2020-01-08", "2020-01-19", "2020-01-30"], "datetime64[ms]")
    rows = 40
    generator = np.random.default_rng(5)
    lists = {
        name: [dates if name == "dates" else generator.random(3, np.float32) for _ in range(rows)]
        for name in BY_DATE
    }
    y0, x0 = generator.integers(0, 2000, (2, rows))
    return pd.DataFrame(
        {
            "class": np.repeat(["ABL", "ICA"], rows // 2),
            "group": [f"ICA{i % 4:03d}" for i in range(rows)],
            "beam": "DSC37",
            "time_start": dates[0],
            "time_end": dates[-1],
            "y0": y0,
            "x0": x0,
            "size": 5,
            "y": 5087868 - 3 * (y0 + 2.5),
            "x": 340632 + 3 * (x0 + 2.5),
            "valid_fraction": generator.random(rows),
            "masked_fraction": generator.random(rows),
            "incidence_angle": 35.0,
            **lists,
        }
    )


def below(folder: str) -> tuple[Path, ...]:
    return tuple(sorted(path for path in Path(folder).rglob("*") if path.is_file()))


def small_workspace(folder: Path) -> tuple[RunConfig, list[Stored]]:
    """Model, samples, finished and unfinished map, records, catalog and shared arrays."""
    config = workspace(folder, classify={"block": 64})
    home = config.workspace
    model_url = make_model(f"{home}/models/{'a' * 16}.zarr")
    cube_url = make_cube(f"{folder.parent}/cube.zarr")
    made = map_cube(config, model_url, cube_url)
    half = _unfinished(config, model_url, cube_url)
    later = _made_of_maps(config, model_url, cube_url, made.url)
    polygons = _labelled(folder)
    samples_url = f"{home}/samples/{'b' * 16}.parquet"
    write_index(table(), samples_url)
    card_url = f"{home}/models/{'a' * 16}.json"
    seal.write_document(card_url, {"id": "a" * 16, "features": {"HH.k1": {"mean": 0.5}}})
    seal.write_document(f"{home}/report/{ERRORS}", {"errors": [{"group": "ICA001", "right": 0.5}]})
    picture = _picture(f"{home}/models/{'a' * 16}.png")
    shared_url = storage.write_arrays(f"{home}/shared", {"values": np.arange(9.0)})
    ground_url = _ground(f"{home}/terrain/DSC37")
    facts = {"id": "c" * 16, "beam": "DSC37", "start": "2020-01-08", "end": "2020-04-30"}
    kinds = {"model": model_url, "map": made.url, "samples": samples_url}
    for kind, url in kinds.items():
        path = url.removeprefix(f"{home}/")
        catalog.publish(home, catalog.Entry(f"{kind}_DSC37", kind, path, facts))  # type: ignore[arg-type]
    return config, [
        Stored("model", below(model_url), lambda: _model(model_url)),
        Stored("model through the catalog", below(model_url), lambda: _read(home, "model_DSC37")),
        Stored("map", below(made.url), lambda: whole(open_map(made.url))),
        Stored("map through the catalog", below(made.url), lambda: _read(home, "map_DSC37")),
        Stored("map as a source", below(made.url), lambda: _source(made.url)),
        Stored(
            "map summary",
            (Path(records.summary_url(made.url)),),
            lambda: str(records.summary(made.url)),
        ),
        Stored("map records", below(half.replace(".zarr", ".progress")), lambda: _records(half)),
        Stored("unfinished map", below(half), lambda: store.is_template(half)),
        Stored("map on the screen", below(made.url), lambda: _shown(made.url)),
        Stored(
            "maps of maps",
            tuple(file for url in later for file in below(url)),
            lambda: [whole(open_map(url)) for url in later],
        ),
        Stored(
            "labels",
            tuple(file for file in below(f"{folder}/labels") if file.stat().st_size),
            lambda: _drawn(polygons, str(folder)),
        ),
        Stored("samples", (Path(samples_url),), lambda: _table(samples_url)),
        Stored("card", (Path(card_url),), lambda: str(seal.read_document(card_url))),
        Stored(
            "picture", (picture,), lambda: seal.whole_png(storage.read_bytes(str(picture)), picture)
        ),
        Stored(
            "errors of a report",
            (Path(home, "report", ERRORS),),
            lambda: read_errors(f"{home}/report"),
        ),
        Stored("shared arrays", (Path(shared_url),), lambda: _arrays(shared_url)),
        Stored("ground", below(ground_url), lambda: _seen(ground_url)),
        Stored("catalog records", below(f"{home}/catalog.d"), lambda: str(catalog.search(home))),
        Stored(
            "catalog index",
            (Path(home, "catalog.yaml"),),
            lambda: str(catalog.open_catalog(home).to_dict()),
        ),
    ]


def _unfinished(config: RunConfig, model_url: str, cube_url: str) -> str:
    """A map of other dates, all of whose blocks are written and which is not published."""
    from cpazmal_scale.mapping import plan_map
    from cpazmal_scale.mapping.classify.block import classify_block

    plan = plan_map(config.with_values({"end": "2020-04-01"}), model_url, cube_url)
    store.write_template(plan)
    records.begin(plan.url, plan.block)
    for block in plan.blocks:
        classify_block(block, cube_url=cube_url, model_url=model_url, map_url=plan.url)
    return plan.url


def _made_of_maps(config: RunConfig, model_url: str, cube_url: str, url: str) -> list[str]:
    """A refined map, two that are fused, and a change."""
    other = map_cube(config.with_values({"end": "2020-03-20"}), model_url, cube_url).url
    after = config.with_values({"after": {"window": 3, "modal": 3, "min_area": 50.0}})
    refined = [one.url for one in refine_map(after, url, Execution())]
    fused = fuse_maps(config, [url, other], Execution()).url
    return [*refined, fused, compare_maps(config, other, url, Execution()).map.url]


def _labelled(folder: Path) -> str:
    """A file of polygons, and edits of it that are not saved."""
    file = str(users_file(folder / "polygons.gpkg", "EPSG:32632"))
    session = Session(file, str(folder))
    for row, code in ((40, "ICA"), (60, "ABL")):
        box = ((tuple(map(tuple, square(row, 40, 10).exterior.coords)),),)
        session.do(Draw(box, code, f"{code}009"))
    session.close()
    return file


def _drawn(file: str, home: str) -> object:
    session = Session(file, home)
    try:
        return [(one.label, one.group, one.shape.wkt) for one in session.layer], session.can
    finally:
        session.close()


def _shown(url: str) -> object:
    """What a person sees of a map: coarse tiles, and what is told of a pixel."""
    shown = ShownMap.open(url, Held(32 << 20))
    try:
        tiles = [
            hashlib.sha256(shown.tile(layer, (level, 0, 0), hidden=())).hexdigest()
            for layer in shown.layers
            for level in (1, 2, 4, 6)
        ]
        return tiles, shown.at(7, 9)
    finally:
        shown.close()


def _ground(url: str) -> str:
    """A tile of what a beam sees of its ground, and the mark that it is whole."""
    heights = np.random.default_rng(5).random((8, 9), np.float32)
    files.write(files.tile_url(url, (0, 0)), elevation=heights, first=np.zeros(2, np.int64))
    seal.write_document(storage.join(url, files.FINISHED), {"unknown": 3, "beyond": 4})
    return url


def _picture(url: str) -> Path:
    """A figure as the verbs write it."""
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([1, 3, 2])
    storage.write_bytes(url, png(figure, 30))
    return Path(url)


def _seen(url: str) -> object:
    files.read.cache_clear()
    tile = files.read(files.tile_url(url, (0, 0)))
    return lacking(url), {name: values.tolist() for name, values in tile.items()}


def _records(url: str) -> object:
    """Records of the blocks: those that are known, and that none is another than was written."""
    found = {}
    for y in (0, 64):
        for x in (0, 64):
            block = Block(y, min(y + 64, 88), x, min(x + 64, 104))
            known = records.find(url, block)
            if known is not None:
                found[block.name] = repr(sorted(known.items()))
    return found


def _model(url: str) -> str:
    made = model.open_model(url)
    arrays, text = made.classifier.state()
    facts = (made.id, made.classes, made.names, made.dates.tolist(), dict(made.provenance), text)
    values = {name: array.tolist() for name, array in arrays.items()}
    return repr((facts, made.features, made.polarisations, values))


def _source(url: str) -> str:
    source = open_source(url)
    block = Block(0, source.shape[0], 0, source.shape[1])
    products = {name: values.tolist() for name, values in source.products(block).items()}
    return repr((source.id, source.recipe, source.grid, products))


def _table(url: str) -> str:
    return read_index(url).to_json()


def _read(home: str, name: str) -> str:
    found = catalog.read(home, name)
    return found.to_json() if isinstance(found, pd.DataFrame) else whole(found)


def _arrays(url: str) -> str:
    return repr({name: values.tolist() for name, values in storage.read_arrays(url).items()})
