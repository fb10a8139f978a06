"""`fit(..., checkpoint=)`: a training that was cut off anywhere goes on with the same bits and the same history."""

import json
import re

import numpy as np
import pytest
from support.trainings import Cut, Cuts, left_behind

from ltc_np import (
    L1L2,
    LTC,
    SGD,
    Adam,
    AdamW,
    AutoNCP,
    Batching,
    Callback,
    Checkpoints,
    Clip,
    CosineDecay,
    Dense,
    Dropout,
    EarlyStopping,
    Model,
    ReduceLROnPlateau,
    Validation,
    load,
)  # fmt: skip
from ltc_np.base import archive
from ltc_np.metrics import MSE

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 6, 2))
Y = np.cumsum(X, axis=1) / 3
HELD = {"x": X[:7], "y": Y[:7] - 0.4 * X[:7]}


def network(seed=0, units=8):
    layers = LTC(AutoNCP(units, 4), ode_unfolds=2), Dropout(0.2), Dense(2)
    return Model(*layers, input_dim=2, seed=seed, backend="numpy")


TIMED = HELD | {"dt": 0.5}
OPTIONS = {
    "epochs": 4, "batch_size": 6, "seed": 3, "validation": HELD, "metrics": ["mae", "r2"], "verbose": 0,
}  # fmt: skip


def trained(folder=None, cut=None, model=None, resume=True, **options):
    """The model, its optimiser, and the history; None for the history if the training was cut off."""
    model = network() if model is None else model
    optimizer = options.pop("optimizer", None) or Adam(0.05)
    callbacks = [ReduceLROnPlateau(1, factor=0.5), EarlyStopping(50), *([] if cut is None else [Cuts(cut)])]
    kept = {name: options.pop(name) for name in ("every", "keep_last") if name in options}
    if folder is not None:
        options |= {"checkpoint": Checkpoints(folder, resume=resume, **kept)}
    try:
        history = model.fit(X, Y, optimizer=optimizer, callbacks=callbacks, **OPTIONS | options)
    except Cut:
        return model, optimizer, None
    return model, optimizer, history


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.slow
@pytest.mark.few(2)
@pytest.mark.parametrize("tbptt", [None, 2])
@pytest.mark.parametrize("every", [None, 1, 5])
def test_a_training_that_is_cut_off_goes_on_with_the_same_bits(every, tbptt, tmp_path):
    """Cut off in the first epoch, in the middle of a batch with tbptt, between epochs, and several times."""
    whole = left_behind(*trained(tbptt=tbptt))
    for cut in (0, 1, 7, 8, 11, 15, None):
        found = trained(tmp_path, cut, every=every, tbptt=tbptt)
    assert left_behind(*found) == whole
    again = trained(tmp_path, every=every, tbptt=tbptt)  # nothing is left to be done
    assert left_behind(*again) == whole


def test_the_last_ones_are_kept_and_a_checkpoint_is_a_model(tmp_path):
    trained(tmp_path, 9, every=2, keep_last=2)
    assert names(tmp_path) == ["step-00000006.npz", "step-00000008.npz"]
    optimizer = Adam()
    model = load(tmp_path / "step-00000008.npz", optimizer=optimizer)
    assert optimizer.t == 8 and model.trained.epochs == 1  # it was written before the validation of the second one
    trained(tmp_path, 9, every=3, keep_last=1)
    assert names(tmp_path) == ["step-00000009.npz"]


def test_a_folder_with_checkpoints_is_not_written_to(tmp_path):
    trained(tmp_path / "a" / "b", 5, resume=False)
    before = names(tmp_path / "a" / "b")
    with pytest.raises(ValueError, match="without checkpoints, got .*b with step-00000004.npz: give Check"):
        trained(tmp_path / "a" / "b", resume=False)
    assert names(tmp_path / "a" / "b") == before == ["step-00000004.npz"]


@pytest.mark.few(6)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 5}, "batch_size 6 (now 5)"),
        ({"seed": 4}, "seed 3 (now 4)"),
        ({"metrics": ["r2"]}, "metrics 'mae', 'r2' (now 'r2')"),
        ({"metrics": ()}, "metrics 'mae', 'r2' (now none)"),
        ({"loss": "mae"}, "loss 'mse' (now 'mae')"),
        ({"tbptt": 3}, "tbptt None (now 3)"),
        ({"optimizer": SGD(0.05)}, "optimizer 'Adam' (now 'SGD')"),
        (
            {"shuffle": False, "batch_size": Batching(6, drop_last=True)},
            "Batching.drop_last False (now True), shuffle",
        ),
        ({"validation": 0.25}, "sequences 20 (now 15)"),
        ({"model": network(units=9)}, "AutoNCP(units=9, output_size=4"),
        ({"model": Model(*network().layers, input_dim=2, dtype="float64")}, "dtype 'float32' (now 'float64')"),
    ],
)
def test_another_training_is_refused(options, words, tmp_path):
    trained(tmp_path, 5)
    before = names(tmp_path)
    with pytest.raises(ValueError, match=f"must hold a training with the same arguments.*{re.escape(words)}"):
        trained(tmp_path, **options)
    assert names(tmp_path) == before


