"""One call of `fit`, epoch by epoch, step by step."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ... import losses
from ...base import checks
from ...base.types import Array, Logs, State
from ...base.workspace import Workspace
from ...layers import codec
from ...network.engine import Batch, BoundGradients, Dropped, Engine, Objective, Trainer
from ...network.outputs import last_outputs
from ...network.sequences import Sequences
from ...network.trained import Trained
from ...optim import global_norm
from ...optim.clip import Clip
from ..callbacks.base import Callback, taken_over
from ..data.augment import augmented
from ..data.batches import Batches
from ..data.sources import ArraySource, Data, Drawn
from ..data.stream import Stream
from ..evaluate import batch_weight, measure
from ..measures import results, show
from ..model_base import ModelBase
from ..options import Options
from ..ranks.communication import Alone, LocalResult
from ..ranks.division import Place
from ..resume.position import Position
from . import divergence
from .interrupt import StopRequest

# Fewer steps than these are over before kernels for bound gradients have been compiled.
FEW_STEPS = 100


class LocalChunk(NamedTuple):
    """One chunk of a batch, as this rank has it.

    Attributes
    ----------
    number : int
        Which chunk of the batch it is, from 0.
    batch : Batch or None
        This rank's part of it; None if this rank has none.
    has_next : bool
        Whether this rank has another chunk of the batch.
    """

    number: int
    batch: Batch | None
    has_next: bool


class StepResult(NamedTuple):
    """What one step of all ranks has brought.

    Attributes
    ----------
    loss, weight : float
        The loss before the step, and its weight in the mean over the epoch.  The weight is 0 if no step was made.
    state : (B, K) array or None
        The last state of this rank's sequences, from which their next chunk starts.
    chunks_follow : bool
        Whether any rank has another chunk of the batch.
    """

    loss: float
    weight: float
    state: Array | None
    chunks_follow: bool


@dataclass(eq=False)
class Run:
    """The parts of one call of `fit`, and how far it is.

    Attributes
    ----------
    model : Model
    options : Options
    objective : Objective
    clip : Clip or None
    start : Trained
        Its seed and number are those by which all is drawn.
    at : Position
        Of the next step.  While a step is made, it is that of this step.
    ranks : Alone
        The processes that train together.
    workspace : Workspace
        Of all passes outside the trainer.
    latest : Batch or None
        The last one with a step, of which this rank had a part.
    updated, measured : bool
        Whether a step has been made, and whether metrics have given values.
    diverged : bool
        Whether a loss or gradient was not finite, which ends the training.
    metric_failed_first : bool
        Whether a metric raised before metrics have ever given values, which ends the training: it does not fit.
    engine : Engine
        That of the model.
    trainer : Trainer
        It has the parameters while an epoch runs; `Trainer.store` brings them into the model.
    sync_around_callbacks : bool
        Whether the model must have the parameters after every step, since a callback may read or change them there:
        one that defines `on_batch_end`.
    bound : BoundGradients or None
        What computes gradients without looking for arrays at every step, if `bind` has found that it can be used.
    initial_state : tuple of arrays
        Parameters and buffers of before the training.
    """

    model: ModelBase
    options: Options
    objective: Objective
    clip: Clip | None
    start: Trained
    at: Position
    ranks: Alone
    workspace: Workspace = field(default_factory=Workspace)
    latest: Batch | None = None
    updated: bool = False
    measured: bool = False
    diverged: bool = False
    metric_failed_first: bool = False

    def __post_init__(self) -> None:
        model, options = self.model, self.options
        self.engine: Engine = model.engine
        self.trainer: Trainer = self.engine.trainer(
            self.objective, options.optimizer, self.clip, options.memory, self.workspace
        )
        self.sync_around_callbacks: bool = any(
            type(callback).on_batch_end is not Callback.on_batch_end for callback in options.callbacks
        )
        self.bound: BoundGradients | None = None
        self.initial_state: tuple[Array, Array] = model.theta.copy(), model.buffer_vector.copy()

    def bind(self, source: ArraySource | Stream) -> str:
        """Bind gradients where that can be done; what `History.steps` says."""
        options, whole = self.options, source.whole
        if whole is None or not isinstance(source, ArraySource):
            reason = "batches are read one by one"
        elif self.ranks.size > 1:
            reason = "several ranks share a batch"
        elif options.tbptt is not None or options.augment is not None:
            reason = "batches are cut in time or changed"
        elif (options.epochs - self.at.epoch) * source.batches < FEW_STEPS:
            reason = "there are few of them"
        elif options.metrics or self.sync_around_callbacks:
            reason = "metrics or a callback look at every batch"
        else:
            self.bound, reason = self.trainer.bind(whole.whole)
        if self.bound is None:
            return f"one by one: {reason}"
        alone = self.bound.why_one_a_call(int(source.division.bounds[1]))
        return f"bound, one a call: {alone}" if alone else "bound"

    def key(self, k: int) -> tuple[int, ...]:
        """What the random numbers of epoch or step ``k`` are drawn by, in the training with this number of a model."""
        seed, number = self.start.seed, self.start.number
        # The first training of a model, number 0, is drawn as it was before trainings had numbers: by a shorter key.
        return (seed, k, number) if number else (seed, k)

    def rank_state(self) -> State:
        """The part of a checkpoint that depends on this rank's part of the data; plain data, for `load_rank_states`."""
        found = {name: metric.state() for name, metric in self.options.metrics.items()}
        for name, state in found.items():
            if not isinstance(state, dict):
                raise TypeError(f"`state` of the metric {name} must return a dict, got {checks.brief(state)}")
            codec.check_plain(f"`state` of the metric {name}", state)
        return {"metrics": found, "state": self.at.state}

    def load_rank_states(self, saved: tuple[State, ...]) -> None:
        """Go on from the `rank_state` of each rank.  Between two epochs that of another rank is as good."""
        own = saved[min(self.ranks.rank, len(saved) - 1)]
        for name, metric in self.options.metrics.items():
            with taken_over(f"the metric {name}"):
                metric.load_state(own["metrics"][name])
        self.at = self.at._replace(state=own["state"])

    def epoch(
        self, source: ArraySource | Stream, request: StopRequest, between_steps: Callable[[], int]
    ) -> Logs | None:
        """One optimiser step for each chunk of each batch, from where training is; the logs.

        None if training was interrupted before the last step.  ``between_steps()`` is called between any two steps; if
        several can be made at once, before the first of them, and it says after how many it must be called again.
        """
        self.options.optimizer.epoch = self.at.epoch  # which schedules per epoch count
        self.trainer.load()
        try:
            return self._epoch(source, request, between_steps)
        finally:
            self.trainer.store()
            if self.diverged:
                self.trainer.restore()
            if self.metric_failed_first:
                self.model.theta[:], self.model.buffer_vector[:] = self.initial_state

    def _epoch(
        self, source: ArraySource | Stream, request: StopRequest, between_steps: Callable[[], int]
    ) -> Logs | None:
        epoch, chunks = self.at.epoch, source.chunks(self.options.tbptt)
        steps = self._steps if self.bound is None else self._bound_steps
        if not steps(source, chunks, request, between_steps):
            return None
        done = (epoch + 1) * source.batches * chunks
        total, weights = self.at.total, self.at.weights
        self.at = Position(epoch, source.batches, 0, done, total, weights)
        between_steps()
        with self.measuring():
            values = results(self.options.metrics, self.ranks)
        self.measured = True
        self.at = Position(epoch + 1, step=done)
        return {"loss": losses.normalise(total, weights), **values}

    def _steps(
        self, source: ArraySource | Stream, chunks: int, request: StopRequest, between_steps: Callable[[], int]
    ) -> bool:
        """The steps of an epoch; False if training was interrupted before the last one."""
        begin, epoch = self.at, self.at.epoch
        # Whoever goes on inside an epoch does not look at its data again: that was done when the epoch began, with the
        # parameters of then.  What is read batch by batch is looked at when it comes.
        checked = source.whole if begin.is_inside else None
        for drawn in source.epoch(epoch, self.ranks.rng(self.key(epoch)), begin.batch):
            if drawn.data is not None and drawn.data is not checked:
                self.check_elapsed(drawn.data, epoch, drawn.batch)
                checked = drawn.data
            if drawn.batch != begin.batch:
                self.at = self.at._replace(batch=drawn.batch, chunk=0, state=None)
            for chunk in self._chunks_of(drawn):
                step = (epoch * source.batches + drawn.batch) * chunks + chunk.number
                self.at = self.at._replace(chunk=chunk.number, step=step)
                between_steps()
                if request.stop_reason:
                    return False
                result = self.step(chunk.batch, drawn.place, step, has_more_chunks=chunk.has_next)
                total = self.at.total + result.loss * result.weight
                self.at = self.at._replace(total=total, weights=self.at.weights + result.weight, state=result.state)
                if not result.chunks_follow:
                    break
        return True

    def _bound_steps(self, source: Any, chunks: int, request: StopRequest, between_steps: Callable[[], int]) -> bool:
        """`_steps` with bound gradients: with few calls between them, since these are what a small step takes."""
        begin, epoch, data = self.at, self.at.epoch, source.whole
        bound: Any = self.bound
        if not begin.is_inside:
            self.check_elapsed(data, epoch, 0)
        bound.begin()
        order, bounds = source.rows(self.ranks.rng(self.key(epoch)))
        batch, total, weights = begin.batch, begin.total, begin.weights
        while batch < source.batches:
            self.at = Position(epoch, batch, 0, epoch * source.batches + batch, total, weights)
            most = between_steps()
            if request.stop_reason:
                return False
            start, size = bounds[batch], bounds[batch + 1] - bounds[batch]
            if bound.takes(size):
                alike = min((bounds[-1] - start) // size, most)
                steps = bound(order[start : start + alike * size].reshape(alike, size))
            else:
                rows = order[start : start + size]
                found = self.step(data.take(rows), Place(0, size), self.at.step, has_more_chunks=False)
                steps = [(found.loss, found.weight, True)]
            for loss, weight, finite in steps:
                if not finite:
                    self.at = Position(epoch, batch, 0, epoch * source.batches + batch, total, weights)
                    self.check_finite(loss, "loss", self.trainer.flat(), f" at step {self.at.step} ({self._where()})")
                    self.trainer.update()
                self.updated = True
                batch, total, weights = batch + 1, total + loss * weight, weights + weight
        self.at = self.at._replace(total=total, weights=weights)
        return True

    def _chunks_of(self, drawn: Drawn) -> Iterator[LocalChunk]:
        """The chunks of a batch, from the one at which training is, each with the state that training has by then.

        A rank without another chunk gives empty ones as long as it is asked, since other ranks may have more.
        """
        own = [] if drawn.data is None else list(drawn.data.chunks(drawn.rows, self.options.tbptt))
        if self.at.chunk >= len(own) and self.ranks.size == 1:
            return
        for k in itertools.count(self.at.chunk):
            batch = drawn.data.take(drawn.rows, own[k], self.at.state) if k < len(own) else None
            yield LocalChunk(k, batch, has_next=k + 1 < len(own))

    def check_elapsed(self, data: Batches, epoch: int, batch: int) -> None:
        """Let the layers look at the elapsed times that are to come."""
        self.trainer.store()
        try:
            self.engine.check(self.engine.prepare(self.workspace), data.whole.sequences)
        except ValueError as error:  # the conductances have grown
            before = f"before batch {batch} of epoch {epoch + 1}" if batch else f"before epoch {epoch + 1}"
            raise ValueError(f"{error} ({before}; the model has the parameters of then)") from None

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """A context for metrics that compute.  One that fails before it has ever given a value does not fit; then the
        training changes nothing."""
        try:
            yield
        except Exception:
            self.metric_failed_first = not self.measured
            raise

    def step(self, batch: Batch | None, place: Place, step: int, *, has_more_chunks: bool) -> StepResult:
        """One optimiser step of all ranks.

        Parameters
        ----------
        batch : Batch or None
            This rank's part of the batch or of a chunk of it; None if it has none.
        place : Place
            Where that part stands in the whole batch.
        step : int
            The number of the step.
        has_more_chunks : bool
            Whether this rank has another chunk of the batch.
        """
        augment = self.options.augment
        if batch is not None and augment is not None:
            batch = augmented(augment, batch, self.model, self.objective.loss, self.key(step), place.first)
        own = LocalResult() if batch is None else self.differentiate(batch, place, step)
        found = self.ranks.average(self.trainer, own, has_more_chunks)
        if found.weight:
            if not found.finite:
                self.check_finite(
                    found.value, "loss", self.trainer.flat(), f" at step {step} ({self._where()})", own.outputs
                )
            self.trainer.update()
            self.updated, self.latest = True, batch if own.weight else self.latest
        metrics = self.options.metrics
        if metrics and batch is not None and (batch.mask is None or batch.mask.any()):
            with self.measuring():
                show(metrics, own.outputs, batch.target, batch.mask)
        if found.weight:
            if self.sync_around_callbacks:
                self.trainer.store()
            for callback in self.options.callbacks:
                callback.on_batch_end(step, {"loss": found.value})
            if self.sync_around_callbacks:
                self.trainer.load()
        return StepResult(found.value, found.weight, own.state, found.more)

    def _where(self) -> str:
        """Where training is, for an error."""
        chunk = "" if self.options.tbptt is None else f", chunk {self.at.chunk}"
        return f"epoch {self.at.epoch}, batch {self.at.batch}{chunk}"

    def differentiate(self, batch: Batch, place: Place, step: int) -> LocalResult:
        """`LocalResult` of a batch; its gradient is then in the trainer."""
        options, mask = self.options, batch.mask
        nothing = mask is not None and not mask.any()
        if not nothing:
            seed = self.key(step) if self.ranks.size == 1 else Dropped(self.key(step), *place)
            try:
                found = self.trainer.gradient(
                    batch, seed, want_outputs=bool(options.metrics), want_state=options.tbptt is not None
                )
            except losses.NoWeightError:  # its classes weigh nothing, but metrics count it
                pass
            else:
                weight = batch_weight(self.objective.loss, found.weight, found.outputs, batch.target)
                return LocalResult(found.value, weight, found.finite, found.outputs, found.state)
        outputs, state = self.forward(batch.sequences)
        return LocalResult(outputs=outputs, state=state)

    def check_finite(
        self, value: float, what: str, gradient: Array | None = None, where: str = "", outputs: Array | None = None
    ) -> None:
        """Stop on a loss or gradient that is not finite, with the parameters of before the last step.

        ``outputs``, where they are known, tell an overflow from a loss of a user's own that is not finite by itself:
        their squares are.
        """
        norm = None if gradient is None else global_norm(gradient)
        if math.isfinite(value) and (norm is None or math.isfinite(norm)):
            return
        self.trainer.restore()
        self.diverged = True
        loss = self.objective.loss
        blamed = not losses.takes_weight(loss) and outputs is not None and checks.surely_finite(outputs)
        kind = divergence.Diverged if self.updated and not blamed else FloatingPointError
        raise kind(
            divergence.message(
                what,
                value,
                norm,
                where,
                updated=self.updated,
                own_loss=loss.__name__ if blamed else None,
                takes_dt=self.model.takes_dt,
                clip=self.clip,
            )
        )

    def forward(self, sequences: Sequences) -> tuple[Array, Array]:
        """What the model now says of some sequences, and their last state."""
        self.trainer.store()
        prepared = self.engine.prepare(self.workspace)
        y, state, _ = self.engine.forward(prepared, sequences, None, self.workspace)
        return y if self.model.return_sequences else last_outputs(y, self.model.pace(sequences).lengths), state

    def check_last_step(self, source: ArraySource | Stream, epoch: int) -> None:
        """No batch follows the last step, so the loss is looked at once more: of the first sequences that count.

        Where they would have to be read again, it is that of the last batch with a step.
        """
        options, objective = self.options, self.objective
        batch = source.first_that_counts(options.batch_size, options.tbptt) or self.latest
        total, outputs = 0.0, None
        if batch is not None:  # a step has been made, with something of this rank
            outputs, _ = self.forward(batch.sequences)
            loss = losses.trusted(objective.loss)
            total, _, _ = loss(outputs, batch.target, batch.weight, objective.class_weight)
        self.check_finite(
            self.ranks.first_not_finite(total), "loss", where=f" after the last step (epoch {epoch})", outputs=outputs
        )

    def evaluate(self, data: Data) -> dict[str, float]:
        """Loss and metrics of validation data."""
        return measure(
            self.model,
            data,
            self.objective,
            measures=self.options.metrics,
            batch_size=self.options.batch_size,
            workspace=self.workspace,
            ranks=self.ranks,
        )
