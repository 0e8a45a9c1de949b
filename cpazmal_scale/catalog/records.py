"""One product's entry, and the record of it in a workspace's `catalog.d/`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from cpazmal_scale import storage
from cpazmal_scale.errors import ConfigError, StoreDamaged, StoreMissing
from cpazmal_scale.storage import seal
from cpazmal_scale.vocabulary import identifier

Kind = Literal["cube", "samples", "model", "map", "catalog"]
_REMEDY = "remove it and publish again"


def _day(text: str) -> str:
    date.fromisoformat(text)
    return text


_Day = Annotated[str, AfterValidator(_day)]


class _Facts(BaseModel):
    """Types of the facts that searches and stages read, as far as a record has them."""

    model_config = ConfigDict(extra="allow", strict=True)

    id: str = ""
    beam: str = ""
    bbox: list[FiniteFloat] = Field([], max_length=4)
    crs: str = ""
    shape: list[int] = []
    start: _Day = "0001-01-01"
    end: _Day = "9999-12-31"
    polarisations: list[str] = []
    channels: str = ""
    classes: list[str] = []
    model: str = ""
    samples: str = ""
    card: str = ""
    windows: dict[str, int] = {}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = self.model_fields_set
        if len({"start", "end"} & given) == 1 or ("bbox" in given and len(self.bbox) != 4):
            raise ValueError("half a period or place")
        return self


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
        outside = self.path.startswith("/") or "://" in self.path or ".." in self.path.split("/")
        if outside or set(self.path) & set("{}") or not self.path.isprintable():
            raise ConfigError(
                f"{self.path!r} is not below the workspace",
                remedy="publish products that the workspace holds",
            )

    def fact(self, name: str) -> Any:
        """A fact that this kind of product has.

        Raises:
            StoreDamaged: its record lacks it.
        """
        if name not in self.metadata:
            raise StoreDamaged(
                f"the record of {self.name} lacks `{name}`", where=self.path, remedy=_REMEDY
            )
        return self.metadata[name]

    @property
    def id(self) -> str:
        """Identity of the content; empty for a nested catalog."""
        return str(self.metadata.get("id", ""))

    @property
    def is_version(self) -> bool:
        """Whether this name is that of one version, for good, and not of the latest."""
        return bool(self.id) and self.name.endswith(f"_{self.id[:8]}")

    @property
    def line(self) -> tuple[str, str]:
        """What newer products of the same name share: the kind, with the path or the beam."""
        if self.kind in ("cube", "catalog"):
            return self.kind, self.path
        beam = str(self.metadata.get("beam", ""))
        return self.kind, beam if self.name.startswith(entry_name(self.kind, beam)) else ""

    def version(self) -> Entry:
        """The same product under the name that stays its own when newer ones are made."""
        return replace(self, name=f"{self.name}_{self.id[:8]}")


def entry_name(kind: Kind, label: str) -> str:
    """A catalog name: the kind, then the label with everything but letters and digits replaced."""
    return f"{kind}_{identifier(label)}"


def catalog_url(workspace: str) -> str:
    """Address of a workspace's catalog."""
    return storage.join(workspace, "catalog.yaml")


def entries(
    workspace: str,
    *,
    kind: Kind | None = None,
    beginning: str = "",
    damaged: Callable[[StoreDamaged], object] | None = None,
) -> list[Entry]:
    """All published products by name, or those of one kind.

    Only records of names with this `beginning` are read, several at a time.

    Raises:
        StoreDamaged: a record is damaged and there is no `damaged`, which takes the finding of each
            that is left out.
    """

    def read(name: str) -> Entry | StoreDamaged | None:
        try:
            return read_record(workspace, name)
        except StoreDamaged as error:
            return error

    wanted = [f"{name}.json" for name in names(workspace) if name.startswith(beginning)]
    found = storage.each(workspace, read, wanted)
    for error in found:
        if isinstance(error, StoreDamaged):
            if damaged is None:
                raise error
            damaged(error)
    return [e for e in found if isinstance(e, Entry) and kind in (None, e.kind)]


def names(workspace: str) -> list[str]:
    """Names of all published products, sorted; no record is read.

    Files that a copy or another program left there are no records: their names are no products'.

    Raises:
        ConfigError: it is the address of a product or file.
    """
    found = storage.list_names(storage.join(workspace, "catalog.d"))
    if not found:
        _require_folder(workspace)
    stems = [name.removesuffix(".json") for name in found if name.endswith(".json")]
    return [stem for stem in stems if stem.isidentifier()]


def _require_folder(workspace: str) -> None:
    """What has no catalog may be one of the files of a workspace.

    Raises:
        ConfigError: it is.
    """
    is_file = not storage.is_remote(workspace) and storage.local_path(workspace).is_file()
    if is_file or storage.exists(storage.join(workspace, "zarr.json")):
        raise ConfigError(
            "no workspace, but a product or file in one",
            where=workspace,
            remedy="give the folder that holds `catalog.yaml`, `cubes` and `maps`",
        )


def tags(workspace: str) -> dict[str, str] | None:
    """What changes with the bytes of each record, by one listing; None where the store tells none.

    Raises:
        StoreError: the store refuses or cannot be reached.
    """
    return storage.tags(storage.join(workspace, "catalog.d"))


def record_url(workspace: str, name: str) -> str:
    """Address of the record of one name."""
    return storage.join(workspace, "catalog.d", f"{name}.json")


def read_record(workspace: str, name: str) -> Entry | None:
    """A record, or None when there is none, perhaps because another process has just removed it.

    Raises:
        StoreDamaged: it is not a record, or not the one that was written.
    """
    url = storage.join(workspace, "catalog.d", name)
    try:
        values = seal.read_document(url, _REMEDY)
    except StoreMissing:
        return None
    with seal.parsing("not a record of the catalog", url, _REMEDY, StoreDamaged):
        try:
            found = Entry(**values)
        except ConfigError as error:  # what it names is no fault of a setting
            raise ValueError(error.what) from None
        _Facts.model_validate(found.metadata)
        if found.kind not in get_args(Kind):
            raise ValueError(f"no kind {found.kind}")
        if f"{found.name}.json" != name:
            raise ValueError(f"it is the record of {found.name}")
        return found


def write_record(workspace: str, entry: Entry) -> None:
    """Write the record of a product in one step."""
    seal.write_document(record_url(workspace, entry.name), asdict(entry))
