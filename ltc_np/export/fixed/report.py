"""What is known of a fixed-point model: its errors, its formats, and the bytes that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...base.checks import counted
from .formats import Format


class OutputError(NamedTuple):
    """The error of one output against the same model in float64, on the calibration data.

    Attributes
    ----------
    largest, rms : float
        Of the magnitudes at all steps.
    low, high : float
        Between which the output lies.
    bound : float
        What is promised for other sequences like these; see `ltc_np.export.fixed.bound`.
    """

    largest: float
    rms: float
    low: float
    high: float
    bound: float

    @property
    def relative(self) -> float:
        """The largest error, as a part of the output's range; infinite where that is 0 and the error is not."""
        return _part(self.largest, self.high - self.low)

    @property
    def relative_rms(self) -> float:
        """The root mean square, as a part of the output's range."""
        return _part(self.rms, self.high - self.low)


def _part(error: float, of: float) -> float:
    return error / of if of > 0 else 0.0 if error == 0 else float("inf")


class Memory(NamedTuple):
    """Bytes in C: tables (weights, lists of synapses, functions) in flash, the state, temporary variables of a step,
    and a readout that learns, or 0."""

    tables: int
    state: int
    stack: int
    readout: int


class Report(NamedTuple):
    """What `ltc_np.export.fixed.quantise` found.

    Attributes
    ----------
    errors : tuple of OutputError
        One for each output.
    formats : tuple of Format
        Of all variables; those of ``x``, ``dt`` and ``y`` are the interface.
    saturated : dict
        What did not fit into 32 bits on the calibration data: a description -> how often.
    headroom : float
        How many times larger than on the calibration data numbers may become.
    sequences, steps : int
        Of the calibration data.
    memory : Memory
    """

    errors: tuple[OutputError, ...]
    formats: tuple[Format, ...]
    saturated: Mapping[str, int]
    headroom: float
    sequences: int
    steps: int
    memory: Memory

    @property
    def in_words(self) -> str:
        """What the head of the C says."""
        largest = max(error.largest for error in self.errors)
        relative = max(error.relative for error in self.errors)
        bound = max(error.bound for error in self.errors)
        steps = counted(self.steps, "step")
        return (
            f"Over {steps} of calibration data the outputs were within {largest:.1e} of those that the "
            f"model computes in float64, {relative:.1e} of their range; the bound for other sequences is {bound:.1e}."
        )

    def __str__(self) -> str:
        data = f"{counted(self.sequences, 'sequence')}, {counted(self.steps, 'step')}"
        lines = [
            f"fixed point, calibrated on {data}; headroom {self.headroom:g}",
            "output     lowest    highest  largest error  (of range)        rms      bound",
        ]
        for k, error in enumerate(self.errors):
            lines.append(
                f"{k:6d} {error.low:10.4g} {error.high:10.4g} {error.largest:14.2e} {error.relative:11.2e}"
                f" {error.rms:10.2e} {error.bound:10.2e}"
            )
        lines.append("variable             elements    largest  binary places")
        for each in self.formats:
            elements = ", ".join(f"{start}-{stop - 1}" for start, stop in each.elements)
            lines.append(f"{each.name:16s} {elements:>12s} {each.largest:10.4g} {each.places:14d}")
        lines += [f"saturated: {what}: {counted(count, 'time')}" for what, count in self.saturated.items()]
        readout = f", readout {self.memory.readout}" if self.memory.readout else ""
        lines.append(
            f"bytes: tables {self.memory.tables}, state {self.memory.state}, stack {self.memory.stack}{readout}"
        )
        return "\n".join(lines)
