"""Trainings on several ranks, and the same trainings on one.  test_mpi.py starts this file with ``mpiexec``; it prints
JSON.

Every case gives numbers, and the tests say what they must be.  "apart" is the largest difference of parameters and logs
from those of one process, relative to the largest parameter.
"""

import json
import os
import signal
import sys
import zlib
from pathlib import Path

import numpy as np
from mpi4py import MPI

import ltc_np
from ltc_np import (
    L1L2,
    LTC,
    Adam,
    AutoNCP,
    Batching,
    Bidirectional,
    CfC,
    Checkpoint,
    Clip,
    CSVLogger,
    Dense,
    Dropout,
    EarlyStopping,
    Model,
    Residual,
    ShardedData,
    Standardize,
)
from ltc_np.train.callbacks import Callback

COMM, FOLDER = MPI.COMM_WORLD, Path(sys.argv[1])
RANK, SIZE = COMM.Get_rank(), COMM.Get_size()
B, T, I, O = 13, 9, 3, 2


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(B, T, I)), rng.normal(size=(B, T, O)), rng.integers(1, T + 1, B)


def network(*layers, dtype="float64", backend="numpy", **options):
    # Every rank begins with other parameters.
    return Model(*layers, input_dim=I, seed=RANK, dtype=dtype, backend=backend, **options)


def liquid(*more, **options):
    return network(LTC(AutoNCP(8, 3, seed=1), ode_unfolds=2), *more, Dense(O), **options)


def compared(make, train, alone=None):
    """Train on all ranks and on one; ``train(model, comm)``, or ``alone(model)`` for one process."""
    model = make()
    history = train(model, COMM)
    prints = COMM.allgather(zlib.crc32(model.theta.tobytes() + repr(dict(history)).encode()))
    found = {"same on all": len(set(prints)) == 1}
    if RANK == 0:
        other = make()
        single = train(other, None) if alone is None else alone(other)
        scale = np.abs(other.theta).max()
        logs = [np.abs(np.subtract(history[name], single[name])).max() for name in single]
        found["apart"] = float(max(np.abs(model.theta - other.theta).max() / scale, *logs))
        found["moved"] = float(np.abs(other.theta - make().theta).max())
        found["names"] = list(history) == list(single)
    return found


def everything():
    """Lengths, chunks of steps, dropout, penalties, clipping, metrics, validation."""
    x, y, lengths = data()
    options = {"epochs": 3, "batch_size": 5, "tbptt": 4, "metrics": ["r2", "mse"], "validation": 0.2}
    options |= {"seed": 3, "clip_norm": 0.5, "penalty": L1L2(l2=0.01, l1=1e-3), "lengths": lengths, "verbose": False}
    return compared(
        lambda: liquid(Dropout(0.3)), lambda model, comm: model.fit(x, y, comm=comm, optimizer=Adam(0.01), **options)
    )


def classes():
    """Class weights, sample weights of 0, missing targets, metrics that keep all, float32."""
    x, y, _ = data()
    y = np.where(y[..., 0] > 0.3, 1.0, 0.0)
    y[np.random.default_rng(1).random(y.shape) < 0.4] = np.nan
    y[:4] = np.nan
    weight = np.random.default_rng(2).integers(0, 3, (B,)).astype(float)

    def score(y_true, y_score, sample_weight=None):
        return float(np.average(np.abs(y_true - y_score), weights=sample_weight))

    options = {
        "epochs": 3,
        "loss": "cross_entropy",
        "class_weight": "balanced",
        "sample_weight": weight,
    }
    options |= {
        "missing": "ignore",
        "metrics": ["accuracy", "f1", "roc_auc", score],
        "clip_norm": Clip(0.1, per_array=True),
        "verbose": False,
    }
    options |= {
        "seed": 5,
        "validation": {"x": x, "y": y},
        "keep_best": "val_f1",
        "batch_size": Batching(4, group_by_length=True),
    }
    make = lambda: liquid(dtype="float32")  # noqa: E731
    return compared(make, lambda model, comm: model.fit(x, y, comm=comm, optimizer=Adam(0.01), **options))


def nested():
    """Layers inside layers drop what they would drop in one process."""
    x, y, lengths = data()
    make = lambda: network(  # noqa: E731
        Residual(Dropout(0.5), Dense(I)),
        Bidirectional(CfC(4, backbone_units=5, backbone_layers=2, backbone_dropout=0.4)),
        Dense(O),
    )
    options = {"epochs": 2, "batch_size": 6, "lengths": lengths, "seed": 1, "verbose": False}
    return compared(make, lambda model, comm: model.fit(x, y, comm=comm, optimizer=Adam(0.01), **options))


