"""Levels of polygons through the years, by the simulation's seasons but without its loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri

from cpazmal_scale.simulate.given import seasons, tables
from cpazmal_scale.simulate.ground import world

NAMES = [surface.name for surface in tables.surfaces()]


def levels(
    seeds: range, beams: tuple[str, ...] = ("DSC37",), units: int = 8, pixels: int = 25
) -> pd.DataFrame:
    """Mean level of units of every class on all passes: seed, cls, unit, beam, pol, date, db."""
    rows = [
        _pass(seed, one, channel, units, pixels)
        for seed in seeds
        for one in tables.calendar()
        if one.beam in beams
        for channel in one.polarisations
    ]
    found = pd.concat(rows, ignore_index=True)
    found["month"] = found["date"].dt.month
    found["season"] = found["month"].map(
        lambda month: ("DJF", "MAM", "JJA", "SON")[month % 12 // 3]
    )
    return found


def _pass(
    seed: int, one: tables.Acquisition, channel: str, units: int, pixels: int
) -> pd.DataFrame:
    draws = np.random.default_rng(seed).standard_normal((5, len(NAMES), units))
    above = np.clip(2 * draws[0] + world.UNIT_METRES / 100 * draws[1], -6, 6)
    stamp = int(one.start.timestamp())
    warmth = np.random.default_rng([seed, stamp]).standard_normal(draws[0].shape)
    asked = seasons.UNITS * draws[2] + seasons.LAPSE * above
    asked -= seasons.unit_weather(one.start)[:, None] * warmth
    day = seasons.day_of_year(one.start)
    when = (day - above * seasons.height_delay(day)).astype(int) % seasons.DAYS
    states = seasons.class_states(seed, one.start, one.beam, channel).astype(float)
    thaw, dry, wet = (state[np.arange(len(NAMES))[:, None], when] for state in states)
    places = seasons.PATCHES * ndtri((np.arange(pixels) + 0.5) / pixels)
    share = 1 / (1 + np.exp(-((thaw - asked)[..., None] - places) / seasons.SOFTNESS))
    power = (1 - share) * 10 ** (dry[..., None] / 10) + share * 10 ** (wet[..., None] / 10)
    turn = 2 * np.pi * day / seasons.DAYS
    drift = tables.UNIT_SEASON_DB * (np.cos(turn) * draws[3] + np.sin(turn) * draws[4])
    level = seasons.detected_db(10 * np.log10(power.mean(axis=-1))) + drift
    return pd.DataFrame(
        {
            "cls": np.repeat(NAMES, units),
            "unit": np.tile(np.arange(units), len(NAMES)),
            "db": level.ravel(),
            "seed": seed,
            "beam": one.beam,
            "pol": channel,
            "date": pd.Timestamp(one.start),
        }
    )
