"""Networks that were trained one by one as one model, and back: the mean of several is better than each of them.

model = ensemble.join([first, second, third])       # one model: predict, step, save, load
parts = ensemble.members(model)                     # models again; their differences say how sure the mean is
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from .base import checks
from .base.calls import with_signature_hints
from .base.types import Seed
from .layers import Ensemble
from .model import Model
from .network.outputs import check_classes


@with_signature_hints
def join(models: Sequence[Model], answers: Literal["numbers", "classes"] = "numbers") -> Model:
    """One model whose answers are the mean of those of several.

    Parameters
    ----------
    models : sequence of Model
        At least two, alike in inputs, outputs, dtype and ``return_sequences``; their layers may be of any kind.
    answers : "numbers" or "classes"
        As for `Ensemble`: the mean of outputs, or of the probabilities of classes that exclude each other.  For the
        second, models that were trained with a loss of numbers, or of a class for each output, are refused.

    Returns
    -------
    Model
        With copies of all parameters and buffers, one `Ensemble` as its only layer, and the backend and ``trained`` of
        the first model.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP, ensemble
    >>> models = [LTCRNN(AutoNCP(8, 1), 2, seed=seed) for seed in range(3)]
    >>> model = ensemble.join(models)
    >>> x = np.ones((4, 5, 2))
    >>> bool(np.allclose(model(x), np.mean([one(x) for one in models], axis=0), atol=1e-6))
    True
    """
    if len(models) < 2:
        raise ValueError(f"`models` must be at least two models, got {len(models)}")
    for k, model in enumerate(models):
        if not isinstance(model, Model):
            raise TypeError(f"`models[{k}]` must be a Model, got {checks.brief(model)}")
        if answers == "classes":
            check_classes(model, f"`answers='classes'` of `models[{k}]`", False)
    alike = {(model.dtype.name, model.return_sequences) for model in models}
    if len(alike) > 1:
        raise ValueError(f"`models` must have the same dtype and return_sequences, got {sorted(alike)}")
    layer = Ensemble(*(model.layers for model in models), answers=answers)
    first = models[0]
    joined = Model(layer, seed=0, dtype=first.dtype, backend=first.backend, return_sequences=first.return_sequences)
    take(joined, models)
    return joined


@with_signature_hints
def members(model: Model) -> list[Model]:
    """The models that `join` has made a model of, with copies of their parameters; ``[model]`` for any other one.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of Model
        Each has the ``trained`` of the model, and behind its own layers those that the model has behind the ensemble,
        such as the scale that calibrates it.
    """
    layer, *others = model.layers
    if not isinstance(layer, Ensemble) or any(one.layout.size for one in others):
        return [model]
    theta, buffers = (
        np.split(vector, np.cumsum([sum(getattr(one, name).size for one in row) for row in layer.members]))
        for name, vector in (("layout", model.theta), ("buffers", model.buffer_vector))
    )
    found = []
    for row, own_theta, own_buffers in zip(layer.members, theta, buffers, strict=False):
        own = Model(
            *row, *others, seed=0, dtype=model.dtype, backend=model.backend,
            return_sequences=model.return_sequences,
        )  # fmt: skip
        own.theta[:], own.buffer_vector[:] = own_theta, np.concatenate([own_buffers, buffers[-1]])
        own.trained = model.trained
        found.append(own)
    return found


def take(model: Model, parts: Sequence[Model]) -> None:
    """Give a joined model the parameters, the buffers and what is frozen of its members."""
    behind = sum(layer.buffers.size for layer in model.layers[1:])  # which all members have
    own_buffers = [own.buffer_vector[: own.buffer_vector.size - behind] for own in parts]
    model.theta[:] = np.concatenate([own.theta for own in parts])
    model.buffer_vector[: model.buffer_vector.size - behind] = np.concatenate(own_buffers)
    model.trained = parts[0].trained
    if any(own.trainable is not None for own in parts):
        model.trainable = np.concatenate(
            [np.ones(own.theta.size, bool) if own.trainable is None else own.trainable for own in parts]
        )


def seeds(seed: Seed, count: int) -> list[Seed]:
    """Seeds of so many members: the first is the one given, so that the first member is what the model would be alone.

    More members begin with the same ones.
    """
    first = checks.seed("seed", seed)
    if first is None:
        return [None] * count
    return [first, *(int(word) for word in np.random.SeedSequence(first).generate_state(count)[1:])]
