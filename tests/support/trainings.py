"""Trainings that are cut off, and all that a training leaves behind, as text that can be compared."""

import numpy as np

from ltc_np import Callback


class Cut(Exception):
    """What ends a training as a crash would."""


class Cuts(Callback):
    """Ends training after some step, with an error."""

    def __init__(self, step):
        self.step = step

    def on_batch_end(self, step, logs):
        if step == self.step:
            raise Cut


def left_behind(model, optimizer, history):
    """All that a training leaves behind but the seconds, to the bit."""
    best = model.best
    if best is not None:
        buffers = None if best.buffers is None else best.buffers.tobytes()
        best = best._replace(theta=best.theta.tobytes(), buffers=buffers)
    return repr((
        model.theta.tobytes(), model.buffer_vector.tobytes(), optimizer.lr, optimizer.epoch,
        {name: np.asarray(values).tobytes() for name, values in optimizer.state().items()}, best, model.trained,
        dict(history), history.epoch, history.val_epoch, history.best_epoch, history.stopped,
    ))  # fmt: skip
