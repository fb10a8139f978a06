"""One call of `fit`, epoch by epoch, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ... import losses
from ...base import checks
from ...base.types import Array, Logs, State
from ...base.workspace import Workspace
from ...layers import codec
from ...network.engine import Batch, Dropped, Engine, Objective, Trainer
from ...network.outputs import last_outputs
from ...network.sequences import Sequences
from ...network.trained import Trained
from ...optim import global_norm
from ...optim.clip import Clip
from ..callbacks.base import Callback, taken_over
from ..data.batches import Batches
from ..data.sources import ArraySource, Data
from ..data.stream import Stream
from ..evaluate import batch_weight, measure
from ..measures import results, show
from ..model_base import ModelBase
from ..options import Options
from ..ranks.communication import Alone, LocalResult
from ..ranks.division import Place
from ..resume.position import Position
from .interrupt import StopRequest


@dataclass(eq=False)
class Run:
    """The parts of one call of `fit`.

    Attributes
    ----------
    options : Options
    objective : Objective
    clip : Clip or None
    start : Trained
        Its seed and number are those by which all is drawn.
    at : Position
        Of the next step.
    watched : bool
        Whether a callback is called after every step.
    before : tuple of arrays
        Parameters and buffers of before the training.
    latest : Batch or None
        The last one with a step, of which this rank had a part.
    updated, measured : bool
        Whether a step has been made, and whether metrics have given values.
    diverged, misfit : bool
        Whether a loss or gradient was not finite, and whether a metric did not fit: both end the training.
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
    misfit: bool = False

    def __post_init__(self) -> None:
        model, options = self.model, self.options
        self.engine: Engine = model.engine
        self.trainer: Trainer = self.engine.trainer(
            self.objective, options.optimizer, self.clip, options.memory, self.workspace
        )
        self.watched: bool = any(
            type(callback).on_batch_end is not Callback.on_batch_end for callback in options.callbacks
        )
        self.before: tuple[Array, Array] = model.theta.copy(), model.buffer_vector.copy()

    def key(self, k: int) -> tuple[int, ...]:
        """What the random numbers of epoch or step ``k`` are drawn by, in the training with this number of a model."""
        seed, number = self.start.seed, self.start.number
        return (seed, k, number) if number else (seed, k)

    def share(self) -> State:
        """The part of a checkpoint that depends on this process's part of the data; plain data, for `load_shares`."""
        found = {name: metric.state() for name, metric in self.options.metrics.items()}
        for name, state in found.items():
            if not isinstance(state, dict):
                raise TypeError(f"`state` of the metric {name} must return a dict, got {checks.brief(state)}")
            codec.check_plain(f"`state` of the metric {name}", state)
        return {"metrics": found, "state": self.at.state}

    def load_shares(self, shares: tuple[State, ...]) -> None:
        """Go on from the `share` of each rank.  Between two epochs the share of another rank is as good."""
        share = shares[min(self.ranks.rank, len(shares) - 1)]
        for name, metric in self.options.metrics.items():
            with taken_over(f"the metric {name}"):
                metric.load_state(share["metrics"][name])
        self.at = self.at._replace(state=share["state"])

    def epoch(
        self, source: ArraySource | Stream, request: StopRequest, between_steps: Callable[[], None]
    ) -> Logs | None:
        """One optimiser step for each chunk of each batch, from where training is; the logs.

        None if training was interrupted before the last step.  ``between_steps()`` is called between any two steps.
        """
        self.options.optimizer.epoch = self.at.epoch  # which schedules per epoch count
        self.trainer.load()
        try:
            return self._epoch(source, request, between_steps)
        finally:
            self.trainer.store()
            if self.diverged:
                self.trainer.restore()
            if self.misfit:
                self.model.theta[:], self.model.buffer_vector[:] = self.before

    def _epoch(
        self, source: ArraySource | Stream, request: StopRequest, between_steps: Callable[[], None]
    ) -> Logs | None:
        begin, tbptt = self.at, self.options.tbptt
        epoch, total, weights = begin.epoch, begin.total, begin.weights
        chunks, rng = source.chunks(tbptt), self.ranks.rng(self.key(epoch))
        checked = source.whole if begin.is_inside else None
        for batch, data, rows, place in source.epoch(epoch, rng, begin.batch):
            if data is not None and data is not checked:
                self.check_elapsed(data, epoch, batch)
                checked = data
            chunk, state = (begin.chunk, begin.state) if batch == begin.batch else (0, None)
            parts = [] if data is None else list(data.chunks(rows, tbptt))
            more = chunk < len(parts) or self.ranks.size > 1
            while more:
                step = (epoch * source.batches + batch) * chunks + chunk
                self.at = Position(epoch, batch, chunk, step, total, weights, state)
                between_steps()
                if request.stop_reason:
                    return None
                where = f"epoch {epoch}, batch {batch}" + (f", chunk {chunk}" if tbptt else "")
                own = data.take(rows, parts[chunk], state) if chunk < len(parts) else None
                chunk += 1
                value, weight, state, more = self.step(own, place, step, where, chunk < len(parts))
                total += value * weight
                weights += weight
        done = (epoch + 1) * source.batches * chunks
        self.at = Position(epoch, source.batches, 0, done, total, weights)
        between_steps()
        with self.measuring():
            values = results(self.options.metrics, self.ranks)
        self.measured = True
        self.at = Position(epoch + 1, step=done)
        return {"loss": losses.normalise(total, weights), **values}

    def check_elapsed(self, data: Batches, epoch: int, batch: int) -> None:
        """Let the layers look at the elapsed times that are to come."""
        self.trainer.store()
        try:
            self.engine.check(self.engine.prepare(self.workspace), data.dt)
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
            self.misfit = not self.measured
            raise

    def step(
        self, batch: Batch | None, place: Place, step: int, where: str, more: bool = False
    ) -> tuple[float, float, Array | None, bool]:
        """One optimiser step of all ranks.  Returns the loss before it, its weight, the last state, and whether chunks
        follow.

        ``batch`` is this rank's part, None if it has none; ``place`` is where it stands in the whole batch; ``more``
        says whether this rank has another chunk.  The weight is 0 if no step was made.
        """
        own = LocalResult() if batch is None else self.differentiate(batch, place, step)
        found = self.ranks.average(self.trainer, own, more)
        if found.weight:
            if not found.finite:
                where = f" at step {step} ({where})"
                self.check_finite(found.value, "loss", self.trainer.flat(), where, own.outputs)
            self.trainer.update()
            self.updated, self.latest = True, batch if own.weight else self.latest
        metrics = self.options.metrics
        if metrics and batch is not None and (batch.mask is None or batch.mask.any()):
            with self.measuring():
                show(metrics, own.outputs, batch.target, batch.mask)
        if found.weight:
            if self.watched:
                self.trainer.store()
            for callback in self.options.callbacks:
                callback.on_batch_end(step, {"loss": found.value})
            if self.watched:
                self.trainer.load()
        return found.value, found.weight, own.state, found.more

    def differentiate(self, batch: Batch, place: Place, step: int) -> LocalResult:
        """`LocalResult` of a batch; its gradient is then in the trainer."""
        options, mask = self.options, batch.mask
        nothing = mask is not None and not mask.any()
        if not nothing:
            seed = self.key(step) if self.ranks.size == 1 else Dropped(self.key(step), *place)
            try:
                found = self.trainer.gradient(batch, seed, bool(options.metrics), options.tbptt is not None)
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
        norm = 0.0 if gradient is None else global_norm(gradient)
        if math.isfinite(value) and math.isfinite(norm):
            return
        self.trainer.restore()
        self.diverged = True
        norm = "" if gradient is None else f" with gradient norm {norm:g}"
        kept = "the model keeps the parameters of before the last step" if self.updated else "no step has been made yet"
        loss = self.objective.loss
        if not losses.takes_weight(loss) and outputs is not None and checks.surely_finite(outputs):
            part = "whose `d_y` may not be finite" if math.isfinite(value) else "which gave this value"
            advice = f"{kept}, and the outputs have not overflown: look at your loss {loss.__name__}, {part}"
        elif self.updated:
            advice = f"{kept}: lower the learning rate or set `clip_norm`"
        else:
            part = "backward" if math.isfinite(value) else "forward"
            times = "take shorter elapsed times `dt`, " if self.model.takes_dt else "take "
            advice = (
                f"{kept}, so the {part} pass or the loss overflows with the parameters as they "
                f"were: {times}inputs or targets of a smaller scale, or smaller initial weights"
            )
        raise FloatingPointError(f"{what} {value:g}{norm}{where}; {advice}")

    def forward(self, sequences: Sequences) -> tuple[Array, Array]:
        """What the model now says of some sequences, and their last state."""
        self.trainer.store()
        prepared = self.engine.prepare(self.workspace)
        y, state, _ = self.engine.forward(prepared, sequences, None, self.workspace)
        return y if self.model.return_sequences else last_outputs(y, sequences.lengths), state

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
        metrics, size = self.options.metrics, self.options.batch_size
        return measure(self.model, data, self.objective, metrics, size, self.workspace, ranks=self.ranks)
