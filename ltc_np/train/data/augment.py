"""A user's own changes of each batch of a training, drawn anew every time."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from ... import losses
from ...base import checks
from ...base.types import LibraryLoss
from ...network.engine import Batch
from ...network.network import Network

Augment = Callable[[Any, Any, np.random.Generator], tuple[Any, Any]]
RULE = "a function (x, y, rng) -> (x, y)"
STREAM = 1 << 31  # beside the layers, each of which draws what it drops from a stream of its own


def read_augment(name: str, function: Any) -> Augment | None:
    """The function if it can be called with three arguments, or None."""
    if function is None:
        return None
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"`{name}` must be {RULE}, got {checks.brief(function)}")
    with contextlib.suppress(ValueError):  # of a builtin that does not tell its arguments
        try:
            inspect.signature(function).bind(None, None, None)
        except TypeError as error:
            raise TypeError(f"`{name}` must be {RULE}, got {checks.brief(function)}: {error}") from None
    return cast("Augment", function)


def augmented(
    function: Augment, batch: Batch, model: Network, loss: LibraryLoss, key: tuple[int, ...], first: int
) -> Batch:
    """A batch with the inputs and targets that a user's function makes of it.

    Parameters
    ----------
    function : callable
    batch : Batch
        Whole sequences; the function gets copies.
    model : Network
    loss : callable
        From `losses.get`.
    key : tuple of int
        What the step draws by.
    first : int
        Where these sequences begin in the batch of all ranks: each rank draws by itself.
    """
    (x, _, _, valid, _), target = batch.sequences, batch.target
    seed = np.random.SeedSequence((len(key), *key), spawn_key=(STREAM, first))
    given = function(x.copy(), target.copy(), np.random.Generator(np.random.Philox(seed)))
    if not isinstance(given, tuple) or len(given) != 2:
        raise TypeError(f"`augment` must return a tuple (x, y), got {checks.describe(given)}")
    new = checks.real("augment's x", given[0], x.dtype)
    if new.shape != x.shape:
        raise ValueError(f"`augment` must return x of the shape that it was given, {x.shape}, got {new.shape}")
    new = np.array(new, order="C")  # the user may keep the other one
    if valid is not None:
        new[~valid] = 0
    checks.finite("augment's x", new)
    steps = [model.pace(batch.sequences).T] if model.return_sequences else []
    shape = (len(x), *steps, model.output_size)
    counts = None if batch.mask is None else batch.mask > 0
    y = losses.check_target(loss, shape, given[1], x.dtype, counts, "augment's y")
    if y.shape != target.shape:
        raise ValueError(f"`augment` must return y of the shape that it was given, {target.shape}, got {y.shape}")
    return batch._replace(sequences=batch.sequences._replace(x=new), target=np.array(y))
