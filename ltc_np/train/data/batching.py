"""How the sequences of an epoch become batches: an option of `fit`."""

from __future__ import annotations

from ...base import checks
from ...base.from_arguments import Immutable
from .augment import Augment, read_augment


class Batching(Immutable):
    """How `fit` makes batches.

    ``fit(batch_size=32)`` means ``fit(batch_size=Batching(32))``.

    Parameters
    ----------
    size : int >= 1
        Sequences per optimiser step; the last batch of an epoch may be smaller.  Where ``x`` gives batches: of the
        validation only.
    drop_last : bool
        Leave out each epoch's last batch where it is smaller; with ``shuffle`` other sequences every time.
    group_by_length : bool
        Put sequences of like length into one batch, which spares the steps of padding; the batches are still drawn anew
        every epoch, in a new order.  A loss of your own sees the padding, so there it spares nothing.
    steps_per_epoch : int >= 1, optional
        Batches of an epoch, where ``x`` gives batches; may be left out if ``len(x)`` says it.
    augment : function (x, y, rng) -> (x, y), optional
        Changes each batch of the training before its step, such as by noise or shifts; validation data stay as they
        are.  It gets copies of x (B, T, I), before any layer, and of y as the loss reads it (classes as integers), both
        0 in padding, and a `numpy.random.Generator`.  It returns arrays of the same shapes.  What it draws depends on
        the seed and the step alone, so a resumed training has the same bits; each of several ranks calls it with its
        part of the batch and draws by itself.  Not with `tbptt`.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import GRU, Batching, Dense, Model
    >>> def noisy(x, y, rng):
    ...     return x + rng.normal(0, 0.1, x.shape), y
    >>> model = Model(GRU(4), Dense(1), input_dim=2, seed=0)
    >>> x = np.random.default_rng(0).normal(size=(32, 10, 2))
    >>> history = model.fit(x, x[:, :, :1], epochs=3, batch_size=Batching(8, augment=noisy), seed=0, verbose=False)
    """

    size: int
    drop_last: bool
    group_by_length: bool
    steps_per_epoch: int | None
    augment: Augment | None

    def __init__(
        self,
        size: int = 32,
        *,
        drop_last: bool = False,
        group_by_length: bool = False,
        steps_per_epoch: int | None = None,
        augment: Augment | None = None,
    ) -> None:
        self.size = checks.integer("size", size)
        self.drop_last = checks.boolean("drop_last", drop_last)
        self.group_by_length = checks.boolean("group_by_length", group_by_length)
        self.steps_per_epoch = None if steps_per_epoch is None else checks.integer("steps_per_epoch", steps_per_epoch)
        self.augment = read_augment("augment", augment)
