"""Pictures of the labelled windows, and the report as page and LaTeX."""

from __future__ import annotations

import dataclasses
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from support import browser
from support.series_campaign import CONFIG, FACTS, campaign
from support.small_campaign import CLASSES, make_cube, truth
from support.small_campaign import backscatter as simulated

from cpazmal_scale.assess import (
    Labelled,
    Picture,
    Portraits,
    Report,
    backscatter,
    cross_validate,
    typical_pairs,
    write_report,
)
from cpazmal_scale.assess.report import portraits
from cpazmal_scale.assess.report.backscatter import Backscatter, Floored
from cpazmal_scale.assess.report.latex import latex
from cpazmal_scale.assess.report.markdown import markdown
from cpazmal_scale.assess.report.page import page
from cpazmal_scale.assess.report.pairs import Pair
from cpazmal_scale.assess.report.parts import Heading, Table, Text
from cpazmal_scale.assess.report.report import blocks, tables
from cpazmal_scale.config import Dtw, Features
from cpazmal_scale.cube import open_cube
from cpazmal_scale.pictures import with_gaps
from cpazmal_scale.words import number

SIZE = 7
COLOURS = dict(zip(CLASSES, ("#0f6cb4", "#a5dcf5", "#f2a01c", "#b5305f"), strict=True))
Seen = tuple[Backscatter, pd.DataFrame]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    cube = open_cube(make_cube(str(tmp_path_factory.mktemp("cube") / "a.zarr")))
    corners = [(y, x) for y in range(0, 80, 11) for x in range(0, 90, 13)]
    y0, x0 = np.array(corners).T
    labels = np.array(CLASSES)[truth((88, 104))[y0 + 3, x0 + 3]]
    windows = pd.DataFrame({"class": labels, "y0": y0, "x0": x0, "size": SIZE})
    return backscatter(cube, windows, CLASSES, ("HH", "HV"), Features()), windows


def test_levels_and_histograms_are_those_of_a_plain_loop(
    seen: Seen,
) -> None:
    found, windows = seen
    power, mask, _ = simulated()
    for c, name in enumerate(CLASSES):
        levels, pixels = [], []
        for row in windows[windows["class"] == name].itertuples():
            part = (slice(row.y0, row.y0 + SIZE), slice(row.x0, row.x0 + SIZE))
            own = np.where(mask[0][part] & 3 == 0, power[0, 0][part], np.nan)
            if np.isfinite(own).any():
                levels.append(np.nanmean(own, dtype=np.float64))
            pixels.append(own[np.isfinite(own)])
        assert found.mean[0, c, 0] == pytest.approx(np.mean(levels), rel=1e-6)
        ends = [np.quantile(levels, share) for share in (1 / 6, 5 / 6)]
        assert found.span[:, 0, c, 0] == pytest.approx(ends, rel=1e-5)
    winter = found.dates.astype("datetime64[M]").astype(int) % 12 <= 1
    usable = (mask[winter] & 3 == 0) & np.isfinite(power[0, winter])
    expected = sum(
        int(usable[:, r.y0 : r.y0 + SIZE, r.x0 : r.x0 + SIZE].sum()) for r in windows.itertuples()
    )
    assert found.counts[0, :, 0].sum() == expected
    density = found.density()[0, :, 0]
    assert (density * 0.5).sum(axis=-1) == pytest.approx(1)
    assert np.isnan(found.mean[1, :, 3]).all()  # HV is missing on this date


def _cube_of(power: np.ndarray) -> xr.Dataset:
    """A cube of one channel (T, y, x) in one chunk, all pixels valid."""
    days = np.datetime64("2020-07-02", "ns") + np.arange(len(power)) * np.timedelta64(11, "D")
    mask = np.zeros(power.shape, np.uint8)
    named = {"HV": power.astype(np.float32), "mask": mask}
    cube = xr.Dataset({k: (("time", "y", "x"), v) for k, v in named.items()}, {"time": days})
    return cube.chunk().assign_attrs(radiometry="gamma0_T")


