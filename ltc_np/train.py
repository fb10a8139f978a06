"""The training loop and the evaluation of a model on data."""

import copy
import inspect
import math
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np

from . import kernels, losses, optim
from . import metrics as metric_module
from .base import checks
from .base.workspace import Workspace
from .callbacks import Callback, as_callback
from .data import check_same_lengths, is_list_of_sequences, pad
from .model import Best, Model, check_memory
from .outputs import last_outputs, output_weight, target_shape, valid_outputs
from .progress import progress


class History(dict):
    """What `fit` measured: name -> list with one value an epoch (``val_*``: an epoch of validation).

    Attributes
    ----------
    epoch : list of int
        Epochs done, from 0.
    val_epoch : list of int
        Epochs after which validation ran.
    best_epoch : int or None
        Epoch of the smallest ``val_loss``, whose weights the model has if ``keep_best``.
    stopped : str
        Why training ended.
    seconds : float
    """

    def __init__(self):
        super().__init__()
        self.epoch, self.val_epoch = [], []
        self.best_epoch, self.stopped, self.seconds = None, "", 0.0

    def add(self, epoch, logs):
        """Append the logs of one epoch."""
        self.epoch.append(epoch)
        if "val_loss" in logs:
            self.val_epoch.append(epoch)
        for name, value in logs.items():
            self.setdefault(name, []).append(value)

    def __repr__(self):
        last = "  ".join(f"{name} {values[-1]:.4g}" for name, values in self.items())
        return f"<History: {len(self.epoch)} epochs, {self.seconds:.1f} s, {self.stopped}; last {last}>"


@dataclass
class Batches:
    """Checked data, cut into batches and, for truncated backpropagation, these into chunks of steps."""

    x: np.ndarray
    target: np.ndarray
    dt: np.ndarray
    lengths: np.ndarray
    valid: np.ndarray | None
    weight: np.ndarray | None
    mask: np.ndarray | None
    h0: np.ndarray
    in_time: bool  # target, weight and mask have an axis of time
    cuts: bool  # a batch ends with its longest sequence

    def take(self, rows, steps=None, h0=None):
        """x, target, dt, lengths, valid, h0, and weights for loss and metrics.

        Of a slice or of indices of the sequences; whole, or a slice of their steps from the state ``h0`` before it.
        """
        T = self.x.shape[1]
        steps = slice(0, T) if steps is None else slice(steps.start, min(steps.stop, T))
        lengths = np.clip(self.lengths[rows] - steps.start, 0, steps.stop - steps.start)
        if self.cuts:
            steps = slice(steps.start, steps.start + int(lengths.max()))

        def cut(a, in_time=True):
            if a is None:
                return None
            return np.ascontiguousarray(a[rows, steps]) if in_time and steps != slice(0, T) else a[rows]

        # A layer may return its state in a workspace, which the next call writes to.
        h0 = self.h0[: lengths.size] if h0 is None else h0.copy()
        x, dt, valid = (cut(a) for a in (self.x, self.dt, self.valid))
        target, weight, mask = (cut(a, self.in_time) for a in (self.target, self.weight, self.mask))
        return x, target, dt, lengths, valid, h0, weight, mask

    def chunks(self, rows, size):
        """Steps for `take`: chunks of ``size`` (None: whole), up to the last that weighs anything."""
        T = self.x.shape[1]
        stop = T if self.mask is None else np.flatnonzero(self.mask[rows].any(axis=0)).max(initial=-1) + 1
        for first in range(0, stop, size or T):
            yield slice(first, first + size) if size else None


