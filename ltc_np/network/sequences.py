"""What goes into a network, checked once: sequences, their elapsed times and lengths, the state they start from.

The rules stand here for every way in: arrays of the host, arrays on a card (`ltc_np.network.cuda`), single steps
(`ltc_np.network.stream`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import checks, frames
from ..base.types import Array, ArrayLike, Bools, DropoutSeed, Ints, Memory, Shape
from ..base.workspace import Fresh, Workspace
from ..layers.pace import Pace
from .outputs import d_last_outputs, last_outputs, lengthened
from .structure import Structure

KEPT = 1 << 16  # steps of all sequences of a call: more elapsed times of 1 are made for each call
# What errors about a NaN in the inputs say besides.
MISSING = "; where values are missing, `ltc_np.data.forward_fill` fills them in and says since when"


class Sequences(NamedTuple):
    """Checked arrays of the host, of a network's dtype; x and dt are 0 behind a sequence's end.

    Attributes
    ----------
    x : (B, T, I) array
    dt : (B, T) array
    lengths : (B,) int64 array
    valid : (B, T) bool array, or None where all sequences are full
    h0 : (B, K) array
    """

    x: Array
    dt: Array
    lengths: Ints
    valid: Bools | None
    h0: Array

    def part(self, rows: slice) -> Sequences:
        """Some of the sequences, by a slice."""
        x, dt, lengths, valid, h0 = self
        return Sequences(x[rows], dt[rows], lengths[rows], None if valid is None else valid[rows], h0[rows])


class CallArguments(NamedTuple):
    """The arguments of a call: the sequences, and in which form the answer is wanted.

    Attributes
    ----------
    sequences : Sequences
    dt_shape : tuple
        Of the caller's dt, for the shape of its gradient.
    return_sequences : bool
        Outputs of every step, or of each sequence's last one.
    single : bool
        The caller gave one sequence, without the axis of the batch.
    """

    sequences: Sequences
    dt_shape: Shape
    return_sequences: bool
    single: bool

    def part(self, rows: slice) -> CallArguments:
        """Some of the sequences, by a slice."""
        return self._replace(sequences=self.sequences.part(rows))

    def outputs(self, y: Array, pace: Pace) -> Array:
        """What the caller gets of y (B, T, O): NaN as the last output where there are steps, and none fell due."""
        T, lengths, _ = pace
        if self.return_sequences:
            y = lengthened(y, T)
        else:
            y = last_outputs(y, lengths)
            early = (lengths == 0) & (self.sequences.lengths > 0)
            if early.any():
                y[early] = np.nan
        return y[0] if self.single else y

    def d_outputs(self, d_y: Array, pace: Pace) -> Array:
        """Adjoint of `outputs`: (B, T, O), 0 behind a sequence's end."""
        T, lengths, valid = pace
        d_y = d_y[None] if self.single else d_y
        if not self.return_sequences:
            return d_last_outputs(d_y, lengths, T)
        return d_y if valid is None else np.where(valid[:, :, None], d_y, d_y.dtype.type(0))

    def state(self, h: Array) -> Array:
        """What the caller gets of a state (B, K)."""
        return h[0] if self.single else h

    def d_elapsed(self, d_dt: Array | None) -> Any:
        """The gradient of the caller's dt, of its shape, from that of every step (B, T); None for None."""
        if d_dt is None or len(self.dt_shape) == 2:
            return d_dt
        if self.dt_shape == ():
            return d_dt.dtype.type(d_dt.sum(dtype=np.float64))
        return d_dt.sum(0, dtype=np.float64).astype(d_dt.dtype)


def check_shape(
    shape: Shape, input_size: int, lengths: ArrayLike | None, names: Sequence[object] | None = None
) -> tuple[int, int, bool]:
    """(B, T, whether it is a single sequence) of an x of this shape; an error if it does not fit."""
    if len(shape) not in (2, 3) or shape[-1] != input_size:
        expected = f"(B, T, {input_size}) or (T, {input_size})"
        columns = "" if names is None else f", columns {', '.join(map(repr, names))}"
        hint = ": sequences of one feature are x[..., None]" if input_size == 1 and len(shape) == 2 else ""
        raise ValueError(f"`x` must be {expected}, got shape {shape}{columns}{hint}")
    if 0 in shape:
        raise ValueError(f"`x` must hold at least one sequence of at least one step, got shape {shape}")
    if len(shape) == 3:
        return *shape[:2], False
    if lengths is not None:
        raise ValueError(f"`lengths` needs a batch (B, T, {input_size}), got a single sequence (T, {input_size})")
    return 1, shape[0], True


