"""How a training goes through time, forward and back: an option of `fit`."""

from __future__ import annotations

from ..base import checks
from ..base.from_arguments import Immutable
from ..base.types import Memory
from ..layers import parallel
from ..layers.parallel import CutTime
from ..network.sequences import check_memory


class BPTT(Immutable):
    """Backpropagation through time in `fit`: over how many steps, what is kept for it, and what runs side by side.

    ``fit(tbptt=100)`` means ``fit(tbptt=BPTT(100))``.

    Parameters
    ----------
    steps : int >= 1, optional
        Truncate it: steps of a chunk; see Notes.  Default: whole sequences.
    memory : "full" or "low"
        As for `Model.forward`: ``"low"`` runs every time step again in the backward pass and keeps no unfolds.
    parallel_time : "auto", False, int or ParallelTime, optional
        As for a call: during the training, and for its validation, in the place of the model's own.

    Notes
    -----
    With K ``steps`` the sequences of a batch are cut into chunks of K steps (the last one may be shorter), which are
    taken in order before the next batch begins.  Each chunk starts from the state in which the one before ended, as
    computed with the parameters of that time, and makes one optimiser step with the loss of its own steps; no gradient
    flows into earlier chunks.  So dependencies of up to K steps are learned, and what the backward pass needs is kept
    of K steps at a time, however long the sequences are.  K >= T is the training on whole sequences, bit for bit.

    A chunk in which nothing weighs anything, such as one of `sample_weight` 0, makes no step but carries the state; a
    batch ends with its last chunk that weighs something.  A sequence that has ended keeps its state.  The reported loss
    is the mean over all chunks by their weights; penalties act in every chunk.  A loss of your own sees one chunk at a
    time, and y must then be (B, T) or (B, T, ...).
    """

    steps: int | None
    memory: Memory
    parallel_time: CutTime

    def __init__(self, steps: int | None = None, *, memory: Memory = "full", parallel_time: CutTime = None) -> None:
        self.steps, self.memory = None if steps is None else checks.integer("steps", steps), check_memory(memory)
        if parallel_time is not None:
            parallel.read(parallel_time)
        self.parallel_time = parallel_time
