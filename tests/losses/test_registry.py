"""Losses by name."""

import pickle
from functools import partial

import numpy as np
import pytest
from support.losses import user

from ltc_np import losses
from ltc_np.losses import (
    LOSSES,
    binary_cross_entropy,
    class_count,
    cross_entropy,
    get,
    huber,
    mae,
    mse,
    name_of,
    numbers,
    quantile,
)


def test_get():
    for name in ("mse", "mae", "huber", "quantile", "cross_entropy", "binary_cross_entropy"):
        assert get(name) is getattr(losses, name) and get(get(name)) is get(name)
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
    with pytest.raises(ValueError, match="one of mse, mae, huber, quantile, cross_entropy, binary_cross_entropy or"):
        get("MSE ")
    with pytest.raises(TypeError, match="or a callable, got 3"):
        get(3)


def test_what_is_known_of_each():
    """Of the six losses and of what stands for one of them."""
    assert [name_of(loss) for loss in (mse, mae, huber, quantile, cross_entropy, binary_cross_entropy)] == list(LOSSES)
    assert name_of(partial(huber, delta=0.1)) == "huber" and name_of(user) is name_of(get(user)) is None
    assert [class_count(get(name), 5) for name in LOSSES] == [0, 0, 0, 0, 5, 2]
    assert numbers(huber, None, 3, np.float32) == (1.0,)
    assert numbers(partial(huber, delta=0.25), None, 3, np.float32) == (0.25,)
    assert numbers(quantile, None, 3, np.float32) == (0.1, 0.5, 0.9)
    assert numbers(partial(quantile, quantiles=(0.2,)), None, 3, np.float32) == (0.2,)
    assert numbers(mse, None, 3, np.float32) == numbers(cross_entropy, None, 3, np.float32) == ()
    assert numbers(cross_entropy, [1, 2, 0.1], 3, np.float32) == (1, 2, np.float32(0.1))
    with pytest.raises(ValueError, match="`class_weight` must be 2 real numbers"):
        numbers(binary_cross_entropy, [1, 2, 3], 3, np.float32)
