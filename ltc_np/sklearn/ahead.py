"""What a forecast is asked for: how far, after which past, and what is known of the steps that are forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..base import checks, foreign_names
from ..base.types import Array
from . import series
from .framing import Frame, Prepared
from .series import Collection, Form


class Request(NamedTuple):
    """A forecast that is requested.

    Attributes
    ----------
    horizon : int
    ends : list of (Prepared, int)
        Series with what is known of later steps, and how many steps of each have been observed.
    form : Form
        How the series came, and how forecasts go.
    """

    horizon: int
    ends: list[tuple[Prepared, int]]
    form: Form


@dataclass(frozen=True)
class Ahead:
    """The named arguments of `LiquidForecaster.predict`."""

    exogenous: Any = None
    dt: Any = None
    past_exogenous: Any = None
    past_dt: Any = None

    @classmethod
    def read(cls, given: dict[str, Any]) -> Ahead:
        """Those of a call."""
        known = tuple(cls.__dataclass_fields__)
        for name in given:
            if name not in known:
                raise TypeError(f"a forecast has no argument `{name}`: {foreign_names.argument(name, known)}")
        return cls(**given)

    def request(self, horizon: int, steps: int, past: Any, ends: list[Prepared], form: Form, frame: Frame) -> Request:
        """A forecast after ``past``, or after the ends of the series of fit; ``steps``: those that are read ahead."""
        if past is None:
            for name in ("past_exogenous", "past_dt"):
                if getattr(self, name) is not None:
                    raise ValueError(f"`past` must be given with `{name}`, got None")
            prepared = ends
        else:
            data = series.read("past", past, self.past_exogenous, self.past_dt, prefix="past_")
            prepared, form = read_past("past", data, frame, "past_"), data.form
            for k, one in enumerate(prepared):
                if len(one.values) <= frame.lag:
                    at = f"[{k}]" if form.listed else ""
                    raise ValueError(f"`past{at}` must have more than {frame.lag} steps, got {len(one.values)}")
        later = self._later(prepared, steps, frame, form.listed)
        return Request(horizon, [(one.going_on(*more), len(one.values)) for one, more in later], form)

    def _later(
        self, prepared: Sequence[Prepared], steps: int, frame: Frame, listed: bool
    ) -> list[tuple[Prepared, tuple[Array, Array | None]]]:
        """With each series exogenous values and elapsed times of the steps that are forecast."""
        known = frame.exogenous if frame.in_advance else 0
        if self.exogenous is not None and not known:
            why = "which are not known in advance" if frame.exogenous else "since fit had none"
            raise ValueError(f"`exogenous` must be left out, {why}, got {checks.brief(self.exogenous)}")
        others = series.for_each("exogenous", self.exogenous, prepared, listed)
        times = series.for_each("dt", self.dt, prepared, listed)
        found = []
        for k, (one, more, elapsed) in enumerate(zip(prepared, others, times, strict=True)):
            at = f"[{k}]" if listed else ""
            check_timed(f"dt{at}", elapsed, frame)
            values = series.read_exogenous(f"exogenous{at}", more, steps, known)
            # Those that are not known in advance are not read beyond the end.
            values = values if known else np.zeros((steps, frame.exogenous))
            found.append((one, (values, series.read_dt(f"dt{at}", elapsed, steps))))
        return found


def check_timed(name: str, dt: Any, frame: Frame) -> None:
    """Refuse elapsed times where fit had none, and none where it had them."""
    if frame.timed and dt is None:
        raise ValueError(f"`{name}` must be given, since fit had elapsed times, got None")
    if not frame.timed and dt is not None:
        raise ValueError(f"`{name}` must be left out, since fit had no elapsed times, got {checks.brief(dt)}")


def read_past(name: str, data: Collection, frame: Frame, prefix: str = "") -> list[Prepared]:
    """Series for a network that is there, which they must fit; ``prefix`` of the names of what belongs to them."""
    F, E = len(frame.first), frame.exogenous
    one = data.series[0]
    if one.values.shape[1] != F:
        raise ValueError(f"`{name}` must have {F} values a step, as in fit, got {one.values.shape[1]}")
    if one.exogenous.shape[1] != E:
        raise ValueError(f"`{prefix}exogenous` must have {E} values a step, as in fit, got {one.exogenous.shape[1]}")
    check_timed(f"{prefix}dt", one.dt, frame)
    return [frame.prepare(one) for one in data.series]