DATA = {"x": X, "y": Y, "dt": np.full((20, 6), 0.5), "lengths": np.full(20, 6), "sample_weight": np.ones(20)}


@pytest.mark.few(10)
@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ({}, {"penalty": L1L2(l1=0.01)}, "L1L2.l1 None (now 0.01)"),
        (
            {"penalty": L1L2(l2={"2.weight": 1})}, {"penalty": L1L2(l2={"2.weight": 0.5})},
            "L1L2.l2 {'2.weight': 1.0} (now {'2.weight': 0.5})",
        ),
        ({}, {"clip_norm": 1}, "clip_norm None (now 1.0)"),
        (
            {"clip_norm": Clip(2.0, per_array=True)}, {"clip_norm": Clip(1.0, per_array=True)},
            "Clip.per_array 2.0 (now 1.0)",
        ),
        ({}, {"optimizer": Adam(0.05, beta1=0.5)}, "optimizer.beta1 0.9 (now 0.5)"),
        ({"optimizer": AdamW(0.05)}, {"optimizer": AdamW(0.05, weight_decay=0.1)}, "weight_decay 0.01 (now 0.1)"),
        ({}, {"optimizer": Adam(CosineDecay(0.05, steps=9))}, "optimizer.lr 'a number' (now 'CosineDecay("),
        (
            {"optimizer": Adam(CosineDecay(0.05, steps=9))}, {"optimizer": Adam(CosineDecay(0.05, steps=8))},
            "optimizer.lr 'CosineDecay(",
        ),
        *(({}, {name: DATA[name] * 2}, f"{name} 'float64 of shape {DATA[name].shape} with checksum")
          for name in ("x", "y")),
        ({}, {"x": np.concatenate([X[:-1], 2 * X[-1:]])}, "x 'float64 of shape (20, 6, 2) with checksum"),
        ({}, {"dt": 0.5}, "dt None (now '0.5')"),
        ({"dt": DATA["dt"]}, {"dt": DATA["dt"] * 2}, "dt 'float64 of shape (20, 6) with checksum"),
        ({"lengths": DATA["lengths"]}, {"lengths": DATA["lengths"] - 1}, "lengths 'int64 of shape (20,) with"),
        ({}, {"sample_weight": DATA["sample_weight"]}, "sample_weight None (now 'float64 of shape (20,) with"),
        ({}, {"missing": "ignore"}, "missing 'error' (now 'ignore')"),
        ({"validation": HELD}, {"validation": Validation(HELD, every=2)}, "Validation.every 1.0 (now 2.0)"),
        ({}, {"keep_best": False}, "keep_best True (now False)"),
        ({}, {"validation": HELD}, "validation None (now 'some')"),
        ({"validation": HELD}, {"validation": None}, "validation 'some' (now None)"),
        ({"validation": HELD}, {"validation": HELD | {"y": HELD["y"] * 2}}, "validation.y 'float64"),
        ({"validation": HELD}, {"validation": HELD | {"dt": 0.5}}, "validation.dt None (now '0.5')"),
        ({"validation": 0.2}, {"validation": 0.21}, "validation 0.2 (now 0.21)"),
    ],
)  # fmt: skip
def test_other_settings_and_data_are_refused(before, now, words, tmp_path):
    """Whatever changes the next step, though not which one it is."""

    def part(**options):
        optimizer = options.pop("optimizer", None) or Adam(0.05)
        given = {"x": X, "y": Y, "validation": None, "metrics": (), "epochs": 2} | options
        return network().fit(
            **OPTIONS | given, optimizer=optimizer, checkpoint=Checkpoints(tmp_path, resume=True),
        )  # fmt: skip

    part(**before, epochs=1)
    files = names(tmp_path)
    with pytest.raises(ValueError, match=f"must hold a training with the same arguments.*{re.escape(words)}"):
        part(**before | now)
    assert names(tmp_path) == files
    part(**before)


def changed(path, *place, value):
    """Write another value into the description of a file, and make its checksums right again."""
    content = archive.read(path)
    meta = inner = json.loads(str(content["meta"]))
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    archive.write(path, content | {"meta": np.array(json.dumps(meta))})