def compiled():
    x, y, lengths = data()
    options = {"epochs": 2, "batch_size": 6, "lengths": lengths, "seed": 1, "verbose": False}
    return compared(
        lambda: liquid(backend="cpu"), lambda model, comm: model.fit(x, y, comm=comm, optimizer=Adam(0.01), **options)
    )


def few():
    """Batches of fewer sequences than ranks."""
    x, y, _ = data()
    options = {"epochs": 1, "batch_size": Batching(2, drop_last=True), "seed": 1, "verbose": False}
    return compared(liquid, lambda model, comm: model.fit(x, y, comm=comm, optimizer=Adam(0.01), **options))


def mapped():
    """Arrays in files, of which each rank reads its rows."""
    x, y, lengths = data()
    y[:6] = np.nan  # whole batches in which nothing counts
    if RANK == 0:
        np.save(FOLDER / "x.npy", x)
        np.save(FOLDER / "y.npy", y)
    COMM.Barrier()
    x, y = (np.load(FOLDER / f"{name}.npy", mmap_mode="r") for name in "xy")
    options = {
        "epochs": 2,
        "batch_size": 3,
        "lengths": lengths,
        "seed": 1,
        "verbose": False,
        "missing": "ignore",
        "tbptt": 4,
    }
    return compared(
        liquid, lambda model, comm: model.fit(x, y, comm=comm, optimizer=Adam(0.01), shuffle=False, **options)
    )


def own_loss():
    """A user's own loss is a mean over elements; that of each rank counts for as many elements as the rank has."""
    x, y, _ = data()

    def loss(y, target):
        return float(np.mean((y - target) ** 4)), 4 * (y - target) ** 3 / y.size

    options = {"epochs": 2, "batch_size": 5, "loss": loss, "seed": 1, "verbose": False}
    return compared(liquid, lambda model, comm: model.fit(x, y, comm=comm, optimizer=Adam(0.01), **options))


def own_shares():
    """Uneven shares, classes balanced over all of them, and learned scales; one process is given the same batches."""
    from ltc_np.train.ranks.division import merged

    x, _, lengths = data()
    x = x * [1, 20, 300] + [0, 5, 1000]
    y = np.random.default_rng(3).integers(0, O, (B, T))
    cuts = np.linspace(0, 1, SIZE + 1) ** 1.5 * B
    cuts = cuts.astype(int) + np.arange(SIZE + 1)
    cuts[-1] = B
    mine = slice(cuts[RANK], cuts[RANK + 1])
    bounds = np.minimum(np.arange(0, B + 5, 5), B)
    ends = merged(list(np.diff(cuts)), bounds)
    counts = np.bincount(y[np.arange(T) < lengths[:, None]], minlength=O)

    def batches(epoch):
        for k in range(len(bounds) - 1):
            rows = np.concatenate([cuts[r] + np.arange(ends[r, k], ends[r, k + 1]) for r in range(SIZE)])
            yield {"x": x[rows], "y": y[rows], "lengths": lengths[rows]}

    options = {"epochs": 2, "seed": 2, "loss": "cross_entropy", "metrics": ["accuracy"], "verbose": False}

    def shared(model, comm):
        given = {
            "lengths": lengths[mine],
            "class_weight": "balanced",
            "shuffle": False,
            "batch_size": 5,
            "standardize": True,
        }
        held = {"x": x[mine], "y": y[mine], "lengths": lengths[mine]}
        return model.fit(
            x[mine], y[mine], comm=ShardedData(comm), validation=held, optimizer=Adam(0.01), **given, **options
        )

    def alone(model):
        model.adapt(x, lengths=lengths)
        weights = dict(enumerate(counts.sum() / (O * counts)))
        held = {"x": x, "y": y, "lengths": lengths}
        given = {"batch_size": Batching(steps_per_epoch=len(bounds) - 1), "class_weight": weights, "validation": held}
        return model.fit(batches, optimizer=Adam(0.01), **given, **options)

    make = lambda: network(Standardize(), LTC(AutoNCP(8, 3, seed=1), ode_unfolds=2), Dropout(0.3), Dense(O))  # noqa: E731
    return compared(make, shared, alone)


