"""What becomes of a call of `fit` before it begins: former names of options are translated, and a communicator is made
the ranks that belong to it."""

from __future__ import annotations

import functools
from typing import Any

from ..base import checks
from ..base.types import Communicator, F
from .ranks.communication import of_communicator
from .resume.folder import Checkpoints

# Former names, which this version takes with a warning that shows the new line, and what each is if it is not given.
OF_CHECKPOINTS: dict[str, Any] = {"every": None, "keep_last": 3, "resume": False}


def across_ranks(function: F) -> F:
    """A decorator: instead of a communicator, the function gets as ``comm`` the `Alone` or `Ranks` that belongs to it,
    and instead of former names of options the new ones."""

    @functools.wraps(function)
    def call(*args: Any, comm: Communicator | None = None, shares: bool = False, **given: Any) -> Any:
        former = {name: given.pop(name) for name in OF_CHECKPOINTS if name in given}
        if former:
            given["checkpoint"] = _checkpoints(given.get("checkpoint"), former)
        ranks = of_communicator(comm, shares)
        with ranks.together():
            return function(*args, comm=ranks, shares=shares, **given)

    return call  # type: ignore[return-value]


def _checkpoints(checkpoint: Any, former: dict[str, Any]) -> Checkpoints | None:
    """The `Checkpoints` that a folder and the former options mean; None without a folder."""
    if isinstance(checkpoint, Checkpoints):
        names = ", ".join(f"`{name}`" for name in former)
        raise TypeError(f"{names} must be given to `Checkpoints`, not beside it, got {checkpoint!r}")
    if checkpoint is None:
        for name, value in former.items():
            if value != OF_CHECKPOINTS[name]:
                raise ValueError(f"`{name}` must be left out without a folder `checkpoint`, got {value}")
        return None
    new = Checkpoints(checkpoint, **former)
    names = ", ".join(f"`{name}`" for name in former)
    checks.warn(
        f"ltc_np: {names} of `fit` will be refused by the next version: give checkpoint={new!r} (from ltc_np import "
        "Checkpoints)",
        FutureWarning,
    )
    return new
