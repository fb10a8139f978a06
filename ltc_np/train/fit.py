"""The training loop."""

import time
from contextlib import contextmanager

import numpy as np

from .. import losses, optim
from ..base import checks
from ..network.best import Best
from ..network.network import check_memory
from ..optim.clip import Clip
from .batches import prepare_data
from .callbacks import Callback, as_callback
from .history import History
from .measures import check_measures, read_metrics
from .progress import progress
from .run import Run, Settings

COMPILING = "ltc_np: compiling kernels once (some seconds; kept on disk for the next run)"


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
    missing="error",
    clip_norm=None,
    clip_array_norm=None,
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
        As for `Model.loss_and_grad`.
    metrics : sequence
        Names from `ltc_np.metrics`, functions, or Metric objects, of which copies are used, as `ltc_np.metrics.get`
        takes them; reported beside the loss, with prefix ``val_`` for validation.
    validation_data : tuple (x, y) or (x, y, dt), or dict, optional
        A dict may have x, y, dt, lengths, sample_weight.
    validation_every : int
        Epochs between validations; the last epoch is always validated.
    sample_weight : (B,) or (B, T) array, optional
    class_weight : (C,) array, dict class -> weight, or "balanced", optional
        As for `Model.loss_and_grad`.  ``"balanced"`` counts the classes of the training data; validation has the same
        weights.
    l1, l2 : number or dict, optional
        Penalties, as for `Model.loss_and_grad`; part of the training loss, not of the validation loss.
    missing : "error" or "ignore"
        What NaN in targets means, also in those of validation; as for `Model.loss_and_grad`.
    clip_norm : float, optional
        Largest norm of the whole gradient, as by `clip_by_global_norm`.
    clip_array_norm : float, optional
        Largest norm of each parameter's gradient by itself, as by `clip_by_array_norm`; not with ``clip_norm``.
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
        Before any epoch: steps that have become too long for an explicit solver.  A metric that does not fit; if it is
        a function of your own that fails at its first call, the model gets the parameters of before the training.

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
    keep = check_memory(memory)
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
    clip = _clip(clip_norm, clip_array_norm)
    if seed is None:
        seed = int(np.random.SeedSequence().entropy % 2**63)
    seed = checks.seed("seed", seed)
    optimizer = optim.Adam(1e-3) if optimizer is None else optim.get(optimizer)
    if isinstance(callbacks, Callback) or callable(callbacks):
        callbacks = [callbacks]
    callbacks = [as_callback(c) for c in callbacks or ()]
    loss = losses.get(loss)
    train = prepare_data(model, x, y, dt, lengths, sample_weight, loss, missing)
    sequences = train.count
    if drop_last:
        if sequences < batch_size:
            raise ValueError(
                f"`batch_size` must be at most the {sequences} sequences with `drop_last`, got {batch_size}"
            )
        sequences -= sequences % batch_size
    if tbptt is not None:
        _check_tbptt(model, train)
    validation = _validation(model, validation_data, loss, missing)
    objective = model.objective(train.whole, loss, class_weight, l1, l2)
    measures = read_metrics(metrics, model, loss)
    check_measures(measures, model, train)
    if validation is not None:
        with _of_validation():
            check_measures(measures, model, validation)
    settings = Settings(objective, optimizer, clip, batch_size, tbptt, keep, measures, callbacks, seed)
    run = Run(model, settings)
    measured = ["loss", *settings.metrics]
    measured += [f"val_{name}" for name in measured] if validation else []
    for callback in callbacks:
        callback.model, callback.optimizer, callback.measured = model, optimizer, tuple(measured)
    with _begun(callbacks):
        history, started = History(), time.perf_counter()
        history.stopped = "all epochs done"
        display = progress(max(epochs - initial_epoch, 0), verbose)
        loss_name = losses.identity(objective.loss)
        goes_on = model.best is not None and model.best.epoch < initial_epoch and model.best.loss == loss_name
        if not (goes_on and validation and keep_best):
            model.best = None
        try:
            # What overflows is seen and reported by `Run.check_finite`, not by NumPy's warnings.
            with model.engine.announced(lambda: display.line(COMPILING)), np.errstate(over="ignore", invalid="ignore"):
                for epoch in range(initial_epoch, epochs):
                    order = np.random.default_rng([seed, epoch]).permutation(train.count) if shuffle else None
                    logs = run.epoch(train, sequences, epoch, order)
                    if validation and ((epoch + 1) % validation_every == 0 or epoch + 1 == epochs):
                        results = run.evaluate(validation)
                        run.check_finite(results["loss"], "validation loss")
                        logs |= {f"val_{name}": value for name, value in results.items()}
                        if keep_best and (model.best is None or results["loss"] < model.best.value):
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


def _clip(clip_norm, clip_array_norm):
    """The arguments as a `Clip`, None without."""
    if clip_norm is not None and clip_array_norm is not None:
        got = f"{checks.brief(clip_norm)} and {checks.brief(clip_array_norm)}"
        raise ValueError(f"`clip_norm` and `clip_array_norm` must not be given both, got {got}: choose one")
    if clip_norm is not None:
        return Clip(checks.number("clip_norm", clip_norm, low_open=True))
    if clip_array_norm is not None:
        return Clip(checks.number("clip_array_norm", clip_array_norm, low_open=True), per_array=True)
    return None


def _check_tbptt(model, data):
    """Refuse what cannot be cut into chunks of steps."""
    if not model.return_sequences:
        raise ValueError("`tbptt` needs a model that gives an output at every step, got one of return_sequences=False")
    for layer in model.layers:
        if not layer.causal:
            raise ValueError(f"`tbptt` needs layers whose flag `causal` is True, got {layer!r}")
    B, T, shape = data.count, data.steps, data.whole.target.shape
    if shape[1:2] != (T,):
        raise ValueError(f"`y` must be (B, T, ...) = ({B}, {T}, ...) with `tbptt`, got shape {shape}")


def _validation(model, data, loss, missing):
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
    with _of_validation():
        return prepare_data(
            model, full["x"], full["y"], full["dt"], full["lengths"], full["sample_weight"], loss, missing
        )


@contextmanager
def _of_validation():
    """Errors say that it is the data of validation that do not fit."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise type(error)(f"`validation_data`: {error}") from None
