"""Losses by name."""

import pickle
from functools import partial

import numpy as np
import pytest
from support.losses import user

from ltc_np import losses
from ltc_np.losses import LOSSES, class_count, cross_entropy, get, huber, mse, name_of, numbers, quantile, scale_powers


def test_get():
    for name in LOSSES:
        assert get(name) is getattr(losses, name) and name in losses.__all__ and get(get(name)) is get(name)
    own = get(user)
    assert get(own) is own and pickle.loads(pickle.dumps(own)).function is user
    small = partial(losses.huber, delta=0.1)
    assert get(small) is small
    assert all(losses.takes_weight(loss) for loss in ("mse", losses.mae, small))
    assert not losses.takes_weight(user) and not losses.takes_weight(own)
    for name in ("MSE", "Huber", "Cross_Entropy", "BINARY_CROSS_ENTROPY"):
        assert get(name) is getattr(losses, name.lower())
    for bad in (partial(losses.mse, delta=1.0), partial(losses.huber, np.ones((2, 3))), partial(losses.huber, dleta=1)):
        with pytest.raises(
            TypeError,
            match="a partial of huber with `delta` alone or of quantile with `quantiles` alone, got",
        ):
            get(bad)
    with pytest.raises(ValueError, match=f"one of {', '.join(LOSSES)} or a callable, got"):
        get("MSE ")
    with pytest.raises(TypeError, match="or a callable, got 3"):
        get(3)


def test_what_is_known_of_each():
    """Of each loss and of what stands for one of them."""
    assert all(name_of(getattr(losses, name)) == name for name in LOSSES)
    assert list(LOSSES)[:6] == ["mse", "mae", "huber", "quantile", "cross_entropy", "binary_cross_entropy"]
    assert name_of(partial(huber, delta=0.1)) == "huber" and name_of(user) is name_of(get(user)) is None
    classes = {name: class_count(get(name), 5) for name in LOSSES}
    assert {name: count for name, count in classes.items() if count} == {"cross_entropy": 5, "binary_cross_entropy": 2}
    assert all((scale_powers(get(name)) is None) == (count > 0) for name, count in classes.items())
    assert scale_powers(partial(huber, delta=0.1)) == (1, 2) and scale_powers(get(user)) is None
    assert numbers(huber, None, 3, np.float32) == (1.0,)
    assert numbers(partial(huber, delta=0.25), None, 3, np.float32) == (0.25,)
    assert numbers(quantile, None, 3, np.float32) == (0.1, 0.5, 0.9)
    assert numbers(partial(quantile, quantiles=(0.2,)), None, 3, np.float32) == (0.2,)
    assert numbers(mse, None, 3, np.float32) == numbers(cross_entropy, None, 3, np.float32) == ()
    assert numbers(cross_entropy, [1, 2, 0.1], 3, np.float32) == (1, 2, np.float32(0.1))
    with pytest.raises(ValueError, match="`class_weight` must be 2 real numbers"):
        numbers(losses.binary_cross_entropy, [1, 2, 3], 3, np.float32)
    with pytest.raises(TypeError, match="`loss` must be a loss of the library, got <function user"):
        class_count(user, 5)


def test_an_option_in_float64_does_not_promote_in_training():
    """As where users call the loss: a scalar of NumPy has a dtype, a float has none."""
    y = np.ones((2, 3), np.float32)
    unchecked = losses.trusted(partial(huber, delta=np.float64(0.5)))
    total, _, d_y = unchecked(y, np.zeros_like(y))
    assert d_y.dtype == np.float32 and total == 6 * 0.5 * (1 - 0.25)
    assert losses.trusted(huber)(y, np.zeros_like(y))[0] == 6 * 0.5
