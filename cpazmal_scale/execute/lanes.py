"""Keys in lanes: those of one lane run one after the other on the same worker, if it lives."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key")


class Lanes(Generic[Key]):
    """Keys to be taken by slots, each of which is one task at a time on one worker.

    A slot takes the keys of a lane in order. When there is no lane left, it takes the second half
    of the longest one. `follows` marks a key with the number of those that are left of its lane:
    the next one comes to the same slot, a promise that later divisions keep.
    """

    def __init__(
        self, lanes: Iterable[Sequence[Key]], follows: Callable[[Key, int], Key] | None = None
    ) -> None:
        self._waiting = deque(deque(lane) for lane in lanes if lane)
        self.keys = tuple(key for lane in self._waiting for key in lane)
        self._taken: dict[int, deque[Key]] = {}
        self._promised: set[int] = set()
        self._follows = follows or (lambda key, _: key)

    def __iter__(self) -> Iterator[Key]:
        while (key := self.take(0)) is not None:
            yield key

    def take(self, slot: int) -> Key | None:
        """The next key of a slot; None when none is left that it could take."""
        lane = self._taken.get(slot)
        if not lane:
            lane = self._waiting.popleft() if self._waiting else self._divide()
            if not lane:
                self._taken.pop(slot, None)
                return None
            self._taken[slot] = lane
        key = lane.popleft()
        if lane:
            self._promised.add(slot)
            return self._follows(key, len(lane))
        self._promised.discard(slot)
        return key

    def _divide(self) -> deque[Key]:
        """The second half of the lane with the most keys, but what is promised."""
        free = {slot: len(lane) - (slot in self._promised) for slot, lane in self._taken.items()}
        longest = max(free, key=lambda slot: free[slot], default=None)
        found: deque[Key] = deque()
        if longest is not None:
            for _ in range((free[longest] + 1) // 2):
                found.appendleft(self._taken[longest].pop())
        return found


def divided(lanes: Iterable[Sequence[Key]], number: int) -> list[Sequence[Key]]:
    """Lanes cut so that there are `number` of them, if there are as many keys."""
    parts = [lane for lane in lanes if lane]
    while len(parts) < number and any(len(part) > 1 for part in parts):
        at = max(range(len(parts)), key=lambda i: len(parts[i]))
        middle = (len(parts[at]) + 1) // 2
        parts[at : at + 1] = [parts[at][:middle], parts[at][middle:]]
    return parts
