"""Data, checked once and cut into batches and, for truncated backpropagation, these into chunks of steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ... import losses
from ...base import checks, frames
from ...base.types import Array, ArrayLike, Ints, LibraryLoss, Missing, Numbers, Shape, Targets
from ...data.padding import check_same_lengths, is_list_of_sequences, pad
from ...network.engine import Batch
from ...network.network import Network
from ...network.outputs import is_ordinary, too_short
from ...network.sequences import Sequences, check
from .arguments import DataArguments


class Batches(NamedTuple):
    """All of some data, of which `take` gives parts.

    Attributes
    ----------
    whole : Batch
    in_time : bool
        Target, weight and mask have an axis of time.
    cuts : bool
        A batch ends with its longest sequence.
    stride : int
        Steps for each of the targets, weights and masks.
    """

    whole: Batch
    in_time: bool
    cuts: bool
    stride: int

    @property
    def count(self) -> int:  # type: ignore[override]  # a tuple has one too, which nobody needs here
        """Sequences in all."""
        return self.whole.sequences.x.shape[0]

    @property
    def steps(self) -> int:
        """Steps of the longest."""
        return self.whole.sequences.x.shape[1]

    @property
    def dt(self) -> Array:
        """All elapsed times."""
        return self.whole.sequences.dt

    @property
    def lengths(self) -> Ints:
        """Those of all sequences."""
        return self.whole.sequences.lengths

    def sample(self) -> Batches:
        """`Batches` of which one may tell whether other arguments fit: these."""
        return self

    def at(self, rows: slice | Ints) -> tuple[Batches, slice | Ints]:
        """`Batches` with these sequences in them, and where."""
        return self, rows

    def take(self, rows: slice | Ints, steps: slice | None = None, h0: Array | None = None) -> Batch:
        """`Batch` of a slice or of indices of the sequences: whole, or a slice of their steps from the state ``h0``."""
        (x, dt, lengths, valid, start), target, weight, mask = self.whole
        T = self.steps
        lengths = lengths[rows]
        if steps is None:
            steps = slice(0, T)
        else:
            steps = slice(steps.start, min(steps.stop, T))
            lengths = np.clip(lengths - steps.start, 0, steps.stop - steps.start)
        if self.cuts:
            steps = slice(steps.start, steps.start + int(lengths.max()))

        def cut(a: Numbers | None, in_time: bool = True, s: int = 1) -> Any:
            if a is None:
                return None
            if not in_time or steps == slice(0, T):
                return a[rows]
            return np.ascontiguousarray(a[rows, steps.start // s : steps.stop // s])

        # A layer may return its state in a workspace, which the next call writes to.
        h0 = start[: lengths.size] if h0 is None else h0.copy()
        sequences = Sequences(cut(x), cut(dt), lengths, cut(valid), h0)
        return Batch(sequences, *(cut(a, self.in_time, self.stride) for a in (target, weight, mask)))

    def first_that_counts(self, count: int, size: int | None) -> Batch:
        """`Batch` of ``count`` sequences, the first that weigh anything: a chunk of ``size`` steps (None: all)."""
        rows, mask = np.arange(self.count), self.whole.mask
        if mask is not None:
            rows = np.flatnonzero(mask.reshape(rows.size, -1).any(axis=1))
        return self.take(rows[:count], next(self.chunks(rows[:count], size)))

    def chunks(self, rows: slice | Ints, size: int | None) -> Iterator[slice | None]:
        """Steps for `take`: chunks of ``size`` (None: whole), up to the last that weighs anything."""
        T, mask = self.steps, self.whole.mask
        if mask is None:
            stop = T
        elif self.in_time:
            weighs = mask[rows].any(axis=(0, *range(2, mask.ndim)))
            stop = (np.flatnonzero(weighs).max(initial=-1) + 1) * self.stride
        else:
            stop = T if mask[rows].any() else 0
        for first in range(0, stop, size or T):
            yield slice(first, first + size) if size else None


def prepare_data(
    model: Network,
    x: Targets,
    y: Targets,
    dt: Targets | None,
    lengths: ArrayLike | None,
    sample_weight: Targets | None,
    loss: LibraryLoss,
    missing: Missing,
) -> Batches:
    """`Batches` of arrays, or of lists of unequal sequences; the loss is from `losses.get`."""
    names, stride = frames.columns(x), model.layer_stack.stride
    if is_list_of_sequences(x):
        if lengths is not None:
            raise ValueError("`lengths` must be left out for a list of sequences, got both")
        own = [len(sequence) for sequence in x]
        x, lengths = pad(x, name="x")
        if x.shape[1] < stride:
            raise too_short(stride, x.shape[1])
        due = len(x), x.shape[1] // stride
        if model.return_sequences and np.shape(y if isinstance(y, np.ndarray) else ())[:2] != due:
            check_same_lengths("y", y, own, stride)
            y = pad(y, name="y")[0]
        if isinstance(dt, (list, tuple)):
            check_same_lengths("dt", dt, own)
            dt = pad(dt, name="dt")[0]
        if isinstance(sample_weight, (list, tuple)) and len(sample_weight) and np.ndim(sample_weight[0]) == 1:
            check_same_lengths("sample_weight", sample_weight, own, stride)
            sample_weight = pad(sample_weight, name="sample_weight")[0]
    elif lengths is not None and model.return_sequences:
        y = _padded("y", y, lengths, checks.plain("x", x, "(B, T, I) or a list of (T_i, I)").shape, stride)
    array = checks.plain("x", x, "(B, T, I) or a list of (T_i, I)")
    if array.ndim == 2:
        batch = "[x] is a list of one" if frames.is_pandas(x) else "x[None] is a batch of one"
        if model.input_size == 1 and array.shape[1] != 1:
            batch = "sequences of one feature are x[..., None]"
        raise ValueError(f"`x` must be (B, T, I) or a list of (T_i, I), got shape {array.shape}; {batch}")
    sequences, _ = check(model, x, dt, lengths, None, names=names)
    whole = model.make_batch(sequences, y, loss, sample_weight, missing)
    # A loss of one's own sees the padding, and how much there is.
    cuts = sequences.valid is not None and losses.takes_weight(loss)
    return Batches(whole, model.return_sequences, cuts, stride)


def prepare_part(model: Network, arguments: DataArguments, loss: LibraryLoss, missing: Missing) -> Batches:
    """`prepare_data` of `DataArguments` of a part of the data, whose weights are compared with those of others."""
    data, given = prepare_data(model, *arguments, loss, missing), arguments.sample_weight
    for weight in given if isinstance(given, (list, tuple)) else () if given is None else (given,):
        weight = np.asarray(weight)
        if not is_ordinary(weight).all():
            got = weight[~is_ordinary(weight)].flat[0] if weight.ndim else weight
            raise ValueError(
                "`sample_weight` must be 0 or in [1e-10, 1e10] for data that are read batch by batch, since only those "
                f"of one batch can be scaled together, got {got}"
            )
    return data


def _padded(name: str, values: Targets, lengths: ArrayLike, shape: Shape, stride: int) -> Targets:
    """A list of sequences of unequal length for a padded x of this shape, padded as it is; anything else as it is.

    They have one row for each ``stride`` steps of x.
    """
    of_steps = isinstance(values, (list, tuple)) and len(shape) == 3 and all(np.ndim(v) for v in values)
    if not of_steps or all(len(v) == shape[1] // stride for v in values):
        return values
    check_same_lengths(name, values, lengths, stride)
    if stride > 1 and not any(map(len, values)):
        raise too_short(stride, int(max(lengths)))
    return pad(values, name=name, steps=shape[1] // stride)[0]
