"""The longest unfolds that an explicit solver can take."""

from __future__ import annotations

from ..base import checks
from ..base.types import Array, Reaction
from ..kernels.codes import Solver


def check_step(
    solver: Solver,
    ratio_name: str,
    meaning: str,
    fastest: float,
    dt: Array,
    unfolds: int,
    remedy: str,
    reaction: Reaction,
) -> None:
    """Refuse, or warn of, unfolds so long that an explicit solver amplifies its errors.

    Parameters
    ----------
    solver : Solver
        With a ``limit``.
    ratio_name, meaning : str
        What the limit is one of, and a few words on it, for the message.
    fastest : float
        The largest rate, per unit of time: the ratio is h times it.
    dt (B, T), unfolds
    remedy : str
        The solver to use instead, as an argument.
    reaction : "error" or "warn"
    """
    longest = float(dt.max())
    ratio = longest * fastest / unfolds
    if ratio >= solver.limit:
        message = (
            f'`dt` must keep {ratio_name} < {solver.limit:g} with solver="{solver.name}" '
            f"(h = dt/ode_unfolds{meaning}), got {ratio:.4g} for dt = {longest:.4g}: use ode_unfolds="
            f'{int((1 + 1e-9) * longest * fastest / solver.limit) + 1}, {remedy}, or check_stability="off"'
        )
        if reaction == "error":
            raise ValueError(message)
        checks.warn(message)
