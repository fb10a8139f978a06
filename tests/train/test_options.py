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

from ltc_np import LTC, SGD, Adam, AutoNCP, Checkpoints, Dense, EarlyStopping, Model, Standardize
from ltc_np.base import archive
from ltc_np.train.fit import OPTIONS, fit
from ltc_np.train.options import REFUSED, as_given
from ltc_np.train.resume.identity import ALWAYS_WRITTEN

rng = np.random.default_rng(0)
X = rng.normal(size=(11, 6, 2))
Y = np.cumsum(X, axis=1) / 3
HELD = {"x": X[:4], "y": Y[:4] - 0.4 * X[:4]}
CLASSES = (Y[:, :, 0] > 0).astype(int)
DEFAULTS = {name: parameter.default for name, parameter in inspect.signature(fit).parameters.items()}

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
# False, need no line here.
WITH = {
    "class_weight": {"y": CLASSES, "loss": "cross_entropy", "validation_data": None},
    "drop_last": {"batch_size": 5},
    "monitor": {"metrics": ["mae"]},
    "standardize": {"model": lambda: network(0, Standardize())},
    "steps_per_epoch": {"x": Batches(), "y": None, "validation_data": None},
    "validation_split": {"validation_data": None},
}
VALUES = {
    "model": (network, lambda: network(1)),
    "x": (X, X * 2),
    "y": (Y, Y * 2),
    "dt": (None, 0.5),
    "lengths": (None, np.arange(1, 12).clip(0, 6)),
    "epochs": (1, 2),
    "steps_per_epoch": (3, None),
    "tbptt": (None, 2),
    "memory": ("full", "low"),
    "parallel_time": (None, "auto"),
    "optimizer": (Adam(0.05), SGD(0.05)),
    "loss": ("mse", "mae"),
    "metrics": ((), ["mae"]),
    "validation_data": (HELD, {"x": HELD["x"], "y": HELD["y"] * 2}),
    "validation_split": (0.2, 0.3),
    "sample_weight": (None, np.arange(11.0)),
    "class_weight": (None, [1.0, 2.0]),
    "l1": (None, 0.1),
    "l2": (None, 0.1),
    "missing": ("error", "ignore"),
    "standardize": (True, False),
    "clip_norm": (None, 0.5),
    "clip_array_norm": (None, 0.5),
    "seed": (3, None),
    "monitor": (None, "val_mae"),
    "monitor_mode": ("auto", "max"),
    "callbacks": ((), EarlyStopping(9)),
    "checkpoint": ("one", "another"),
    "verbose": (0, 2),
}


def values(name):
    """Two values of an option, the first as a rule its default."""
    if name in VALUES:
        return VALUES[name]
    default = DEFAULTS[name]
    assert isinstance(default, (bool, int, float)), f"two values of `{name}` must stand in `VALUES`"
    return default, not default if isinstance(default, bool) else default + 1


def train(folder, name, value, epochs, **others):
    """A training up to so many epochs with this value of the option ``name``."""
    given = {
        "model": network, "x": X, "y": Y, "epochs": epochs, "batch_size": 4, "optimizer": Adam(0.05), "seed": 3,
        "validation_data": HELD, "verbose": 0, "checkpoint": "one",
    }  # fmt: skip
    given |= WITH.get(name, {}) | {name: value} | others
    given["checkpoint"] = Checkpoints(folder / given["checkpoint"], resume=True)
    return given.pop("model")().fit(**given)


def files(folder):
    return {path.name: path.read_bytes() for path in (folder / "one").iterdir()}


def test_every_option_has_a_row():
    assert list(OPTIONS) == list(DEFAULTS)
    assert {name for name, option in OPTIONS.items() if option.may_differ} == MAY_DIFFER
    assert {name for name, option in OPTIONS.items() if option.unchecked_on_ranks} == UNCHECKED_ON_RANKS


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if not option.may_differ])
def test_resuming_with_another_value_is_refused(name, tmp_path):
    before, now = values(name)
    train(tmp_path, name, before, 1)
    there = files(tmp_path)
    words = rf"`checkpoint` must hold a training with the same arguments .* {name}(\.\w+)? .* \(now .*\): give these"
    with pytest.raises(ValueError, match=words):
        train(tmp_path, name, now, 2)
    assert files(tmp_path) == there
    assert train(tmp_path, name, before, 2).epoch == [0, 1]


