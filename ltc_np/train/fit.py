"""`fit`: its arguments, and what is wrong with them."""

from contextlib import contextmanager
from functools import partial

import numpy as np

from .. import losses, optim
from ..base import checks
from ..base.calls import explained
from ..network.network import check_memory
from ..network.trained import Trained
from ..optim.clip import Clip
from . import loop
from .batches import prepare_data
from .best_weights import BestWeights
from .callbacks import as_callbacks
from .loop import Plan
from .measures import check_measures, read_metrics
from .monitor import MODES, Monitor
from .progress import check_verbose
from .run import Run, Settings
from .sources import Shuffled


@explained
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
    group_by_length=False,
    seed=None,
    keep_best=True,
    monitor=None,
    monitor_mode="auto",
    callbacks=(),
    initial_epoch=0,
    verbose="auto",
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
    validation_data : tuple (x, y), or dict, optional
        Anything else goes into a dict, which may have x, y, dt, lengths, sample_weight.
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
        A new order every epoch, drawn from the seed and the epoch.
    group_by_length : bool
        Put sequences of like length into one batch, which spares the steps of padding; the batches are still drawn anew
        every epoch, in a new order.  A loss of your own sees the padding, so there it spares nothing.
    seed : int, optional
        Of the order of the sequences and of what layers drop; None draws a new one.  Every call of `fit` that begins
        with epoch 0 is another training of the model, and has an order and drops of its own with the same seed too
        (``model.trained.number`` counts them, ``model.trained = None`` begins to count anew).
    keep_best : bool
        Leave the model with the weights of the epoch with the best value of what is monitored.
    monitor : str, optional
        A name in the logs, such as ``"val_accuracy"``.  Default: ``"val_loss"``; without validation data there is none,
        and the model has its last weights.
    monitor_mode : "auto", "min" or "max"
        Whether smaller or larger is better; as for `EarlyStopping`.
    callbacks : Callback, function (epoch, logs), or sequence of these
        Returning True from the end of an epoch stops training.
    initial_epoch : int
        Where to resume: with model and optimiser state from a file of `Checkpoint` and the same data, training goes on
        with the same bits.  The seed and the states of callbacks are in the file too; without `seed` it is that one.
        (A model saved after `fit` has the best weights, not the last ones.)
    verbose : bool, 0, 1, 2 or "auto"
        On standard error: nothing (False, 0), a bar with losses and the time that is left if tqdm is installed, else
        about ten lines (True, 1, "auto"), or a line an epoch (2).  The time for compiling is left out of that estimate.

    Returns
    -------
    History

    Warns
    -----
    RuntimeWarning
        A training is resumed with another `initial_epoch` than the model has epochs behind it, so that callbacks begin
        anew; or the best weights so far are forgotten, since something else is monitored now.

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
    The first Ctrl-C ends training after the present batch: the model gets its best weights, if there are any, and the
    history is returned, with the reason in ``stopped``; the epoch that was not finished is not in it.  A second Ctrl-C
    raises KeyboardInterrupt, after the model has got its best weights.  This needs Python's own handler of SIGINT and
    the main thread; otherwise Ctrl-C does what it would do without `fit`.

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
    verbose = check_verbose(verbose)
    shuffle, keep_best, drop_last, group_by_length = (
        checks.boolean(name, value)
        for name, value in (
            ("shuffle", shuffle),
            ("keep_best", keep_best),
            ("drop_last", drop_last),
            ("group_by_length", group_by_length),
        )
    )
    if group_by_length and not shuffle:
        raise ValueError("`shuffle` must be True with `group_by_length`, which draws the batches anew, got False")
    validation_every = checks.integer("validation_every", validation_every)
    initial_epoch = checks.integer("initial_epoch", initial_epoch, 0)
    if epochs <= initial_epoch:
        raise ValueError(f"`epochs` must be larger than `initial_epoch` = {initial_epoch}, got {epochs}")
    clip = _clip(clip_norm, clip_array_norm)
    start = _start(model.trained, initial_epoch, seed)
    optimizer = optim.Adam(1e-3) if optimizer is None else optim.get(optimizer)
    callbacks = as_callbacks(callbacks)
    loss = losses.get(loss)
    train = prepare_data(model, x, y, dt, lengths, sample_weight, loss, missing)
    if drop_last and train.count < batch_size:
        raise ValueError(f"`batch_size` must be at most the {train.count} sequences with `drop_last`, got {batch_size}")
    if tbptt is not None:
        _check_tbptt(model, train)
    validation = _validation(model, validation_data, loss, missing)
    objective = model.objective(train.whole, loss, class_weight, l1, l2)
    measures = read_metrics(metrics, model, loss)
    check_measures(measures, model, train)
    if validation is not None:
        with _of_validation():
            check_measures(measures, model, validation)
    settings = Settings(
        objective, optimizer, clip, batch_size, tbptt, keep, measures, callbacks, start.seed, start.number
    )  # fmt: skip
    measured = {"loss": "min"} | {name: metric.mode for name, metric in measures.items()}
    if validation:
        measured |= {f"val_{name}": mode for name, mode in measured.items()}
    for callback in callbacks:
        callback.model, callback.optimizer = model, optimizer
        callback.measured, callback.initial_epoch = measured, initial_epoch
    watched = _monitor(monitor, monitor_mode, measured)
    source = Shuffled(train, batch_size, drop_last, shuffle, group_by_length)
    plan = Plan(source, validation, validation_every, initial_epoch, epochs, verbose, start)
    best = partial(BestWeights, model, watched, keep_best, losses.identity(objective.loss), initial_epoch)
    return loop.train(Run(model, settings), plan, best)


def _start(trained, initial_epoch, seed):
    """`Trained` of the beginning of a training; ``trained`` is the model's own."""
    seed = checks.seed("seed", seed)
    if trained is None or initial_epoch == 0:
        number = 0 if trained is None else trained.number + 1
        seed = int(np.random.SeedSequence().entropy % 2**63) if seed is None else seed
        return Trained(initial_epoch, seed, number)
    start = trained._replace(epochs=initial_epoch, seed=trained.seed if seed is None else seed)
    if trained.epochs == initial_epoch:
        return start
    checks.warn(
        f"`initial_epoch` is {initial_epoch}, but the model has been trained for {trained.epochs} epochs: callbacks "
        "begin anew, instead of going on as they were then"
    )
    return start._replace(callbacks=())


def _monitor(name, mode, measured):
    """The `Monitor` of the best weights, None if there is nothing to monitor."""
    checks.one_of("monitor_mode", mode, MODES)
    if name is None:
        name = "val_loss"
        if name not in measured:
            return None
    return Monitor(name, mode, measured)


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
    if isinstance(data, (tuple, list)) and len(data) == 2:
        data = dict(zip(("x", "y"), data, strict=True))
    known = ("x", "y", "dt", "lengths", "sample_weight")
    rule = f"`validation_data` must be (x, y), or a dict with x, y and maybe {', '.join(known[2:])}"
    if not isinstance(data, dict):
        more = isinstance(data, (tuple, list)) and len(data) > 2
        hint = ": say in a dict what the third one is" if more else ""
        got = f"a {type(data).__name__} of {len(data)}" if isinstance(data, (tuple, list)) else checks.brief(data)
        raise (ValueError if isinstance(data, (tuple, list)) else TypeError)(f"{rule}, got {got}{hint}")
    if not {"x", "y"} <= set(data) <= set(known):
        raise ValueError(f"{rule}, got a dict with {', '.join(map(str, data)) or 'nothing'}")
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
