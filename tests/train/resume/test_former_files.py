"""Trainings that a former version has begun: its checkpoints lie in tests/golden/checkpoints."""

import runpy

import numpy as np
import pytest
from support import GOLDEN
from support.files import copy_folder

from ltc_np import L1L2, Batching, Checkpoints, Clip, Validation

FOLDER = GOLDEN / "checkpoints"
MADE = runpy.run_path(str(FOLDER / "make_checkpoints.py"))
OTHER = {
    "arrays": [
        ("batch_size", "batch_size", 4),
        ("batch_size", "Batching.drop_last", Batching(3, drop_last=True)),
        ("tbptt", "tbptt", 3),
        ("penalty", "L1L2.l2", L1L2(0.01, {"0.w": 0.2})),
        ("missing", "missing", "ignore"),
        ("dt", "dt", 0.5),
        ("clip_norm", "Clip.per_array", Clip(1.0, per_array=True)),
        ("validation", "Validation.every", Validation(0.2, every=2)),
    ],
    "parts": [
        ("batch_size", "Batching.drop_last", Batching(4, group_by_length=True)),
        ("batch_size", "Batching.group_by_length", Batching(4, drop_last=True)),
        ("clip_norm", "Clip.per_array", Clip(0.4, per_array=True)),
        ("clip_norm", "clip_norm None .now 0.5., Clip.per_array", 0.5),
        ("validation", "Validation.every", {"x": MADE["X"][7:], "y": MADE["Y"][7:]}),
        ("penalty", "L1L2.l1", L1L2(0.1)),
    ],
    "batches": [
        ("batch_size", "Batching.steps_per_epoch", Batching(steps_per_epoch=1)),
        ("loss", "loss", "mae"),
        ("keep_best", "keep_best", False),
        ("clip_norm", "clip_norm", 1.0),
        ("validation", "validation", None),
    ],
}


@pytest.mark.parametrize("name", MADE["GIVEN"])
def test_a_training_of_a_former_version_goes_on(name, tmp_path):
    copy_folder(FOLDER / name, tmp_path / "former")
    whole, wanted = MADE["train"](name, tmp_path / "whole", 3)
    model, history = MADE["train"](name, Checkpoints(tmp_path / "former", resume=True), 3)
    assert history.epoch == [0, 1, 2] and history.stopped == "all epochs done" and set(history) == set(wanted)
    # Its first epoch may have been computed by another processor, which rounds float32 (6e-8) otherwise.
    assert np.abs(model.theta - whole.theta).max() < 1e-4


@pytest.mark.parametrize(("name", "option", "told", "value"), [(n, *row) for n, rows in OTHER.items() for row in rows])
def test_with_other_arguments_it_is_refused(name, option, told, value, tmp_path):
    copy_folder(FOLDER / name, tmp_path / "former")
    with pytest.raises(ValueError, match=rf"must hold a training with the same arguments .* {told}(\.\S+)? .* \(now "):
        MADE["train"](name, Checkpoints(tmp_path / "former", resume=True), 3, **{option: value})
