"""The library's losses by name, and what is asked of a loss, whether the library's or a user's own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from ..base import foreign_names
from ..base.types import Array, Float, LibraryLoss, Loss, Numbers
from .kind import LossKind
from .own import OwnLoss
from .weights import check_class_weight

# `ltc_np/losses/__init__.py` fills it, so that one file lists them; all else known of a loss stands in its own file.
LOSSES: dict[str, LossKind] = {}
"""The library's losses by name, in the order of the table of accepted values."""


def get(loss: Loss) -> LibraryLoss:
    """The loss function of a name or a callable.

    Parameters
    ----------
    loss : str or callable
        A name of `LOSSES`, such as ``"mse"`` or ``"cross_entropy"``, in any case; a function of the library, or a
        partial of it with its option alone, such as ``functools.partial(huber, delta=0.1)``; or a function
        ``(y, target) -> (value, d_y)`` of your own, where ``value`` is the loss of the batch, already averaged as you
        like, and ``d_y`` its derivative, of y's shape.  If its first parameter is named like a target (``y_true,
        y_pred``), or only the second like a prediction (``y, y_pred``), it gets the target first.  Yours gets all
        elements, padding included (y and target are 0 there), and no weights but those of the classes, if it has a
        parameter ``class_weight=None``: an array with a number for each output, two for a single one.

    Returns
    -------
    function ``(y, target, weight=None, class_weight=None) -> (total, weight_sum, d_y)``
        Yours is wrapped: total is ``value``, weight_sum is 1, and a ``weight`` is refused.

    Raises
    ------
    ValueError
        An unknown name, a ``delta`` or ``quantiles`` out of range.
    TypeError
        Neither a name nor a callable, or one that does not take two arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np.losses import mse
    >>> get("mse") is get("MSE") is mse
    True
    >>> mine = get(lambda y, target: (float(y.sum()), np.ones_like(y)))
    >>> mine(np.ones((2, 3)), np.zeros((2, 3)))[:2]
    (6.0, 1.0)
    """
    known = f"one of {', '.join(LOSSES)} or a callable"
    if isinstance(loss, str):
        if loss.lower() not in LOSSES:
            others = {name: kind.foreign_names for name, kind in LOSSES.items()}
            raise ValueError(f"`loss` must be {known}, got {loss!r}{foreign_names.hint(loss, others)}")
        return LOSSES[loss.lower()].function
    if not callable(loss):
        raise TypeError(f"`loss` must be {known}, got {loss!r}")
    kind = kind_of(loss)
    if kind is None:
        return loss if isinstance(loss, OwnLoss) else OwnLoss(loss)  # type: ignore[arg-type]
    if isinstance(loss, partial):
        names = () if kind.option is None else (kind.option.name,)
        if loss.args or not loss.keywords.keys() <= set(names):
            options = {name: kind.option.name for name, kind in LOSSES.items() if kind.option is not None}
            known = " or ".join(f"of {name} with `{option}` alone" for name, option in options.items())
            raise TypeError(f"`loss` must be a partial {known}, got {loss!r}")
        option_of(loss)
    return loss  # type: ignore[return-value]


def kind_of(loss: object) -> LossKind | None:
    """What is known of a loss of the library, also under a partial; None for a function of your own."""
    function = loss.func if isinstance(loss, partial) else loss
    for kind in LOSSES.values():  # by identity: a callable of a user's need not be hashable
        if kind.function is function:
            return kind
    return None


def _known(loss: LibraryLoss) -> LossKind:
    kind = kind_of(loss)
    if kind is None:
        raise TypeError(f"`loss` must be a loss of the library, got {loss!r}")
    return kind


def option_of(loss: LibraryLoss) -> dict[str, Any]:
    """What one of the library's losses takes besides arrays, checked, by name, also where it is the default."""
    kind = _known(loss)
    if kind.option is None:
        return {}
    (name, check), function = kind.option, cast("Any", kind.function)
    given = loss.keywords if isinstance(loss, partial) else {}
    return {name: check(given.get(name, function.__kwdefaults__[name]))}


def takes_weight(loss: Loss) -> bool:
    """Whether a loss weighs its elements: the library's do, a function of your own does not."""
    return isinstance(loss, str) or kind_of(loss) is not None


def name_of(loss: LibraryLoss) -> str | None:
    """The name of one of the library's losses, also under a partial; None for a function of your own."""
    kind = kind_of(loss)
    return None if kind is None else kind.name


def scale_powers(loss: LibraryLoss) -> tuple[int, int] | None:
    """How a loss grows with the spread of the targets.

    Returns
    -------
    (int, int) or None
        The power of the spread in the gradient by standardised outputs, and in the loss of a small error.  None for a
        loss of classes, and for a function of your own.
    """
    kind = kind_of(loss)
    return None if kind is None else kind.scale_powers


def trusted(loss: LibraryLoss, pieces: Mapping[str, Any] | None = None) -> LibraryLoss:
    """What `get` returned, without the checks of its arguments: for arrays that `check_target` and others gave.

    Weights and the weights of classes are arrays of y's dtype.  ``pieces`` are compiled functions in place of a loss's
    ``elements``, by its name.
    """
    kind = kind_of(loss)
    if kind is None:
        return loss
    options = option_of(loss)
    if pieces and kind.name in pieces:
        options["elements"] = pieces[kind.name]
    return partial(kind.unchecked, **options) if options else kind.unchecked


def has_classes(loss: LibraryLoss) -> bool:
    """Whether this is one of the library's losses of classes, of which outputs are logits."""
    kind = kind_of(loss)
    return kind is not None and kind.class_count(2) > 0


def is_of_numbers(identity: str) -> bool:
    """Whether an `identity` is that of one of the library's losses, and of one without classes."""
    kind = LOSSES.get(identity.partition("(")[0])
    return kind is not None and not kind.class_count(2)


def is_of_one_class(identity: str) -> bool | None:
    """Whether several outputs are the logits of one class among them (True), or of a class each (False), by the
    `identity` of their loss; None: it is a loss of your own."""
    kind = LOSSES.get(identity.partition("(")[0])
    return None if kind is None else kind.integer_targets


def is_joint(loss: LibraryLoss) -> bool:
    """Whether all outputs of a step tell of its targets together, which have another number than they."""
    kind = kind_of(loss)
    return kind is not None and kind.fit_target is not None


def class_count(loss: LibraryLoss, outputs: int) -> int:
    """How many classes a loss has, 0 for one without classes; one of a user's own that takes weights of them has as
    many as outputs, and two of a single output."""
    if isinstance(loss, OwnLoss):
        loss.check_takes_class_weight()
        return max(outputs, 2)
    return _known(loss).class_count(outputs)


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
    return _known(loss).weight_sum(target, weight, class_weight)


def numbers(loss: LibraryLoss, class_weight: Array | None, outputs: int, dtype: Float) -> tuple[float, ...]:
    """What the kernel of one of the library's losses reads besides predictions, targets and weights.

    Returns
    -------
    tuple of float
        (delta,) of `huber`, the quantiles of `quantile`; with a ``class_weight`` those of the classes; else ().
    """
    if class_weight is not None:
        return tuple(check_class_weight(class_weight, class_count(loss, outputs), dtype))
    found: list[float] = []
    for value in option_of(loss).values():
        found += value if isinstance(value, tuple) else [value]
    return tuple(found)
