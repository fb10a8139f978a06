"""Whether a program computes what its model does: asked before anything is written.

Both run in float64, and each step of the program begins with the model's state, so that only the roundings of one step
lie between them, however long a sequence is and however much the network enlarges what is small.  How far they may be
apart is known without the model: it is made of the size of each number and of what rounding to float32 changes in the
program itself, so a wrong program is not excused by its error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..base import checks
from .run import Machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base.types import Numbers
    from ..model import Model
    from .program import Program

# Of a number's own size: a million roundings of float64, as thousands of unfolds may add up; a wrong digit is more.
OWN_SIZE = 2.0**-32
# Of what rounding to float32 changes in the same step, which is much where terms cancel: rounding to float64 changes
# 2**-29 of it, and the series of a program, which are right to 8e-13 of their sums, less than 2**-16.
OF_ROUNDING = 2.0**-14


def agreed(exact: Model, program: Program, x: Numbers, times: Sequence[float | None] | Numbers) -> Numbers:
    """The outputs (T, O) of a model, which its program has, too.

    Parameters
    ----------
    exact : Model
        In float64, on NumPy's backend.
    program : Program
        Of the model.
    x : (T, I) float64 array
    times : T numbers or None
        Elapsed times of the steps.

    Raises
    ------
    ValueError
        The program computes something else: names the layer or the output, and says how far it is off.
    """
    state, states, outputs = None, [], []
    for row, dt in zip(x, times, strict=True):
        y, state = exact.step(row, dt=dt, state=state)
        states.append(state)
        outputs.append(y)
    every = np.concatenate([outputs, states], axis=1)
    dts = np.array([1.0 if dt is None else dt for dt in times])
    with np.errstate(all="ignore"):  # float32 may hold less, and what is not finite is looked at below
        found, rough = (_steps(program, x, dts, np.array(states), dtype) for dtype in (np.float64, np.float32))
        error, rounding = np.abs(found - every), np.abs(rough - found)
    size, known = np.isfinite(every), np.isfinite(rounding)
    allowed = OWN_SIZE * np.abs(np.where(size, every, 0)).max(0)
    allowed += OF_ROUNDING * np.where(known, rounding, 0).max(0)
    # What is not finite has no error; it is refused where it is written.
    wrong = size & ~(error <= allowed)
    if wrong.any():
        _refuse(exact, int(np.argmax(wrong.any(0))), np.where(wrong, error, 0).max(0), np.abs(every).max(0), allowed)
    return every[:, : program.output_size]


def _steps(program: Program, x: Numbers, dt: Numbers, states: Numbers, dtype: type) -> Numbers:
    """Outputs and states (T, O + K) of T steps at once: the first begins as a sequence does, others behind a state."""
    machine = Machine(program, len(x), dtype)
    machine.values["state"][:, 1:] = states[:-1].T
    y = machine.step(x, dt)
    return np.concatenate([y, machine.values["state"].T], axis=1).astype(np.float64)


def _refuse(exact: Model, column: int, error: Numbers, size: Numbers, allowed: Numbers) -> None:
    """Say which is the first number, of outputs and states, that is wrong."""
    stack, at = exact.layer_stack, column - exact.output_size
    what = f"output {column}"
    for k, (layer, where) in enumerate(zip(stack.layers, stack.states, strict=True)):
        if where.start <= at < where.stop:
            what = f"the state of layers[{k}], {checks.brief(layer)},"
    raise ValueError(
        f"`model` must be computed by its export as by itself, but {what} would be off by {error[column]:.1e} in a "
        f"step, of numbers up to {size[column]:.1e}, where roundings allow {allowed[column]:.1e}: nothing was written, "
        "since this is an error in how ltc_np.export.lower writes a layer; please report it with the model"
    )
