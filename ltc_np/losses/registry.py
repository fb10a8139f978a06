"""The library's losses by name, and what else is known of each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..base import habits
from .binary_cross_entropy import binary_cross_entropy
from .binary_cross_entropy import trusted as trusted_binary_cross_entropy
from .binary_cross_entropy import weight_sum as binary_weight_sum
from .cross_entropy import cross_entropy
from .cross_entropy import trusted as trusted_cross_entropy
from .cross_entropy import weight_sum as class_weight_sum
from .huber import check_delta, huber
from .huber import trusted as trusted_huber
from .mae import mae
from .mae import trusted as trusted_mae
from .mse import mse
from .mse import trusted as trusted_mse
from .own import OwnLoss
from .quantile import check_quantiles, quantile
from .quantile import trusted as trusted_quantile
from .weights import check_class_weight, sum_of_weights

if TYPE_CHECKING:
    from ..base.types import Array, Float, LibraryLoss, Loss, Numbers


class Kind(NamedTuple):
    """One of the library's losses.

    Attributes
    ----------
    function : callable
    trusted : callable
        The same for checked arrays.
    weight_sum : callable
        See `weight_sum`.
    classes : callable
        Number of outputs -> number of classes; 0 for a loss without classes.
    """

    function: LibraryLoss
    trusted: LibraryLoss
    weight_sum: Callable[..., float]
    classes: Callable[[int], int]


def _step_weight_sum(target: Numbers, weight: Array | None, class_weight: Array | None) -> float:
    return sum_of_weights(weight, target.shape)


def _no_classes(outputs: int) -> int:
    return 0


_KINDS = (
    Kind(mse, trusted_mse, _step_weight_sum, _no_classes),
    Kind(mae, trusted_mae, _step_weight_sum, _no_classes),
    Kind(huber, trusted_huber, _step_weight_sum, _no_classes),
    Kind(quantile, trusted_quantile, _step_weight_sum, _no_classes),
    Kind(cross_entropy, trusted_cross_entropy, class_weight_sum, lambda outputs: outputs),
    Kind(binary_cross_entropy, trusted_binary_cross_entropy, binary_weight_sum, lambda outputs: 2),
)
# What a partial may give.
_OPTION: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "huber": ("delta", check_delta),
    "quantile": ("quantiles", check_quantiles),
}
LOSSES = {kind.function.__name__: kind for kind in _KINDS}
_KIND_OF = {id(kind.function): kind for kind in _KINDS}  # by identity: a callable of a user's need not be hashable


def get(loss: Loss) -> LibraryLoss:
    """The loss function of a name or a callable.

    Parameters
    ----------
    loss : str or callable
        ``"mse"``, ``"mae"``, ``"huber"``, ``"quantile"``, ``"cross_entropy"``, ``"binary_cross_entropy"``, in any
        case; one of these functions, or ``functools.partial(huber, delta=...)`` or ``functools.partial(quantile,
        quantiles=...)``; or a function ``(y, target) -> (value, d_y)`` of your
        own, where ``value`` is the loss of the batch, already averaged as you like, and ``d_y`` its derivative, of y's
        shape.  If its first parameter is named like a target (``y_true, y_pred``), or only the second like a
        prediction (``y, y_pred``), it gets the target first.  Yours gets all elements, padding included (y and target
        are 0 there), and no weights.

    Returns
    -------
    function ``(y, target, weight=None, class_weight=None) -> (total, weight_sum, d_y)``
        Yours is wrapped: total is ``value``, weight_sum is 1, and a weight is refused.

    Raises
    ------
    ValueError
        An unknown name, a ``delta`` or ``quantiles`` out of range.
    TypeError
        Neither a name nor a callable, or one that does not take two arguments.

    Examples
    --------
    >>> import numpy as np
    >>> get("mse") is get("MSE") is mse
    True
    >>> mine = get(lambda y, target: (float(y.sum()), np.ones_like(y)))
    >>> mine(np.ones((2, 3)), np.zeros((2, 3)))[:2]
    (6.0, 1.0)
    """
    known = f"one of {', '.join(LOSSES)} or a callable"
    if isinstance(loss, str):
        if loss.lower() not in LOSSES:
            raise ValueError(f"`loss` must be {known}, got {loss!r}{habits.hint(loss, habits.LOSSES)}")
        return LOSSES[loss.lower()].function
    if not callable(loss):
        raise TypeError(f"`loss` must be {known}, got {loss!r}")
    if library_function(loss) is None:
        return loss if isinstance(loss, OwnLoss) else OwnLoss(loss)  # type: ignore[arg-type]
    if isinstance(loss, partial):
        name, check = _OPTION.get(loss.func.__name__, ("", repr))
        if loss.args or not loss.keywords.keys() <= {name}:
            known = " or ".join(f"of {kind} with `{option}` alone" for kind, (option, _) in _OPTION.items())
            raise TypeError(f"`loss` must be a partial {known}, got {loss!r}")
        for value in loss.keywords.values():
            check(value)
    return loss  # type: ignore[return-value]


def _option(loss: Any) -> Any:
    """What one of the library's losses is given besides arrays, also by its default; None where it takes nothing."""
    function: Any = library_function(loss)
    if function.__name__ not in _OPTION:
        return None
    name, _ = _OPTION[function.__name__]
    given = loss.keywords if isinstance(loss, partial) else {}
    return given.get(name, function.__kwdefaults__[name])


