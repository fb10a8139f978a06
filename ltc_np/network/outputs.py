"""Outputs of padded sequences: the last valid one, which ones count, and how much."""

from __future__ import annotations

import numpy as np

from .. import losses
from ..base import checks
from ..base.types import Array, ArrayLike, Bools, Float, Ints, LibraryLoss, Missing, Numbers, Shape
from ..cells.base import Layer
from ..layers.conv1d import Conv1D
from ..layers.dense import Dense
from ..layers.dropout import Dropout
from ..layers.gelu import GELU
from ..layers.mixture_density import MixtureDensity
from ..layers.pooling import Pooling
from ..layers.standardize import Standardize
from .structure import Structure


def last_outputs(y: Array, lengths: Ints) -> Array:
    """(B, T, O) -> (B, O): each sequence's last valid step, 0 for empty ones."""
    if not y.shape[1]:
        return np.zeros((y.shape[0], y.shape[2]), y.dtype)
    last = y[np.arange(y.shape[0]), np.maximum(lengths - 1, 0)]
    last[lengths == 0] = 0
    return last


def lengthened(y: Array, T: int) -> Array:
    """Outputs (B, -, O) with zeros up to T steps: of a part of sequences, of which others have more."""
    if y.shape[1] == T:
        return y
    return np.concatenate([y, np.zeros((len(y), T - y.shape[1], y.shape[2]), y.dtype)], axis=1)


def d_last_outputs(d_last: Array, lengths: Ints, T: int) -> Array:
    """Adjoint of `last_outputs`."""
    d_y = np.zeros((d_last.shape[0], T, d_last.shape[1]), d_last.dtype)
    rows = np.flatnonzero(lengths)
    d_y[rows, lengths[rows] - 1] = d_last[rows]
    return d_y


def too_short(stride: int, longest: int) -> losses.NoWeightError:
    """The error about sequences none of which has an output."""
    got = f"{longest} in the longest sequence"
    return losses.NoWeightError(f"`x` must have at least the {stride} steps of an output, got {got}")


def refuse_every_step(loss: LibraryLoss, stride: int, due: Shape, steps: int, y: ArrayLike) -> None:
    """An error if a target of a loss of the library is of every step, and outputs come once in a stride."""
    given = np.shape(y)[:2] if isinstance(y, np.ndarray) else due
    if losses.name_of(loss) is not None and given == (due[0], steps) != due:
        raise ValueError(
            f"`y` must have {due[1]} rows, one for each stride of {stride} in the {steps} steps of x, got {steps}: "
            f"y[:, {stride - 1}::{stride}] are those of the last steps"
        )


def valid_outputs(valid: Bools | None, lengths: Ints, return_sequences: bool) -> Bools | None:
    """Which outputs count: (B, T) or (B,) bool, None when all do."""
    if valid is None or return_sequences:
        return valid
    return None if lengths.all() else lengths > 0


def target_shape(model: Structure, B: int, T: int, y: object) -> Shape:
    """The shape of outputs for a target ``y``; an error if it is plainly meant for a model of the other kind."""
    O, given = model.output_size, getattr(y, "shape", None)
    sequences, last = (B, T, O), (B, O)
    if model.return_sequences and T not in (1, O) and given == last:  # (B, T) may be labels of every step
        hint = "for last outputs make the model with return_sequences=False"
        raise ValueError(f"`y` must be of every step, {sequences}, got {given}: {hint}")
    if not model.return_sequences and given == sequences:
        raise ValueError(f"`y` must be of the last step, {last}, got {given}: the model has return_sequences=False")
    return sequences if model.return_sequences else last


def check_logits(model: Structure, what: str) -> None:
    """Refuse a network whose outputs are probabilities, numbers in the data's units or parts of a density, for ``what``
    takes logits."""
    last, wrong = model.layers[-1], None
    if isinstance(last, Dense) and last.activation == "sigmoid":
        wrong = "its activation"
    in_units = isinstance(last, Standardize) and last.inverse and not _is_one_factor(model)
    if in_units or isinstance(last, MixtureDensity):
        wrong = "this layer"
    if wrong is not None:
        raise ValueError(f"{what} needs a model of logits, got {last!r} as the last layer: leave out {wrong}")


def check_classes(model: Structure, what: str, multilabel: bool | None = None) -> None:
    """Refuse a network that has learnt numbers, for ``what`` makes probabilities of its outputs.

    ``what`` makes those of a class for each output (``multilabel``), or those of one class among all, which sum to 1;
    a network whose loss is of the other kind is refused too.  None: both are taken.
    """
    learnt = None if model.trained is None else model.trained.loss
    if learnt is None:
        return
    if losses.is_of_numbers(learnt):
        raise ValueError(
            f"{what} needs a model that has learnt classes, got one that was trained with the loss {learnt}: "
            "train with loss='cross_entropy' or 'binary_cross_entropy', or call `predict` for its numbers"
        )
    if multilabel is not None and model.output_size > 1 and losses.is_of_one_class(learnt) is multilabel:
        found, wanted = "each of a class of its own", "those of one class of several, which sum to 1"
        if multilabel:
            found, wanted = wanted, found
        raise ValueError(
            f"{what} makes probabilities that are {wanted}, got a model that was trained with the loss {learnt}, whose "
            f"probabilities are {found}"
        )


def warn_of_activation(model: Structure, loss: LibraryLoss) -> None:
    """One warning where a loss of logits, which may be any numbers, is given what an activation has cut off."""
    last = next((layer for layer in reversed(model.layers) if not isinstance(layer, (Dropout, Pooling))), None)
    cut = "gelu" if isinstance(last, GELU) else last.activation if isinstance(last, (Conv1D, Dense)) else None
    if losses.has_classes(loss) and cut not in (None, "sigmoid"):  # the second is refused
        checks.warn(
            f"ltc_np: the loss {losses.name_of(loss)} takes logits, which may be any numbers, and {cut} of "
            f"{checks.brief(last)}, at the end of the model, does not give all: leave it out"
        )


