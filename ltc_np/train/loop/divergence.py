"""What is said where a loss or a gradient is not finite: what it was, where, and what to do about it."""

from __future__ import annotations

import math

from ...optim.clip import Clip


class Diverged(FloatingPointError):
    """A training that has made steps has overflowed: a smaller learning rate may help."""


def message(
    what: str,
    value: float,
    norm: float | None,
    where: str,
    *,
    updated: bool,
    own_loss: str | None,
    takes_dt: bool,
    clip: Clip | None = None,
) -> str:
    """The text of the error.

    Parameters
    ----------
    what : str
        What ``value`` is, such as "loss".
    value : float
    norm : float or None
        Of the gradient; None if none was computed.
    where : str
        Where training was, with a space before it; "" if that says nothing.
    updated : bool
        Whether a step had been made before.
    own_loss : str or None
        The name of the user's own loss if it alone is to blame, since the outputs are finite.
    takes_dt : bool
        Whether the model takes elapsed times.
    clip : Clip or None
        How gradients are clipped already.
    """
    kept = "the model keeps the parameters of before the last step" if updated else "no step has been made yet"
    if own_loss is not None:
        part = "whose `d_y` may not be finite" if math.isfinite(value) else "which gave this value"
        advice = f"{kept}, and the outputs have not overflown: look at your loss {own_loss}, {part}"
    elif updated:
        other = " or set `clip_norm`" if clip is None else f", since gradients are clipped already, by {clip!r}"
        advice = f"{kept}: lower the learning rate{other}"
    else:
        part = "backward" if math.isfinite(value) else "forward"
        times = "take shorter elapsed times `dt`, " if takes_dt else "take "
        advice = (
            f"{kept}, so the {part} pass or the loss overflows with the parameters as they were: {times}inputs or "
            "targets of a smaller scale, or smaller initial weights"
        )
    gradient = "" if norm is None else f" with gradient norm {norm:g}"
    return f"{what} {value:g}{gradient}{where}; {advice}"
