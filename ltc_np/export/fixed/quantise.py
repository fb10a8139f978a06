"""From a model and calibration data to fixed point."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ...base import checks
from ...base.types import ArrayLike, Numbers
from ...model import Model, check_model
from ...network import sequences
from ...network.outputs import too_short
from ...online import NLMS
from ..agreement import compare, in_float64, proved, steps_of
from ..c.prepare import prepared
from ..c.source import source
from ..golden import Golden, steps_for
from ..learning import Readout, targets_for
from ..program import Program, Vector
from .arithmetic import integers
from .bound import bound
from .c import Fixed
from .c_rule import learning
from .formats import Formats
from .quantised import Quantised
from .ranges import Ranges
from .readout import FixedReadout
from .report import Memory, OutputError, Report
from .translate import Translator

HEADROOM = 2.0
WEIGHT_BITS = {"int32": 31, "int16": 15}


def quantise(
    model: Model,
    x: ArrayLike,
    *,
    dt: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    every_dt: float | None = None,
    headroom: float = HEADROOM,
    weights: Literal["int32", "int16"] = "int32",
    learn: NLMS | None = None,
) -> Quantised:
    """A model in fixed point: formats that suit its numbers on calibration data, and what error that makes.

    docs/fixed_point.md says how formats are chosen, which arithmetic is done, and what the bound of an error means.

    Parameters
    ----------
    model : Model
        Causal, of layers that can be exported.
    x : (B, T, I) or (T, I) array
        Calibration data: sequences like those that the model will see.
    dt : number, (T,) or (B, T) array, optional
        Elapsed times of the calibration data.
    lengths : (B,) array, optional
        Of padded sequences.
    every_dt : float, optional
        The elapsed time of every step, where it is always the same, in place of ``dt``: the model in fixed point then
        takes none.
    headroom : float >= 1
        How many times larger than on the calibration data numbers may become before they are cut off.
    weights : "int32" or "int16"
        Of matrices and synapses.  16 bits halve what they take in flash.
    learn : NLMS, optional
        A rule for the readout, the last Dense of the model: `write` adds NAME_learn then.

    Returns
    -------
    Quantised

    Raises
    ------
    TypeError, ValueError
        Of arguments, or for a model that cannot be exported, or that overflows on the data.
    """
    if every_dt is not None and dt is not None:
        raise ValueError("`dt` must be left out with `every_dt`, which is the elapsed time of every step")
    check_model("model", model)
    readout = None if learn is None else Readout.of(model, learn)
    body = model if readout is None else readout.body
    program = proved(body, every_dt, prepared)
    data, _ = sequences.check(model, x, dt if every_dt is None else every_dt, lengths, None)
    stride, due = program.stride, data.lengths // program.stride
    if not due.any():
        raise too_short(stride, int(data.lengths.max()))
    headroom = checks.number("headroom", headroom, 1)
    bits = WEIGHT_BITS[checks.one_of("weights", weights, WEIGHT_BITS)]
    with np.errstate(over="ignore", invalid="ignore"):
        ranges = Ranges(program, data)
    outputs = ranges.outputs if readout is None else readout.deployed(ranges.outputs)
    if not np.isfinite(outputs).all():
        raise ValueError("`x` must be sequences on which the outputs of `model` are finite")
    steps = _first_steps(data, stride)
    _compare(body, program, data.x[steps], data.dt[steps])
    formats = Formats(program, ranges, headroom)
    valid = np.arange(outputs.shape[1]) < due[:, None]
    whole, listed = None, tuple(formats.listed())
    if readout is not None:
        sizes = float(np.abs(ranges.outputs[valid]).max()), float(np.abs(outputs[valid]).max())
        whole = FixedReadout.of(readout, formats.of(Vector("y", 0, program.output_size)), sizes, headroom)
        listed = (
            *(each._replace(name="network") if each.name == "y" else each for each in listed),
            *whole.formats(sizes),
        )
    found = Quantised(model, Translator(program, ranges, formats, headroom, bits).program, formats, whole)
    run = found.run_checked(data)
    longest, first = steps
    found.golden = _golden(found, data.x[steps], data.dt[steps], run.y[longest, : first.stop // stride])
    error = np.abs(run.y - outputs)[valid]
    arithmetic = Fixed("model", found.places)
    text = source(
        found.program, "model", arithmetic, False, "", None if whole is None else learning(whole, arithmetic, "model")
    )
    found.report = Report(
        errors=_errors(error, outputs[valid], bound(error, len(data.x), 2.0 ** -found.places["y"])),
        formats=listed,
        saturated=run.counts,
        headroom=headroom,
        sequences=len(data.x),
        steps=int(data.lengths.sum()),
        memory=Memory(text.table_bytes + arithmetic.table_bytes, text.state_bytes, text.stack_bytes, text.learnt_bytes),
    )
    return found


def _first_steps(data: sequences.Sequences, stride: int) -> tuple[int, slice]:
    """Of the longest sequence: its number, and its first steps."""
    longest = int(np.argmax(data.lengths))
    return longest, slice(min(steps_for(stride), int(data.lengths[longest])))


def _compare(model: Model, program: Program, x: Numbers, dt: Numbers) -> None:
    """Refuse a program, which errors are measured against, that computes something else on these data."""
    times = dt.astype(np.float64) if model.takes_dt else [None] * len(x)
    compare(model, program, steps_of(in_float64(model), x.astype(np.float64)[:, None], times))


def _golden(found: Quantised, x: Numbers, dt: Numbers, y: Numbers) -> Golden:
    """Some steps of one sequence, of which y are the outputs; where the model learns, it does so from targets."""
    target = None
    if found.readout is not None:
        wanted = targets_for(y)
        y, _ = found.learn(x, wanted, dt=dt if "dt" in found.places else None)
        target = found.readout.targets(wanted)
    numbers = {"x": x, "dt": dt, "y": y}
    whole = {name: integers(numbers[name], places) for name, places in found.places.items()}
    return Golden(whole["x"], whole.get("dt"), whole["y"], target, found.program.stride)


def _errors(error: Numbers, outputs: Numbers, bounds: Numbers) -> tuple[OutputError, ...]:
    """Of all steps: error and outputs (steps, O), bounds (O,)."""
    numbers = error.max(0), np.sqrt((error**2).mean(0)), outputs.min(0), outputs.max(0), bounds
    return tuple(OutputError(*map(float, each)) for each in zip(*numbers, strict=True))