def _is_one_factor(model: Structure) -> bool:
    """Whether the last layer multiplies all outputs by one number other than 1, as that of `analysis.calibrated` does:
    logits are still logits behind it."""
    prefix = model.layer_stack.prefixes[-1]
    mean, scale = (model.buffers[prefix + name] for name in ("mean", "scale"))
    return not mean.any() and bool((scale == scale[0]).all()) and scale[0] != 1


def _check_density(layers: tuple[Layer, ...], loss: LibraryLoss, shape: Shape, y: ArrayLike) -> None:
    """Refuse a loss of the library that would take the parameters of a density for predictions of ``y``: that has not
    their ``shape``, as another model's outputs have, which may be learned by their squares."""
    last, name = layers[-1], losses.name_of(loss)
    if not isinstance(last, MixtureDensity) or name is None or losses.is_joint(loss):
        return
    if losses.has_classes(loss) or np.shape(y) != shape:
        raise ValueError(
            f"`loss` must be 'mixture_density' for a model that ends with {last!r}, got {name!r}: for errors of its "
            f"means take a metric of (y, target) that reads `ltc_np.losses.Mixture.of(y, {last.outputs}).mean()`"
        )


def _check_outputs(layers: tuple[Layer, ...], loss: LibraryLoss, target: Numbers) -> None:
    """Refuse checked targets (..., O) of another number than the density is of: its parameters may happen to be as many
    as those of one of theirs, with other components."""
    last = layers[-1]
    if isinstance(last, MixtureDensity) and losses.is_joint(loss) and target.shape[-1] != last.outputs:
        raise ValueError(
            f"`y` must have the {last.outputs} `outputs` of {last!r}, got {target.shape[-1]}: let the model end with "
            f"MixtureDensity({target.shape[-1]}, components={last.components})"
        )


def read_target(
    layers: tuple[Layer, ...],
    loss: LibraryLoss,
    shape: Shape,
    y: ArrayLike,
    dtype: Float,
    valid: Bools | None,
    missing: Missing,
) -> tuple[Numbers, Bools | None]:
    """Checked targets ``y`` for outputs of ``shape`` of these layers, and which of the ``valid`` outputs count (None:
    all do)."""
    _check_density(layers, loss, shape, y)
    known = None
    if checks.one_of("missing", missing, ("error", "ignore")) == "ignore":
        y, known = losses.known_target(loss, "y", losses.for_each_output(loss, shape, "y", y))
    target = losses.check_target(loss, shape, y, dtype, valid, "y")
    _check_outputs(layers, loss, target)
    if known is None:
        return target, valid
    if not losses.takes_weight(loss):  # it must leave out itself what is missing
        target[~known] = np.nan
        if known.shape not in (shape, shape[:-1]):
            return target, valid
    return target, known_outputs(valid, known, shape)


def known_outputs(valid: Bools | None, known: Bools, shape: Shape) -> Bools | None:
    """Which outputs count, of those that are ``valid`` and whose targets are ``known``.

    ``shape`` is that of the outputs.  ``known`` has the shape of the target, with or without the last axis; so has what
    is returned, without it where that says the same.
    """
    if known.ndim == len(shape) and (known == known[..., :1]).all():
        known = known[..., 0]
    if valid is not None:
        known = known & valid.reshape(valid.shape + (1,) * (known.ndim - valid.ndim))
    if not known.any():
        raise losses.NoWeightError("`y` must have at least one target that counts, got NaN for all of them")
    return known


def is_ordinary(weight: Array) -> Bools:
    """Which of an array of weights `output_weight` leaves as they are."""
    return (weight == 0) | ((weight >= 1e-10) & (weight <= 1e10))


def output_weight(
    loss: LibraryLoss, sample_weight: ArrayLike | None, shape: Shape, valid: Bools | None, dtype: Float
) -> Array | None:
    """Weights of the outputs, of ``shape`` (B, T) or (B,), 0 where not ``valid``; None when all are 1.

    If ``valid`` has an axis more, so have the weights: they are those of single outputs.
    """
    if sample_weight is None:
        if not losses.takes_weight(loss):
            return None
        return None if valid is None else valid.astype(dtype)
    weight = checks.real("sample_weight", sample_weight, np.dtype(np.float64))
    if weight.shape not in (shape, shape[:1]):
        shapes = " or ".join(map(str, dict.fromkeys((shape[:1], shape))))
        raise ValueError(f"`sample_weight` must have shape {shapes}, got {weight.shape}")
    weight = np.broadcast_to(weight.reshape(weight.shape + (1,) * (len(shape) - weight.ndim)), shape)
    if valid is None:
        weight = np.array(weight)
    else:
        weight = np.where(valid, weight.reshape(shape + (1,) * (valid.ndim - weight.ndim)), 0.0)
    checks.finite("sample_weight", weight)
    if (weight < 0).any():
        raise ValueError(f"`sample_weight` must be >= 0, got {weight.min()}")
    # Only ratios matter: a power of two brings the largest near 1, exactly, so that float32 holds them.  Ordinary
    # weights stay as they are, so that those of batches that are read one after another are of one scale.
    if not is_ordinary(weight).all():
        weight = np.ldexp(weight, -np.frexp(weight.max())[1])
    small = weight[(weight > 0) & (weight < 1e-30)]
    if small.size:
        raise ValueError(f"`sample_weight` must be 0 or at least 1e-30 of the largest, got {small.min():.1e} of it")
    return weight.astype(dtype)
