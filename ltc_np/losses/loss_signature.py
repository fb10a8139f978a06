"""The signature of a function of a user's own, a loss or a metric: in which order it takes predictions and targets."""

import inspect
from typing import Any, NamedTuple

from ..base.types import A

# Words in the name of a parameter that takes targets: y_true, labels_true, target, ground_truth, ...
_TARGET = {"true", "truth", "target", "targets", "actual"}
# Words in the name of one that takes predictions: y_pred, yhat, y_score, predicted, ...
_PREDICTION = {
    "pred", "preds", "predicted", "prediction", "predictions", "hat", "yhat", "score", "scores", "prob", "probs",
    "proba", "logit", "logits", "output", "outputs", "forecast", "estimate", "estimated",
}  # fmt: skip
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class LossSignature(NamedTuple):
    """How a function wants its arguments.

    Attributes
    ----------
    target_first : bool
        ``(y_true, y_pred)``, as scikit-learn and Keras have it, rather than ``(y, target)``.
    prediction : str
        The name of the parameter for predictions, "" where it is not known.
    takes_weight : bool
        There is a parameter ``sample_weight``.
    """

    target_first: bool
    prediction: str
    takes_weight: bool

    def arguments(self, y: A, target: A) -> tuple[A, A]:
        """Predictions and targets as the function takes them."""
        return (target, y) if self.target_first else (y, target)


def read(argument: str, function: Any) -> LossSignature:
    """The `LossSignature` of a function, by the names of its first two parameters.

    The target comes first where the first name says so, by one of the words true, truth, target, targets and actual or
    as the whole word label or labels, such as ``y_true`` and ``labels_true``; or where the second name alone says that
    it takes predictions, such as ``y_pred`` and ``y_hat``: then ``(y, y_pred)`` is no other function than ``(y_true,
    y_pred)``.  All other functions, also those that do not tell their parameters, take ``(y, target)``.

    Parameters
    ----------
    argument : str
        What errors call the function's argument.
    function : callable

    Raises
    ------
    TypeError
        It is a class or a metric object of Keras, or cannot be called with two arguments.
    """
    two = "a function (y, target) or (y_true, y_pred)"
    if hasattr(function, "update_state"):
        raise TypeError(f"`{argument}` must be {two}, got a metric object of Keras, {name_of(function)}")
    if isinstance(function, type):
        raise TypeError(f"`{argument}` must be {two}, got the class {function.__name__}")
    try:
        signature = inspect.signature(function)
    except ValueError:  # some builtins do not tell
        return LossSignature(False, "", False)
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise TypeError(f"`{argument}` must be {two}, got {name_of(function)}: {error}") from None
    names = [p.name for p in signature.parameters.values() if p.kind in _POSITIONAL][:2]
    takes_weight = "sample_weight" in signature.parameters
    one, other, *_ = *names, "", ""  # those that a `*args` takes have no name
    first = _says_target(one) or (_says_prediction(other) and not _says_prediction(one))
    return LossSignature(first, other if first else one, takes_weight)


def has_parameter(function: Any, name: str) -> bool:
    """Whether a function has a parameter of this name; some builtins do not tell, and have none."""
    try:
        return name in inspect.signature(function).parameters
    except ValueError:
        return False


def name_of(function: object) -> str:
    """What a function is called, also under a `functools.partial`."""
    inner = getattr(function, "func", function)
    return getattr(function, "__name__", getattr(inner, "__name__", type(function).__name__))


def _says_target(name: str) -> bool:
    words = name.lower().split("_")
    return not _TARGET.isdisjoint(words) or words in (["label"], ["labels"])


def _says_prediction(name: str) -> bool:
    return not _PREDICTION.isdisjoint(name.lower().split("_"))
