"""The epochs of one call of `fit`: steps, validation, best weights, callbacks, until something ends them."""

from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from ..network.trained import Trained
from .batches import Batches
from .best_weights import BestWeights
from .callbacks.base import load_states, states
from .clock import Clock
from .history import History
from .interrupt import Interrupt
from .progress import progress
from .run import Run
from .sources import Mapped, Shuffled
from .stream import Stream

COMPILING = "ltc_np: compiling kernels once (some seconds; kept on disk for the next run)"


class Plan(NamedTuple):
    """What a call of `fit` is to do: data and arguments, checked.

    Attributes
    ----------
    train : Shuffled or Stream
    validation : Batches, Mapped or None
    validation_every, initial_epoch, epochs, verbose : int
    start : Trained
        Where it begins; ``callbacks`` are the states that they go on from.
    """

    train: Shuffled | Stream
    validation: Batches | Mapped | None
    validation_every: int
    initial_epoch: int
    epochs: int
    verbose: int
    start: Trained


def train(run: Run, plan, make_best) -> History:
    """Carry out a plan.

    Parameters
    ----------
    run : Run
    plan : Plan
    make_best : callable
        Gives the `BestWeights`, when callbacks have begun.
    """
    model, callbacks = run.model, run.settings.callbacks
    with _begun(callbacks):
        load_states(callbacks, plan.start.callbacks)
        model.trained = plan.start._replace(callbacks=states(callbacks))
        best: BestWeights = make_best()
        history, clock = History(), Clock(plan.epochs - plan.initial_epoch)
        display = progress(clock, plan.verbose)
        try:
            with (
                clock.without_compiling(),
                model.engine.announced(lambda: display.line(COMPILING)),
                # What overflows is seen and reported by `Run.check_finite`, not by NumPy's warnings.
                np.errstate(over="ignore", invalid="ignore"),
                Interrupt() as interrupt,
            ):
                history.stopped = _epochs(run, plan, best, history, clock, display, interrupt)
        finally:
            display.close()
            if not run.diverged:
                best.restore()
            history.best_epoch, history.seconds = best.epoch, clock.elapsed
    return history


def _epochs(run, plan, best, history, clock, display, interrupt):
    """All epochs; why there are no more of them."""
    model, callbacks = run.model, run.settings.callbacks
    for epoch in range(run.at.epoch, plan.epochs):
        logs = run.epoch(plan.train, interrupt, lambda: None)
        if logs is None:
            run.check_last_step(plan.train, epoch)
            return f"interrupted after {epoch} epochs and a part of the next one"
        if plan.validation and ((epoch + 1) % plan.validation_every == 0 or epoch + 1 == plan.epochs):
            results = run.evaluate(plan.validation)
            run.check_finite(results["loss"], "validation loss")
            logs |= {f"val_{name}": value for name, value in results.items()}
        best.look(epoch, logs)
        history.add(epoch, logs)
        clock.epoch()
        display.epoch(epoch, logs)
        stops = [callback for callback in callbacks if _is_true(callback.on_epoch_end(epoch, logs))]
        model.trained = model.trained._replace(epochs=epoch + 1, callbacks=states(callbacks))
        stops += [callback for callback in callbacks if _is_true(callback.on_epoch_done(epoch, logs))]
        if stops or interrupt.asked:
            break
    run.check_last_step(plan.train, epoch)
    if stops:
        return f"stopped by {type(stops[0]).__name__} after {epoch + 1} epochs"
    return f"interrupted after {epoch + 1} epochs" if interrupt.asked else "all epochs done"


def _is_true(answer):
    """Whether a callback says that training is to stop: True itself, and no number, text or array."""
    return isinstance(answer, (bool, np.bool_)) and bool(answer)


@contextmanager
def _begun(callbacks):
    """The time in which callbacks are told of training; those that began are told of its end, whatever happens."""
    begun = []
    try:
        for callback in callbacks:
            callback.on_train_begin()
            begun.append(callback)
        yield
    finally:
        for callback in begun:
            callback.on_train_end()
