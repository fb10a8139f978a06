"""The argument ``parallel_time``, and what a model says of its last call."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from ...base import checks
from ...base.calls import with_signature_hints
from ...base.types import Shape
from ...cells.base import Layer

CutTime: TypeAlias = "ParallelTime | int | Literal['auto', False] | None"  # the argument ``parallel_time``


class Width(NamedTuple):
    """What a machine can run side by side.

    Attributes
    ----------
    at_once : int
        Sequences, chunks included, that fill it.
    step : int
        The time of one step of a batch, in units of what each sequence adds: it is ``step`` plus their number.
    """

    at_once: int
    step: int


# 64 sequences fill the lanes and the threads of a processor; a step of AutoNCP(19, 2) takes 3.6 us plus 0.1 us for each
# sequence (Zen 3, two threads, float32).
PROCESSOR = Width(at_once=64, step=36)
# Not measured: a guess.  Until a card is full, a step takes about the same time whatever the number of sequences.
CARD = Width(at_once=1024, step=1024)
FEWEST = 4  # chunks that are worth it
SHORTEST = 2048  # steps of a sequence in which the probe costs little


@dataclass(frozen=True)
class ParallelTime:
    """How long sequences are cut into chunks that run side by side.

    Parameters
    ----------
    chunks : "auto" or int >= 1
        Chunks of each sequence.  ``"auto"``: as many as fill the processor and are worth it, for the data; none, where
        sequences are short or many, or the layer does not forget fast enough.
    tolerance : float >= 0
        How far each number of the two states at a border may differ, relative to itself.  0: not at all, so that layers
        with the flag ``bitwise_batch`` give the bits that they give without chunks; others, whose products are rounded
        in another way at another size of the batch, agree to rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP, ParallelTime
    >>> model, x = LTCRNN(AutoNCP(19, 2), 3, seed=0), np.random.default_rng(0).normal(size=(5000, 3))
    >>> y = model(x, parallel_time=ParallelTime(chunks=8))
    >>> bool((y == model(x, parallel_time=False)).all())
    True
    """

    chunks: int | Literal["auto"]
    tolerance: float

    @with_signature_hints
    def __init__(self, chunks: int | Literal["auto"] = "auto", tolerance: float = 0.0) -> None:
        if chunks != "auto":
            chunks = checks.integer("chunks", chunks)
        object.__setattr__(self, "chunks", chunks)
        object.__setattr__(self, "tolerance", checks.number("tolerance", tolerance))

    def concerns(self, shape: Shape, width: Width) -> bool:
        """Whether sequences of this shape (B, T) may be cut at all, on a machine of this width."""
        B, T = shape
        if self.chunks == "auto":
            return T >= SHORTEST and width.at_once >= B * FEWEST
        return min(self.chunks, T) > 1


def read(parallel_time: object) -> ParallelTime:
    """The checked argument; False is one chunk."""
    if isinstance(parallel_time, ParallelTime):
        return parallel_time
    if parallel_time is False:
        return ParallelTime(chunks=1)
    if isinstance(parallel_time, str) and parallel_time == "auto":
        return ParallelTime()
    if isinstance(parallel_time, (int, np.integer)) and not isinstance(parallel_time, bool) and parallel_time >= 1:
        return ParallelTime(chunks=int(parallel_time))
    raise ValueError(
        '`parallel_time` must be "auto", False, a number of chunks >= 1 or a ParallelTime(...), got '
        f"{checks.brief(parallel_time)}"
    )


@dataclass
class Report:
    """What was made of the sequences of one layer.

    Attributes
    ----------
    layer : int or None
        Its number in the model.  None on a card, which cuts what goes through all layers at once.
    chunks, steps : int
        How many chunks of how many steps a sequence was cut into.
    early : int
        Steps by which a chunk's run begins early.
    repeated : int
        Chunks that ran again, since they had begun from a state that was not the right one.
    repeated_backward : int or None
        How often all chunks ran again backwards; None before `Model.backward`.
    as_it_stands : bool
        Whether the chunks were given up in the end, and the sequences computed as they stand, since states or adjoints
        did not come to agree.
    """

    layer: int | None
    chunks: int
    steps: int
    early: int
    repeated: int = 0
    repeated_backward: int | None = None
    as_it_stands: bool = False


class Parallel:
    """Of one call: the settings, where it runs, and a `Report` of each layer whose sequences were cut."""

    def __init__(self, settings: ParallelTime, width: Width) -> None:
        self.settings: ParallelTime = settings
        self.width: Width = width
        self.reports: list[Report] = []


def wants(layer: Layer) -> bool:
    """Whether sequences of this layer may be cut.

    Where it drops values, in training, the stack leaves them whole.
    """
    return layer.contracting and layer.state_size > 0
