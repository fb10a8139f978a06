"""Penalties on parameters in a training: an option of `fit`."""

from __future__ import annotations

from typing import Any

from ..base import checks
from ..base.from_arguments import Immutable
from ..base.types import Penalties


class L1L2(Immutable):
    """Penalties that `fit` adds to the training loss, and not to that of validation: l1 times the sum of magnitudes of
    the effective parameters, and l2 times the sum of their squares.

    Parameters
    ----------
    l1, l2 : number >= 0, or dict from names of parameters to such numbers, optional
        As for `Model.loss_and_grad`.
    """

    l1: Penalties
    l2: Penalties

    def __init__(self, l1: Penalties = None, l2: Penalties = None) -> None:
        for name, factor in (("l1", l1), ("l2", l2)):
            if factor is not None and not isinstance(factor, dict):
                checks.number(name, factor)
        self.l1, self.l2 = l1, l2


def read_penalty(name: str, penalty: Any) -> L1L2:
    """`L1L2` as it is; one without penalties for None."""
    if penalty is None:
        return L1L2()
    if not isinstance(penalty, L1L2):
        raise TypeError(f"`{name}` must be L1L2(l1=..., l2=...), got {checks.brief(penalty)}")
    return penalty
