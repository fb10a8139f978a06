"""Outputs of many sequences, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from .. import losses
from ..base import checks, frames
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike, Bools, HasArray, Targets
from ..base.workspace import Workspace
from ..data import padding
from ..layers.pace import Pace
from ..layers.parallel import CutTime
from .elapsed import warn_of_times
from .network import Network
from .outputs import check_classes, check_logits, lengthened, valid_outputs
from .sequences import MISSING, check_state, read


@overload
def predict(
    self: Network,
    x: Sequence[HasArray],
    *,
    dt: Targets | None = None,
    lengths: None = None,
    h0: ArrayLike | None = None,
    batch_size: int | None = None,
    parallel_time: CutTime = None,
) -> list[Array] | Array: ...
@overload
def predict(
    self: Network,
    x: ArrayLike,
    *,
    dt: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    batch_size: int | None = None,
    parallel_time: CutTime = None,
) -> Array: ...
@with_signature_hints
def predict(
    self: Network,
    x: Any,
    *,
    dt: Any = None,
    lengths: Any = None,
    h0: ArrayLike | None = None,
    batch_size: int | None = None,
    parallel_time: CutTime = None,
) -> list[Array] | Array:
    """Outputs of many sequences, a bounded number at a time.

    Parameters
    ----------
    x : (B, T, I) array, or a list of (T_i, I) arrays
        For a list ``dt`` may be a number or a list of (T_i,), and a list of (T_i, O) comes back.  A `numpy.memmap` is
        read in parts.
    dt, lengths, h0
        As for a call.
    batch_size : int, optional
        Sequences at a time; default as many as keep memory around 4 million numbers.
    parallel_time
        As for a call.

    Warns
    -----
    RuntimeWarning
        Elapsed times are given that `fit` had none of, or the reverse, or times that are far from all that it had.
    """
    found = _outputs(self, x, dt, lengths, h0, batch_size, parallel_time)
    warn_of_times(self.trained, dt, lengths)
    return found


def _outputs(
    network: Network, x: Any, dt: Any, lengths: Any, h0: Any, batch_size: int | None, parallel_time: CutTime
) -> list[Array] | Array:
    """`predict`, without a look at what the training was."""
    if isinstance(x, np.memmap) and x.ndim == 3:
        return _of_file(network, x, dt, lengths, h0, batch_size, parallel_time)
    if padding.is_list_of_sequences(x):
        if lengths is not None:
            raise ValueError("`lengths` must be left out for a list of sequences, got both")
        return _of_list(network, x, dt, h0, batch_size, parallel_time)
    engine = network.engine
    given = read(network, x, dt, lengths, h0, network.return_sequences)
    B, T, _ = given.sequences.x.shape
    n = engine.sequences_at_once(T) if batch_size is None else checks.integer("batch_size", batch_size)
    workspace, parts, cutting = Workspace(), [], network.cutting(parallel_time)
    prepared = engine.prepare(workspace)
    engine.check(prepared, given.sequences)
    pace = network.pace(given.sequences)
    for first in range(0, B, n):
        rows = slice(first, first + n)
        part = given.part(rows)
        y, state, _ = engine.forward(prepared, part.sequences, None, workspace, parallel_time=cutting)
        engine.check_outputs(y, state, part.sequences.dt)
        # y may lie in the workspace, which the next part writes to.
        parts.append(part.outputs(y.copy() if network.return_sequences else y, pace.part(rows)))
    return parts[0] if given.single else np.concatenate(parts)


@overload
def predict_proba(
    self: Network,
    x: Sequence[HasArray],
    *,
    dt: Targets | None = None,
    lengths: None = None,
    h0: ArrayLike | None = None,
    batch_size: int | None = None,
    multilabel: bool = False,
) -> list[Array] | Array: ...
@overload
def predict_proba(
    self: Network,
    x: ArrayLike,
    *,
    dt: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    batch_size: int | None = None,
    multilabel: bool = False,
) -> Array: ...
@with_signature_hints
def predict_proba(
    self: Network,
    x: Any,
    *,
    dt: Any = None,
    lengths: Any = None,
    h0: ArrayLike | None = None,
    batch_size: int | None = None,
    multilabel: bool = False,
) -> list[Array] | Array:
    """Probabilities of classes for many sequences, of a model that was trained with a cross-entropy.

    Parameters
    ----------
    x, dt, lengths, h0, batch_size
        As for `predict`.
    multilabel : bool
        Every output is a class of its own, true or not whatever the others are, as for ``"binary_cross_entropy"`` with
        several outputs.

    Returns
    -------
    (B, T, C), or what `predict` gives for other x and for models of last outputs, with C instead of O
        Of several outputs the softmax, C = O: the classes of ``"cross_entropy"``; with ``multilabel`` the logistic
        function of each.  Of one output, which is the logit of class 1, the probabilities of class 0 and of class 1,
        C = 2; with ``multilabel`` that of class 1 alone.  Where `predict` gives 0 because a sequence has ended, 0;
        where it gives NaN, since no output of a stride has fallen due, NaN.

    Raises
    ------
    ValueError
        As for `predict`; a model whose outputs are no logits, since its last layer is a `Dense` with sigmoid or
        brings them back to the data's units (`Standardize`), or since `fit` has minimised a loss of numbers; a
        ``multilabel`` that does not belong to the loss of `fit`.

    Examples
    --------
    >>> from ltc_np import LTCRNN, AutoNCP
    >>> model = LTCRNN(AutoNCP(8, 3), input_dim=2, seed=0)
    >>> p = model.predict_proba(np.ones((5, 4, 2)), lengths=[4, 4, 4, 4, 2])
    >>> p.shape, p[4].sum(axis=1).round(5).tolist()
    ((5, 4, 3), [1.0, 1.0, 0.0, 0.0])
    """
    check_logits(self, "`predict_proba`")
    multilabel = checks.boolean("multilabel", multilabel)
    check_classes(self, f"`predict_proba(multilabel={multilabel})`", multilabel)
    y = predict(self, x, dt=dt, lengths=lengths, h0=h0, batch_size=batch_size)
    if isinstance(y, list):
        return [losses.probabilities(part, multilabel) for part in y]
    valid: Bools | None = None
    p = losses.probabilities(y, multilabel)
    if padding.is_list_of_sequences(x):
        valid = np.array([len(sequence) > 0 for sequence in x])
    elif lengths is not None:
        lengths, every = np.asarray(lengths), self.return_sequences
        valid = valid_outputs(_due(self, np.shape(x)[1], lengths, h0).valid if every else lengths > 0, lengths, every)
    if valid is not None:
        p[~valid] = 0
    return p


def _due(network: Network, T: int, lengths: ArrayLike | None, h0: ArrayLike | None) -> Pace:
    """Which outputs there are of sequences of these lengths, padded to T steps."""
    B = 1 if lengths is None else np.size(lengths)
    return network.layer_stack.pace(Pace(T, *checks.lengths(lengths, B, T)), check_state(network, "h0", h0, B, False))


def _of_file(
    network: Network,
    x: Any,
    dt: Any,
    lengths: ArrayLike | None,
    h0: Any,
    batch_size: int | None,
    parallel_time: CutTime,
) -> Array:
    """`predict` for a (B, T, I) array in a file, of which some sequences at a time are read."""
    B, T, _ = x.shape
    n = network.engine.sequences_at_once(T) if batch_size is None else checks.integer("batch_size", batch_size)
    lengths, outputs = checks.lengths(lengths, B, T)[0], []
    for name, values in (("dt", dt), ("h0", h0)):
        if np.ndim(values) == 2 and len(values) != B:
            raise ValueError(f"`{name}` must be of the {B} sequences of x, got {len(values)}")
    most = _due(network, T, lengths, h0).T
    for first in range(0, B, n):
        rows = slice(first, first + n)
        if not lengths[rows].any():
            shape = (most, network.output_size) if network.return_sequences else (network.output_size,)
            outputs.append(np.zeros((lengths[rows].size, *shape), network.dtype))
            continue
        own_dt, own_h0 = (np.asarray(values)[rows] if np.ndim(values) == 2 else values for values in (dt, h0))
        y = _outputs(network, np.asarray(x[rows]), own_dt, lengths[rows], own_h0, n, parallel_time)
        outputs.append(lengthened(y, most) if network.return_sequences else y)
    return np.concatenate(outputs)


def _of_list(
    network: Network, x: Any, dt: Any, h0: Any, batch_size: int | None, parallel_time: CutTime
) -> list[Array] | Array:
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
        y = _outputs(network, padded, part_dt, own, start, batch_size, parallel_time)
        due = _due(network, longest, own, start).lengths
        outputs += [y[b, :n].copy() for b, n in enumerate(due)] if every else list(y)
        first = last
    return outputs if every else np.stack(outputs)