def prepare_data(model, x, y, dt, lengths, sample_weight, loss):
    """`Batches` of arrays, or of lists of unequal sequences."""
    if is_list_of_sequences(x):
        if lengths is not None:
            raise ValueError("`lengths` must be left out for a list of sequences, got both")
        own = [len(sequence) for sequence in x]
        x, lengths = pad(x, name="x")
        if model.return_sequences:
            check_same_lengths("y", y, own)
            y = pad(y, name="y")[0]
        if isinstance(dt, (list, tuple)):
            check_same_lengths("dt", dt, own)
            dt = pad(dt, name="dt")[0]
        if isinstance(sample_weight, (list, tuple)) and len(sample_weight) and np.ndim(sample_weight[0]) == 1:
            check_same_lengths("sample_weight", sample_weight, own)
            sample_weight = pad(sample_weight, name="sample_weight")[0]
    if checks.plain("x", x, "(B, T, I) or a list of (T_i, I)").ndim == 2:
        raise ValueError(
            f"`x` must be (B, T, I) or a list of (T_i, I), got shape {np.shape(x)}; x[None] is a batch of one"
        )
    x, dt, lengths, valid, h0, _ = model._check(x, dt, lengths, None)
    B, T, _ = x.shape
    valid_y = valid_outputs(valid, lengths, model.return_sequences)
    shape = target_shape(model, B, T, y)
    target = losses.check_target(loss, shape, y, model.dtype, valid_y, "y")
    weight = output_weight(loss, sample_weight, shape[:-1], valid_y, model.dtype)
    mask = valid_y if weight is None else weight
    # A loss of one's own sees the padding, and how much there is.
    cuts = valid is not None and losses.takes_weight(loss)
    return Batches(x, target, dt, lengths, valid, weight, mask, h0, model.return_sequences, cuts)


