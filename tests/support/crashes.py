"""Trainings in processes that are killed, at random moments or at every step of the way to a file.

`support.processes.python` runs this file.  It forks a process for each training, so that none has to import anything.
"""

import builtins
import json
import os
import pathlib
import random
import signal
import time
from functools import partial

import numpy as np

from ltc_np import LTC, Adam, AutoNCP, Checkpoints, Dense, Dropout, EarlyStopping, Model, ReduceLROnPlateau
from support.trainings import left_behind

rng = np.random.default_rng(0)
X = rng.normal(size=(12, 5, 2))
Y = np.cumsum(X, axis=1) / 3
EPOCHS = 8  # of a training, each with 3 batches of 3 chunks


def train(folder=None, epochs=EPOCHS, **options):
    """All that a training leaves behind but the seconds, to the bit."""
    model = Model(LTC(AutoNCP(6, 2)), Dropout(0.2), Dense(2), input_dim=2, seed=0, backend="numpy")
    optimizer, callbacks = Adam(0.05), [ReduceLROnPlateau(1, factor=0.5), EarlyStopping(50)]
    if folder is not None:
        kept = {name: options.pop(name) for name in ("every", "keep_last") if name in options}
        options |= {"checkpoint": Checkpoints(folder, resume=True, **kept)}
    history = model.fit(
        X, Y, validation=(X[:5], Y[:5] - 0.4 * X[:5]), metrics=["mae"], epochs=epochs, batch_size=4, tbptt=2,
        optimizer=optimizer, callbacks=callbacks, seed=3, verbose=0, **options,
    )  # fmt: skip
    return left_behind(model, optimizer, history)


def forked(work):
    """The number of a new process that only does some work, and then ends."""
    number = os.fork()
    if number == 0:
        try:
            work()
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    return number


def write_result(run, result, at=None, **options):
    """Train with checkpoints in a folder, and write what it leaves behind to a file; die at a call if that is asked."""
    if at is not None:
        Dies(at)
    result.write_text(train(run, **options))


def newest(folder):
    """The largest number of a checkpoint, 0 if there is none."""
    return max((int(path.stem[5:]) for path in folder.glob("step-*.npz")), default=0)


def killed_at_random(folder, kills, every, keep_last, seed):
    """Kill trainings by SIGKILL, each at a random moment, until so many were killed; every one is resumed.

    When a training comes to its end, it is compared with one that was never interrupted; then a new one begins.
    """
    draw, whole = random.Random(seed), train()
    begin = time.monotonic()
    train()
    longest = time.monotonic() - begin  # seconds of a training that is not killed
    found = {"killed": 0, "finished": 0, "different": 0, "steps lost": 0}
    while found["killed"] < kills or not found["finished"]:
        run, result = folder / str(found["finished"]), folder / f"{found['finished']}.txt"
        before = newest(run) if run.exists() else 0
        number = forked(partial(write_result, run, result, every=every, keep_last=keep_last))
        if found["killed"] < kills:
            time.sleep(draw.uniform(0, longest))
            os.kill(number, signal.SIGKILL)
        _, status = os.waitpid(number, 0)
        if os.WIFSIGNALED(status):
            found["killed"] += 1
            found["steps lost"] += max(0, before - newest(run))  # steps that were on the disk and were lost
        else:
            assert status == 0
            found["finished"] += 1
            found["different"] += result.read_text() != whole
    return found


# The calls by which a file is written.  A process may be killed before each of them, and so after each of them.
CALLS = {os: ("open", "fsync", "replace", "unlink", "close"), builtins: ("open",)}


class Dies:
    """Kills this process before call number ``at`` of `CALLS`."""

    def __init__(self, at):
        self.at, self.count = at, 0
        for module, names in CALLS.items():
            for name in names:
                setattr(module, name, self.counted(getattr(module, name)))

    def counted(self, call):
        def counting(*args, **options):
            self.count += 1
            if self.count == self.at:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **options)

        return counting


def killed_at_every_call(folder, every, keep_last):
    """Kill a training before each call by which files are written, one training for each call; each is then resumed.

    A training that is killed later must not leave an older checkpoint behind.
    """
    epochs = 2  # the training writes two files, of which the second replaces the first
    whole, found = train(epochs=epochs), {"killed": 0, "different": 0, "older": 0}
    at, last = 1, 0
    while True:
        run, result = folder / f"{at}", folder / f"{at}.txt"
        work = partial(write_result, run, result, epochs=epochs, every=every, keep_last=keep_last)
        _, status = os.waitpid(forked(partial(work, at=at)), 0)
        if not os.WIFSIGNALED(status):
            assert status == 0
            return found
        now = newest(run) if run.exists() else 0
        found["killed"] += 1
        found["older"] += now < last
        _, status = os.waitpid(forked(work), 0)
        found["different"] += status != 0 or result.read_text() != whole
        at, last = at + 1, now


def main(work, folder, *arguments):
    """Print what ``work`` finds, as JSON."""
    print(json.dumps({"killed_at_random": killed_at_random, "killed_at_every_call": killed_at_every_call}[work](
        pathlib.Path(folder), *map(int, arguments)
    )))  # fmt: skip