def test_subtracted_noise_is_averaged_with_its_sign_and_told() -> None:
    rng = np.random.default_rng(3)
    power = rng.normal(10**-2.5, 0.02, (3, 14, 14))  # -25 dB in noise that was subtracted
    power[2] -= power[2].mean() + 0.001
    windows = pd.DataFrame({"class": ["ICA"] * 4, "y0": [0, 0, 7, 7], "x0": [0, 7, 0, 7]})
    found = backscatter(_cube_of(power), windows.assign(size=7), ("ICA",), ("HV",), Features())
    (dark,) = found.floored()
    shares = (power < 10**-3.1).mean(axis=(1, 2))
    assert dark[:3] == ("HV", "ICA", pytest.approx(shares.mean()))
    assert dark[3:5] == (pytest.approx(shares.max()), str(found.dates[shares.argmax()])[:10])
    assert dark.negative == pytest.approx((power <= 0).mean())
    assert found.mean[0, 0] == pytest.approx(power.mean(axis=(1, 2)), rel=1e-4)
    assert found.dark[0, 0].sum() == (power <= 0).sum()
    shown = found.density()[0, 0, 2].sum() * 0.5
    assert shown + found.left_out()[0, 0, 2] == pytest.approx(1)
    axis = portraits.evolution_figure(found, COLOURS).axes[0]
    assert axis.get_ylabel() == "γ0_T HV, dB"
    drawn = next(line for line in axis.lines if line.get_marker() == "o").get_ydata()
    assert drawn == pytest.approx(
        [*(10 * np.log10(power[:2].mean(axis=(1, 2)))), np.nan], nan_ok=True
    )
    (mark,) = (line for line in axis.lines if line.get_marker() == "v" and line.get_xdata().size)
    assert (mark.get_xdata() == found.dates[2:]).all()
    assert mark.get_ydata() == [axis.get_ylim()[0]]
    told = [text.get_text() for text in portraits.histogram_figure(found, COLOURS).axes[2].texts]
    assert told == [f"power ≤ 0:\nICA {100 * (power <= 0).mean():.0f} %"]


def test_typical_windows_stand_for_their_class() -> None:
    series, labels, _ = campaign()
    (pair,) = typical_pairs(series, labels, ("ABL", "ACC", "HAG"), Dtw())
    assert (pair.classes, pair.feature) == (("ABL", "ACC"), "HV.k1")
    assert pair.warped <= pair.straight
    assert pair.straight == pytest.approx(np.sqrt(((pair.first - pair.second) ** 2).sum()))
    assert tuple(pair.path[0]) == (0, 0)
    assert tuple(pair.path[-1]) == (len(pair.dates) - 1,) * 2
    (stiff,) = typical_pairs(series, labels, ("ABL", "ACC"), Dtw(radius=0))
    assert stiff.warped == pytest.approx(pair.straight)
    own = series.values[labels == "ABL", 1]
    shown = own[:, np.isin(series.dates, pair.dates)]
    assert (shown == pair.first.astype(np.float32)).all(axis=1).any()
    (other,) = typical_pairs(series, np.char.add("X", labels), ("XABL", "XACC"), Dtw())
    assert (other.classes, other.feature) == (("XABL", "XACC"), "HH.k1")


def test_figures_show_what_is_there(seen: Seen) -> None:
    found, _ = seen
    figure = portraits.histogram_figure(found, COLOURS)
    told = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert told.count("no data") == 2 * int((found.counts.sum(axis=(0, 1, 3)) == 0).sum())
    for axis in figure.axes:
        heights = [height for line in axis.lines for height in line.get_ydata()]
        assert all(height < axis.get_ylim()[1] for height in heights)
    lines = portraits.evolution_figure(found, COLOURS).axes[1].lines
    assert [len(line.get_xdata()) for line in lines] == [9] * 4


def test_evolution_shows_the_difference_of_channels_and_many_classes(seen: Seen) -> None:
    found, _ = seen
    first, second, below = portraits.evolution_figure(found, COLOURS).axes
    assert below.get_ylabel() == "HV − HH, dB"
    for line, hh, hv in zip(below.lines, first.lines, second.lines, strict=True):
        levels = dict(zip(hh.get_xdata(), hh.get_ydata(), strict=True))
        both = [level - levels[date] for date, level in zip(*hv.get_data(), strict=True)]
        np.testing.assert_allclose(line.get_ydata(), both)
    assert len(first.collections) == len(CLASSES)
    six = [*range(4), 0, 1]
    names = tuple("ABCDEF")
    spread = {"classes": names, "mean": found.mean[:, six], "span": found.span[:, :, six]}
    many = dataclasses.replace(found, **spread)
    axis = portraits.evolution_figure(many, dict.fromkeys(names, "#0f6cb4")).axes[0]
    bars = [np.array(one.get_segments()) for one in axis.collections]
    apart = np.sort(np.concatenate([one[:, 0, 0] for one in bars]))
    assert np.diff(apart).min() > 1
    np.testing.assert_allclose(bars[2][:, :, 1].T, 10 * np.log10(found.span[:, 0, 2]), rtol=1e-6)


