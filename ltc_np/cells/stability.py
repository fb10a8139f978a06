"""The longest unfolds that an explicit solver can take."""

from ..base import checks


def check_step(solver, ratio_name, meaning, fastest, dt, unfolds, remedy, reaction):
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
