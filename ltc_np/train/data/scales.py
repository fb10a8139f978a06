"""The scales of data: learned by `Standardize` and `MixtureDensity`, and warned of where a model has neither."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ... import losses
from ...base import checks
from ...base.calls import with_signature_hints
from ...base.types import Array, ArrayLike, LibraryLoss, Numbers, Targets
from ...cells import Layer
from ...data.padding import is_list_of_sequences, pad
from ...layers import MixtureDensity, Residual, Standardize
from ...network.engine import Batch
from ...network.network import Network
from ...network.outputs import last_outputs
from ...network.sequences import check
from ..ranks.communication import ALONE, Alone
from .batches import Batches, prepare_data
from .sources import Data

Moments: TypeAlias = tuple[Array, Array, Array]

# Beyond this a network with the usual initial values and learning rates hardly learns: its synapses saturate, or the
# loss is too small or too large for a step to matter.  See docs/decisions/training.md, "Data far from unit scale".
LARGEST_MEAN, SPREADS = 10.0, (0.01, 10.0)
FARTHEST = 10.0  # spreads from the mean: a feature with a value beyond has one value in 99 of 100 places or more
STEPS = 100  # in a standard deviation; fewer of them have lost what the data say, such as seconds since 1970 in float32
SAMPLE = 1000  # sequences that are looked at
ADAPT_FIRST = "call `model.adapt(x, y)` with as many sequences as fit into memory, before `fit`"


@with_signature_hints
def adapt(model: Network, x: Targets, y: Targets | None = None, *, lengths: ArrayLike | None = None) -> None:
    """Take mean and spread of data into the `Standardize` layers of ``model``.

    A layer that reads ``x`` takes those of ``x``: the first of the model, or of layers inside the first one, such as
    `Residual`, `Bidirectional` and `MixedMemory`.  A last layer with ``inverse=True``, or `MixtureDensity`, takes those
    of ``y``; at the end of a `Residual` that is all of the model, those of y - x, which is what it has to give.  Every
    feature is taken by itself, over all valid steps.  A feature that is constant keeps the spread 1.

    Parameters
    ----------
    x : (B, T, I) array, or list of (T_i, I) arrays
    y : array, or list where x is one, optional
        Needed by an inverse layer.  NaN is a missing target, and is left out.
    lengths : (B,) integers, optional
        Padding is not read.

    Warns
    -----
    RuntimeWarning
        A feature's mean is so much larger than its spread that the model's dtype does not hold the differences.

    Raises
    ------
    ValueError
        The model has no such layer, or the targets are missing.
    """
    places = _places(model)
    if not places:
        raise ValueError(
            "`model` must begin with Standardize() or end with Standardize(inverse=True) or MixtureDensity to be "
            f"adapted, got {model!r}"
        )
    if places.last is not None and y is None:
        raise ValueError(f"`y` must be given, since the last layer is {model.layers[-1]!r}, got None")
    if y is None:
        if is_list_of_sequences(x):
            x, lengths = pad(x, name="x")
        sequences, _ = check(model, x, None, lengths, None)
        _take(model, places.first, "x", sequences.x, sequences.valid)
    else:
        loss = losses.get("mixture_density" if isinstance(model.layers[-1], MixtureDensity) else "mse")
        take_scales(model, prepare_data(model, x, y, None, lengths, None, loss, "ignore"))


def take_scales(model: Network, data: Data, ranks: Alone = ALONE) -> None:
    """`adapt` with checked `Batches` of all data, or of this rank's part of them."""
    places = _places(model)
    if not places:
        raise ValueError(
            "`standardize` needs a model that begins with Standardize() or ends with Standardize(inverse=True) or "
            f"MixtureDensity, got {model!r}"
        )
    if not isinstance(data, Batches):
        raise ValueError(f"`standardize` must be False for arrays that lie in a file, got True: {ADAPT_FIRST}")
    batch = data.whole
    if places.first:
        _take(model, places.first, "x", batch.sequences.x, batch.sequences.valid, ranks)
    if places.last is not None:
        size, got = model.buffers[f"{places.last}mean"].size, batch.target.shape
        if batch.target.dtype.kind != "f" or got[-1:] != (size,):
            found = f"shape {got}" if batch.target.dtype.kind == "f" else "classes"
            raise ValueError(
                f"`y` must be real numbers, {size} at a time, for a model that ends with {model.layers[-1]!r} and is "
                f"trained with `standardize`, got {found}"
            )
        _take(model, (places.last,), "y", places.wanted(model, batch), batch.mask, ranks)


