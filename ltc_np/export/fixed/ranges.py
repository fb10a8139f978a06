"""How large the numbers of a program become on calibration data."""

from __future__ import annotations

import numpy as np

from ...base.types import Bools, Numbers
from ...network.sequences import Sequences
from ..program import Number, Program, Vector
from ..run import Machine

HUGE = 2.0**60  # what a state may begin with that the first step replaces: the lowest number, for a maximum


class Ranges:
    """The largest magnitude of everything that a program computes.

    Parameters
    ----------
    program : Program
    data : Sequences

    Attributes
    ----------
    elements : dict
        name of a variable -> (size,) array, the largest magnitude of each element.
    outputs : (B, n, O) array
        What the program gives, in float64; 0 behind the end of a sequence.
    """

    def __init__(self, program: Program, data: Sequences) -> None:
        self.elements: dict[str, np.ndarray] = {name: np.zeros(size) for name, size in program.variables.items()}
        start = np.abs(program.start)
        self.elements["state"] = np.where(start < HUGE, start, 0)
        self._largest: dict[object, float] = {}
        self._kept: list[object] = []  # so that no other object gets the id of one of them
        machine = self._machine = Machine(program, len(data.x), observe=self._observe)
        B, T, _ = data.x.shape
        self.outputs: np.ndarray = np.zeros((B, T // program.stride, program.output_size))
        for t in range(T):
            self._there = t < data.lengths
            x, dt = data.x[:, t], data.dt[:, t]
            y = machine.step(x, dt)
            new = self._there & machine.due
            if new.any():
                self.outputs[new, t // program.stride] = y[new]
            self._widen("x", slice(None), x.T)
            self._widen("dt", slice(None), dt[None])

    def of(self, key: object) -> float:
        """Of an expression, or of what else `ltc_np.export.run` names; 0 of what never was computed."""
        return self._largest.get(_key(key), 0.0)

    @property
    def _valid(self) -> Bools:
        """Which of the sequences that run now have not ended."""
        return self._there[self._machine.running]

    def _widen(self, name: str, where: slice, values: Numbers) -> None:
        largest = np.abs(values[:, self._valid]).max(1, initial=0)
        self.elements[name][where] = np.maximum(self.elements[name][where], largest)

    def _observe(self, made_by: object, values: Numbers) -> None:
        if isinstance(made_by, (Number, Vector)):
            return
        values = np.where(np.isnan(values), np.inf, values)  # as infinity: of what does not reach the outputs
        if isinstance(made_by, tuple) and isinstance(made_by[1], Vector):
            target = made_by[1]
            wide = np.broadcast_to(values, (target.size, len(self._valid)))
            self._widen(target.name, slice(target.start, target.start + target.size), wide)
            return
        if values.shape[1] == len(self._valid):
            values = values[:, self._valid]
        key = _key(made_by)
        if key not in self._largest:
            self._kept.append(made_by)
        self._largest[key] = max(self._largest.get(key, 0.0), float(np.abs(values).max(initial=0)))


def _key(made_by: object) -> object:
    """By identity: two equal expressions at two places may have different numbers."""
    if isinstance(made_by, tuple):
        return tuple(map(_key, made_by))
    return made_by if isinstance(made_by, str) else id(made_by)
