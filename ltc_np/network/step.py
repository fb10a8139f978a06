"""One time step of a network: the method `step`.  What it keeps between calls is in `ltc_np.network.stream`."""

from __future__ import annotations

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike
from .elapsed import warn_of_none
from .network import Network
from .stream import Stream


def check_causal(
    network: Network, needs: str = "`step` needs", remedy: str = "call the model on whole sequences"
) -> None:
    """Refuse layers that cannot go step by step."""
    if not network.layer_stack.causal:
        raise ValueError(
            f"{needs} layers whose outputs depend on no later input (flag `causal`), got "
            f"{next(layer for layer in network.layers if not layer.causal)!r}: {remedy}"
        )


@with_signature_hints
def step(
    self: Network,
    x_t: ArrayLike,
    *,
    dt: ArrayLike | None = None,
    state: ArrayLike | None = None,
    out: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]:
    """One time step, for streams: ``(y_t, state)``.

    The same as the sequence call: to the bit for layers with the flag ``bitwise_batch`` (`LTC`), else up to
    rounding.  While theta does not change its prepared form is kept.  An error for models whose outputs depend on
    later inputs (`Bidirectional`).

    Behind a layer with a stride an output falls due every so many steps; in the steps between, y_t is NaN, of each
    sequence of a batch by itself.

    Parameters
    ----------
    x_t : (I,) array, or (B, I)
    dt : number, or (B,) array for a batch, optional
        Elapsed time since the step before.  Default 1.
    state : (K,) or (B, K) array, optional
        From the step before; default `initial_state`.
    out : tuple of arrays (y_t, state), optional
        Where to put the result, and what is returned: (O,) or (B, O), and (K,) or (B, K), of the model's dtype.
        The state given may be the same array.  With it, and arrays of the model's dtype, nothing is allocated.
    """
    check_causal(self)
    if dt is None and self.trained is not None:
        warn_of_none(self.trained)
    x = x_t
    if type(x) is not np.ndarray or x.dtype != self.dtype:
        x = checks.real("x_t", x_t, self.dtype, f"({self.input_size},) or (B, {self.input_size})", True)
    if x.ndim not in (1, 2) or x.shape[-1] != self.input_size or x.size == 0:
        raise ValueError(f"`x_t` must be ({self.input_size},) or (B, {self.input_size}), got shape {x.shape}")
    stream, y, state = advance(self, x, dt, state)
    return stream.write(y, state, out, x.ndim == 1)


def advance(network: Network, x: Array, dt: ArrayLike | None, state: ArrayLike | None) -> tuple[Stream, Array, Array]:
    """`step` of a network that goes step by step, for x of its dtype, of shape (I,) or (B, I), without a copy: the
    stream, y (B, 1, O) and the state (B, K), in arrays that its next step may write to."""
    single, engine = x.ndim == 1, network.engine
    prepared, stream = engine.stream(1 if single else x.shape[0])
    stream.read(x, dt, state, single)
    engine.check(prepared, stream.sequences)
    due = None if network.layer_stack.stride == 1 else network.pace(stream.sequences).lengths
    y, after = stream.run()
    if network.last_parallel:
        network.note_parallel(())  # a step is never cut
    engine.check_outputs(y, after, stream.dt)
    if due is not None:
        y[due == 0] = np.nan
    return stream, y, after
