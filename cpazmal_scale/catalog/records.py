"""One product's entry, and the record of it in a workspace's `catalog.d/`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from cpazmal_scale import storage
from cpazmal_scale.errors import ConfigError, StoreError, StoreMissing

Kind = Literal["cube", "samples", "model", "map", "catalog"]


@dataclass(frozen=True)
class Entry:
    """One product: its name, what it is, its path below the workspace, and facts about it.

    Products of a nested catalog are named `catalog/product`.
    """

    name: str
    kind: Kind
    path: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all(part.isidentifier() for part in self.name.split("/")):
            raise ConfigError(
                f"{self.name!r} cannot be a catalog name",
                remedy="use letters, digits and underscores, beginning with a letter",
            )
        if self.path.startswith("/") or "://" in self.path or ".." in self.path.split("/"):
            raise ConfigError(
                f"{self.path!r} is not below the workspace",
                remedy="publish products that the workspace holds",
            )

    @property
    def id(self) -> str:
        """Identity of the content; empty for a nested catalog."""
        return str(self.metadata.get("id", ""))

    @property
    def is_version(self) -> bool:
        """Whether this name is that of one version, for good, and not of the latest."""
        return bool(self.id) and self.name.endswith(f"_{self.id[:8]}")

    def version(self) -> Entry:
        """The same product under the name that stays its own when newer ones are made."""
        return replace(self, name=f"{self.name}_{self.id[:8]}")


def entry_name(kind: Kind, label: str) -> str:
    """A catalog name: the kind, then the label with everything but letters and digits replaced."""
    return f"{kind}_{re.sub(r'[^0-9A-Za-z]+', '_', label).strip('_')}"


def catalog_url(workspace: str) -> str:
    """Address of a workspace's catalog."""
    return storage.join(workspace, "catalog.yaml")


def entries(workspace: str, *, kind: Kind | None = None) -> list[Entry]:
    """All published products by name, or those of one kind."""
    found = (read_record(workspace, name) for name in _record_names(workspace))
    return [e for e in found if e is not None and kind in (None, e.kind)]


def record_url(workspace: str, name: str) -> str:
    """Address of the record of one name."""
    return storage.join(workspace, "catalog.d", f"{name}.json")


def _record_names(workspace: str) -> list[str]:
    names = storage.list_names(storage.join(workspace, "catalog.d"))
    return [name for name in names if name.endswith(".json")]


def read_record(workspace: str, name: str) -> Entry | None:
    """A record, or None when there is none, perhaps because another process has just removed it.

    Raises:
        StoreError: it is not a record.
    """
    url = storage.join(workspace, "catalog.d", name)
    try:
        return Entry(**storage.read_json(url))
    except StoreMissing:
        return None
    except TypeError:
        raise StoreError(
            "not a record of the catalog", where=url, remedy="remove it and publish again"
        ) from None