ACROSS = {"comm", "shares"}  # of several ranks, see below


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
    train(tmp_path, "shares", False, 1)

    def part(comm):
        rows = slice(comm.Get_rank(), None, 2) if shares else slice(None)
        held = {name: array[rows] for name, array in HELD.items()}
        own = {"x": X[rows], "y": Y[rows], "validation_data": held}
        return train(tmp_path, "shares", shares, 2, comm=comm, **own).epoch

    assert fake.run(2, part) == [[0, 1]] * 2


def test_of_batches_their_number_is_compared(tmp_path):
    """Whatever says it: `steps_per_epoch`, or the length of what gives them."""
    train(tmp_path, "steps_per_epoch", None, 1)
    with pytest.raises(ValueError, match=r"with steps_per_epoch 3 \(now 2\): give these, or another folder"):
        train(tmp_path, "steps_per_epoch", 2, 2)


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
    always, settings = written(tmp_path / "arrays" / "one" / "step-00000003.npz")
    assert always == {"sequences", "time steps", *ALWAYS_WRITTEN} and settings == compared - set(ALWAYS_WRITTEN)
    train(tmp_path / "batches", "steps_per_epoch", 3, 1)
    always, settings = written(tmp_path / "batches" / "one" / "step-00000003.npz")
    assert always == {"steps_per_epoch", "loss", "metrics"}
    without = {name for name, option in OPTIONS.items() if option.batches != "used"}
    assert settings == compared - without - {"loss", "metrics"}


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.batches == "refused"])
def test_what_needs_all_sequences_is_refused_for_batches(name, tmp_path):
    (value,) = [value for value in values(name) if value is not None and value is not False][-1:]
    given = WITH["steps_per_epoch"] | {name: value}
    words = f"^`{name}` must be left out where `x` gives batches, got "
    with pytest.raises(ValueError, match=words):
        train(tmp_path, "x", Batches(), 1, **given)


@pytest.mark.parametrize("name", ["memory", "validation_every", "monitor_mode", "verbose", "optimizer"])
def test_a_refused_option_is_left_out_if_it_has_its_default(name, monkeypatch, tmp_path):
    """Whatever the default is: a word, a number, None that stands for something."""
    monkeypatch.setitem(OPTIONS, name, OPTIONS[name]._replace(batches=REFUSED))
    batches = WITH["steps_per_epoch"] | {"metrics": ["mae"]}
    default = DEFAULTS[name]
    same = np.array(default)[()] if isinstance(default, int) else default  # a number of NumPy is one, too
    assert train(tmp_path, name, same, 1, **batches).epoch == [0]
    with pytest.raises(ValueError, match=f"^`{name}` must be left out where `x` gives batches, got "):
        train(tmp_path / "other", name, values(name)[1], 1, **batches)


def test_what_is_compared_stands_in_the_guide():
    text = (pathlib.Path(__file__).parents[2] / "docs" / "guides" / "fit.md").read_text(encoding="utf-8")
    listed = text.partition("A ValueError says what differs if it gives\n")[2].partition("\nNot compared are")[0]
    compared = {name for name, option in OPTIONS.items() if not option.may_differ}
    by_what_they_mean = {"seed", "steps_per_epoch"}  # compared too, as their rows say
    assert set(re.findall(r"`(\w+)`", listed)) & set(OPTIONS) == compared | by_what_they_mean


def test_fit_takes_what_rows_have_read():
    """Its body has nothing of the arguments as they were given, but for the model and the ranks."""
    (function,) = ast.parse(inspect.getsource(inspect.unwrap(fit))).body
    used = {node.id for line in function.body for node in ast.walk(line) if isinstance(node, ast.Name)}
    assert used & set(OPTIONS) == {"model", "comm"}


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.read is not as_given])
def test_what_a_row_reads_is_refused_by_its_name(name):
    row = OPTIONS[name]
    with pytest.raises((TypeError, ValueError), match=re.escape(f"`{name}`")):
        row.read(name, 1j)