def fit(
    model,
    x,
    y,
    *,
    dt=None,
    lengths=None,
    epochs=1,
    batch_size=32,
    drop_last=False,
    tbptt=None,
    memory="full",
    optimizer=None,
    loss="mse",
    metrics=(),
    validation_data=None,
    validation_every=1,
    sample_weight=None,
    class_weight=None,
    l1=None,
    l2=None,
    clip_norm=None,
    shuffle=True,
    seed=None,
    keep_best=True,
    callbacks=(),
    initial_epoch=0,
    verbose=True,
):
    """Train ``model`` in place.

    Parameters
    ----------
    model : Model
    x : (B, T, I) array, or list of (T_i, I) arrays
    y : array, or list where x is one
        Targets, as for `Model.loss_and_grad`.
    dt : number, (T,), (B, T) or list of (T_i,), optional
    lengths : (B,) integers, optional
    epochs : int
        Train until this many epochs are done (counting those before ``initial_epoch``).
    batch_size : int
        Sequences per optimiser step; the last batch of an epoch may be smaller.
    drop_last : bool
        Leave out each epoch's last batch where it is smaller; with `shuffle` other sequences every time.
    tbptt : int >= 1, optional
        Truncated backpropagation through time: steps of a chunk; see Notes.  Default: whole sequences.
    memory : "full" or "low"
        As for `Model.forward`: ``"low"`` runs every time step again in the backward pass and keeps no unfolds.
    optimizer : Optimizer or name, optional
        Default ``Adam(1e-3)``.
    loss : str or callable
    metrics : sequence
        Names from `ltc_np.metrics`, callables, or Metric objects, of which copies are used; reported beside the loss,
        with prefix ``val_`` for validation.
    validation_data : tuple (x, y) or (x, y, dt), or dict, optional
        A dict may have x, y, dt, lengths, sample_weight.
    validation_every : int
        Epochs between validations; the last epoch is always validated.
    sample_weight : (B,) or (B, T) array, optional
    class_weight : (C,) array, optional
    l1, l2 : number or dict, optional
        Penalties, as for `Model.loss_and_grad`; part of the training loss, not of the validation loss.
    clip_norm : float, optional
        Largest global norm of the gradient.
    shuffle : bool
        A new order every epoch, drawn from (seed, epoch).
    seed : int, optional
    keep_best : bool
        Leave the model with the weights of the smallest ``val_loss`` (with validation data).
    callbacks : sequence of Callback or functions (epoch, logs)
        Returning True from the end of an epoch stops training.
    initial_epoch : int
        Where to resume: with model and optimiser state from a file of `Checkpoint`, the same data and seed, training
        goes on with the same bits.  (A model saved after `fit` has the best weights, not the last ones.)
    verbose : bool
        Progress bar with losses and ETA (tqdm if installed) on standard error.

    Returns
    -------
    History

    Raises
    ------
    FloatingPointError
        The loss or the gradient is not finite; the model keeps the last good parameters.
    ValueError, TypeError
        An argument that does not fit; ``tbptt`` for a model that gives only last outputs (the target then belongs to
        one step, and the other chunks would have none), or that has a layer whose outputs depend on later inputs.
        Before any epoch: steps that have become too long for an explicit solver.

    Notes
    -----
    With ``tbptt=K`` the sequences of a batch are cut into chunks of K steps (the last one may be shorter), which are
    taken in order before the next batch begins.  Each chunk starts from the state in which the one before ended, as
    computed with the parameters of that time, and makes one optimiser step with the loss of its own steps; no gradient
    flows into earlier chunks.  So dependencies of up to K steps are learned, and what the backward pass needs is kept
    of K steps at a time, however long the sequences are.  K >= T is the training on whole sequences, bit for bit.

    A chunk in which nothing weighs anything, such as one of `sample_weight` 0, makes no step but carries the state; a
    batch ends with its last chunk that weighs something.  A sequence that has ended keeps its state.  The reported loss
    is the mean over all chunks by their weights; l1 and l2 act in every chunk.  A loss of your own sees one chunk at a
    time, and y must then be (B, T) or (B, T, ...).
    """
    epochs = checks.integer("epochs", epochs)
    batch_size = checks.integer("batch_size", batch_size)
    if tbptt is not None:
        tbptt = checks.integer("tbptt", tbptt)
    memory = check_memory(memory)
    shuffle, keep_best, verbose, drop_last = (
        checks.boolean(name, value)
        for name, value in (
            ("shuffle", shuffle),
            ("keep_best", keep_best),
            ("verbose", verbose),
            ("drop_last", drop_last),
        )
    )
    validation_every = checks.integer("validation_every", validation_every)
    initial_epoch = checks.integer("initial_epoch", initial_epoch, 0)
    if epochs <= initial_epoch:
        raise ValueError(f"`epochs` must be larger than `initial_epoch` = {initial_epoch}, got {epochs}")
    if clip_norm is not None:
        clip_norm = checks.number("clip_norm", clip_norm, low_open=True)
    if seed is None:
        seed = int(np.random.SeedSequence().entropy % 2**63)
    seed = checks.integer("seed", seed, 0)
    optimizer = optim.Adam(1e-3) if optimizer is None else optim.get(optimizer)
    if isinstance(callbacks, Callback) or callable(callbacks):
        callbacks = [callbacks]
    callbacks = [as_callback(c) for c in callbacks or ()]
    train = prepare_data(model, x, y, dt, lengths, sample_weight, loss)
    sequences = train.x.shape[0]
    if drop_last:
        if sequences < batch_size:
            raise ValueError(
                f"`batch_size` must be at most the {sequences} sequences with `drop_last`, got {batch_size}"
            )
        sequences -= sequences % batch_size
    if tbptt is not None:
        _check_tbptt(model, train)
    validation = _validation(model, validation_data, loss)
    run = _Run(
        model, losses.get(loss), model.penalty(l1, l2), class_weight, optimizer, clip_norm, batch_size, tbptt, memory,
        _metrics(metrics), callbacks, seed,
    )  # fmt: skip
    measured = ["loss", *run.metrics]
    measured += [f"val_{name}" for name in measured] if validation else []
    for callback in callbacks:
        callback.model, callback.optimizer, callback.measured = model, optimizer, tuple(measured)
    with _begun(callbacks):
        history, started = History(), time.perf_counter()
        history.stopped = "all epochs done"
        display = progress(max(epochs - initial_epoch, 0), verbose)
        loss_name = getattr(run.loss, "__name__", str(run.loss))
        goes_on = model.best is not None and model.best.epoch < initial_epoch and model.best.loss == loss_name
        if not (goes_on and validation and keep_best):
            model.best = None
        try:
            # What overflows is seen and reported by `_Run.check_finite`, not by NumPy's warnings.
            with _announce(model, display), np.errstate(over="ignore", invalid="ignore"):
                for epoch in range(initial_epoch, epochs):
                    order = np.random.default_rng([seed, epoch]).permutation(train.x.shape[0]) if shuffle else None
                    logs = run.epoch(train, sequences, epoch, order)
                    if validation and ((epoch + 1) % validation_every == 0 or epoch + 1 == epochs):
                        results = run.evaluate(validation)
                        run.check_finite(results["loss"], "validation loss")
                        logs |= {f"val_{name}": value for name, value in results.items()}
                        if keep_best and (model.best is None or results["loss"] < model.best.val_loss):
                            model.best = Best(results["loss"], epoch, loss_name, model.theta.copy())
                    history.add(epoch, logs)
                    display.epoch(epoch, logs)
                    stops = [callback.on_epoch_end(epoch, logs) for callback in callbacks]
                    stops = [isinstance(stop, (bool, np.bool_)) and bool(stop) for stop in stops]
                    if any(stops):
                        who = callbacks[stops.index(True)]
                        history.stopped = f"stopped by {type(who).__name__} after {epoch + 1} epochs"
                        break
                run.check_last_step(train, epoch)
        finally:
            display.close()
            if model.best is not None and not run.diverged:
                model.theta[:] = model.best.theta
                history.best_epoch = model.best.epoch
            elif "val_loss" in history:
                history.best_epoch = history.val_epoch[int(np.argmin(history["val_loss"]))]
            history.seconds = time.perf_counter() - started
    return history


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


