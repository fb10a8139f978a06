"""What becomes of a call of `fit` before it begins: former arguments are translated, and a communicator is made the
ranks that belong to it."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from ..base.types import F
from .former import translate
from .ranks.communication import of_communicator


def across_ranks(function: F) -> F:
    """A decorator: instead of a communicator, the function gets as ``comm`` the `Alone` or `Ranks` that belongs to it,
    and instead of former arguments those of this version."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}

    @functools.wraps(function)
    def call(*args: Any, **given: Any) -> Any:
        translate(given, defaults)
        ranks = of_communicator(given.pop("comm", None))
        with ranks.together():
            return function(*args, comm=ranks, **given)

    return call  # type: ignore[return-value]