def outputs_of_a_target(loss: LibraryLoss) -> int:
    """How many outputs of a model belong to each target: as many as `quantile` has quantiles, else 1."""
    return len(_option(loss)) if library_function(loss) is quantile else 1


def takes_weight(loss: Loss) -> bool:
    """Whether a loss weighs its elements: the library's do, a function of your own does not."""
    return isinstance(loss, str) or library_function(loss) is not None


def library_function(loss: Any) -> LibraryLoss | None:
    """The library's function behind a loss, also under a partial; None for a function of your own."""
    kind = _kind(loss)
    return None if kind is None else kind.function


def _kind(loss: Any) -> Any:
    kind = _KIND_OF.get(id(loss))
    return _KIND_OF.get(id(loss.func)) if kind is None and isinstance(loss, partial) else kind


def name_of(loss: LibraryLoss) -> str | None:
    """The name of one of the library's losses, also under a partial; None for a function of your own."""
    function = library_function(loss)
    return None if function is None else function.__name__


def trusted(loss: LibraryLoss) -> LibraryLoss:
    """What `get` returned, without the checks of its arguments: for arrays that `check_target` and others have seen.

    Weights and the weights of classes are arrays of y's dtype.
    """
    kind = _kind(loss)
    if kind is None:
        return loss
    return partial(kind.trusted, **loss.keywords) if isinstance(loss, partial) else kind.trusted


def has_classes(loss: LibraryLoss) -> bool:
    """Whether this is one of the library's losses of classes, of which outputs are logits."""
    kind = _kind(loss)
    return kind is not None and kind.classes(2) > 0


def class_count(loss: LibraryLoss, outputs: int) -> int:
    """How many classes a library's loss has, 0 for one without classes."""
    return _kind(loss).classes(outputs)


def weight_sum(loss: LibraryLoss, target: Numbers, weight: Array | None, class_weight: Array | None) -> float:
    """The ``weight_sum`` that one of the library's losses would return, without the loss.

    Parameters
    ----------
    loss : callable
        What `get` returned.
    target : array
        From `check_target`.
    weight : array of the steps' shape, >= 0, or None
    class_weight : array of the prediction's dtype, or None

    Returns
    -------
    float
    """
    return _kind(loss).weight_sum(target, weight, class_weight)


def numbers(loss: LibraryLoss, class_weight: Array | None, outputs: int, dtype: Float) -> tuple[float, ...]:
    """What the kernel of one of the library's losses reads besides predictions, targets and weights.

    Returns
    -------
    tuple of float
        (delta,) of `huber`, the quantiles of `quantile`; with a ``class_weight`` those of the classes; else ().
    """
    if class_weight is not None:
        return tuple(check_class_weight(class_weight, class_count(loss, outputs), dtype))
    option = _option(loss)
    return () if option is None else option if isinstance(option, tuple) else (option,)
