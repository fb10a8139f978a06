"""What commands read of a model file: of that of a learner its learnt weights, and they say so."""

from __future__ import annotations

from .. import io
from ..base import checks
from ..base.types import Backend, PathLike
from ..model import KINDS, Model
from .learner import Learner


def load_learnt(path: PathLike, backend: Backend = "auto") -> Model:
    """The model of a file as `ltc_np.load` reads it, or, with a warning, what a learner's file has made of it.

    Raises
    ------
    OSError, ValueError
        As `ltc_np.load`, and for a learner whose streams have weights of their own.
    """
    model, beside = io.load_with(path, KINDS, backend)
    if "settings" not in beside:
        return model
    learner = Learner.load(path, backend)
    count = 1 if learner.shared or learner.streams is None else learner.streams
    if count > 1:
        raise ValueError(
            f"{path} must have one model, got a learner with {count} streams that have weights of their own: "
            "`Learner.load(path).network(k).save(another)` writes those of stream k"
        )
    checks.warn(
        f"{path} is the file of a learner, {learner.rule!r} after {checks.counted(learner.log.steps, 'target')}: its "
        "learnt weights are taken (`ltc_np.load(path)` reads the deployed ones)"
    )
    return learner.network()