def loss_unit(model: Network, loss: LibraryLoss) -> float:
    """What the gradient of a loss is multiplied by in training: it is then that of targets with spread 1.

    Otherwise a target with spread 1e-5 would have gradients below the epsilon of `Adam`, and for one with spread 1e3
    learning rates of `SGD`, limits of clipping and penalties would mean something else.

    Raises
    ------
    ValueError
        The targets' spread is so small that the model's dtype holds no losses of that size.
    """
    last, powers = _places(model).last, losses.scale_powers(loss)
    if last is None or powers is None:
        return 1.0
    scale = model.buffers[f"{last}scale"].astype(np.float64)
    in_unit, in_value = powers
    if not in_value:  # a likelihood: only the density is as wide as the targets
        return 1.0
    least = float(np.finfo(model.dtype).tiny) ** (1 / in_value)
    if scale.max() < least:
        raise ValueError(
            f"`y` must have a standard deviation of at least {least:.2g} for the loss {losses.name_of(loss)} in "
            f"{model.dtype}, which would count smaller errors as 0, got {scale.max():.3g}: multiply y by a power of 10"
            + ("" if model.dtype == np.float64 else ', or make the model with dtype="float64"')
        )
    return float(1 / np.mean(scale**in_unit))


def warn_of_scales(model: Network, data: Batches, loss: LibraryLoss) -> None:
    """One warning where inputs or targets of `Batches` are far from unit scale and no layer takes care of it."""
    places = _places(model)
    rows = np.linspace(0, data.count - 1, min(data.count, SAMPLE)).astype(int)
    batch = data.take(rows)
    found, remedies = [], []
    if not places.first or any(_as_made(model, prefix) for prefix in places.first):
        _note_scale("x", batch.sequences.x, batch.sequences.valid, found, remedies, "Standardize() as the first layer")
    if losses.scale_powers(loss) is not None and (places.last is None or _as_made(model, places.last)):
        layer = "MixtureDensity(...)" if losses.is_joint(loss) else "Standardize(inverse=True)"
        _note_scale("y", batch.target, batch.mask, found, remedies, f"{layer} as the last layer")
    if found:
        checks.warn(
            f"ltc_np: {' and '.join(found)}; learned well are means within {LARGEST_MEAN:g} of 0 and standard "
            f"deviations of {SPREADS[0]:g} to {SPREADS[1]:g}: make the model with {' and '.join(remedies)} and train "
            "it with fit(..., standardize=True)"
        )


class Places(NamedTuple):
    """Where a model has layers for the scales of data, by the prefixes of their buffers.

    Attributes
    ----------
    first : tuple of str
        Those that read x.
    last : str or None
        The one that gives y.
    beside : bool
        It stands in a `Residual` of all of the model, which adds x to what it gives.
    """

    first: tuple[str, ...]
    last: str | None
    beside: bool

    def __bool__(self) -> bool:
        return bool(self.first) or self.last is not None

    def wanted(self, model: Network, batch: Batch) -> Numbers:
        """What the last layer has to give: targets, less x where that is added."""
        if not self.beside:
            return batch.target
        x, lengths = batch.sequences.x, batch.sequences.lengths
        return batch.target - (x if model.return_sequences else last_outputs(x, lengths))


def _places(model: Network) -> Places:
    first, last, prefix = model.layers[0], model.layers[-1], model.layer_stack.prefixes[-1]
    beside = False
    if isinstance(last, Residual) and last.around is None and len(model.layers) == 1:
        (inner, last), beside = last.end, True
        prefix += inner
    gives = (isinstance(last, Standardize) and last.inverse) or (isinstance(last, MixtureDensity) and not beside)
    reading = tuple(_reading(model.layer_stack.prefixes[0], first))
    return Places(reading, prefix if gives else None, beside and gives)


def _reading(prefix: str, layer: Layer) -> Iterator[str]:
    """The prefixes of the `Standardize` layers, this one or inside it, that read what it reads."""
    if isinstance(layer, Standardize) and not layer.inverse:
        yield prefix
    for inner, reader in layer.readers():
        yield from _reading(prefix + inner, reader)


def _as_made(model: Network, prefix: str) -> bool:
    """Whether that layer still changes nothing."""
    return (model.buffers[f"{prefix}mean"] == 0).all() and (model.buffers[f"{prefix}scale"] == 1).all()


