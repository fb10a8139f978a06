"""The rows of the options of `fit`: what is compared when a training is resumed, and what ranks must have alike."""

import ast
import inspect
import json
import pathlib
import re
import shutil

import numpy as np
import pytest
from support import ranks as fake

from ltc_np import (
    BPTT,
    L1L2,
    LTC,
    SGD,
    Adam,
    AutoNCP,
    Batching,
    BestWeights,
    Checkpoints,
    Clip,
    Dense,
    EarlyStopping,
    Model,
    ShardedData,
    Standardize,
    Validation,
)  # fmt: skip
from ltc_np.base import archive
from ltc_np.base.from_arguments import signature
from ltc_np.train.fit import DEFAULTS, OPTIONS, fit
from ltc_np.train.options import REFUSED, as_given
from ltc_np.train.parts import GROUPS, as_written
from ltc_np.train.resume.identity import ALWAYS_WRITTEN

rng = np.random.default_rng(0)
X = rng.normal(size=(11, 6, 2))
Y = np.cumsum(X, axis=1) / 3
HELD = {"x": X[:4], "y": Y[:4] - 0.4 * X[:4]}
CLASSES = (Y[:, :, 0] > 0).astype(int)
ARGUMENTS = {name: parameter.default for name, parameter in inspect.signature(fit).parameters.items()}

# Each part of an object that `fit` takes, and the row that protects it: written out once more, since a part without a
# row would be compared nowhere.
ROWS = {
    "BPTT.memory": "memory",
    "BPTT.parallel_time": "parallel_time",
    "BPTT.steps": "tbptt",
    "Batching.drop_last": "drop_last",
    "Batching.group_by_length": "group_by_length",
    "Batching.size": "batch_size",
    "Batching.steps_per_epoch": "steps_per_epoch",
    "Batching.augment": "augment",
    "BestWeights.keep": "keep_best",
    "BestWeights.mode": "monitor_mode",
    "BestWeights.monitor": "monitor",
    "Checkpoints.every": "checkpoint",
    "Checkpoints.folder": "checkpoint",
    "Checkpoints.keep_last": "checkpoint",
    "Checkpoints.resume": "checkpoint",
    "Clip.norm": "clip_norm",
    "Clip.per_array": "clip_norm",
    "L1L2.l1": "penalty",
    "L1L2.l2": "penalty",
    "ShardedData.comm": "shares",
    "Validation.data": "validation_data",
    "Validation.every": "validation_every",
}
KINDS = (BPTT, Batching, BestWeights, Checkpoints, Clip, L1L2, ShardedData, Validation)

# Options with which a training may be resumed that are not those with which it began, and those that are not compared
# between ranks: written out once more, so that nobody adds one of them by the way.
MAY_DIFFER = {
    "model", "epochs", "steps_per_epoch", "memory", "parallel_time", "standardize", "seed", "monitor", "monitor_mode",
    "callbacks", "initial_epoch", "checkpoint", "comm", "shares", "verbose",
}  # fmt: skip
UNCHECKED_ON_RANKS = {
    "model", "x", "y", "dt", "lengths", "sample_weight", "steps_per_epoch", "seed", "callbacks", "comm", "verbose",
}  # fmt: skip


def network(seed=0, *first):
    layers = *first, LTC(AutoNCP(7, 3), ode_unfolds=2), Dense(2)
    return Model(*layers, input_dim=2, seed=seed, backend="numpy")


class Batches:
    """Three batches, each of two sequences."""

    def __len__(self):
        return 3

    def __iter__(self):
        return ((X[k : k + 2], Y[k : k + 2]) for k in range(3))


