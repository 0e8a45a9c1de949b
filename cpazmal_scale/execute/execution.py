"""How a job over blocks is carried out, as one value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpazmal_scale.execute.executors import Executor
    from cpazmal_scale.progress import Progress


@dataclass(frozen=True)
class Execution:
    """Executor, block size and progress of a job.

    `block` is the edge of a block in pixels, rounded up to whole chunks (none: the job's own);
    `executor` computes the blocks (none: as `config.cluster` says); `progress` is called with
    pixels done and pixels in all.
    """

    block: int | None = None
    executor: Executor | None = None
    progress: Progress | None = None

    def on(self, executor: Executor) -> Execution:
        """The same with another executor."""
        return replace(self, executor=executor)


PLAIN = Execution()
"""As the configuration says, in silence."""
