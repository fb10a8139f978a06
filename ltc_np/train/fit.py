"""`fit`: its options, its signature, and the steps from what was given to a plan that `loop` carries out."""

from __future__ import annotations

import inspect
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from .. import losses, optim
from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import (
    ArrayLike,
    BatchSource,
    ClassWeight,
    Communicator,
    Loss,
    Missing,
    PathLike,
    Seed,
    Targets,
)
from ..network.elapsed import warn_of_times
from ..network.forgetting import short_memory, warn_of_short_memory
from ..optim.base import Optimizer
from ..optim.clip import Clip, read_clip
from .bptt import BPTT
from .call import across_ranks
from .callbacks import as_callbacks
from .callbacks.averages import average_of
from .data.batching import Batching
from .data.reader import DataReader
from .data.scales import loss_unit, take_scales
from .data.stream import NO_DATA
from .data.validation import Validation, ValidationData, read_validation
from .history import History
from .loop.best_weights import BestKeeper, BestWeights
from .loop.epochs import Plan, finished, train
from .loop.progress import check_verbose
from .loop.run import Run
from .measures import names_of_logs, read_metrics
from .model_base import ModelBase
from .monitor import of_best_weights
from .options import (
    REFUSED,
    UNUSED,
    Option,
    as_it_is,
    by_content,
    check_combinations,
    chosen,
    function_in_words,
    loss_in_words,
    of_clip,
    of_function,
    of_loss,
    of_metrics,
    of_optimizer,
    of_penalty,
    of_validation,
    read,
    read_epochs,
    some_or_none,
)
from .parts import split_objects
from .penalty import L1L2, read_penalty
from .ranks.agreement import check_arguments, check_ranks
from .ranks.communication import ShardedData
from .resume.folder import Checkpoints, read_checkpoints
from .resume.identity import identity_of
from .resume.position import Position, beginning
from .resume.saved import open_checkpoints

if TYPE_CHECKING:
    from ..metrics.base import Metrics
    from .callbacks.base import Callbacks


ONE_EPOCH = "ltc_np: this was one epoch, which is the default; epochs=100 trains for longer"
COMPARED_ELSEWHERE = "it is compared where ranks must have the same data"
OPTIONS: dict[str, Option] = {
    "model": Option(
        may_differ="its layers and its dtype are compared", unchecked_on_ranks="its parts are compared, one by one",
    ),
    "x": Option(compared=by_content, unchecked_on_ranks=COMPARED_ELSEWHERE, batches=UNUSED),
    "y": Option(compared=by_content, unchecked_on_ranks=COMPARED_ELSEWHERE, batches=REFUSED),
    "dt": Option(compared=by_content, unchecked_on_ranks=COMPARED_ELSEWHERE, batches=REFUSED),
    "lengths": Option(compared=by_content, unchecked_on_ranks=COMPARED_ELSEWHERE, batches=REFUSED),
    "epochs": Option(read_epochs, may_differ="more of them go on, and fewer than have begun are refused"),
    "initial_epoch": Option(may_differ="it is of the beginning, and the checkpoint has the place"),
    "batch_size": Option(checks.integer, as_it_is, batches=UNUSED),
    "steps_per_epoch": Option(
        may_differ="how many the source has is compared", unchecked_on_ranks="a rank may have fewer batches",
    ),
    "drop_last": Option(batches=REFUSED),
    "group_by_length": Option(batches=REFUSED),
    "augment": Option(compared=of_function, in_words=function_in_words, batches=REFUSED),
    "tbptt": Option(
        lambda name, value: None if value is None else checks.integer(name, value), as_it_is, batches=REFUSED,
    ),
    "memory": Option(may_differ="the numbers are the same"),
    "parallel_time": Option(may_differ="it is another way to the same numbers, up to the error that it allows"),
    "optimizer": Option(lambda _, value: optim.Adam(1e-3) if value is None else optim.get(value), of_optimizer),
    "loss": Option(lambda _, value: losses.get(value), of_loss, in_words=loss_in_words),
    "metrics": Option(compared=of_metrics),  # read in the body, since that needs the model and the loss
    "validation_data": Option(
        lambda _, value: None if value is None else read_validation("validation", value), of_validation,
        in_words=some_or_none,
    ),
    "validation_split": Option(batches=REFUSED),
    "validation_every": Option(),
    "sample_weight": Option(compared=by_content, unchecked_on_ranks=COMPARED_ELSEWHERE, batches=REFUSED),
    "class_weight": Option(compared=by_content),
    "penalty": Option(read_penalty, of_penalty),
    "missing": Option(),
    "standardize": Option(
        checks.boolean, may_differ="it is of the beginning, and the checkpoint has the scales", batches=REFUSED,
    ),
    "clip_norm": Option(read_clip, of_clip),
    "shuffle": Option(checks.boolean, batches=UNUSED),
    "seed": Option(
        may_differ="None is that of the checkpoint, and another number is refused",
        unchecked_on_ranks="that of rank 0 counts",
    ),
    "keep_best": Option(checks.boolean),
    "monitor": Option(may_differ="a warning says that the best weights so far are forgotten"),
    "monitor_mode": Option(may_differ="a warning says that the best weights so far are forgotten"),
    "callbacks": Option(
        lambda _, value: as_callbacks(value), may_differ="they take their states by their classes",
        unchecked_on_ranks="some only write or show, on rank 0",
    ),
    "checkpoint": Option(read_checkpoints, may_differ="where the files lie, and how many of them"),
    "comm": Option(
        may_differ="more ranks or fewer may go on after an epoch", unchecked_on_ranks="each rank has its own object",
    ),
    "shares": Option(may_differ="the same sequences may be given in other parts"),
    "verbose": Option(
        lambda _, value: check_verbose(value), may_differ="what is shown", unchecked_on_ranks="only rank 0 shows",
    ),
}  # fmt: skip


