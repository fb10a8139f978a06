"""Former arguments of `fit`: they are taken for now, and one warning shows the new line."""

import re

import numpy as np
import pytest
from support import ranks

from ltc_np import (
    BPTT,
    L1L2,
    LTCRNN,
    Adam,
    AutoNCP,
    Batching,
    BestWeights,
    Checkpoints,
    Clip,
    ShardedData,
    Validation,
)  # fmt: skip
from ltc_np.train.former import JOIN, NEVER_ARGUMENTS
from ltc_np.train.parts import GROUPS

X = np.random.default_rng(0).normal(size=(13, 4, 1))
HELD = X[:3], -X[:3]
BATCHES = [(X[:4], X[:4]), (X[4:9], X[4:9]), (X[9:], X[9:])]


def fit(**options):
    """What a training leaves behind, after one of three epochs that is the same for all."""
    model, optimizer = LTCRNN(AutoNCP(6, 1), 1, seed=0, backend="numpy"), Adam(0.02)
    given = {"x": X, "y": X, "epochs": 3, "batch_size": 4, "metrics": ["mae"], "seed": 1, "verbose": 0} | options
    model.fit(X, X, seed=1, verbose=0, optimizer=optimizer)
    history = model.fit(**given, optimizer=optimizer)
    return model.theta.tobytes(), dict(history), history.epoch, history.val_epoch, history.best_epoch


def names(folder):
    return sorted(path.name for path in folder.iterdir())


STREAM = {"x": lambda epoch: BATCHES, "y": None}
# What was written, what is to be written now (a repr, "..." for data), and what else both are given.
LINES = [
    ({"initial_epoch": 1}, {"epochs": range(1, 3)}, {}),
    ({"initial_epoch": 0}, {"epochs": range(3)}, {}),
    ({"steps_per_epoch": 2}, {"batch_size": Batching(4, steps_per_epoch=2)}, STREAM),
    ({"drop_last": True}, {"batch_size": Batching(4, drop_last=True)}, {}),
    ({"group_by_length": True}, {"batch_size": Batching(4, group_by_length=True)}, {"lengths": np.arange(13) % 4 + 1}),
    (
        {"drop_last": True, "group_by_length": True}, {"batch_size": Batching(4, drop_last=True, group_by_length=True)},
        {},
    ),
    ({"memory": "low"}, {"tbptt": BPTT(memory="low")}, {}),
    ({"tbptt": 2, "memory": "low", "parallel_time": 3}, {"tbptt": BPTT(2, memory="low", parallel_time=3)}, {}),
    ({"parallel_time": False}, {"tbptt": BPTT(parallel_time=False)}, {}),
    ({"validation_data": HELD}, {"validation": HELD}, {}),
    ({"validation_data": HELD, "validation_every": 2}, {"validation": Validation(HELD, every=2)}, {}),
    ({"validation_split": 0.25}, {"validation": 0.25}, {}),
    ({"validation_split": 0.25, "validation_every": 2}, {"validation": Validation(0.25, every=2)}, {}),
    ({"validation_every": 2}, {"validation": None}, {}),
    ({"l1": 0.1}, {"penalty": L1L2(0.1)}, {}),
    ({"l1": 0.1, "l2": {"w": 0.2}}, {"penalty": L1L2(0.1, {"w": 0.2})}, {}),
    ({"l2": 0.2}, {"penalty": L1L2(l2=0.2)}, {}),
    ({"clip_array_norm": 0.1}, {"clip_norm": Clip(0.1, per_array=True)}, {}),
    ({"clip_norm": 0.1, "clip_array_norm": None}, {"clip_norm": 0.1}, {}),
    ({"monitor": "mae"}, {"keep_best": BestWeights("mae")}, {}),
    (
        {"monitor": "val_mae", "monitor_mode": "max"}, {"keep_best": BestWeights("val_mae", mode="max")},
        {"validation": HELD},
    ),
    ({"monitor_mode": "max"}, {"keep_best": BestWeights(mode="max")}, {"validation": HELD}),
    ({"keep_best": False, "monitor": "mae"}, {"keep_best": BestWeights("mae", keep=False)}, {}),
    ({"shares": False}, {"comm": None}, {}),
]  # fmt: skip