def own_batches():
    """Iterables of unequal length and batches of unequal size."""
    x, y, lengths = data()
    parts = [np.array_split(np.arange(B)[k::SIZE], 4)[: 4 - k % 2] for k in range(SIZE)]
    parts = [[rows for rows in part if rows.size] for part in parts]

    def of(rows):
        return {"x": x[rows], "y": y[rows], "lengths": lengths[rows]}

    def alone(model):
        longest = max(map(len, parts))
        whole = [np.concatenate([part[k] for part in parts if k < len(part)]) for k in range(longest)]
        return model.fit(
            lambda epoch: [of(rows) for rows in whole],
            batch_size=Batching(steps_per_epoch=longest),
            optimizer=Adam(0.01),
            **options,
        )

    options = {"epochs": 2, "seed": 2, "verbose": False}
    own = parts[RANK]

    def given(model, comm):
        return model.fit(
            lambda epoch: [of(r) for r in own],
            comm=comm,
            batch_size=Batching(steps_per_epoch=len(own)),
            optimizer=Adam(0.01),
            **options,
        )

    return compared(lambda: liquid(Dropout(0.3)), given, alone)


def raised(function):
    """The error of every rank."""
    try:
        function()
    except Exception as error:
        return COMM.allgather(f"{type(error).__name__}: {error}")
    return COMM.allgather("nothing")


def errors():
    """What is wrong on every rank is an error that a program may catch."""
    x, y, _ = data()
    found = {}
    fit = lambda comm=COMM, **options: liquid().fit(x, y, comm=comm, verbose=False, epochs=2, **options)  # noqa: E731
    found["batch_size"] = raised(lambda: fit(batch_size=4 + RANK))
    found["x"] = raised(lambda: liquid().fit(x + RANK, y, comm=COMM, verbose=False))
    found["shares"] = raised(lambda: fit(ShardedData(COMM), batch_size=Batching(group_by_length=True)))
    found["statistics"] = raised(lambda: network(ltc_np.BatchNorm(), Dense(O)).fit(x, y, comm=COMM, verbose=False))
    found["diverged"] = raised(lambda: fit(optimizer=ltc_np.SGD(1e200)))

    class Touching(Callback):
        def on_epoch_end(self, epoch, logs):
            self.model.theta[0] += RANK

    found["parted"] = raised(lambda: fit(callbacks=Touching()))

    class Counting(ltc_np.metrics.Metric):
        name = "counting"

        def _add(self, y, target, weight):
            self.n = len(y)

        def _value(self):
            return self.n

    found["metric"] = raised(lambda: fit(metrics=Counting()))
    return found


def callbacks():
    """Callbacks get the same logs; rank 0 writes files; any callback stops all ranks."""
    x, y, _ = data()
    seen, threads = [], []

    def look(epoch, logs):
        seen.append(logs)
        threads.append(ltc_np.get_num_threads())
        return RANK == SIZE - 1 and epoch == 2

    files = [Checkpoint(FOLDER / f"own{RANK}.npz"), CSVLogger(FOLDER / f"own{RANK}.csv"), EarlyStopping(50, "loss")]
    history = liquid().fit(x, y, comm=COMM, epochs=9, callbacks=[*files, look], verbose=2)
    COMM.Barrier()
    return {
        "logs": len(set(COMM.allgather(repr(seen)))),
        "stopped": COMM.allgather(history.stopped),
        "files": sorted(path.name for path in FOLDER.glob("own*")),
        "threads": COMM.allgather(threads[0]),
        "cores": len(os.sched_getaffinity(0)),
        "after": COMM.allgather(ltc_np.get_num_threads()),
    }


def interrupted():
    """A signal on one rank (Ctrl-C, or the one that clusters send) ends all ranks after the step, with the same
    parameters."""
    x, y, _ = data()
    models, reasons = [], []
    for number in (signal.SIGINT, signal.SIGTERM):

        class Signal(Callback):
            def on_batch_end(self, step, logs, number=number):
                if RANK == SIZE - 1 and step == 3:
                    os.kill(os.getpid(), number)

        if SIZE == 1 and number == signal.SIGTERM:
            continue  # which ends a single process at once, unless there are checkpoints
        models.append(liquid())
        options = {"batch_size": 5, "epochs": 9, "callbacks": Signal(), "verbose": False}
        reasons.append(COMM.allgather(models[-1].fit(x, y, comm=COMM, **options).stopped))
    prints = COMM.allgather([zlib.crc32(model.theta.tobytes()) for model in models])
    return {"stopped": reasons, "same on all": all(each == prints[0] for each in prints)}


CASES = [everything, classes, nested, few, mapped, own_loss, own_shares, own_batches, errors, callbacks, interrupted]
if __name__ == "__main__":
    wanted = sys.argv[2:]
    found = {case.__name__: case() for case in [*CASES, compiled] if not wanted or case.__name__ in wanted}
    if RANK == 0:
        print("FOUND " + json.dumps(found), flush=True)
