"""Answers that wait for their targets, of which each output has one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..base import checks
from ..base.types import Bools
from .part import Answer, Part
from .targets import Observed


class Waiting:
    """The last answers of some streams, and which targets they have had.

    Parameters
    ----------
    delay : int
        How many answers later than at once a target may come.
    streams : int or None
        None: one, of which errors do not speak.
    outputs : int
    """

    delay: int
    streams: int | None

    def __init__(self, delay: int, streams: int | None, outputs: int) -> None:
        self.delay, self.streams = delay, streams
        self.answers: deque[Answer] = deque(maxlen=delay + 1)
        self._had: deque[Bools | None] = deque(maxlen=delay + 1)  # (B, O), None for none
        self._all = np.ones((streams or 1, outputs), bool)

    def add(self, answer: Answer) -> None:
        """The newest one."""
        self.answers.append(answer)
        self._had.append(None)

    def clear(self) -> None:
        """Let none wait any more."""
        self.answers.clear()
        self._had.clear()

    def find(self, ago: int) -> Answer:
        """The answer so many before the last one."""
        kept = len(self.answers)
        if ago < kept:
            return self.answers[-1 - ago]
        if not kept:
            raise ValueError(
                "`learn` needs an answer, and there is none since the beginning or `reset`: call `predict` first"
            )
        if ago > self.delay:
            late = f"make the learner with delay={ago} for targets that come so late"
            raise ValueError(f"`ago` must be at most `delay`, which is {self.delay}, got {ago}: {late}")
        raise ValueError(
            f"`ago` must be less than the {checks.counted(kept, 'answer')} given since the beginning, got {ago}"
        )

    def had(self, ago: int, observed: Observed) -> Bools:
        """Which targets (B, O) an answer has had with these; ValueError for one that it has had before."""
        plain = observed.known is None and observed.weight is None
        counts, before = self._all if plain else observed.counts(), self._had[-1 - ago]
        if before is None:
            return counts
        if (twice := counts & before).any():
            b, o = (int(k) for k in np.argwhere(twice)[0])
            where = f"output {o}" if self.streams is None else f"output {o} of stream {b}"
            raise ValueError(
                f"`target` must be the first of its answer, but {where} has had one: call `predict` before the next "
                "`learn`, and give a `weight` to what shall count more"
            )
        return counts | before

    def note(self, ago: int, had: Bools) -> None:
        """That an answer has had these targets."""
        self._had[-1 - ago] = had

    def held(self, part: Part) -> list[dict[str, Any]]:
        """As plain data and arrays."""
        return [
            {**part.held_answer(answer), "had": None if had is None else had.tolist()}
            for answer, had in zip(self.answers, self._had, strict=True)
        ]

    def restore(self, part: Part, held: Iterable[Mapping[str, Any]]) -> None:
        """Inverse of `held`."""
        for one in held:
            self.add(part.answer(one))
            if (had := one.get("had")) is not None:  # files from before this was noted have none
                self.note(0, np.array(had, bool).reshape(self._all.shape))