# What a training is given but for the option in question, and two values of that one.  Numbers, and what is True or
# False, need no line here.  A part has values of the option that takes its object.
WITH = {
    "class_weight": {"y": CLASSES, "loss": "cross_entropy", "validation": None},
    "monitor": {"metrics": ["mae"]},
    "standardize": {"model": lambda: network(0, Standardize())},
    "steps_per_epoch": {"x": Batches(), "y": None, "validation": None},
}
VALUES = {
    "model": (network, lambda: network(1)),
    "x": (X, X * 2),
    "y": (Y, Y * 2),
    "dt": (None, 0.5),
    "lengths": (None, np.arange(1, 12).clip(0, 6)),
    "epochs": (1, 2),
    "initial_epoch": (range(1), range(1, 2)),
    "batch_size": (4, 5),
    "steps_per_epoch": (Batching(steps_per_epoch=3), Batching()),
    "drop_last": (Batching(5), Batching(5, drop_last=True)),
    "group_by_length": (Batching(4), Batching(4, group_by_length=True)),
    "augment": (Batching(4), Batching(4, augment=lambda x, y, rng: (2 * x, y))),
    "tbptt": (None, 2),
    "BPTT.steps": (BPTT(3), BPTT(2)),
    "memory": (None, BPTT(memory="low")),
    "parallel_time": (None, BPTT(parallel_time="auto")),
    "optimizer": (Adam(0.05), SGD(0.05)),
    "loss": ("mse", "mae"),
    "metrics": ((), ["mae"]),
    "validation_data": (HELD, {"x": HELD["x"], "y": HELD["y"] * 2}),
    "Validation.data": (Validation(HELD), Validation({"x": HELD["x"], "y": HELD["y"] * 2})),
    "validation_split": (0.2, 0.3),
    "validation_every": (HELD, Validation(HELD, every=2)),
    "sample_weight": (None, np.arange(11.0)),
    "class_weight": (None, [1.0, 2.0]),
    "penalty": (None, L1L2(0.1, 0.1)),
    "L1L2.l1": (L1L2(l2=0.1), L1L2(0.1, 0.1)),
    "L1L2.l2": (L1L2(l1=0.1), L1L2(0.1, {"1.weight": 0.1})),
    "missing": ("error", "ignore"),
    "standardize": (True, False),
    "clip_norm": (None, 0.5),
    "Clip.norm": (Clip(0.5, per_array=True), Clip(0.4, per_array=True)),
    "Clip.per_array": (0.5, Clip(0.5, per_array=True)),
    "seed": (3, None),
    "monitor": (True, "val_mae"),
    "monitor_mode": (True, BestWeights(mode="max")),
    "BestWeights.keep": (BestWeights(), BestWeights(keep=False)),
    "callbacks": ((), EarlyStopping(9)),
    "checkpoint": ("one", "another"),
    "verbose": (0, 2),
}


def values(name):
    """Two values of an option, the first as a rule its default; ``name`` is that of a row or, where a row has several
    parts, of a part."""
    if name in VALUES:
        return VALUES[name]
    default = DEFAULTS[name]
    assert isinstance(default, (bool, int, float)), f"two values of `{name}` must stand in `VALUES`"
    return default, not default if isinstance(default, bool) else default + 1


def row_of(name):
    return ROWS.get(name, name)


def argument_of(name):
    """The argument of `fit` that takes the values of a row or a part."""
    row = row_of(name)
    return next((option for option, group in GROUPS.items() if row in group.parts), row)


def train(folder, name, value, epochs, **others):
    """A training up to so many epochs with this value of ``name``."""
    given = {
        "model": network, "x": X, "y": Y, "epochs": epochs, "batch_size": 4, "optimizer": Adam(0.05), "seed": 3,
        "validation": HELD, "verbose": 0, "checkpoint": "one",
    }  # fmt: skip
    given |= WITH.get(name, {}) | {argument_of(name): value} | others
    given["checkpoint"] = Checkpoints(folder / given["checkpoint"], resume=True)
    return given.pop("model")().fit(**given)


def files(folder):
    return {path.name: path.read_bytes() for path in (folder / "one").iterdir()}


def test_every_option_has_a_row():
    assert list(OPTIONS) == list(DEFAULTS)
    assert {name for name, option in OPTIONS.items() if option.may_differ} == MAY_DIFFER
    assert {name for name, option in OPTIONS.items() if option.unchecked_on_ranks} == UNCHECKED_ON_RANKS