@across_ranks
@with_signature_hints
def fit(
    model: ModelBase,
    x: Targets | BatchSource,
    y: Targets | None = None,
    *,
    dt: Targets | None = None,
    lengths: ArrayLike | None = None,
    epochs: int | range | None = None,
    batch_size: int | Batching = 32,
    tbptt: int | BPTT | None = None,
    optimizer: str | Optimizer | None = None,
    loss: Loss = "mse",
    metrics: Metrics = (),
    validation: ValidationData | Validation | None = None,
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight = None,
    penalty: L1L2 | None = None,
    missing: Missing = "error",
    standardize: bool = False,
    clip_norm: float | Clip | None = None,
    shuffle: bool = True,
    seed: Seed = None,
    keep_best: bool | str | BestWeights = True,
    callbacks: Callbacks = (),
    checkpoint: PathLike | Checkpoints | None = None,
    comm: Communicator | ShardedData | None = None,
    verbose: bool | Literal[0, 1, 2, "auto"] = "auto",
) -> History:
    """Train ``model`` in place.

    Parameters
    ----------
    model : Model
    x : (B, T, I) array, list of (T_i, I) arrays, or batches
        A `numpy.memmap` is read batch by batch and never copied as a whole; then each batch is checked when it is its
        turn.  Batches: an iterator, an iterable, or a function of the epoch (an int from 0) that returns one of these;
        see Notes.
    y : array, or list where x is one
        Targets, as for `Model.loss_and_grad`; None for batches.
    dt : number, (T,), (B, T) or list of (T_i,), optional
    lengths : (B,) integers, optional
    epochs : int or range
        How many epochs, by default one, which a line then says; or which: ``range(10, 40)`` goes on with epoch 10, the
        eleventh.  With model and optimiser state from a file of the callback `Checkpoint`, and the same data, training
        goes on with the same bits.  The seed and the states of callbacks are in the file too; without `seed` it is
        that one.  (A model saved after `fit` has the best weights, not the last ones.)
    batch_size : int or Batching
        Sequences per optimiser step.  `Batching` says also how sequences are put into batches, which function of yours
        changes each of them (``augment``), and how many batches of ``x`` an epoch has.
    tbptt : int or BPTT, optional
        Truncated backpropagation through time: steps of a chunk.  Default: whole sequences.  `BPTT` has the details,
        and says also what the backward pass keeps in memory, and whether pieces of time run side by side.
    optimizer : Optimizer or name, optional
        Default ``Adam(1e-3)``.
    loss : str or callable
        As for `Model.loss_and_grad`.
    metrics : sequence
        Names from `ltc_np.metrics`, functions, or Metric objects, of which copies are used, as `ltc_np.metrics.get`
        takes them; reported beside the loss, with prefix ``val_`` for validation.
    validation : tuple (x, y), dict, float or Validation, optional
        Data on which loss and metrics are measured after each epoch, or the share of the sequences that is held out
        for this, such as 0.2.  `Validation` says also after which epochs.
    sample_weight : (B,) or (B, T) array, optional
    class_weight : (C,) array, dict class -> weight, or "balanced", optional
        As for `Model.loss_and_grad`.  ``"balanced"`` counts the classes of the training data; validation has the same
        weights.
    penalty : L1L2, optional
        Such as ``L1L2(l2=1e-4)``; part of the training loss, not of the validation loss.
    missing : "error" or "ignore"
        What NaN in targets means, also in those of validation; as for `Model.loss_and_grad`.
    standardize : bool
        Take mean and spread of x and y into the model's `Standardize` layers first, as `Model.adapt` does; not where
        training resumes.  With an inverse layer at the end losses and metrics are in the units of y, while gradients
        (``clip_norm``, ``penalty``, learning rates) are those of targets with spread 1, all outputs taken together.
    clip_norm : float or Clip, optional
        Largest norm of the whole gradient, as by `clip_by_global_norm`.  ``Clip(norm, per_array=True)``: of each
        parameter's gradient by itself.
    shuffle : bool
        A new order every epoch, drawn from the seed and the epoch.
    seed : int or numpy.random.Generator, optional
        Of the order of the sequences and of what layers drop; None draws a new one, and one is drawn from a generator.
        Every call of `fit` that begins with epoch 0 is another training of the model, and has an order and drops of
        its own with the same seed too (``model.trained.number`` counts them;
        ``model.trained = None`` begins to count anew).
    keep_best : bool, str or BestWeights
        Leave the model with the weights of the epoch with the best ``val_loss``, or of the best value of what is named,
        such as ``"val_accuracy"``.  `BestWeights` says also whether smaller or larger is better.
    callbacks : Callback, function (epoch, logs), or sequence of these
        Returning True from the end of an epoch stops training.
    checkpoint : str, Path or Checkpoints, optional
        A folder for files that hold all of the training; see Notes.  `Checkpoints` says also how often they are
        written, how many remain, and whether the training goes on from the newest one.
    comm : communicator of mpi4py or ShardedData, optional
        Such as ``MPI.COMM_WORLD``: all its ranks call `fit` and train one model together, each with a part of every
        batch.  With ``ShardedData(comm)`` every rank gives sequences of its own.  See the guide "Training on several
        machines".
    verbose : bool, 0, 1, 2 or "auto"
        On standard error: nothing (False, 0), a bar with losses and the time that is left if tqdm is installed, else
        about ten lines (True, 1, "auto"), or a line an epoch (2).  The time for compiling is left out of that estimate;
        where it takes more than a second, a terminal or a notebook is told of it, with False too.

    Returns
    -------
    History

    Warns
    -----
    RuntimeWarning
        A training is resumed with another epoch than the model has behind it, so that callbacks begin anew; or the best
        weights so far are forgotten, since something else is monitored now.  Data are far from unit scale, or ``dt``
        looks like time stamps; or ``dt`` is given where the epochs before, or the data of ``validation``, have none, or
        the reverse.  The newest checkpoint is not whole, so that the one before is taken.

    Raises
    ------
    FloatingPointError
        The loss or the gradient is not finite; the model keeps the last good parameters.
    ValueError, TypeError
        An argument that does not fit; ``tbptt`` for a model that gives only last outputs (the target then belongs to
        one step, and the other chunks would have none), or that has a layer whose outputs depend on later inputs.
        Before any epoch: steps that have become too long for an explicit solver.  A metric that does not fit; if it is
        a function of your own that fails at its first call, the model gets the parameters of before the training.  The
        folder ``checkpoint`` holds checkpoints, and is not to be resumed.  Or it is, and they are those of another
        network, optimiser, loss or seed, of other data, or of other arguments that change the steps, as the guide lists
        them; or all of them are damaged.
    OSError
        A checkpoint cannot be written, because the disk is full or for another reason.  The checkpoints before it are
        as they were, and the model keeps its parameters.

    Notes
    -----
    The first Ctrl-C ends training after the present batch: the model gets its best weights, if there are any, and the
    history is returned, with the reason in ``stopped``; the epoch that was not finished is not in it.  A second Ctrl-C
    raises KeyboardInterrupt, after the model has got its best weights.  This needs Python's own handler of SIGINT and
    the main thread; otherwise Ctrl-C does what it would do without `fit`.

    Where ``x`` gives batches, each is (x, y), or a dict with x, y and maybe dt, lengths, sample_weight, of any number
    of sequences and steps; it is checked when it comes, and makes one optimiser step.  The order is that in which they
    come: shuffle where you make them.  An iterator is gone on with in the next epoch, an iterable is begun anew, and
    what it has beyond the steps of an epoch (`Batching`) is not used.  Training that is resumed has the same bits if
    the batches are the same: a function of the epoch sees to that, while an iterator must be brought to the right place
    first.

    With ``checkpoint`` a training that was cut off, at any step and in any way, goes on with ``Checkpoints(folder,
    resume=True)`` as if it had never stopped: with the same data and arguments it ends with the same bits and the same
    history; a training that was finished returns its history at once.  SIGTERM, by which clusters end a process, then
    ends the training as Ctrl-C does, with "terminated after ..." in ``stopped``; a second SIGTERM ends the process at
    once.  After both signals a checkpoint is written when the present step is done.  The guide "Training, step by step"
    says what a checkpoint holds, what is compared when a training is resumed, and what becomes of damaged files.
    """
    given = split_objects(locals())  # every argument by its name, so this must stand before anything else has a name
    ranks: Any = comm  # by `across_ranks`
    check_arguments(ranks, OPTIONS, given)
    options = read(OPTIONS, given)  # has every argument from here on
    check_combinations(options)
    cutting = model.cutting(options.parallel_time)
    if not ranks.first:
        options.verbose = 0
        options.callbacks = [callback for callback in options.callbacks if not callback.first_rank_only]
    ranks.broadcast_start(model, options.optimizer)

    folder, resumed = open_checkpoints(ranks, model, options)
    if resumed is None:
        start = ranks.run_on_first(lambda: beginning(model.trained, options.initial_epoch, options.seed))
        at, start = Position(options.initial_epoch), start._replace(loss=losses.identity(options.loss))
    else:
        at, start = resumed.saved.position, resumed.trained._replace(callbacks=resumed.saved.callbacks)
    # Read here, since that needs the model; `identity_of` takes the names that they have then.
    options.metrics = read_metrics(options.metrics, model, options.loss)
    check_ranks(ranks, model, options)

    reader = DataReader(model, ranks, options)
    source, seen, held = reader.training(OPTIONS, chosen(given, DEFAULTS))
    same = {} if folder is None else identity_of(OPTIONS, options, source, ranks.shares)
    if resumed is not None:
        resumed.check(model, options.optimizer, options.seed, same)
        resumed.check_place(options.epochs, ranks.size)
        resumed.give(model, options.optimizer)
    elif options.standardize and at.epoch == 0:
        take_scales(model, source.data, ranks)
        ranks.broadcast_start(model, options.optimizer)  # the last digits, if processors are of different kinds
    if seen is not None:
        reader.warn(seen)
    if ranks.first:
        warn_of_times(start, options.dt, options.lengths)  # of a training that goes on
        if held is not None:
            warn_of_times(start._replace(dt=source.times), held.dt, held.lengths, "`validation`: ")

    begins = ranks.first and seen is not None and at.epoch == 0 and options.tbptt is None
    forgets = short_memory(model, *seen.whole.sequences[:3]) if begins else ""
    targets = NO_DATA if seen is None else seen.whole
    objective = model.objective(
        targets, options.loss, options.class_weight, options.penalty.l1, options.penalty.l2, ranks.counts
    )
    objective = objective._replace(unit=loss_unit(model, options.loss))
    validation = None if held is None else reader.validation(held)
    measured = names_of_logs(options.metrics, validation is not None)
    for callback in options.callbacks:
        callback.model, callback.optimizer = model, options.optimizer
        callback.measured, callback.initial_epoch, callback.first_rank = measured, at.epoch, ranks.first
    watched = of_best_weights(options.monitor, options.monitor_mode, measured)
    average = average_of(options.callbacks)
    if average is not None:
        average.epochs = options.epochs
    make_best = partial(BestKeeper, model, watched, options.keep_best, start.loss, at.epoch, average)
    plan = Plan(source=source, validation=validation, start=start, same=same, folder=folder, resumed=resumed)
    run = Run(model, options, objective, options.clip_norm, start, at, ranks)
    history = finished(plan, options.epochs, make_best)
    if history is not None:
        return history
    with model.cut_as(cutting):
        history = train(run, plan, make_best)
    warn_of_short_memory(forgets, history.get("loss", []))
    if given["epochs"] is None and options.verbose:
        print(ONE_EPOCH, file=sys.stderr)
    return history


DEFAULTS = split_objects({name: parameter.default for name, parameter in inspect.signature(fit).parameters.items()})
