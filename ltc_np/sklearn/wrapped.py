"""Estimators of other libraries around those of this package: the same hyperparameters, said once."""

from __future__ import annotations

import abc
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from ..base.types import A, Numbers

if TYPE_CHECKING:
    from typing_extensions import Self


class Wrapped:
    """What learns by an estimator that it holds, of sequences that it makes of the collections of its library.

    Attributes
    ----------
    estimator_ : estimator of `ltc_np.sklearn`
    """

    estimator_: Any
    wrapped: Callable[[], Any]  # by `around`

    @staticmethod
    def _sequences(X: Any) -> Any:
        """A collection as an estimator takes it."""
        raise NotImplementedError

    def _fit(self, X: Any, y: Any) -> Self:
        self.estimator_ = self.wrapped().fit(self._sequences(X), y)
        return self

    def _predict(self, X: Any) -> Numbers:
        return self.estimator_.predict(self._sequences(X))


class WrappedClassifier(Wrapped):
    """The same with probabilities."""

    def _predict_proba(self, X: Any) -> Numbers:
        return self.estimator_.predict_proba(self._sequences(X))


def around(estimator: type, without: tuple[str, ...] = ()) -> Callable[[type[A]], type[A]]:
    """A decorator of classes whose objects hold an ``estimator`` and have its hyperparameters.

    It gives a class its ``__init__``, with the signature that libraries read, and ``wrapped()``, which makes the
    estimator; ``without`` are the hyperparameters that its users do not choose.
    """
    chosen = {f.name: f.default for f in fields(estimator) if f.name not in without}
    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=d) for name, d in chosen.items()]
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.Signature([itself, *parameters])

    def decorate(cls: type[A]) -> type[A]:
        def __init__(self: Any, **given: Any) -> None:
            for name in given:
                if name not in chosen:
                    raise TypeError(f"{type(self).__name__} has no hyperparameter {name!r}; it has {', '.join(chosen)}")
            for name, default in chosen.items():
                setattr(self, name, given.get(name, default))
            super(cls, self).__init__()

        def wrapped(self: Any) -> Any:
            """The estimator of `ltc_np.sklearn` with these hyperparameters."""
            return estimator(**{name: getattr(self, name) for name in chosen})

        __init__.__signature__ = signature  # type: ignore[attr-defined]
        cls.__init__ = __init__  # type: ignore[method-assign]
        cls.wrapped = wrapped  # type: ignore[attr-defined]
        return abc.update_abstractmethods(cls)  # of which __init__ may have been one

    return decorate