FORMER = [name for option, group in GROUPS.items() for name in group.parts if name not in (option, *NEVER_ARGUMENTS)]


def test_every_former_argument_is_tried():
    tried = {name for former, _, _ in LINES for name in former}
    assert tried & {*FORMER} | {"every", "keep_last", "resume"} == {*FORMER}
    assert GROUPS.keys() == JOIN.keys()


@pytest.mark.few(6)
@pytest.mark.parametrize("line", range(len(LINES)))
def test_a_former_argument_is_taken_with_one_warning(line):
    """It has the same bits as the new line, which the warning shows."""
    former, now, more = LINES[line]
    ((option, value),) = now.items()
    old = [name for name in FORMER if name in former]
    shown = "..." if isinstance(value, tuple) else repr(value)
    kind = type(value).__name__
    where = f" (from ltc_np import {kind})" if hasattr(value, "config") else ""
    words = f"ltc_np: {', '.join(f'`{name}`' for name in old)} of `fit` will be refused by the next version: give "
    with pytest.warns(FutureWarning) as told:
        found = fit(**former, **more)
    assert [str(warning.message) for warning in told] == [f"{words}{option}={shown}{where}"]
    assert [warning.filename for warning in told] == [__file__]
    assert found == fit(**now, **more)
    if "..." not in shown:
        assert eval(shown) == value


@pytest.mark.slow
def test_they_do_something():
    """Otherwise the test above would see nothing."""
    same = {"initial_epoch", "memory", "parallel_time", "validation_every", "clip_norm", "shares"}
    for former, now, more in LINES:
        if not former.keys() & same:
            without = more | ({"batch_size": Batching(steps_per_epoch=3)} if more is STREAM else {})
            assert fit(**now, **more) != fit(**without), former


def test_one_warning_shows_all_of_the_line():
    words = (
        "ltc_np: `initial_epoch`, `drop_last`, `l2` of `fit` will be refused by the next version: give "
        "epochs=range(1, 3), batch_size=Batching(size=4, drop_last=True), penalty=L1L2(l2=0.1) "
        "(from ltc_np import Batching, L1L2)"
    )
    with pytest.warns(FutureWarning, match=f"^{re.escape(words)}$") as told:
        fit(l2=0.1, drop_last=True, initial_epoch=1)
    assert len(told) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:ltc_np. `shares` of `fit`")
def test_shares_of_ranks():
    def trained(comm, options):
        rows = slice(comm.Get_rank(), None, 2)
        return fit(x=X[rows], y=X[rows], **options)

    former = ranks.run(2, lambda comm: trained(comm, {"comm": comm, "shares": True}))
    now = ranks.run(2, lambda comm: trained(comm, {"comm": ShardedData(comm)}))
    assert former == now and type(now[0]) is tuple


@pytest.mark.slow
def test_arguments_of_checkpoints(tmp_path):
    """As the new line is; and what the warning shows is that line."""
    wanted = Checkpoints(tmp_path / "former", every=2, keep_last=1)
    words = f"`every`, `keep_last` of `fit` will be refused by the next version: give checkpoint={wanted!r}"
    with pytest.warns(FutureWarning, match=re.escape(words)) as told:
        fit(checkpoint=tmp_path / "former", every=2, keep_last=1)
    assert [warning.filename for warning in told] == [__file__]
    fit(checkpoint=Checkpoints(tmp_path / "new", every=2, keep_last=1))
    assert names(tmp_path / "former") == names(tmp_path / "new") == ["step-00000012.npz"]
    with pytest.warns(FutureWarning, match="`resume` of `fit` will be refused"):
        history = fit(checkpoint=tmp_path / "former", resume=True, epochs=4)
    assert history[2] == [0, 1, 2, 3]


