"""The library's losses by name, and what else is known of each."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from .binary_cross_entropy import binary_cross_entropy
from .binary_cross_entropy import weight_sum as binary_weight_sum
from .cross_entropy import cross_entropy
from .cross_entropy import weight_sum as class_weight_sum
from .huber import huber
from .mae import mae
from .mse import mse
from .own import OwnLoss
from .weights import check_class_weight, sum_of_weights


class Kind(NamedTuple):
    """One of the library's losses.

    Attributes
    ----------
    function : callable
    weight_sum : callable
        See `weight_sum`.
    classes : callable
        Number of outputs -> number of classes; 0 for a loss without classes.
    """

    function: Callable
    weight_sum: Callable
    classes: Callable


def _step_weight_sum(target, weight, class_weight, outputs, dtype):
    return sum_of_weights(weight, target.shape)


_KINDS = [Kind(function, _step_weight_sum, lambda outputs: 0) for function in (mse, mae, huber)] + [
    Kind(cross_entropy, class_weight_sum, lambda outputs: outputs),
    Kind(binary_cross_entropy, binary_weight_sum, lambda outputs: 2),
]
LOSSES = {kind.function.__name__: kind for kind in _KINDS}


def get(loss):
    """The loss function of a name or a callable.

    Parameters
    ----------
    loss : str or callable
        ``"mse"``, ``"mae"``, ``"huber"``, ``"cross_entropy"``, ``"binary_cross_entropy"``; one of these
        functions or a `functools.partial` of one; or a function ``(y, target) -> (value, d_y)`` of your own,
        where ``value`` is the loss of the batch, already averaged as you like, and ``d_y`` its derivative, of
        y's shape.  Yours gets all elements, padding included (y and target are 0 there), and no weights.

    Returns
    -------
    function ``(y, target, weight=None, class_weight=None) -> (total, weight_sum, d_y)``
        Yours is wrapped: total is ``value``, weight_sum is 1, and a weight is refused.

    Raises
    ------
    ValueError
        An unknown name.
    TypeError
        Neither a name nor a callable.

    Examples
    --------
    >>> import numpy as np
    >>> get("mse") is mse
    True
    >>> mine = get(lambda y, target: (float(y.sum()), np.ones_like(y)))
    >>> mine(np.ones((2, 3)), np.zeros((2, 3)))[:2]
    (6.0, 1.0)
    """
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(f"`loss` must be one of {', '.join(LOSSES)} or a callable, got {loss!r}")
        return LOSSES[loss].function
    if not callable(loss):
        raise TypeError(f"`loss` must be one of {', '.join(LOSSES)} or a callable, got {loss!r}")
    if library_function(loss) is not None or isinstance(loss, OwnLoss):
        return loss
    return OwnLoss(loss)


def takes_weight(loss):
    """Whether a loss weighs its elements: the library's do, a function of your own does not."""
    return isinstance(loss, str) or library_function(loss) is not None


def library_function(loss):
    """The library's function behind a loss, also under a partial; None for a function of your own."""
    function = loss.func if isinstance(loss, partial) else loss
    return next((kind.function for kind in _KINDS if kind.function is function), None)


def name_of(loss):
    """The name of one of the library's losses, also under a partial; None for a function of your own."""
    function = library_function(loss)
    return None if function is None else function.__name__


def class_count(loss, outputs):
    """How many classes a library's loss has, 0 for one without classes."""
    return LOSSES[name_of(loss)].classes(outputs)


def weight_sum(loss, target, weight, class_weight, outputs, dtype):
    """The ``weight_sum`` that one of the library's losses would return, without the loss.

    Parameters
    ----------
    loss : callable
        What `get` returned.
    target : array
        From `check_target`.
    weight : array of the steps' shape, >= 0, or None
    class_weight : array or None
    outputs : int
        Number O of outputs.
    dtype : float dtype
        Of the prediction.

    Returns
    -------
    float
    """
    return LOSSES[name_of(loss)].weight_sum(target, weight, class_weight, outputs, dtype)


def numbers(loss, class_weight, outputs, dtype):
    """What the kernel of one of the library's losses reads besides predictions, targets and weights.

    Returns
    -------
    tuple of float
        (delta,) of `huber`; with a ``class_weight`` those of the classes; else ().
    """
    if class_weight is not None:
        return tuple(check_class_weight(class_weight, class_count(loss, outputs), dtype))
    if library_function(loss) is huber:
        given = loss.keywords if isinstance(loss, partial) else {}
        return (given.get("delta", huber.__kwdefaults__["delta"]),)
    return ()
