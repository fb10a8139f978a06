"""A model in fixed point that runs in NumPy, bit for bit as its C does."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...base import checks
from ...base.types import ArrayLike, Bools, Numbers
from ...model import Model
from ...network import sequences
from ..golden import Golden
from ..program import Program
from .arithmetic import integers, saturated
from .formats import Formats
from .readout import FixedReadout
from .report import Report
from .run import FixedMachine


class Run(NamedTuple):
    """What sequences give.

    Attributes
    ----------
    y : (B, n, O) float64 array
        A row for each output; 0 behind the end of a sequence.
    state : (B, K) int64 array
        At the end of each.
    saturated : (B,) bool array
        In which something did not fit into 32 bits: it leaves what was calibrated.
    counts : dict
        "layer, what did not fit" -> how often.
    """

    y: Numbers
    state: Numbers
    saturated: Bools
    counts: dict[str, int]


class Quantised:
    """A model in fixed point; `ltc_np.export.fixed.quantise` makes it.

    Numbers are integers of 32 bits times a power of 2, ``integer * 2**-places``.

    Attributes
    ----------
    model : Model
        What it was made of.
    program : Program
        Of integers.
    places : dict
        Binary places of the interface: "x", "dt" if the model takes elapsed times, and "y".
    report : Report
    golden : Golden
        Some steps of the calibration data, in integers.
    readout : FixedReadout or None
        Of a model that goes on learning: its outputs are those of the program, weighed by this.
    """

    report: Report
    golden: Golden

    def __init__(self, model: Model, program: Program, formats: Formats, readout: FixedReadout | None = None) -> None:
        self.model: Model = model
        self.program: Program = program
        self.readout: FixedReadout | None = readout
        names = ("x", "dt", "y") if program.takes_dt else ("x", "y")
        self.places: dict[str, int] = {name: int(formats.elements(name)[0]) for name in names}
        if readout is not None:
            self.places["y"] = readout.places.y

    def step(self, x_t: ArrayLike, *, dt: ArrayLike | None = None, state: Numbers | None = None) -> tuple[Any, Any]:
        """One time step, as `Model.step`: real inputs and outputs, the state in integers.

        Parameters
        ----------
        x_t : (I,) or (B, I) array
        dt : number or (B,) array, optional
            Default 1.
        state : (K,) or (B, K) int64 array, optional
            From the step before; default: that at the start.

        Returns
        -------
        y_t : (O,) or (B, O) float64 array
            NaN where no output of a stride falls due.
        state : (K,) or (B, K) int64 array
        """
        self._check_takes_dt(dt)
        dtype = self.model.dtype  # what the model would compute with
        x = np.asarray(x_t, dtype)
        single = x.ndim == 1
        x = np.atleast_2d(x)
        machine = FixedMachine(self.program, len(x))
        if state is not None:
            machine.values["state"][:] = np.atleast_2d(state).T
        time = np.broadcast_to(1.0 if dt is None else np.asarray(dt, dtype), len(x))
        y = self._step(machine, x, time)
        y[~machine.due] = np.nan
        after = machine.values["state"].T
        return (y[0], after[0]) if single else (y, after)

    def run(self, x: ArrayLike, *, dt: ArrayLike | None = None, lengths: ArrayLike | None = None) -> Run:
        """Whole sequences; arguments as those of a call of the model."""
        self._check_takes_dt(dt)
        data, _ = sequences.check(self.model, x, dt, lengths, None)
        return self.run_checked(data)

    def run_checked(self, data: sequences.Sequences) -> Run:
        """Whole sequences that were checked."""
        x, dt = np.asarray(data.x, np.float64), np.asarray(data.dt, np.float64)
        B, T, _ = x.shape
        machine, stride = FixedMachine(self.program, B), self.program.stride
        y, state = np.zeros((B, T // stride, self.model.output_size)), machine.values["state"]
        beyond = np.zeros(B, bool)
        for t in range(T):
            machine.counted = valid = t < data.lengths
            before = state.copy()
            answers, new = self._step(machine, x[:, t], dt[:, t]), valid & machine.due
            if new.any():
                y[new, t // stride] = answers[new]
            state[:, ~valid] = before[:, ~valid]
            beyond |= valid & self._beyond(x[:, t], dt[:, t])
        return Run(y, state.T.copy(), machine.touched | beyond, machine.saturated)

    def __call__(self, x: ArrayLike, *, dt: ArrayLike | None = None, lengths: ArrayLike | None = None) -> Numbers:
        """Outputs of whole sequences, (B, n, O), or (n, O) of one; arguments as those of a call of the model."""
        self._check_takes_dt(dt)
        data, single = sequences.check(self.model, x, dt, lengths, None)
        y = self.run_checked(data).y
        return y[0] if single else y

    def _check_takes_dt(self, dt: object) -> None:
        if dt is not None and not self.program.takes_dt:
            raise ValueError(f"`dt` must be left out: this model takes no elapsed time, got {checks.brief(dt)}")

    def _beyond(self, x: Numbers, dt: Numbers) -> Bools:
        """Of which sequences an input does not fit: x (B, I), dt (B,)."""
        found: Bools = np.abs(x).max(1) * 2.0 ** self.places["x"] > 2**31
        return found | (dt * 2.0 ** self.places["dt"] > 2**31) if "dt" in self.places else found

    def _step(self, machine: FixedMachine, x: Numbers, dt: Numbers) -> Numbers:
        """Real outputs (B, O) of real x (B, I) and dt (B,)."""
        y = self._outputs(machine, x, dt)
        if self.readout is not None:
            y = machine.limited("y", self.readout.wide_answers(self.readout.features(y)).T).T
        real: Numbers = y / 2.0 ** self.places["y"]
        return real

    def _outputs(self, machine: FixedMachine, x: Numbers, dt: Numbers) -> Numbers:
        """Those of the program, whole, of real x (B, I) and dt (B,)."""
        time = integers(dt, self.places["dt"]) if "dt" in self.places else np.zeros(len(x), np.int64)
        return machine.step(integers(x, self.places["x"]), time)

    def learn(
        self, x: ArrayLike, target: ArrayLike, *, dt: ArrayLike | None = None, W: Numbers | None = None
    ) -> tuple[Numbers, Numbers]:
        """One sequence with its targets, of a model that was made with ``learn=``.

        Parameters
        ----------
        x : (T, I) array
        target : (T, O) array
            Each is learnt from after the answer to its step; NaN where none is known.
        dt : number or (T,) array, optional
        W : (O, F + 1) int64 array, optional
            The weights before it; default: those that were deployed.

        Returns
        -------
        y : (T, O) float64 array
            Answers.
        W : (O, F + 1) int64 array
            The weights after it, in the formats of the report.
        """
        readout = self.readout
        if readout is None:
            raise ValueError("`learn` needs a model in fixed point that was made with `quantise(..., learn=NLMS())`")
        self._check_takes_dt(dt)
        data, single = sequences.check(self.model, x, dt, None, None)
        wanted = checks.real("target", target)
        T, O = data.x.shape[1], self.model.output_size
        if not single or wanted.shape != (T, O):
            raise ValueError(f"`target` must have shape {(T, O)}, and `x` be one sequence, got shape {wanted.shape}")
        checks.finite("target", wanted[~np.isnan(wanted)])
        times, machine = np.asarray(data.dt, np.float64)[0], FixedMachine(self.program, 1)
        W, y = readout.W if W is None else W, np.zeros((T, O))
        for t, teaches in enumerate(readout.targets(wanted.astype(np.float64))):
            f = readout.features(self._outputs(machine, data.x[:, t].astype(np.float64), times[t : t + 1])[0])
            y[t] = saturated(readout.wide_answers(f, W)) / 2.0 ** self.places["y"]
            W = readout.learn(W, f, teaches)
        return y, W
