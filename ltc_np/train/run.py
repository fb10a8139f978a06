"""One call of `fit`, epoch by epoch, step by step."""

import math
from contextlib import contextmanager
from typing import NamedTuple

from .. import losses
from ..base import checks
from ..base.workspace import Workspace
from ..layers import codec
from ..network.engine import Dropped, Objective
from ..network.outputs import last_outputs
from ..optim import Optimizer, global_norm
from ..optim.clip import Clip
from .callbacks.base import Callback
from .evaluate import measure, share
from .measures import results, show
from .position import Position
from .ranks import ALONE, Own


class Settings(NamedTuple):
    """The checked arguments of `fit` that every step needs; ``keep`` is its ``memory``."""

    objective: Objective
    optimizer: Optimizer
    clip: Clip | None
    batch_size: int
    tbptt: int | None
    keep: str
    metrics: dict
    callbacks: list
    seed: int
    number: int


def key(seed, k, number):
    """What random numbers are drawn by: those of epoch or step ``k``, in the training with this number of a model."""
    return (seed, k, number) if number else (seed, k)


class Run:
    """The parts of one call of `fit`; ``at`` is the `Position` of the next step."""

    def __init__(self, model, settings, at, ranks=ALONE):
        s = self.settings = settings
        self.at, self.ranks = at, ranks
        self.model, self.engine, self.workspace = model, model.engine, Workspace()
        self.trainer = self.engine.trainer(s.objective, s.optimizer, s.clip, s.keep, self.workspace)
        self.watched = any(type(callback).on_batch_end is not Callback.on_batch_end for callback in s.callbacks)
        self.updated = self.diverged = self.measured = self.misfit = False
        self.start, self.latest = (model.theta.copy(), model.buffer_vector.copy()), None

    def share(self):
        """What of a checkpoint depends on this process's share of the data; plain data, for `load_share`."""
        found = {name: metric.state() for name, metric in self.settings.metrics.items()}
        for name, state in found.items():
            codec.check_plain(f"`state` of the metric {name}", state)
        return {"metrics": found, "state": self.at.state}

    def load_shares(self, shares):
        """Go on from the `share` of each rank; between two epochs that of others is as good."""
        if len(shares) != self.ranks.size and self.at.is_inside:
            raise ValueError(
                f"`checkpoint` must be resumed by the {len(shares)} ranks that wrote it, since it is of the middle of "
                f"an epoch, got {self.ranks.size}"
            )
        share = shares[min(self.ranks.rank, len(shares) - 1)]
        for name, metric in self.settings.metrics.items():
            metric.load_state(share["metrics"][name])
        self.at = self.at._replace(state=share["state"])

    def epoch(self, source, interrupt, look):
        """One optimiser step for each chunk of each batch, from where training is; the logs.

        None if training was interrupted before the last step.  Between two steps ``look()`` is called.
        """
        self.settings.optimizer.epoch = self.at.epoch  # which schedules per epoch count
        self.trainer.load()
        try:
            return self._epoch(source, interrupt, look)
        finally:
            self.trainer.store()
            if self.diverged:
                self.trainer.restore()
            if self.misfit:
                self.model.theta[:], self.model.buffer_vector[:] = self.start

    def _epoch(self, source, interrupt, look):
        s, begin = self.settings, self.at
        epoch, total, weights = begin.epoch, begin.total, begin.weights
        chunks, rng = source.chunks(s.tbptt), self.ranks.rng(key(s.seed, epoch, s.number))
        looked_at = source.whole if begin.is_inside else None
        for batch, data, rows, place in source.epoch(epoch, rng, begin.batch):
            if data is not None and data is not looked_at:
                self.check_elapsed(data, epoch, batch)
                looked_at = data
            chunk, state = (begin.chunk, begin.state) if batch == begin.batch else (0, None)
            parts = [] if data is None else list(data.chunks(rows, s.tbptt))
            more = chunk < len(parts) or self.ranks.size > 1
            while more:
                step = (epoch * source.batches + batch) * chunks + chunk
                self.at = Position(epoch, batch, chunk, step, total, weights, state)
                look()
                if interrupt.asked:
                    return None
                where = f"epoch {epoch}, batch {batch}" + (f", chunk {chunk}" if s.tbptt else "")
                own = data.take(rows, parts[chunk], state) if chunk < len(parts) else None
                chunk += 1
                value, weight, state, more = self.step(own, place, step, where, chunk < len(parts))
                total += value * weight
                weights += weight
        done = (epoch + 1) * source.batches * chunks
        self.at = Position(epoch, source.batches, 0, done, total, weights)
        look()
        with self.measuring():
            values = results(self.settings.metrics, self.ranks)
        self.measured = True
        self.at = Position(epoch + 1, step=done)
        return {"loss": losses.normalise(total, weights), **values}

    def check_elapsed(self, data, epoch, batch):
        """Let the layers look at the elapsed times that are to come."""
        self.trainer.store()
        try:
            self.engine.check(self.engine.prepare(self.workspace), data.dt)
        except ValueError as error:  # the conductances have grown
            before = f"before batch {batch} of epoch {epoch + 1}" if batch else f"before epoch {epoch + 1}"
            raise ValueError(f"{error} ({before}; the model has the parameters of then)") from None

    @contextmanager
    def measuring(self):
        """While metrics compute: one that fails before it has given a value does not fit, and nothing shall change."""
        try:
            yield
        except Exception:
            self.misfit = not self.measured
            raise

    def step(self, batch, place, step, where, more=False):
        """One optimiser step of all ranks: the loss before it, its weight, the last state, whether chunks follow.

        ``batch`` is this rank's part, None where it has none, and ``place`` where that is in the whole; ``more``: it
        has another chunk.  The weight is 0 if no step was made.
        """
        s = self.settings
        own = Own() if batch is None else self.differentiate(batch, place, step)
        found = self.ranks.combined(self.trainer, own, more)
        if found.weight:
            if not found.finite:
                where = f" at step {step} ({where})"
                self.check_finite(found.value, "loss", self.trainer.flat(), where, own.outputs)
            self.trainer.update()
            self.updated, self.latest = True, batch if own.weight else self.latest
        if s.metrics and batch is not None and (batch.mask is None or batch.mask.any()):
            with self.measuring():
                show(s.metrics, own.outputs, batch.target, batch.mask)
        if found.weight:
            if self.watched:
                self.trainer.store()
            for callback in s.callbacks:
                callback.on_batch_end(step, {"loss": found.value})
            if self.watched:
                self.trainer.load()
        return found.value, found.weight, own.state, found.more

    def differentiate(self, batch, place, step):
        """`Own` of a batch; its gradient is then in the trainer."""
        s, mask = self.settings, batch.mask
        nothing = mask is not None and not mask.any()
        if not nothing:
            seed = key(s.seed, step, s.number)
            seed = seed if self.ranks.size == 1 else Dropped(seed, *place)
            try:
                found = self.trainer.gradient(batch, seed, bool(s.metrics), s.tbptt is not None)
            except losses.NoWeightError:  # its classes weigh nothing, but metrics count it
                pass
            else:
                weight = share(s.objective.loss, found.weight, found.outputs, mask)
                return Own(found.value, weight, found.finite, found.outputs, found.state)
        outputs, state = self.forward(batch.sequences)
        return Own(outputs=outputs, state=state)

    def check_finite(self, value, what, gradient=None, where="", outputs=None):
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
        loss = self.settings.objective.loss
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

    def forward(self, sequences):
        """What the model now says of some sequences, and their last state."""
        self.trainer.store()
        prepared = self.engine.prepare(self.workspace)
        y, state, _ = self.engine.forward(prepared, sequences, None, self.workspace)
        return y if self.model.return_sequences else last_outputs(y, sequences.lengths), state

    def check_last_step(self, source, epoch):
        """No batch follows the last step, so the loss is looked at once more: of the first sequences that count.

        Where they would have to be read again, it is that of the last batch with a step.
        """
        s = self.settings
        batch = source.first_that_counts(s.batch_size, s.tbptt) or self.latest
        total, outputs = 0.0, None
        if batch is not None:  # a step has been made, with something of this rank
            outputs, _ = self.forward(batch.sequences)
            loss = losses.trusted(s.objective.loss)
            total, _, _ = loss(outputs, batch.target, batch.weight, s.objective.class_weight)
        self.check_finite(
            self.ranks.worst(total), "loss", where=f" after the last step (epoch {epoch})", outputs=outputs
        )

    def evaluate(self, data):
        """Loss and metrics of validation data."""
        s = self.settings
        return measure(self.model, data, s.objective, s.metrics, s.batch_size, self.workspace, ranks=self.ranks)