def test_every_part_has_a_row():
    assert {f"{kind.__name__}.{name}" for kind in KINDS for name in signature(kind)} == ROWS.keys()
    assert set(ROWS.values()) <= OPTIONS.keys()
    assert {argument_of(name) for name in OPTIONS} == ARGUMENTS.keys()


NAMES = [*OPTIONS, *(part for part in ROWS if part in VALUES)]
# What an error says of rows that have several parts.
TOLD = {
    "penalty": "L1L2.l1", "L1L2.l1": "L1L2.l1", "L1L2.l2": "L1L2.l2", "Clip.norm": "Clip.per_array",
    "Clip.per_array": "clip_norm 0.5 .now None., Clip.per_array",
}  # fmt: skip


@pytest.mark.few(15)
@pytest.mark.parametrize("name", [name for name in NAMES if not OPTIONS[row_of(name)].may_differ])
def test_resuming_with_another_value_is_refused(name, tmp_path):
    before, now = values(name)
    train(tmp_path, name, before, 1)
    there = files(tmp_path)
    told = TOLD.get(name, as_written(row_of(name)))
    words = rf"`checkpoint` must hold a training with the same arguments .* {told}(\.\w+)? .* \(now .*\): give these"
    with pytest.raises(ValueError, match=words):
        train(tmp_path, name, now, 2)
    assert files(tmp_path) == there
    assert train(tmp_path, name, before, 2).epoch == [0, 1]


@pytest.mark.parametrize("name", [name for name in NAMES if not OPTIONS[row_of(name)].unchecked_on_ranks])
def test_ranks_with_different_values_are_refused(name, tmp_path):
    both = {"validation_data": (None, HELD), "Validation.data": (Validation(0.2), Validation(HELD))}
    both |= {"shares": (lambda comm: comm, ShardedData), "checkpoint": ("one", "another")}

    def refused(comm):
        value = (both[name] if name in both else values(name))[comm.Get_rank()]
        given = {"comm": value(comm)} if name == "shares" else {"comm": comm}
        with pytest.raises(ValueError, match="must be the same on every rank, got .* on rank 0 and .* on rank 1"):
            train(tmp_path, name, value, 2, **given)
        return True

    assert fake.run(2, refused) == [True] * 2
    assert not list(tmp_path.iterdir())


ACROSS = {"comm", "shares"}  # of several ranks, see below


@pytest.mark.few(7)
@pytest.mark.parametrize("name", sorted(MAY_DIFFER - ACROSS))
def test_resuming_with_another_value_goes_on(name, tmp_path):
    before, now = values(name)
    train(tmp_path, name, before, 1)
    if name == "checkpoint":
        shutil.copytree(tmp_path / "one", tmp_path / "another")
    if name in ("monitor", "monitor_mode"):
        with pytest.warns(RuntimeWarning, match="the best weights so far, those of epoch 0, are forgotten"):
            history = train(tmp_path, name, now, 2)
    else:
        history = train(tmp_path, name, now, 2)
    assert history.epoch == [0, 1] and history.stopped == "all epochs done"


@pytest.mark.parametrize("shares", [False, True])
def test_more_ranks_go_on_after_an_epoch(shares, tmp_path):
    train(tmp_path, "comm", None, 1)

    def part(comm):
        rows = slice(comm.Get_rank(), None, 2) if shares else slice(None)
        held = {name: array[rows] for name, array in HELD.items()}
        own = {"x": X[rows], "y": Y[rows], "validation": held}
        return train(tmp_path, "shares" if shares else "comm", ShardedData(comm) if shares else comm, 2, **own).epoch

    assert fake.run(2, part) == [[0, 1]] * 2


def test_of_batches_their_number_is_compared(tmp_path):
    """Whatever says it: `steps_per_epoch`, or the length of what gives them."""
    train(tmp_path, "steps_per_epoch", Batching(), 1)
    words = r"with Batching.steps_per_epoch 3 \(now 2\): give these, or another folder"
    with pytest.raises(ValueError, match=words):
        train(tmp_path, "steps_per_epoch", Batching(steps_per_epoch=2), 2)


