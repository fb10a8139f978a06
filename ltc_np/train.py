"""The training loop and the evaluation of a model on data."""

import math
import time
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from . import checks, losses, optim
from . import metrics as metric_module
from .callbacks import Callback, as_callback
from .cells.base import Workspace
from .data import pad
from .model import _last, _valid_outputs, output_weight
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
    """Checked data, cut into batches."""

    x: np.ndarray
    target: np.ndarray
    dt: np.ndarray
    lengths: np.ndarray
    valid: np.ndarray | None
    weight: np.ndarray | None
    mask: np.ndarray | None
    h0: np.ndarray

    def take(self, rows):
        """x, target, dt, lengths, valid, h0, and weights for loss and metrics, of a slice or of indices."""
        valid, weight, mask = (None if a is None else a[rows] for a in (self.valid, self.weight, self.mask))
        lengths = self.lengths[rows]
        return self.x[rows], self.target[rows], self.dt[rows], lengths, valid, self.h0[: lengths.size], weight, mask


def prepare_data(model, x, y, dt, lengths, sample_weight, loss):
    """`Batches` of arrays, or of lists of unequal sequences."""
    if isinstance(x, (list, tuple)) and len(x) and np.ndim(x[0]) == 2:
        if lengths is not None:
            raise ValueError("`lengths` must be left out for a list of sequences, got both")
        n = len(x)
        own = [len(sequence) for sequence in x]
        x, lengths = pad(x)
        y = _pad_like(y, own, "y") if model.return_sequences else y
        dt = _pad_like(dt, own, "dt") if isinstance(dt, (list, tuple)) else dt
        if isinstance(sample_weight, (list, tuple)) and np.ndim(sample_weight[0]) == 1:
            sample_weight = _pad_like(sample_weight, own, "sample_weight")
        if len(y) != n:
            raise ValueError(f"`y` must hold one target a sequence, {n}, got {len(y)}")
    if np.ndim(x) == 2:
        raise ValueError(
            f"`x` must be (B, T, I) or a list of (T_i, I), got shape {np.shape(x)}; x[None] is a batch of one"
        )
    x, dt, lengths, valid, h0, _ = model._check(x, dt, lengths, None)
    B, T, _ = x.shape
    valid_y = _valid_outputs(valid, lengths, model.return_sequences)
    shape = (B, T, model.output_size) if model.return_sequences else (B, model.output_size)
    target = losses.check_target(loss, shape, y, model.dtype, valid_y, "y")
    weight = output_weight(loss, sample_weight, shape[:-1], valid_y, model.dtype)
    return Batches(x, target, dt, lengths, valid, weight, valid_y if weight is None else weight, h0)


def _pad_like(values, lengths, name):
    if not isinstance(values, (list, tuple)) or len(values) != len(lengths):
        got = f"{type(values).__name__} of {len(values)}" if hasattr(values, "__len__") else type(values).__name__
        raise ValueError(f"`{name}` must be a list of {len(lengths)} sequences as x is, got {got}")
    for k, (value, n) in enumerate(zip(values, lengths, strict=True)):
        if len(value) != n:
            raise ValueError(f"`{name}[{k}]` must have the {n} steps of x[{k}], got {len(value)}")
    return pad(values)[0]