def test_a_year_without_data_is_a_gap(seen: Seen) -> None:
    """Nothing is drawn between the last date of one year and the first of the year after next."""
    found, _ = seen
    half = len(found.dates) // 2
    years = found.dates.copy()
    years[half:] += np.timedelta64(730, "D")
    for axis in portraits.evolution_figure(dataclasses.replace(found, dates=years), COLOURS).axes:
        for line in axis.lines:
            x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata(), float)
            drawn = np.isfinite(y[:-1]) & np.isfinite(y[1:])
            assert drawn.any()
            assert (np.diff(x)[drawn] < np.timedelta64(365, "D")).all()
        for band in axis.collections:
            for path in band.get_paths():
                assert np.ptp(path.vertices[:, 0]) < 365
    assert with_gaps(years[:1], years[:1], np.ones(1)) == (years[:1], np.ones(1))
    assert len(with_gaps(found.dates, found.dates, np.ones(len(years)))[0]) == len(years)


def test_levels_by_date_are_a_table(seen: Seen) -> None:
    found, _ = seen
    (name, text), *_ = tables(Report("t", FACTS, portraits=Portraits(COLOURS, found))).items()
    assert name == "backscatter_by_date.csv"
    table = pd.read_csv(io.BytesIO(text)).set_index(["polarisation", "class", "date"])
    assert len(table) == found.mean.size
    day = str(found.dates[0])[:10]
    row = table.loc[("HH", CLASSES[1], day)]
    assert row["mean"] == pytest.approx(found.mean[0, 1, 0])
    assert row["mean_db"] == pytest.approx(10 * np.log10(found.mean[0, 1, 0]))
    assert (row["low"], row["high"]) == pytest.approx(tuple(found.span[:, 0, 1, 0]))
    assert row["pixels"] == found.pixels[0, 1, 0]


