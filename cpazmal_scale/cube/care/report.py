"""What a repair did about each damage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Repair:
    """What became of one damage; not `restored` means that data are lost, or still altered."""

    what: str
    where: str
    done: str
    restored: bool

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.done}"
