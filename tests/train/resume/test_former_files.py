"""Trainings that a former version has begun: its checkpoints lie in tests/golden/checkpoints."""

import runpy
import shutil

import numpy as np
import pytest
from support import GOLDEN

from ltc_np import Checkpoints

FOLDER = GOLDEN / "checkpoints"
MADE = runpy.run_path(str(FOLDER / "make_checkpoints.py"))
OTHER = {
    "arrays": [("batch_size", 4), ("tbptt", 3), ("l2", {"0.w": 0.2}), ("missing", "ignore"), ("dt", 0.5)],
    "batches": [("steps_per_epoch", 1), ("loss", "mae"), ("keep_best", False), ("clip_norm", 1.0)],
}


@pytest.mark.parametrize("name", MADE["GIVEN"])
def test_a_training_of_a_former_version_goes_on(name, tmp_path):
    shutil.copytree(FOLDER / name, tmp_path / "former")
    whole, wanted = MADE["train"](name, tmp_path / "whole", 3)
    model, history = MADE["train"](name, Checkpoints(tmp_path / "former", resume=True), 3)
    assert history.epoch == [0, 1, 2] and history.stopped == "all epochs done" and set(history) == set(wanted)
    # Its first epoch may have been computed by another processor, which rounds float32 (6e-8) otherwise.
    assert np.abs(model.theta - whole.theta).max() < 1e-4


@pytest.mark.parametrize(("name", "option", "value"), [(n, *pair) for n, pairs in OTHER.items() for pair in pairs])
def test_with_other_arguments_it_is_refused(name, option, value, tmp_path):
    shutil.copytree(FOLDER / name, tmp_path / "former")
    with pytest.raises(
        ValueError, match=rf"must hold a training with the same arguments .* {option}(\.\S+)? .* \(now "
    ):
        MADE["train"](name, Checkpoints(tmp_path / "former", resume=True), 3, **{option: value})
