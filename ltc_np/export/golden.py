"""Golden vectors: inputs and what the model makes of them, against which an export is checked where it runs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.types import ArrayLike, Numbers
from ..model import Model
from .agreement import compare, drawn_times, in_float64, shortened, steps_of
from .program import Program

STEPS, OUTPUTS = 32, 8  # at least so many are of the golden vectors that nobody gives


class Golden(NamedTuple):
    """One sequence.

    Attributes
    ----------
    x : (T, I) array
        Numbers that a float can hold.
    dt : (T,) array or None
        Elapsed times, likewise; None for a model without time or of one elapsed time.
    y : (n, O) array
        The outputs of the model, computed in float64.
    target : (n, O) array, optional
        Of an export that learns: the targets from which it does after each step, NaN where there is none.
    stride : int
        Steps for each output.
    """

    x: np.ndarray
    dt: np.ndarray | None
    y: np.ndarray
    target: np.ndarray | None = None
    stride: int = 1

    @property
    def scale(self) -> float:
        """The largest output, or 1 where all are 0: what errors are compared with."""
        return float(np.abs(self.y).max()) or 1.0


def golden(model: Model, program: Program, dt: float | None, x: ArrayLike | None, x_dt: ArrayLike | None) -> Golden:
    """Run a model, in float64, over inputs and elapsed times of one's own or drawn ones, and its program beside it.

    Parameters
    ----------
    model, program, dt
        As those of `ltc_np.export.agreement.prove`.
    x, x_dt
        As those of `ltc_np.export.c.write`; default: `STEPS` steps that are drawn.
    """
    rng = np.random.default_rng(0)
    fewest = program.stride
    x = rng.standard_normal((steps_for(fewest), program.input_size)) if x is None else checks.real("x", x)
    if x.ndim != 2 or x.shape[1] != program.input_size or len(x) < fewest:
        raise ValueError(f"`x` must have shape (T, {program.input_size}) with T >= {fewest}, got {x.shape}")
    checks.finite("x", x := x.astype(np.float32))
    if x_dt is not None and not program.takes_dt:
        raise ValueError("`x_dt` must be None: the exported step takes no elapsed time")
    times, exact = None, in_float64(model)
    if program.takes_dt:
        # Below 1, which every cell takes as it is published: the LRC's explicit step is stable below 2.
        drawn = drawn_times(rng, len(x))
        times = (shortened(exact, drawn) if x_dt is None else checks.real("x_dt", x_dt)).astype(np.float32)
        if times.shape != (len(x),) or not (times >= 0).all():
            raise ValueError(f"`x_dt` must be {len(x)} elapsed times >= 0, as many as `x` has steps, got {x_dt!r:.60}")
        checks.finite("x_dt", times)
    every = [dt] * len(x) if times is None else times.astype(np.float64)
    steps = steps_of(exact, x.astype(np.float64)[:, None], every)
    compare(model, program, steps)
    return Golden(x, times, due(steps.y[:, 0], fewest), stride=fewest)


def steps_for(stride: int) -> int:
    """How many steps are enough to see what a model with a stride gives."""
    return max(STEPS, OUTPUTS * stride)


def due(y: Numbers, stride: int) -> Numbers:
    """Of what T steps of a sequence from its start give, (T, O), the rows of outputs."""
    return y[stride - 1 :: stride]
