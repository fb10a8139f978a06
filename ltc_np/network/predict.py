"""Outputs of many sequences, a bounded number at a time."""

import numpy as np

from ..base import checks, frames
from ..base.workspace import Workspace
from ..data import padding
from .sequences import MISSING, check_state, read


def predict(self, x, dt=None, *, lengths=None, h0=None, batch_size=None):
    """Outputs of many sequences, a bounded number at a time.

    Parameters
    ----------
    x : (B, T, I) array, or a list of (T_i, I) arrays
        For a list ``dt`` may be a number or a list of (T_i,), and a list of (T_i, O) comes back.
    dt, lengths, h0
        As for a call.
    batch_size : int, optional
        Sequences at a time; default as many as keep memory around 4 million numbers.
    """
    if padding.is_list_of_sequences(x):
        if lengths is not None:
            raise ValueError("`lengths` must be left out for a list of sequences, got both")
        return _of_list(self, x, dt, h0, batch_size)
    engine = self.engine
    given = read(self, x, dt, lengths, h0, self.return_sequences)
    B, T, _ = given.sequences.x.shape
    n = engine.sequences_at_once(T) if batch_size is None else checks.integer("batch_size", batch_size)
    workspace, parts = Workspace(), []
    prepared = engine.prepare(workspace)
    engine.check(prepared, given.sequences.dt)
    for first in range(0, B, n):
        part = given.part(slice(first, first + n))
        y, state, _ = engine.forward(prepared, part.sequences, None, workspace)
        engine.check_outputs(y, state, part.sequences.dt)
        # y may lie in the workspace, which the next part writes to.
        parts.append(part.outputs(y.copy() if self.return_sequences else y))
    return parts[0] if given.single else np.concatenate(parts)


def _of_list(network, x, dt, h0, batch_size):
    """`predict` for a list of (T_i, I): padded in groups, so that one long sequence does not lengthen all."""
    I, O, dtype, every = network.input_size, network.output_size, network.dtype, network.return_sequences
    frames.check_same_columns("x", x)
    for k, sequence in enumerate(x):
        names = frames.columns(sequence)
        sequence = checks.real(f"x[{k}]", sequence, dtype, f"(T, {I})", bools=True)
        if sequence.shape[1] != I:
            raise ValueError(f"`x[{k}]` must be (T, {I}), got shape {sequence.shape}")
        checks.finite(f"x[{k}]", sequence, None, names, MISSING)
    lengths = [len(sequence) for sequence in x]
    if isinstance(dt, (list, tuple)):
        padding.check_same_lengths("dt", dt, lengths)
    elif np.ndim(dt) > 0:
        raise ValueError(f"`dt` must be a number or a list for a list of sequences, got shape {np.shape(dt)}")
    if batch_size is not None:
        checks.integer("batch_size", batch_size)
    B, first, outputs = len(x), 0, []
    if h0 is not None:
        h0 = check_state(network, "h0", h0, B, False)
    while first < B:
        last, longest = first + 1, lengths[first]
        while last < B:
            longest = max(longest, lengths[last])
            fits = batch_size or network.engine.sequences_at_once(max(longest, 1))
            if last - first >= fits:
                break
            last += 1
        if not any(lengths[first:last]):
            empty = np.zeros((0, O) if every else O, dtype)
            outputs += [empty.copy() for _ in range(first, last)]
            first = last
            continue
        padded, own = padding.pad(x[first:last], name="x")
        part_dt = padding.pad(dt[first:last], name="dt")[0] if isinstance(dt, (list, tuple)) else dt
        start = None if h0 is None else h0[first:last]
        y = predict(network, padded, part_dt, lengths=own, h0=start, batch_size=batch_size)
        outputs += [y[b, :n].copy() for b, n in enumerate(own)] if every else list(y)
        first = last
    return outputs if every else np.stack(outputs)
