"""Answers that wait for their targets, of which each output has one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..base import checks
from ..base.types import Bools
from .log import Log
from .part import Answer, Part, Told
from .targets import Observed


class Waits:
    """An answer, and which of its targets (B, O) there have been; None: none."""

    answer: Answer
    had: Bools | None

    def __init__(self, answer: Answer) -> None:
        self.answer, self.had = answer, None


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
        self._kept: deque[Waits] = deque(maxlen=delay + 1)
        self._all = np.ones((streams or 1, outputs), bool)

    @property
    def answers(self) -> list[Answer]:
        """From the oldest one on."""
        return [waits.answer for waits in self._kept]

    def add(self, answer: Answer) -> None:
        """The newest one."""
        self._kept.append(Waits(answer))

    def has(self, answer: Answer | None) -> bool:
        """Whether it is the newest one."""
        return bool(self._kept) and self._kept[-1].answer is answer

    def clear(self) -> None:
        """Let none wait any more."""
        self._kept.clear()

    def find(self, ago: int) -> Waits:
        """The answer so many before the last one."""
        kept = len(self._kept)
        if ago < kept:
            return self._kept[-1 - ago]
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

    def had(self, waits: Waits, observed: Observed) -> Bools:
        """Which targets (B, O) an answer has had with these; ValueError for one that it has had before."""
        plain = observed.known is None and observed.weight is None
        counts, before = self._all if plain else observed.counts(), waits.had
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

    def held(self, part: Part) -> list[dict[str, Any]]:
        """As plain data and arrays."""
        return [
            {**part.held_answer(waits.answer), "had": None if waits.had is None else waits.had.tolist()}
            for waits in self._kept
        ]

    def restore(self, part: Part, held: Iterable[Mapping[str, Any]]) -> None:
        """Inverse of `held`."""
        for one in held:
            self.add(part.answer(one))
            if (had := one.get("had")) is not None:  # files from before this was noted have none
                self._kept[-1].had = np.array(had, bool).reshape(self._all.shape)


class Noting:
    """What is noted of targets as the last thing when they are learnt from: all of it, or after an error nothing.

    Parameters
    ----------
    waits : Waits
        The answer that they belong to.
    had : (B, O) bool array
        Which targets it has had then; not the array that it has now.
    log : Log
    """

    waits: Waits
    had: Bools
    log: Log

    def __init__(self, waits: Waits, had: Bools, log: Log) -> None:
        self.waits, self.had, self.log = waits, had, log

    @property
    def done(self) -> bool:
        return self.waits.had is self.had

    def __call__(self, told: list[Told]) -> None:
        before = self.log.mark()
        try:
            for one in told:
                self.log.add(one.error, one.deployed, one.distance)
                for event in one.events:
                    self.log.say(event)
            self.waits.had = self.had
        except BaseException:  # Ctrl-C, too
            if not self.done:
                self.log.back(before)
            raise
