"""The evaluation of a model on data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import losses
from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike, ClassWeight, LibraryLoss, Loss, Missing, Numbers, Targets
from ..base.workspace import Workspace
from ..network.elapsed import warn_of_times
from ..network.engine import Objective
from ..network.network import Network
from ..network.outputs import last_outputs
from .data.arguments import DataArguments
from .data.sources import Data, check_balanced, data_of
from .measures import read_metrics, results, show
from .ranks.communication import ALONE, Alone
from .ranks.division import cut

if TYPE_CHECKING:
    from ..metrics.base import Metric, Metrics


@with_signature_hints
def evaluate(
    model: Network,
    x: Targets,
    y: Targets,
    *,
    dt: Targets | None = None,
    lengths: ArrayLike | None = None,
    loss: Loss | None = None,
    metrics: Metrics = (),
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight = None,
    missing: Missing = "error",
    batch_size: int = 256,
) -> dict[str, float]:
    """Loss and metrics of ``model`` on data; arguments as for `fit`.

    Parameters
    ----------
    loss : str or callable, optional
        Default: the one that `fit` has last minimised; ``"mse"`` for a model that has not been trained.

    Returns
    -------
    dict
        ``"loss"`` and each metric's name -> float.

    Raises
    ------
    ValueError
        Besides what `fit` raises: no ``loss`` for a model that was trained with one that has no name of the library's.
    """
    loss = losses.get(_trained_with(model) if loss is None else loss)
    data = data_of(model, DataArguments(x, y, dt, lengths, sample_weight), loss, missing)
    check_balanced(class_weight, data)
    objective = model.objective(data.sample().whole, loss, class_weight, None, None)
    size = checks.integer("batch_size", batch_size)
    measures = read_metrics(metrics, model, loss)
    warn_of_times(model.trained, dt, lengths)
    return measure(model, data, objective, measures, size, Workspace(), check=True)


def _trained_with(model: Network) -> str:
    """The name of the loss that the model was trained with."""
    name = None if model.trained is None else model.trained.loss
    if name is not None and name not in losses.LOSSES:
        raise ValueError(f"`loss` must be given for a model that was trained with {name}, got None")
    return name or "mse"


def measure(
    model: Network,
    data: Data,
    objective: Objective,
    measures: dict[str, Metric],
    batch_size: int,
    workspace: Workspace,
    check: bool = False,
    ranks: Alone = ALONE,
) -> dict[str, float]:
    """Loss (without penalties) and metrics on `Batches` or `Mapped` sequences, of which every rank takes a part."""
    engine, loss = model.engine, losses.trusted(objective.loss)
    prepared, checked = engine.prepare(workspace), None
    total = weights = 0.0
    start, stop = (0, data.count) if ranks.shares else cut(data.count, ranks.rank, ranks.size)
    for first in range(start, stop, batch_size):
        found = data.at(slice(first, min(first + batch_size, stop)))
        if found is None:
            continue
        batches, rows = found
        if batches is not checked:
            engine.check(prepared, batches.whole.sequences)
            checked = batches
        sequences, target, weight, mask = batches.take(rows)
        if mask is not None and not mask.any():
            continue
        y, state, _ = engine.forward(prepared, sequences, None, workspace)
        if check:
            engine.check_outputs(y, state, sequences.dt)
        y = y if model.return_sequences else last_outputs(y, model.pace(sequences).lengths)
        part, part_weight, _ = loss(y, target, weight, objective.class_weight)
        own = batch_weight(objective.loss, part_weight, y, target)
        total += part if own == part_weight else part * own
        weights += own
        if measures:
            show(measures, y, target, mask)
    total, weights = (sum(numbers) for numbers in zip(*ranks.allgather((total, weights)), strict=True))
    return {"loss": losses.normalise(total, weights), **results(measures, ranks)}


def batch_weight(loss: LibraryLoss, weight_sum: float, outputs: Array, target: Numbers) -> float:
    """What a batch weighs in a mean over batches: a loss of one's own counts for the outputs that it can look at, which
    are all but those of missing targets, so those in padding too."""
    if losses.takes_weight(loss):
        return weight_sum
    return int(np.count_nonzero(target == target)) * outputs.size / target.size
