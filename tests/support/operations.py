"""Operations of the room `storage` replaced wherever they are called from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cpazmal_scale import storage
from cpazmal_scale.storage import documents, files, look, opening


def replace(monkeypatch: pytest.MonkeyPatch, name: str, operation: Callable[..., Any]) -> None:
    """Let other rooms and `storage` itself call another function by this name."""
    for module in (storage, documents, files, look, opening):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, operation)