class Links(HTMLParser):
    """Addresses a page names, and the text it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]


def test_page_escapes_what_files_say() -> None:
    evil = "<script>alert(1)</script>"
    table = Table((evil, "b"), [(f"**{evil}**", "'\"&")])
    text = page(evil, [Text(f"a `{evil}` b"), table, Picture("no.png", evil)], {})
    links = Links()
    links.feed(text)
    assert "script" not in links.tags
    assert "img" not in links.tags
    assert text.count("&lt;script&gt;") == 5
    assert "<strong>&lt;script" in text


def test_latex_escapes_and_aligns() -> None:
    table = Table(("a_b", "95 %"), [("**x & y**", "−0.1 ± 0.2")], name="t", caption="50 % {of} κ")
    text = latex(table)
    assert r"\textbf{x \& y} & $-$0.1 $\pm$ 0.2 \\" in text
    assert r"\caption{50 \% \{of\} $\kappa$}" in text
    assert r"\begin{tabular}{lr}" in text
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_numbers_that_round_to_nothing_have_no_sign() -> None:
    assert (number(-0.0002), number(-0.0006), number(float("nan"))) == ("0.000", "−0.001", "–")


def test_names_are_no_markup_in_markdown() -> None:
    name = "a|b\n<script>x</script>"
    text = markdown("Map", [Heading(name), Text(name), Table(("class",), [(name,)])])
    assert "<script" not in text
    assert text.splitlines()[-1] == "| a/b &lt;script>x&lt;/script> |"


def test_a_floor_that_swallows_a_channel_is_said() -> None:
    told = dataclasses.replace(FACTS, floored={"VV": 0.004, "VH": 0.301})
    text = markdown("Map", blocks(Report("Map", told)))
    assert "VV 0.4 %, VH 30.1 %" in text
    assert "**The floor swallows a part of VH**" in text
    text = markdown("Map", blocks(Report("Map", dataclasses.replace(told, floored={"VV": 0.049}))))
    assert "swallows" not in text
    assert "dark ground" not in text


def test_dark_ground_under_the_floor_is_a_fact_and_no_warning() -> None:
    told = dataclasses.replace(FACTS, floored={"HH": 0.051, "HV": 0.149}, floor_db=-31.0)
    text = markdown("Map", blocks(Report("Map", told)))
    (line,) = (line for line in text.splitlines() if "dark ground" in line)
    assert "In HH and HV they are" in line
    assert "−31 dB" in line
    assert "−21 dB" in line
    assert "swallows" not in text
    assert not line.startswith(">")


def test_classes_under_the_floor_are_named_where_the_average_hides_them() -> None:
    dark = (
        Floored("HV", "ICA", 0.14, 0.54, "2020-07-24"),
        Floored("HV", "LAC", 0.31, 0.40, "2020-05-30"),
        Floored("HV", "HAG", 0.02, 0.07, "2020-08-04"),
    )
    told = dataclasses.replace(FACTS, floored={"HV": 0.149}, floored_classes=dark)
    text = markdown("Map", blocks(Report("Map", told)))
    assert "ICA in HV 14 % of all dates (0 % ≤ 0), 54 % on 2020-07-24; LAC in HV 31 %" in text
    assert "HAG" not in text
    assert "**The floor swallows a part of HV of LAC**" in text
    assert "Lower `features.floor_db` to 10 dB" in text
    below_zero = (dark[0], dark[1]._replace(negative=0.27))
    told = dataclasses.replace(told, floored_classes=below_zero)
    text = markdown("Map", blocks(Report("Map", told)))
    assert "LAC in HV 31 % of all dates (27 % ≤ 0)" in text
    assert "`ingest.level1b.noise: keep`" in text
    assert "Lower `features.floor_db`" not in text


def test_data_and_processing_are_a_section_and_a_table() -> None:
    facts = {"Radiometry": "γ0_T, linear power", "Incidence": "35.1° (34.9 to 35.2)"}
    every = blocks(Report("Map", dataclasses.replace(FACTS, processing=facts)))
    assert "## Data and processing" in markdown("Map", every)
    (table,) = (one for one in every if isinstance(one, Table) and one.name)
    text = latex(table)
    assert r"\begin{tabular}{lp{0.7\linewidth}}" in text
    assert r"Radiometry & $\gamma$0\_T, linear power \\" in text
    assert r"35.1\textdegree{}" in text


def test_the_mapped_area_is_held_to_the_floor_like_the_windows() -> None:
    told = dataclasses.replace(FACTS, mapped_floored={"VV": 0.31, "VH": 0.01})
    text = markdown("Map", blocks(Report("Map", told)))
    assert "Map's pixels under −31 dB** | VV 31.0 %, VH 1.0 %" in text
    assert "**The floor swallows a part of VV**" in text


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, seen: Seen) -> Path:
    folder = tmp_path_factory.mktemp("report")
    series, labels, groups = campaign()
    own = cross_validate(Labelled(series, labels, groups), CONFIG)
    pairs: tuple[Pair, ...] = typical_pairs(series, labels, own.classes, Dtw())
    shown = Portraits(COLOURS, seen[0], pairs)
    (folder / "report").mkdir()
    (folder / "report" / ".accuracy.csv.0123.part").write_bytes(b"of a dead writer")
    write_report(str(folder / "report.md"), Report("Map", FACTS, validation=own, portraits=shown))
    return folder


def test_page_needs_nothing_beside_it(written: Path) -> None:
    text = (written / "report.html").read_text()
    links = Links()
    links.feed(text)
    outside = [link for link in links.found if not link.startswith(("data:", "#"))]
    assert outside
    assert not list(written.rglob("*.part"))
    assert all((written / link).exists() for link in outside)
    assert links.tags.count("img") == 7
    assert "nan" not in re.sub(r"data:[^\"]*", "", text).lower()
    names = ("accuracy", "probabilities", "accuracy_by_class", "accuracy_by_class_2")
    for name in names:
        columns = re.search(
            r"begin{tabular}{(l+r*)}", (written / "report" / f"{name}.tex").read_text()
        )
        assert columns is not None
        assert len(columns[1]) <= 7, "a page is not wide enough"
    assert "seconds" not in (written / "report" / "accuracy.tex").read_text()
    for name in ("accuracy", "accuracy_by_class", "differences_between_methods"):
        assert (written / "report" / f"{name}.tex").read_text().startswith(r"\begin{table}")
        assert (written / "report" / f"{name}.csv").exists()
    told = (written / "report.md").read_text()
    assert "user's" not in told
    assert "recall of windows" in told
    assert "debiased RMS calibration error" in told
    for cell in re.findall(r"<td>([^<]+)</td>", text):
        assert cell in told


@pytest.mark.e2e
def test_page_opens_in_a_browser_without_asking_for_anything(written: Path, tmp_path: Path) -> None:
    if reason := browser.missing():
        pytest.skip(reason)
    with browser.browser(tmp_path / "profile") as window:
        window.open((written / "report.html").as_uri())
        window.wait("return [...document.images].every(i => i.complete && i.naturalWidth > 300)")
        asked = [
            url for url in window.requests() if not url.startswith(("data:", "file:", "chrome:"))
        ]
        wide = window.run("return document.documentElement.scrollWidth - window.innerWidth")
        assert (asked, wide <= 0) == ([], True)
        assert [e for e in window.log("browser") if e["level"] == "SEVERE"] == []