def check_takes_dt(network: Structure, dt: object) -> None:
    """Refuse elapsed times for a network that does not know them."""
    if dt is not None and not network.takes_dt:
        raise ValueError(
            f"`dt` must be left out: no layer of this model has a notion of elapsed time, got {checks.brief(dt)}"
        )


def state_shape(K: int, B: int, single: bool) -> tuple[Shape, str]:
    """The shape of a state, and how messages call it."""
    return ((K,), f"({K},)") if single else ((B, K), f"(B, K) = ({B}, {K})")


def check_state(network: Structure, name: str, state: ArrayLike | None, B: int, single: bool) -> Array:
    """A state as (B, K); None is the state at the start."""
    if state is None:
        return network.starting_state(B)
    shape, expected = state_shape(network.state_size, B, single)
    state = checks.real(name, state, network.dtype, expected)
    if state.shape != shape:
        raise ValueError(f"`{name}` must have shape {expected}, got {state.shape}")
    checks.finite(name, state)
    return state.reshape(B, network.state_size)


def read(
    network: Structure,
    x: Any,
    dt: ArrayLike | None,
    lengths: ArrayLike | None,
    h0: ArrayLike | None,
    return_sequences: bool,
    workspace: Workspace | None = None,
    quick: Callable[[Array], bool] = checks.surely_finite,
) -> CallArguments:
    """`CallArguments` of a call's arguments, arrays of the host; see `check`."""
    sequences, single = check(network, x, dt, lengths, h0, workspace, quick=quick)
    dt_shape = () if dt is None else np.shape(dt)
    return CallArguments(sequences, dt_shape, return_sequences, single)


def check(
    network: Structure,
    x: Any,
    dt: ArrayLike | None,
    lengths: ArrayLike | None,
    h0: ArrayLike | None,
    workspace: Workspace | None = None,
    names: Sequence[object] | None = None,
    quick: Callable[[Array], bool] = checks.surely_finite,
) -> tuple[Sequences, bool]:
    """`Sequences` of arrays of the host, and whether it was a single one.

    A workspace keeps what only the shape decides, where it is small: the rest would take memory, and it takes no share
    of the time to make it anew.  ``names`` are those of the columns, where x itself has none; ``quick`` is as for
    `checks.finite`.
    """
    I, dtype = network.input_size, network.dtype
    names = names or frames.columns(x)
    x = checks.real("x", x, dtype, f"(B, T, {I}) or (T, {I})", bools=True)
    B, T, single = check_shape(x.shape, I, lengths, names)
    x = x[None] if single else x
    if workspace is None or B * T > KEPT:
        workspace = Fresh()
    if lengths is None:
        lengths, valid = workspace.kept("lengths", (B, T), lambda: checks.lengths(None, B, T))
    else:
        lengths, valid = checks.lengths(lengths, B, T)
    checks.finite("x", x, valid, names, MISSING, quick)
    if valid is not None:
        x = np.where(valid[:, :, None], x, dtype.type(0))
    check_takes_dt(network, dt)
    if dt is None and valid is None:
        dt = workspace.kept("dt", (B, T), lambda: checks.elapsed(None, B, T, dtype, None, single))
    else:
        dt = checks.elapsed(dt, B, T, dtype, valid, single)
    return Sequences(x, dt, lengths, valid, check_state(network, "h0", h0, B, single)), single


# ------------------------------------------------------------------------- how a call with a tape is to be made


def check_memory(memory: Memory) -> Memory:
    """``memory`` if it is one of the two words."""
    return checks.one_of("memory", memory, ("full", "low"))


def check_dropout_seed(seed: DropoutSeed) -> tuple[int, ...] | None:
    """``seed`` as a tuple of ints, or None."""
    if seed is None:
        return None
    return tuple(checks.integer("dropout_seed", s, 0) for s in (seed if isinstance(seed, tuple) else (seed,)))