def test_arguments_of_checkpoints_with_their_defaults_need_no_folder():
    """As where a program hands on what it was given."""
    with pytest.warns(FutureWarning, match="`every`, `keep_last`, `resume` of `fit` .*: give checkpoint=None$"):
        found = fit(checkpoint=None, every=None, keep_last=3, resume=False)
    assert found == fit()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"checkpoint": 3, "every": 1}, TypeError, "^`checkpoint` must be a folder, a str or a Path, got 3$"),
        ({"checkpoint": "run", "every": 1.5}, TypeError, "^`every` must be an int >= 1, got 1.5$"),
        ({"checkpoint": "run", "keep_last": 0}, ValueError, "^`keep_last` must be an int >= 1, got 0$"),
        ({"checkpoint": "run", "resume": 1}, TypeError, "^`resume` must be a bool, got 1$"),
        ({"every": 3}, ValueError, "^`every` must be left out without a folder `checkpoint`, got 3$"),
        ({"keep_last": 4}, ValueError, "^`keep_last` must be left out without a folder `checkpoint`, got 4$"),
        ({"resume": True}, ValueError, "^`resume` must be left out without a folder `checkpoint`, got True$"),
        ({"clip_norm": 1, "clip_array_norm": 2}, ValueError, "^`clip_norm` and `clip_array_norm` must .* got 1 and 2"),
        ({"clip_array_norm": -1}, ValueError, "^`norm` must be a finite number > 0, got -1"),
        ({"validation_split": 0.2, "validation_data": HELD}, ValueError, "^`validation_split` and `validation_dat"),
        ({"validation_every": 0}, ValueError, "^`validation_every` must be an int >= 1, got 0"),
        ({"drop_last": "yes"}, TypeError, "^`drop_last` must be a bool, got 'yes'"),
        ({"monitor_mode": "up"}, ValueError, "^`mode` must be one of 'auto', 'min', 'max', got 'up'"),
        ({"initial_epoch": -1}, ValueError, "^`initial_epoch` must be an int >= 0, got -1"),
        ({"shares": True}, TypeError, "^`comm` must be a communicator of mpi4py, .*, got None"),
        ({"shares": 1}, TypeError, "^`shares` must be a bool, got 1"),
        ({"memory": "small"}, ValueError, "^`memory` must be one of 'full', 'low', got 'small'"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit(options, error, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        fit(**options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("beside", "former"),
    [
        ({"epochs": range(3)}, {"initial_epoch": 1}),
        ({"batch_size": Batching(4)}, {"steps_per_epoch": None, "drop_last": False, "group_by_length": False}),
        ({"tbptt": BPTT(2)}, {"memory": "full", "parallel_time": None}),
        ({"validation": Validation(0.2)}, {"validation_data": None, "validation_split": None, "validation_every": 1}),
        ({"validation": 0.2}, {"validation_data": HELD}),
        ({"validation": HELD}, {"validation_every": 2}),
        ({"penalty": L1L2(0.1)}, {"l1": None, "l2": 0.1}),
        ({"clip_norm": Clip(0.1)}, {"clip_array_norm": None}),
        ({"keep_best": BestWeights()}, {"monitor": None, "monitor_mode": "auto"}),
        ({"keep_best": "loss"}, {"monitor_mode": "min"}),
        ({"comm": ShardedData(ranks.Threads(None, 1, 0, None))}, {"shares": True}),
        ({"checkpoint": Checkpoints("run")}, {"every": None, "keep_last": 3, "resume": True}),
    ],
)
def test_an_argument_that_says_the_same_is_refused_beside_it(beside, former):
    ((option, value),) = beside.items()
    for name, old in former.items():
        kind = GROUPS[option].kind.__name__
        shown = "..." if isinstance(value, tuple) else repr(value)
        words = f"`{name}` must be given to `{kind}`, not beside it, got {option}={shown}"
        with pytest.raises(TypeError, match=f"^{re.escape(words)}$"):
            fit(**beside | {name: old})


def test_a_name_that_never_was_is_refused():
    with pytest.raises(TypeError, match="^`fit` has no argument `keep_lst`"):
        fit(keep_lst=4)
