"""What a methods section is told of a model, in words."""

from __future__ import annotations

import pytest

from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.stages import provenance
from cpazmal_scale.storage import seal


def test_a_models_settings_are_told_in_words(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = {
        "settings": {"nearest_days": 33.0, "seed": 42},
        "missing_dates": {
            "rule": "series with fewer than min_dates valid dates get no class",
            "min_dates": 8,
        },
        "decision": {"temperature": 2.741, "calibrated": True, "reject": None},
        "id": "1",
    }
    seal.write_document(storage.join(str(tmp_path), "card.json"), card)

    class Entry:
        metadata = {"card": "card.json"}  # noqa: RUF012

        @staticmethod
        def fact(name: str) -> str:
            return name

    monkeypatch.setattr("cpazmal_scale.stages.workspace.find", lambda *_: Entry)
    told = provenance._model(RunConfig.parse({"workspace": str(tmp_path)}))
    assert told["Parameters"] == "days to the nearest training date at most 33, seed 42"
    assert told["Missing dates"] == "series with fewer than 8 valid dates get no class"
    assert told["Decision"] == "temperature 2.741, calibrated on held-out polygons"