def _check_tbptt(model, data):
    """Refuse what cannot be cut into chunks of steps."""
    if not model.return_sequences:
        raise ValueError("`tbptt` needs a model that gives an output at every step, got one of return_sequences=False")
    for layer in model.layers:
        if not layer.causal:
            raise ValueError(f"`tbptt` needs layers whose flag `causal` is True, got {layer!r}")
    B, T, _ = data.x.shape
    if data.target.shape[1:2] != (T,):
        raise ValueError(f"`y` must be (B, T, ...) = ({B}, {T}, ...) with `tbptt`, got shape {data.target.shape}")


class _Run:
    """The parts of one call of `fit`."""

    def __init__(
        self, model, loss, penalty, class_weight, optimizer, clip_norm, batch_size, tbptt, memory, metrics, callbacks,
        seed,
    ):  # fmt: skip
        self.model, self.loss, self.penalty, self.class_weight = model, loss, penalty, class_weight
        self.optimizer, self.clip_norm, self.batch_size, self.tbptt = optimizer, clip_norm, batch_size, tbptt
        self.memory, self.metrics, self.callbacks, self.seed = memory, metrics, callbacks, seed
        self.workspace, self.good, self.diverged = Workspace(), model.theta.copy(), False
        self.engine = _engine(model, loss, penalty, class_weight, optimizer, clip_norm, memory, self.workspace)
        self.watched = any(type(callback).on_batch_end is not Callback.on_batch_end for callback in callbacks)
        self.updated = False

    def epoch(self, data, n, epoch, order):
        """One optimiser step for each chunk of each batch, of the first ``n`` sequences in this order; the logs."""
        if self.engine is None:
            return self._epoch(data, n, epoch, order)
        self.engine.load()
        try:
            return self._epoch(data, n, epoch, order)
        finally:
            self.engine.store()
            if self.diverged:
                self.model.theta[:] = self.engine.good()

    def _epoch(self, data, n, epoch, order):
        try:
            self.model._check_steps(self.model._prepare(self.workspace), data.dt)
        except ValueError as error:  # the conductances have grown
            raise ValueError(f"{error} (before epoch {epoch + 1}; the model has the parameters of then)") from None
        total = weights = 0.0
        T = data.x.shape[1]
        batches, chunks = -(-n // self.batch_size), -(-T // (self.tbptt or T))
        for batch in range(batches):
            rows = slice(batch * self.batch_size, min((batch + 1) * self.batch_size, n))
            rows = rows if order is None else order[rows]
            state = None
            for chunk, steps in enumerate(data.chunks(rows, self.tbptt)):
                step = (epoch * batches + batch) * chunks + chunk
                where = f"epoch {epoch}, batch {batch}" + (f", chunk {chunk}" if self.tbptt else "")
                value, weight, state = self.step(data.take(rows, steps, state), step, where)
                total += value * weight
                weights += weight
        return {"loss": losses.normalise(total, weights), **_results(self.metrics)}

    def step(self, taken, step, where):
        """One optimiser step: the loss before it, its weight (0 if no step was made) and the last state."""
        *batch, weight, mask = taken
        if mask is not None and not mask.any():
            return 0.0, 0.0, self.forward(batch)[1]
        change = self.change if self.engine is None else self.change_on_device
        try:
            value, weight_sum, outputs, state = change(batch, weight, step, f" at step {step} ({where})")
        except losses.NoWeightError:  # its classes weigh nothing, but metrics count it
            outputs, state = self.forward(batch)
            value = weight_sum = 0.0
        else:
            weight_sum = _weight(self.loss, weight_sum, outputs, mask)
        if self.metrics:
            _measure(self.metrics, outputs, batch[1], mask)
        if weight_sum:
            if self.engine is not None and self.watched:
                self.engine.store()
            for callback in self.callbacks:
                callback.on_batch_end(step, {"loss": value})
            if self.engine is not None and self.watched:
                self.engine.load()
        return value, weight_sum, state

    def change(self, batch, weight, step, where):
        """Loss, sum of weights, outputs and last state of a batch; and an optimiser step with its gradient."""
        value, weight_sum, gradient, outputs, state = self.model._loss_and_grad(
            *batch, self.loss, weight, self.class_weight, self.penalty, self.memory, self.workspace, (self.seed, step)
        )
        self.check_finite(value, "loss", gradient, where)
        if self.clip_norm is not None:
            optim.clip_by_global_norm(gradient, self.clip_norm)
        self.good[:] = self.model.theta
        self.optimizer.step(self.model, gradient)
        self.updated = True
        return value, weight_sum, outputs, state

    def change_on_device(self, batch, weight, step, where):
        """The same, of parameters that are on the device."""
        value, weight_sum, norm, outputs, state = self.engine.loss_and_grad(
            *batch, weight, bool(self.metrics), self.tbptt is not None
        )
        if not (math.isfinite(value) and math.isfinite(norm)):
            gradient = self.engine.gradient()
            self.check_finite(value, "loss", gradient, where)
            norm = _norm(gradient)  # finite: only its square had overflown
        self.engine.update(norm)
        self.updated = True
        if outputs is not None and not self.model.return_sequences:
            outputs = last_outputs(outputs, batch[3])
        return value, weight_sum, outputs, state

    def check_finite(self, value, what, gradient=None, where=""):
        """Stop on a loss or gradient that is not finite, with the parameters of before the last step."""
        # The sum is quick and may overflow; only then is the norm computed with care.
        if math.isfinite(value) and (gradient is None or checks.surely_finite(gradient)):
            return
        norm = 0.0 if gradient is None else _norm(gradient)
        if math.isfinite(value) and math.isfinite(norm):
            return
        self.model.theta[:] = self.good if self.engine is None else self.engine.good()
        self.diverged = True
        norm = "" if gradient is None else f" with gradient norm {norm:g}"
        if self.updated:
            advice = (
                "the model keeps the parameters of before the last step: lower the learning rate or set `clip_norm`"
            )
        else:
            part = "backward" if math.isfinite(value) else "forward"
            times = "take shorter elapsed times `dt`, " if self.model.takes_dt else "take "
            advice = (
                f"no step has been made yet, so the {part} pass or the loss overflows with the parameters as they "
                f"were: {times}inputs or targets of a smaller scale, or smaller initial weights"
            )
        raise FloatingPointError(f"{what} {value:g}{norm}{where}; {advice}")

    def forward(self, batch):
        """What the model now says of a batch, and its last state."""
        x, _, dt, lengths, valid, h0 = batch
        if self.engine is not None:
            self.engine.store()
        prepared = self.model._prepare(self.workspace)
        y, state, _ = self.model._forward(prepared, x, dt, lengths, valid, h0, None, self.workspace)
        return y if self.model.return_sequences else last_outputs(y, lengths), state

    def check_last_step(self, data, epoch):
        """No batch follows the last step, so the loss is looked at once more, on the first sequences that count."""
        rows = np.arange(data.x.shape[0])
        if data.mask is not None:
            rows = np.flatnonzero(data.mask.reshape(rows.size, -1).any(axis=1))
        rows = rows[: self.batch_size]
        *batch, weight, _ = data.take(rows, next(data.chunks(rows, self.tbptt)))
        total, _, _ = self.loss(self.forward(batch)[0], batch[1], weight, self.class_weight)
        self.check_finite(total, "loss", where=f" after the last step (epoch {epoch})")

    def evaluate(self, data):
        """Loss and metrics of validation data."""
        return _evaluate(self.model, data, self.loss, self.metrics, self.class_weight, self.batch_size, self.workspace)


def _engine(model, loss, penalty, class_weight, optimizer, clip_norm, keep, workspace):
    """What trains on the device, or None where the host does."""
    if model.backend != "cuda":
        return None
    training = kernels.load("cuda", "training")
    reason = training.why_not(model, loss, class_weight, optimizer)
    if reason is not None:
        checks.warn(f"ltc_np: a training step on the GPU does not know {reason}; every batch goes through the host")
        return None
    return training.Engine(model, loss, penalty, class_weight, optimizer, clip_norm, keep, workspace)


def _norm(gradient):
    """The gradient's norm, computed with care."""
    return optim.clip_by_global_norm(gradient, float(np.finfo(np.float64).max))


def _weight(loss, weight_sum, outputs, mask):
    """Share of a batch in a mean over batches: a loss of one's own counts for its outputs."""
    if losses.takes_weight(loss):
        return weight_sum
    return outputs[..., 0].size if mask is None else np.count_nonzero(mask)


def _announce(model, display):
    if model.backend != "cpu":
        return nullcontext()
    from .kernels.cpu.jit import announce

    return announce(
        lambda: display.line("ltc_np: compiling kernels once (some seconds; kept on disk for the next run)")
    )


def _validation(model, data, loss):
    if data is None:
        return None
    if isinstance(data, (tuple, list)) and len(data) in (2, 3):
        data = dict(zip(("x", "y", "dt"), data, strict=False))
    known = {"x", "y", "dt", "lengths", "sample_weight"}
    if not isinstance(data, dict) or not {"x", "y"} <= set(data) <= known:
        got = sorted(data) if isinstance(data, dict) else f"{type(data).__name__} of length {len(data)}"
        raise ValueError(
            f"`validation_data` must be (x, y), (x, y, dt) or a dict with keys of {sorted(known)}, got {got}"
        )
    full = dict.fromkeys(known) | data
    try:
        return prepare_data(model, full["x"], full["y"], full["dt"], full["lengths"], full["sample_weight"], loss)
    except (ValueError, TypeError) as error:
        raise type(error)(f"`validation_data`: {error}") from None


def _metrics(names):
    if isinstance(names, str):
        names = (names,)
    names = () if names is None else names
    # Copies: a callback may evaluate with the same object in the middle of an epoch.
    found = [copy.copy(metric_module.get(name, "metrics")) for name in names]
    measures = {metric.name: metric for metric in found}
    for name in measures:
        if name == "loss" or name.startswith("val_"):
            raise ValueError(f"`metrics` must not be named loss or val_*, got {name!r}")
    if len(measures) < len(found):
        raise ValueError(f"`metrics` must have different names, got {[metric.name for metric in found]}")
    for metric in found:
        metric.reset()
    return measures


def _measure(measures, outputs, target, mask):
    """Show a batch to every metric; it may keep the outputs, which else lie in a workspace."""
    outputs = outputs.copy()
    for metric in measures.values():
        metric.update(outputs, target, mask)


def _results(measures):
    results = {name: metric.result() for name, metric in measures.items()}
    for metric in measures.values():
        metric.reset()
    return results


def _evaluate(model, data, loss, measures, class_weight, batch_size, workspace, check=False):
    """Loss and metrics on checked data."""
    prepared = model._prepare(workspace)
    model._check_steps(prepared, data.dt)
    total = weights = 0.0
    for first in range(0, data.x.shape[0], batch_size):
        x, target, dt, lengths, valid, h0, weight, mask = data.take(slice(first, first + batch_size))
        if mask is not None and not mask.any():
            continue
        y, state, _ = model._forward(prepared, x, dt, lengths, valid, h0, None, workspace)
        if check:
            model._check_outputs(y, state, dt)
        y = y if model.return_sequences else last_outputs(y, lengths)
        part, part_weight, _ = loss(y, target, weight, class_weight)
        own = _weight(loss, part_weight, y, mask)
        total += part if own == part_weight else part * own
        weights += own
        if measures:
            _measure(measures, y, target, mask)
    return {"loss": losses.normalise(total, weights), **_results(measures)}


def evaluate(
    model, x, y, *, dt=None, lengths=None, loss="mse", metrics=(), sample_weight=None, class_weight=None,
    batch_size=256,
):  # fmt: skip
    """Loss and metrics of ``model`` on data; arguments as for `fit`.

    Returns
    -------
    dict
        ``"loss"`` and each metric's name -> float.
    """
    data = prepare_data(model, x, y, dt, lengths, sample_weight, loss)
    size = checks.integer("batch_size", batch_size)
    return _evaluate(model, data, losses.get(loss), _metrics(metrics), class_weight, size, Workspace(), check=True)


# What help(Model.fit) shows.
for _method, _function in ((Model.fit, fit), (Model.evaluate, evaluate)):
    _method.__doc__, _method.__signature__ = _function.__doc__, inspect.signature(_function)
