"""The checkpoints beside this file, written by 0.2.0 before options became rows or objects: later versions resume them.

    python tests/golden/checkpoints/make_checkpoints.py

writes them anew with the version that is there; those of later versions belong into folders of their own.
"""

import sys
from pathlib import Path

import numpy as np

from ltc_np import L1L2, LTC, Adam, AutoNCP, Batching, Clip, Dense, Model, Validation

FOLDER = Path(__file__).parent
X = (np.arange(132.0).reshape(11, 6, 2) * 37 % 64 - 32) / 16  # the same to the bit everywhere
Y = X[:, :, ::-1] / 4
GIVEN = {
    "arrays": {
        "x": X, "y": Y, "dt": np.full((11, 6), 0.5), "sample_weight": np.arange(11.0), "validation": 0.2,
        "batch_size": 3, "tbptt": 4, "penalty": L1L2(l1=0.01, l2={"0.w": 0.1}), "clip_norm": 1.0, "metrics": ["mae"],
    },
    "parts": {  # of which each was an argument by itself when the file was written
        "x": X, "y": Y, "lengths": np.arange(11) % 6 + 1,
        "batch_size": Batching(4, drop_last=True, group_by_length=True),
        "validation": Validation({"x": X[7:], "y": Y[7:]}, every=2), "clip_norm": Clip(0.5, per_array=True),
    },
    "batches": {
        "x": lambda epoch: [(X[:3], Y[:3]), (X[3:5], Y[3:5])], "batch_size": Batching(steps_per_epoch=2),
        "validation": {"x": X[7:], "y": Y[7:]},
    },
}  # fmt: skip


def train(name, checkpoint, epochs, **options):
    """A training of one of the two kinds, up to so many epochs."""
    model = Model(LTC(AutoNCP(7, 3), ode_unfolds=2), Dense(2), input_dim=2, seed=0, backend="numpy")
    given = {"optimizer": Adam(0.05), "seed": 3, "verbose": 0, "checkpoint": checkpoint} | GIVEN[name]
    return model, model.fit(**given | options, epochs=epochs)


if __name__ == "__main__":
    for name in sys.argv[1:] or GIVEN:
        train(name, FOLDER / name, 1)