@pytest.mark.parametrize(("cut", "begun"), [(5, 2), (8, 2), (9, 3), (None, 4)])
def test_fewer_epochs_than_were_begun_are_refused(cut, begun, tmp_path):
    """Four batches an epoch: in the middle of one the weights belong to more of them than the history."""
    trained(tmp_path, cut, every=1)
    before, model = names(tmp_path), network()
    theta = model.theta.copy()
    words = f"`epochs` must be at least {begun}, as many as the checkpoint has begun, got {begun - 1}"
    with pytest.raises(ValueError, match=f"^{words}$"):
        trained(tmp_path, model=model, epochs=begun - 1)
    assert np.array_equal(model.theta, theta) and names(tmp_path) == before
    assert trained(tmp_path, epochs=begun)[2].epoch == list(range(begun))


TRAINING = "training", "dict"
SHARE = *TRAINING, "shares", "tuple", 0, "dict"


def test_what_a_former_version_did_not_write_is_not_compared(tmp_path):
    trained(tmp_path, 9, every=4, keep_last=1)
    (path,) = tmp_path.iterdir()
    content = archive.read(path)
    meta = json.loads(str(content["meta"]))
    del meta["training"]["dict"]["same"]["dict"]["settings"]
    archive.write(path, content | {"meta": np.array(json.dumps(meta))})
    assert trained(tmp_path, penalty=L1L2(l1=0.1))[2].stopped == "all epochs done"
    with pytest.raises(ValueError, match=re.escape("l1 0.1 (now 0.2)")):
        trained(tmp_path, penalty=L1L2(l1=0.2))


@pytest.mark.parametrize("rate", [0.02, 0.05])
def test_another_number_as_learning_rate_is_taken(rate, tmp_path):
    """So that an optimiser whose learning rate has fallen may be given again, as after Ctrl-C in a notebook."""
    trained(tmp_path, 9)
    _, optimizer, history = trained(tmp_path, optimizer=Adam(rate))
    assert history.stopped == "all epochs done" and optimizer.lr <= rate


@pytest.mark.few(7)
@pytest.mark.parametrize(
    ("place", "value"),
    [
        ((*TRAINING, "best"), {"dict": {}}),
        ((*TRAINING, "best", "dict", "monitor"), {"dict": {"monitor": "val_loss"}}),
        ((*TRAINING, "shares"), {"tuple": []}),
        ((*TRAINING, "shares"), {"tuple": [3]}),
        ((*SHARE, "metrics"), {"dict": {}}),
        ((*SHARE, "metrics", "dict", "r2"), 3),
        ((*SHARE, "metrics", "dict", "r2"), None),
        ((*SHARE, "state"), "x"),
        ((*TRAINING, "callbacks"), {"tuple": ["abc"]}),
        ((*TRAINING, "position", "dict", "step"), -1),
        ((*TRAINING, "rates"), {"dict": {}}),
        (("optimizer", 1, "dict", "v"), "x"),
        (("optimizer", 1, "dict", "t"), "x"),
    ],
)
def test_states_that_do_not_fit_are_an_error_about_the_file(place, value, tmp_path):
    trained(tmp_path, 9, every=4, keep_last=1)
    (path,) = tmp_path.iterdir()
    changed(path, *place, value=value)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: damaged: "):
        trained(tmp_path)


