"""What a training says that has diverged."""

import math

import numpy as np
import pytest

from ltc_np import SGD, Clip, Dense, Model
from ltc_np.train.loop.divergence import message

KEPT = "the model keeps the parameters of before the last step"
NONE = "no step has been made yet"
OVERFLOWS = f"{NONE}, so the {{}} pass or the loss overflows with the parameters as they were: take {{}}"
SMALLER = "inputs or targets of a smaller scale, or smaller initial weights"


@pytest.mark.parametrize(
    ("value", "updated", "own_loss", "takes_dt", "advice"),
    [
        (math.nan, True, None, True, f"{KEPT}: lower the learning rate or set `clip_norm`"),
        (math.nan, False, None, True, OVERFLOWS.format("forward", f"shorter elapsed times `dt`, {SMALLER}")),
        (0.5, False, None, False, OVERFLOWS.format("backward", SMALLER)),
        (0.5, True, "mine", True, f"{KEPT}, and the outputs have not overflown: look at your loss mine, whose `d_y` "
         "may not be finite"),
        (math.inf, False, "mine", True, f"{NONE}, and the outputs have not overflown: look at your loss mine, which "
         "gave this value"),
    ],
)  # fmt: skip
def test_what_to_do_depends_on_what_was_done(value, updated, own_loss, takes_dt, advice):
    found = message("loss", value, math.inf, " at step 3", updated=updated, own_loss=own_loss, takes_dt=takes_dt)
    assert found == f"loss {value:g} with gradient norm inf at step 3; {advice}"


@pytest.mark.parametrize("clip", [Clip(1.0), Clip(2.5, per_array=True)])
def test_who_clips_is_not_told_to(clip):
    """Of a training: gradients of 1e30 and a step of 1e30 overflow whatever their norm is clipped to."""
    model = Model(Dense(1), input_dim=2, seed=0)
    with pytest.raises(FloatingPointError) as caught:
        model.fit(np.ones((4, 3, 2)), np.ones((4, 3, 1)), epochs=9, optimizer=SGD(1e30), clip_norm=clip, verbose=False)
    assert str(caught.value).endswith(
        f"{KEPT}: lower the learning rate, since gradients are clipped already, by {clip!r}"
    )


def test_without_a_gradient_no_norm_is_told():
    found = message("validation loss", math.inf, None, "", updated=True, own_loss=None, takes_dt=True)
    assert found.startswith(f"validation loss inf; {KEPT}")