def test_what_means_nothing_for_batches_is_not_compared(tmp_path):
    batches = WITH["steps_per_epoch"] | {"batch_size": 2}
    train(tmp_path, "shuffle", True, 1, **batches)
    assert train(tmp_path, "shuffle", False, 2, **batches | {"batch_size": 3}).epoch == [0, 1]


def written(path):
    """What a checkpoint says of its training: what every file has, and what a former version may not have written."""
    same = json.loads(str(archive.read(path)["meta"]))["training"]["dict"]["same"]["dict"]
    settings = same.pop("settings")["dict"]
    return set(same), {name.partition(".")[0] for name in settings}


def test_a_file_has_every_option_that_is_compared(tmp_path):
    compared = {name for name, option in OPTIONS.items() if not option.may_differ}
    train(tmp_path / "arrays", "shuffle", True, 1)
    compared = compared - {"penalty"} | {"l1", "l2", "clip_array_norm"}  # the names that files have
    always, settings = written(tmp_path / "arrays" / "one" / "step-00000003.npz")
    assert always == {"sequences", "time steps", *ALWAYS_WRITTEN} and settings == compared - set(ALWAYS_WRITTEN)
    train(tmp_path / "batches", "steps_per_epoch", Batching(steps_per_epoch=3), 1)
    always, settings = written(tmp_path / "batches" / "one" / "step-00000003.npz")
    assert always == {"steps_per_epoch", "loss", "metrics"}
    without = {name for name, option in OPTIONS.items() if option.batches != "used"}
    assert settings == compared - without - {"loss", "metrics"}


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.batches == "refused"])
def test_what_needs_all_sequences_is_refused_for_batches(name, tmp_path):
    (value,) = [value for value in values(name) if value is not None and value is not False][-1:]
    given = WITH["steps_per_epoch"] | {argument_of(name): value}
    words = f"^`{as_written(name)}` must be left out where `x` gives batches, got "
    with pytest.raises(ValueError, match=words):
        train(tmp_path, "x", Batches(), 1, **given)


@pytest.mark.parametrize("name", ["missing", "epochs", "memory", "monitor_mode", "verbose", "optimizer"])
def test_a_refused_option_is_left_out_if_it_has_its_default(name, monkeypatch, tmp_path):
    """Whatever the default is: a word, a number, None that stands for something."""
    monkeypatch.setitem(OPTIONS, name, OPTIONS[name]._replace(batches=REFUSED))
    batches = WITH["steps_per_epoch"] | {"metrics": ["mae"]}
    default = ARGUMENTS[argument_of(name)]
    same = np.array(default)[()] if isinstance(default, int) else default  # a number of NumPy is one, too
    assert train(tmp_path, name, same, 1, **batches).epoch == [0]
    with pytest.raises(ValueError, match=f"^`{as_written(name)}` must be left out where `x` gives batches, got "):
        train(tmp_path / "other", name, values(name)[1], 1, **batches)


def test_what_is_compared_stands_in_the_guide():
    text = (pathlib.Path(__file__).parents[2] / "docs" / "guides" / "fit.md").read_text(encoding="utf-8")
    listed = text.partition("A ValueError says what differs if it gives\n")[2].partition("\nNot compared are")[0]
    compared = {as_written(name) for name, option in OPTIONS.items() if not option.may_differ}
    by_what_they_mean = {"seed", "Batching.steps_per_epoch"}  # compared too, as their rows say
    assert set(re.findall(r"`([\w.]+)`", listed)) & {*map(as_written, OPTIONS)} == compared | by_what_they_mean


def test_fit_takes_what_rows_have_read():
    """Its body has nothing of the arguments as they were given, but for the model and the ranks."""
    (function,) = ast.parse(inspect.getsource(inspect.unwrap(fit))).body
    used = {node.id for line in function.body for node in ast.walk(line) if isinstance(node, ast.Name)}
    assert used & set(OPTIONS) == {"model", "comm"}


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.read is not as_given])
def test_what_a_row_reads_is_refused_by_its_name(name):
    row = OPTIONS[name]
    with pytest.raises((TypeError, ValueError), match=re.escape(f"`{as_written(name)}`")):
        row.read(name, 1j)