def _take(
    model: Network,
    prefixes: Iterable[str],
    name: str,
    values: Array,
    counted: Numbers | None,
    ranks: Alone = ALONE,
) -> None:
    if ranks.shares:
        mean, spread = merged(ranks.allgather(moments(values, counted)), np.finfo(values.dtype).eps)
    else:
        mean, spread = statistics(values, counted)
    step = np.finfo(values.dtype).eps * np.abs(mean)
    # Where a step is 1 or more, what is constant now may have differed before it was rounded.
    coarse = ((spread > 0) | (step >= 1)) & (spread < STEPS * step)
    if coarse.any():
        worst = int(coarse.argmax())
        checks.warn(
            f"ltc_np: `{name}` (feature {worst}) has mean {mean[worst]:.3g} and standard deviation {spread[worst]:.3g},"
            f" less than {STEPS} steps of {values.dtype} there: subtract a number near the mean beforehand"
            + ("" if values.dtype == np.float64 else ', or make the model with dtype="float64"')
        )
    for prefix in prefixes:
        model.buffers[f"{prefix}mean"], model.buffers[f"{prefix}scale"] = mean, np.where(spread > 0, spread, 1.0)


def statistics(values: Array, counted: Numbers | None) -> tuple[Array, Array]:
    """Mean and standard deviation (F,) of values (..., F), in float64; 0 for a feature that is constant up to rounding.

    ``counted`` is a mask of their shape, or of that without the last axis, or None.
    """
    _, mean, spread = moments(values, counted)
    return mean, _not_constant(mean, spread, np.finfo(values.dtype).eps)


def _not_constant(mean: Array, spread: Array, eps: np.floating[Any]) -> Array:
    """``spread``, with 0 where it is only rounding."""
    return np.where(spread > eps * np.abs(mean), spread, 0.0)


def merged(parts: Sequence[Moments], eps: np.floating[Any]) -> tuple[Array, Array]:
    """`statistics` of all data, from the `moments` of their parts (Chan, Golub and LeVeque 1979)."""
    counts, means, spreads = (np.stack(values) for values in zip(*parts, strict=True))
    share = counts / np.maximum(counts.sum(0), 1)
    origin = means[counts.argmax(0), np.arange(means.shape[1])]  # offsets of a constant feature are 0, exactly
    mean = origin + (share * (means - origin)).sum(0)
    unit = np.maximum(np.maximum(spreads, np.abs(means - mean)).max(0), np.finfo(np.float64).tiny)
    spread = unit * np.sqrt((share * ((spreads / unit) ** 2 + ((means - mean) / unit) ** 2)).sum(0))
    return mean, _not_constant(mean, spread, eps)


def moments(values: Array, counted: Numbers | None) -> Moments:
    """How many values of each feature count, their mean, and their standard deviation, (F,) each; arguments as of
    `statistics`."""
    values = values.reshape(-1, values.shape[-1])
    if counted is None:
        count, first = np.full(values.shape[1], len(values)), 0
    else:
        counted = np.broadcast_to(counted.reshape(len(values), -1) != 0, values.shape)
        count, first = counted.sum(0), counted.argmax(0)
    among = np.maximum(count, 1)
    # Offsets from a value that counts: of a constant feature they are 0, exactly.
    origin = np.where(count > 0, values[first, np.arange(values.shape[1])], 0).astype(np.float64)
    offsets = np.subtract(
        values.T, origin[:, None], order="C"
    )  # a feature's numbers side by side: 2 to 20 times faster
    left = None if counted is None else np.logical_not(counted.T, order="C")
    if left is not None:
        offsets[left] = 0
    # Squares of 1e200 would overflow.
    unit = np.maximum(np.maximum(offsets.max(1), -offsets.min(1)), np.finfo(np.float64).tiny)
    offsets /= unit[:, None]
    mean = offsets.sum(1) / among
    offsets -= mean[:, None]
    if left is not None:
        offsets[left] = 0
    offsets *= offsets
    return count, unit * mean + origin, unit * np.sqrt(offsets.sum(1) / among)


def _note_scale(
    name: str, values: Array, counted: Numbers | None, found: list[str], remedies: list[str], layer: str
) -> None:
    """Say of the feature that is farthest from unit scale, if one is."""
    if not values.size:  # those looked at have ended before the first output
        return
    mean, spread = statistics(values, counted)
    least, most = SPREADS
    flat = values.reshape(-1, values.shape[-1])
    counts = True if counted is None else np.broadcast_to(counted.reshape(len(flat), -1) != 0, flat.shape)
    farthest = np.abs(np.where(counts, flat - mean, 0)).max(0)
    # Neither a constant feature is too small, nor one that is constant but for a few values, as border pixels are:
    # standardised, those would be the outliers.
    too_small = least / np.where((spread > 0) & (farthest <= FARTHEST * spread), spread, 1)
    excess = np.max([np.abs(mean) / LARGEST_MEAN, spread / most, too_small], axis=0)
    k = int(excess.argmax())
    if excess[k] > 1:
        of = "" if mean.size == 1 else f" (feature {k})"
        found.append(f"`{name}`{of} has mean {mean[k]:.3g} and standard deviation {spread[k]:.3g}")
        remedies.append(layer)