def test_another_number_of_ranks_in_the_middle_of_an_epoch_is_no_damage(tmp_path):
    trained(tmp_path, 5, every=1, keep_last=1)
    (path,) = tmp_path.iterdir()
    (share,) = json.loads(str(archive.read(path)["meta"]))["training"]["dict"]["shares"]["tuple"]
    changed(path, *TRAINING, "shares", value={"tuple": [share, share]})
    words = (
        f"`checkpoint` must be resumed by as many ranks as wrote {path}, which are 2, since it was written in the "
        "middle of an epoch, got 1: start 2 until the epoch has ended"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        trained(tmp_path)


def test_another_number_of_ranks_between_epochs_goes_on(tmp_path):
    whole = left_behind(*trained())
    trained(tmp_path, 9, keep_last=1)
    (path,) = tmp_path.iterdir()
    (share,) = json.loads(str(archive.read(path)["meta"]))["training"]["dict"]["shares"]["tuple"]
    changed(path, *TRAINING, "shares", value={"tuple": [share, share]})
    assert left_behind(*trained(tmp_path)) == whole


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (None, "balanced", "class_weight None (now 'balanced')"),
        ({0: 1, 1: 2}, {0: 2, 1: 1}, "class_weight {'0': 1.0, '1': 2.0} (now {'0': 2.0, '1': 1.0})"),
        ([1.0, 2.0], [2.0, 1.0], "class_weight 'float64 of shape (2,) with checksum"),
        ([1.0, 2.0], None, "class_weight 'float64 of shape (2,) with checksum"),
    ],
)
def test_other_class_weights_are_refused(before, now, words, tmp_path):
    def part(class_weight, resume=False, **options):
        labels, checkpoint = (Y[:, :, 0] > 0).astype(int), Checkpoints(tmp_path, resume=resume)
        given = {"loss": "cross_entropy", "metrics": (), "validation": None, "checkpoint": checkpoint}
        network().fit(X, labels, class_weight=class_weight, **OPTIONS | given | options)

    part(before, epochs=1)
    with pytest.raises(ValueError, match=f"same arguments.*{re.escape(words)}"):
        part(now, resume=True)
    part(np.array(before) if isinstance(before, list) else before, resume=True)


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ["x", "y", "dt", "sample_weight"])
def test_other_data_in_files_are_refused(name, tmp_path):
    def part(**others):
        given = {"x": X, "y": Y, "dt": DATA["dt"], "sample_weight": DATA["dt"]} | others
        for key, values in given.items():
            np.save(tmp_path / f"{key}.npy", values)
        files = {key: np.load(tmp_path / f"{key}.npy", mmap_mode="r") for key in given}
        network().fit(
            **OPTIONS | files | {"validation": TIMED}, checkpoint=Checkpoints(tmp_path / "run", resume=True, every=1)
        )

    part()
    with pytest.raises(ValueError, match=f"same arguments.*with {name} 'float64 of shape .*'float64 of shape"):
        part(**{name: {"x": X, "y": Y}.get(name, DATA["dt"]) * 2})
    part()


@pytest.mark.slow
@pytest.mark.few(1)
@pytest.mark.parametrize("before", ["array", "list", "memory map"])
def test_the_same_data_in_another_container_are_the_same(before, tmp_path):
    """An array, a list of arrays, and an array in a file: the training that goes on has the bits of one without."""

    def part(kind, **options):
        given = {"x": X, "y": Y, "dt": DATA["dt"], "sample_weight": DATA["dt"]}
        if kind == "list":
            given = {name: list(values) for name, values in given.items()}
        elif kind == "memory map":
            for name, values in given.items():
                np.save(tmp_path / f"{name}.npy", values)
            given = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in given}
        model = network()
        history = model.fit(**OPTIONS | given | {"validation": TIMED} | options, optimizer=Adam(0.05))
        return model.theta.tobytes(), history

    whole = part("array")
    for kind in ("array", "list", "memory map"):
        folder = {"checkpoint": Checkpoints(tmp_path / kind, resume=True, every=1)}
        with pytest.raises(Cut):
            part(before, callbacks=Cuts(6), **folder)
        assert part(kind, **folder) == whole


class Faulty(Callback):
    """A callback with a fault of its own."""

    def state(self):
        return {"mean": 3}

    def load_state(self, state):
        self.mean = state["men"]


def test_a_fault_of_a_callback_is_no_damage_of_the_file(tmp_path):
    def part(**options):
        return network().fit(
            X, Y, callbacks=Faulty(), checkpoint=Checkpoints(tmp_path, resume=True), **OPTIONS | options
        )

    part(epochs=1)
    words = "`load_state` of the callback Faulty does not take what was saved: KeyError: 'men'"
    with pytest.raises(ValueError, match=f"^{words}$") as caught:
        part()
    assert isinstance(caught.value.__cause__, KeyError)


class FaultyMetric(MSE):
    """A metric with a fault of its own."""

    def load_state(self, state):
        super().load_state({"_sum": state["_total"]})


@pytest.mark.parametrize("cut", [None, 6])
def test_a_fault_of_a_metric_is_no_damage_of_the_file(cut, tmp_path):
    """Between two epochs and inside one: all checkpoints stay, and a metric without the fault goes on from the last."""
    options = OPTIONS | {"checkpoint": Checkpoints(tmp_path, resume=True, every=1)}
    given = options | {"metrics": FaultyMetric()}
    if cut is None:
        network().fit(X, Y, **given | {"epochs": 1})
    else:
        with pytest.raises(Cut):
            network().fit(X, Y, callbacks=Cuts(cut), **given)
    before, model = names(tmp_path), network()
    words = "`load_state` of the metric mse does not take what was saved: KeyError: '_total'"
    with pytest.raises(ValueError, match=f"^{words}$") as caught:
        model.fit(X, Y, **given)
    assert isinstance(caught.value.__cause__, KeyError)
    assert names(tmp_path) == before
    assert network().fit(X, Y, **options | {"metrics": MSE()}).stopped == "all epochs done"
