"""The epochs of one call of `fit`: steps, validation, best weights, callbacks, until something ends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from ...base.checks import counted
from ...base.visible import visible
from ...network.trained import Trained, together
from ..callbacks.base import Callback, load_states, states
from ..data.sources import ArraySource, Data
from ..data.stream import Stream
from ..history import History
from ..resume.folder import CheckpointFolder
from ..resume.recorder import Recorder
from ..resume.saved import Resumed
from .best_weights import BestKeeper
from .clock import Clock
from .interrupt import Interrupt, StopRequest
from .progress import Silent, progress
from .run import Run

COMPILING = "ltc_np: compiling kernels once (some seconds; kept on disk for the next run)"

ALL_DONE = "all epochs done"


class Plan(NamedTuple):
    """What a call of `fit` is to do besides its options: what has been made of them.

    Attributes
    ----------
    source : ArraySource or Stream
    validation : Batches, Mapped or None
    start : Trained
        Where it begins; ``callbacks`` are the states that they go on from.
    same : dict
        `Saved.same`.
    folder : CheckpointFolder or None
    resumed : Resumed or None
    """

    source: ArraySource | Stream
    validation: Data | None
    start: Trained
    same: dict[str, Any]
    folder: CheckpointFolder | None
    resumed: Resumed | None


def train(run: Run, plan: Plan, make_best: Callable[[], BestKeeper]) -> History:
    """Carry out a plan.

    Parameters
    ----------
    run : Run
    plan : Plan
    make_best : callable
        Gives the `BestKeeper`, when callbacks have begun.
    """
    model, options, callbacks = run.model, run.options, run.options.callbacks
    with _begun(callbacks):
        load_states(callbacks, plan.start.callbacks)
        best = make_best()
        history, first_lr = History(), options.optimizer.lr
        clock = Clock(options.epochs - run.at.epoch, before=run.at.epoch)
        if plan.resumed is None:
            times = together([plan.start.dt, plan.source.times])
            model.trained = plan.start._replace(callbacks=states(callbacks), dt=times)
        else:
            saved = plan.resumed.saved
            with plan.resumed.blaming_file():
                best.load_state(saved.best)
            run.load_rank_states(saved.shares)
            history, first_lr = saved.history, saved.rates.first
        recorder = Recorder(plan.folder, run, plan.same, best, history, clock, first_lr)
        recorder.begin()
        history.steps = run.bind(plan.source)
        display = progress(clock, options.verbose)
        if plan.resumed is not None:
            done = counted(run.at.epoch, "epoch")
            display.line(f"ltc_np: goes on from {visible(plan.resumed.content.path)}, after {done}")
        try:
            with (
                clock.without_compiling(),
                # Where nothing is shown, who waits at a terminal is told by `kernels/cpu/waiting.py`.
                model.engine.announced(lambda: display.line(COMPILING)) if options.verbose else nullcontext(),
                # What overflows is seen and reported by `Run.check_finite`, not by NumPy's warnings.
                np.errstate(over="ignore", invalid="ignore"),
                Interrupt(terminates=plan.folder is not None or run.ranks.size > 1) as interrupt,
            ):
                request = run.ranks.shared(interrupt)
                history.stopped = _epochs(run, plan, best, history, recorder, display, request)
        finally:
            display.close()
            # A source of a user's own has told its elapsed times by now.
            model.trained = model.trained._replace(dt=together([model.trained.dt, plan.source.times]))
            if run.metric_failed_first:  # then the training has changed nothing
                best.average = None
            if not run.diverged:
                best.restore()
            history.best_epoch, history.seconds = best.epoch, recorder.seconds
    return history


def finished(plan: Plan, epochs: int, make_best: Callable[[], BestKeeper]) -> History | None:
    """The history of a training of which nothing is left to do, as its checkpoint says; the model gets its best
    weights.

    None if there is something to do.
    """
    if plan.resumed is None:
        return None
    saved, best = plan.resumed.saved, make_best()
    if saved.ended != "callback" and saved.position.epoch < epochs:
        return None
    if best.average is not None:
        load_states([best.average], plan.start.callbacks)
    best.restore()
    if saved.ended != "callback":
        saved.history.stopped = ALL_DONE
    return saved.history


def _epochs(
    run: Run,
    plan: Plan,
    best: BestKeeper,
    history: History,
    recorder: Recorder,
    display: Silent,
    request: StopRequest,
) -> str:
    """All epochs; why there are no more of them."""
    model, options = run.model, run.options
    for epoch in range(run.at.epoch, options.epochs):
        logs = run.epoch(plan.source, request, lambda: recorder.write_if_due(request.stop_reason))
        if logs is None:
            run.check_last_step(plan.source, epoch)
            return f"{request.stop_reason} after {counted(epoch, 'epoch')} and a part of the next one"
        with nullcontext() if best.average is None else best.average.given():
            if plan.validation and ((epoch + 1) % options.validation_every == 0 or epoch + 1 == options.epochs):
                results = run.evaluate(plan.validation)
                run.check_finite(results["loss"], "validation loss")
                logs |= {f"val_{name}": value for name, value in results.items()}
            best.update(epoch, logs)
            history.add(epoch, logs)
            recorder.clock.epoch()
            display.epoch(epoch, logs)
            stops = [callback for callback in options.callbacks if _is_true(callback.on_epoch_end(epoch, logs))]
            model.trained = model.trained._replace(epochs=epoch + 1, callbacks=states(options.callbacks))
            stops += [callback for callback in options.callbacks if _is_true(callback.on_epoch_done(epoch, logs))]
            stopped = run.ranks.epoch_done(model, type(stops[0]).__name__ if stops else "")
        if stopped or request.stop_reason:
            break
        if epoch + 1 < options.epochs:
            recorder.write_after_epoch()
    run.check_last_step(plan.source, epoch)
    done = counted(epoch + 1, "epoch")
    if stopped:
        history.stopped, ended = f"stopped by {stopped} after {done}", "callback"
    elif request.stop_reason:
        history.stopped, ended = f"{request.stop_reason} after {done}", ""
    else:
        history.stopped, ended = ALL_DONE, "epochs"
    recorder.write(ended)
    return history.stopped


def _is_true(answer: object) -> bool:
    """Whether a callback says that training is to stop: True itself, and no number, text or array."""
    return isinstance(answer, (bool, np.bool_)) and bool(answer)


@contextmanager
def _begun(callbacks: Sequence[Callback]) -> Iterator[None]:
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
