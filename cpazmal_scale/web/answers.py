"""What a local server answers: JSON, and errors as one sentence."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cpazmal_scale.errors import ConfigError, CpazmalError, StoreMissing


def answer(value: object, status: int = 200) -> Response:
    """A value of plain types as JSON; NaN and infinities are null.

    A page that puts it in place as text shows what looks like markup as it is written.
    """
    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), status, media_type="application/json")


def sentence(_: Request, error: Exception) -> Response:
    """An error of the program as JSON: `error` holds the sentence, `kind` its name."""
    assert isinstance(error, CpazmalError)
    status = 404 if isinstance(error, StoreMissing) else 409
    status = 400 if isinstance(error, ConfigError) else status
    return answer({"error": str(error), "kind": error.kind}, status)


def _finite(value: Any) -> Any:
    """The value with null for every number that JSON lacks."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {str(name): _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