def fit(
    model,
    x,
    y,
    *,
    dt=None,
    lengths=None,
    epochs=1,
    batch_size=32,
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
    optimizer : Optimizer or name, optional
        Default ``Adam(1e-3)``.
    loss : str or callable
    metrics : sequence
        Names from `ltc_np.metrics` or callables; reported beside the loss, with prefix ``val_`` for validation.
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
        Where to resume: with the saved model, optimiser state and the same seed, training goes on with the same
        bits.
    verbose : bool
        Progress bar with losses and ETA (tqdm if installed) on standard error.

    Returns
    -------
    History

    Raises
    ------
    FloatingPointError
        The loss or the gradient is not finite; the model keeps the last good parameters.
    """
    epochs = checks.positive_int("epochs", epochs)
    batch_size = checks.positive_int("batch_size", batch_size)
    validation_every = checks.positive_int("validation_every", validation_every)
    initial_epoch = checks.positive_int("initial_epoch", initial_epoch, 0)
    if clip_norm is not None:
        clip_norm = checks.number("clip_norm", clip_norm, low_open=True)
    if seed is None:
        seed = int(np.random.SeedSequence().entropy % 2**63)
    seed = checks.positive_int("seed", seed, 0)
    optimizer = optim.Adam(1e-3) if optimizer is None else optim.get(optimizer)
    callbacks = [
        as_callback(c) for c in ([callbacks] if isinstance(callbacks, Callback) or callable(callbacks) else callbacks)
    ]
    train = prepare_data(model, x, y, dt, lengths, sample_weight, loss)
    validation = _validation(model, validation_data, loss)
    loss, penalty = losses.get(loss), model.penalty(l1, l2)
    train_metrics, val_metrics = _metrics(metrics), _metrics(metrics)
    n = train.x.shape[0]
    measured = ["loss", *train_metrics]
    measured += [f"val_{name}" for name in measured] if validation else []
    for callback in callbacks:
        callback.model, callback.optimizer, callback.measured = model, optimizer, tuple(measured)
        callback.on_train_begin()
    history, workspace, started = History(), Workspace(), time.perf_counter()
    best = best_theta = None
    good = model.theta.copy()
    step = initial_epoch * -(-n // batch_size)
    display = progress(max(epochs - initial_epoch, 0), verbose)
    history.stopped = "all epochs done"
    try:
        with _announce(model, display):
            for epoch in range(initial_epoch, epochs):
                order = np.random.default_rng([seed, epoch]).permutation(n) if shuffle else None
                total = weights = 0.0
                for first in range(0, n, batch_size):
                    rows = slice(first, first + batch_size)
                    batch = train.take(rows if order is None else order[rows])
                    if batch[7] is not None and not batch[7].any():
                        continue  # nothing in it weighs anything
                    value, weight_sum, gradient, outputs = model._loss_and_grad(
                        *batch[:6], loss, batch[6], class_weight, penalty, workspace
                    )
                    if clip_norm is None:
                        norm = float(np.dot(gradient, gradient)) ** 0.5  # only to see that it is finite
                    else:
                        norm = optim.clip_by_global_norm(gradient, clip_norm)
                    if math.isinf(norm):  # or did only its square overflow?
                        norm = optim.clip_by_global_norm(gradient, float(np.finfo(np.float64).max))
                    if not math.isfinite(value + norm):
                        model.theta[:], best_theta = good, None
                        raise FloatingPointError(
                            f"loss {value:g} with gradient norm {norm:g} at step {step} (epoch {epoch}, batch "
                            f"{first // batch_size}); the model keeps the parameters before the last step: "
                            "lower the learning rate or set `clip_norm`"
                        )
                    good[:] = model.theta
                    optimizer.step(model, gradient)
                    total += value * weight_sum
                    weights += weight_sum
                    for metric in train_metrics.values():
                        metric.update(outputs, batch[1], batch[7])
                    for callback in callbacks:
                        callback.on_batch_end(step, {"loss": value})
                    step += 1
                logs = {"loss": total / weights, **_results(train_metrics)}
                if validation and ((epoch + 1) % validation_every == 0 or epoch + 1 == epochs):
                    results = _evaluate(model, validation, loss, val_metrics, class_weight, batch_size, workspace)
                    logs |= {f"val_{name}": value for name, value in results.items()}
                    if best is None or logs["val_loss"] < best:
                        best, best_theta, history.best_epoch = logs["val_loss"], model.theta.copy(), epoch
                history.add(epoch, logs)
                display.epoch(epoch, logs)
                stops = [callback.on_epoch_end(epoch, logs) for callback in callbacks]
                if any(stops):
                    who = callbacks[[bool(s) for s in stops].index(True)]
                    history.stopped = f"stopped by {type(who).__name__} after epoch {epoch}"
                    break
    finally:
        display.close()
        if keep_best and best_theta is not None:
            model.theta[:] = best_theta
        history.seconds = time.perf_counter() - started
        for callback in callbacks:
            callback.on_train_end()
    return history


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
    found = [metric_module.get(name) for name in names]
    return {metric.name: metric for metric in found}


def _results(measures):
    results = {name: metric.result() for name, metric in measures.items()}
    for metric in measures.values():
        metric.reset()
    return results


def _evaluate(model, data, loss, measures, class_weight, batch_size, workspace):
    """Loss and metrics on checked data."""
    prepared = model._prepare(workspace)
    total = weights = 0.0
    for first in range(0, data.x.shape[0], batch_size):
        x, target, dt, lengths, valid, h0, weight, mask = data.take(slice(first, first + batch_size))
        y, _, _ = model._forward(prepared, x, dt, lengths, valid, h0, False, workspace)
        y = y if model.return_sequences else _last(y, lengths)
        part, part_weight, _ = loss(y, target, weight, class_weight)
        total += part if part_weight else 0.0
        weights += part_weight
        for metric in measures.values():
            metric.update(y, target, mask)
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
    size = checks.positive_int("batch_size", batch_size)
    return _evaluate(model, data, losses.get(loss), _metrics(metrics), class_weight, size, Workspace())
