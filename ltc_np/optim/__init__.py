"""Optimisers on one flat parameter vector, learning rate schedules and clipping of the gradient.

``optimizer.step(model, grad)`` changes ``model.theta`` in place.  Of the model it reads

- ``theta``: (P,) contiguous float32 or float64 array,
- ``trainable``: (P,) bool array, or None when all are trainable,
- ``layout.lr_scale``: (P,) array, or None when all are 1,
- ``layout.decay``: (P,) bool array, and ``layout.softplus``, slices of theta whose effective values are a softplus
  (`AdamW` only; with names of what decays, ``layout.select`` too),
- ``backend``: ``"cpu"`` for Numba's kernels (the same bits), ``"numpy"`` if it has none,

and it ends with ``model.project()``, which restores bounds.  P is the number of parameters, t counts the
steps from 1, g is the gradient, lr the learning rate times ``lr_scale``.  Where ``trainable`` is False, theta
keeps its bits and g counts as 0, whatever is in it.  All arithmetic is done in the dtype of theta, without
allocating arrays of this size.

The gradient is not searched for NaN: a non-finite one makes theta non-finite, as in other libraries.  The
norm that `clip_by_global_norm` returns, or the loss, tells before it is too late.
"""

from __future__ import annotations

from .adam import Adam, AdamW
from .base import Optimizer
from .clip import Clip, clip_by_array_norm, clip_by_global_norm, global_norm
from .rmsprop import RMSprop
from .schedules import CosineDecay, ExponentialDecay, PerEpoch, PiecewiseConstant, WarmUp
from .sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Clip",
    "CosineDecay",
    "ExponentialDecay",
    "Optimizer",
    "PerEpoch",
    "PiecewiseConstant",
    "RMSprop",
    "WarmUp",
    "clip_by_array_norm",
    "clip_by_global_norm",
    "get",
    "global_norm",
]

OPTIMIZERS: dict[str, type[Optimizer]] = {cls.__name__.lower(): cls for cls in (Adam, AdamW, RMSprop, SGD)}


def get(optimizer: str | Optimizer) -> Optimizer:
    """An optimiser from a name or an optimiser.

    Parameters
    ----------
    optimizer : str or Optimizer
        ``"adam"``, ``"adamw"``, ``"rmsprop"`` or ``"sgd"``, in small or capital letters: a new one with default
        arguments (lr = 0.01 for ``"sgd"``, whose class has no default).  An `Optimizer` is returned as it is, with its
        state.

    Raises
    ------
    ValueError
        An unknown name.
    TypeError
        Anything else.

    Examples
    --------
    >>> get("Adam")
    Adam(lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    rule = f"`optimizer` must be an Optimizer or one of {', '.join(OPTIMIZERS)}"
    if not isinstance(optimizer, str):
        is_class = isinstance(optimizer, type) and issubclass(optimizer, Optimizer)
        hint = f"; call it: {optimizer.__name__}(lr=0.01)" if is_class else ""
        raise TypeError(f"{rule}, got {optimizer!r}{hint}")
    name = optimizer.lower()
    if name not in OPTIMIZERS:
        raise ValueError(f"{rule}, got {optimizer!r}")
    return OPTIMIZERS[name](OPTIMIZERS[name].usual_lr or 0.01)
