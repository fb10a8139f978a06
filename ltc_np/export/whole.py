"""A model all of which goes on learning where it is exported to, by exact gradients along the stream."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Bools, Float, Numbers
from ..cells import LTC, Layer, LrcSSM
from ..kernels.codes import SOLVERS
from ..layers import Dense, Dropout, Standardize
from ..model import Model
from ..online import Learner
from ..online.split import cut, places
from ..optim import SGD, Adam, Clip, Optimizer
from ..optim.clip import read_clip
from .agreement import in_float64
from .learning import check_learns

KNOWN = "layers without parameters, one LTC or LrcSSM, and behind it a Dense without activation or nothing"


class Whole(NamedTuple):
    """A model that learns, and how.

    Attributes
    ----------
    model : Model
        In float64.
    optimizer : Adam or SGD
        One that has taken no step.
    clip_norm : float or None
    pull : float
    front : Model or None
        The layers before the cell.
    cell : LTC or LrcSSM
    theta : (P,) array
        Of the cell, then of the Dense.
    reads : bool
        Whether there is a Dense.
    scale, mean : (O,) arrays
        Of ``Standardize(inverse=True)`` behind it, or 1 and 0.
    """

    model: Model
    optimizer: Adam | SGD
    clip_norm: float | None
    pull: float
    front: Model | None
    cell: LTC | LrcSSM
    theta: Numbers
    reads: bool
    scale: Numbers
    mean: Numbers

    @classmethod
    def of(cls, model: Model, optimizer: Optimizer, clip_norm: float | Clip | None, pull: float) -> Whole:
        """Of a model whose layers can do that; arguments are checked, and what C does not have is refused."""
        clip, pull = read_clip("clip_norm", clip_norm), checks.number("pull", pull)
        if clip is not None and clip.per_array:
            raise ValueError("`clip_norm` must be of the whole gradient in C, got per_array=True: give a number")
        rule = _new(optimizer)
        check_learns(model)
        trainable, model = model.trainable, in_float64(model)
        model.trainable = trainable
        first = places(model).first
        cell = _cell(model.layers[first])
        behind = [k for k in range(first + 1, len(model.layers)) if not isinstance(model.layers[k], Dropout)]
        reads = bool(behind) and _is_readout(model.layers[behind[0]])
        ends = [k for k in behind[reads:] if _is_scale(model.layers[k])]
        if len(behind) != reads + len(ends) or len(ends) > 1:
            wrong = next(model.layers[k] for k in behind[reads:] if not _is_scale(model.layers[k]) or k != ends[0])
            raise ValueError(
                f"`model` must have {KNOWN}, and Standardize(inverse=True) or nothing, for exact gradients in C, "
                f"got {checks.brief(wrong)} behind {checks.brief(cell)}"
            )
        if model.layout.clip_bounds[1].size or model.layout.lr_scale is not None:
            raise ValueError(f'`model` must have positivity="softplus" for exact gradients in C, got {cell!r}')
        scale: Numbers = np.ones(model.output_size)
        mean: Numbers = np.zeros(model.output_size)
        for k in ends:
            prefix = model.layer_stack.prefixes[k]
            scale, mean = (model.buffers[prefix + name].copy() for name in ("scale", "mean"))
        front = cut(model, 0, first) if first else None
        norm = None if clip is None else clip.norm
        return cls(model, rule, norm, pull, front, cell, model.theta, reads, scale, mean)

    @property
    def said(self) -> str:
        """What the head of the files says about learning, behind a sentence."""
        more = f" with clip_norm={self.clip_norm:g}" if self.clip_norm is not None else ""
        more += f" and pull={self.pull:g}" if self.pull else ""
        return f" All of it learns, by exact gradients and {self.optimizer!r}{more}, in the test beside it too."

    @property
    def frozen(self) -> Bools:
        """(P,)"""
        trainable = self.model.trainable
        return np.zeros(self.theta.size, bool) if trainable is None else ~trainable

    def answers(self, x: Numbers, dt: Numbers, target: Numbers, dtype: Float) -> Numbers:
        """What a learner answers (T, O), computed in ``dtype``, while it learns from the targets (T, O).

        Parameters
        ----------
        x : (T, I) array
        dt : (T,) array, or () for all steps
        target : (T, O) array
        dtype : numpy.dtype
        """
        theta, buffers = self.theta.astype(dtype), self.model.buffer_vector.astype(dtype)
        model = Model.restored(self.model.layer_stack, theta, buffers, "numpy", True)
        model.trainable = self.model.trainable
        learner = Learner(model, self.optimizer, clip_norm=self.clip_norm, pull=self.pull)
        answers: Numbers = np.empty(target.shape)
        for k, elapsed in enumerate(np.broadcast_to(dt, len(x)).tolist()):
            try:
                answers[k] = learner.predict(x[k], dt=elapsed)
                learner.learn(target[k])
            except (FloatingPointError, ValueError) as error:
                raise ValueError(
                    f"`learn` must have a rate with which the network can follow the {len(x)} golden vectors, got "
                    f"{self.optimizer!r}; at number {k}: {error}"
                ) from None
        return answers


def _new(optimizer: Optimizer) -> Adam | SGD:
    """The optimiser, if C has it and it has taken no step."""
    if type(optimizer) is not Adam and type(optimizer) is not SGD:
        raise ValueError(f"`learn` must be an Adam or an SGD for exact gradients in C, got {optimizer!r}")
    if callable(optimizer.lr):
        raise ValueError(f"`learn` must have a learning rate that is a number in C, got {optimizer!r}")
    if optimizer.t > 0:
        raise ValueError(
            f"`learn` must be an optimiser that has taken no step, since C begins without moments, got one of "
            f"{optimizer.t} steps: give a new {optimizer!r}"
        )
    return optimizer


def _cell(layer: Layer) -> LTC | LrcSSM:
    """The layer, if there are exact gradients of it in C."""
    if type(layer) is not LTC and type(layer) is not LrcSSM:
        raise ValueError(f"`model` must have {KNOWN}, for exact gradients in C, got {checks.brief(layer)}")
    cell = layer
    assert isinstance(cell, (LTC, LrcSSM))
    if cell.method.stages > 1:
        known = ", ".join(name for name, solver in SOLVERS.items() if solver.stages == 1)
        raise ValueError(
            f"`solver` of {type(cell).__name__} must be one of {known} for exact gradients in C, got {cell.solver!r}"
        )
    if isinstance(cell, LTC) and cell.buffers.size:
        raise ValueError("`model` must have a wiring without fixed gains for exact gradients in C, got one with gains")
    return cell


def _is_readout(layer: Layer) -> bool:
    return isinstance(layer, Dense) and layer.activation is None


def _is_scale(layer: Layer) -> bool:
    return isinstance(layer, Standardize) and layer.inverse
