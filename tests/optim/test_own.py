"""Optimisers of a user's own."""

import numpy as np
import pytest
from support.flat import FlatModel as Model

from ltc_np import optim
from ltc_np.optim import Adam, AdamW

dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


class Signs(optim.Optimizer):
    """One of a user's own, as the base's documentation says."""

    moment_names = ("m",)

    def __init__(self, lr=0.1, beta=0.5):
        self.beta = beta
        super().__init__(lr)

    def change(self, model, grad, lr, delta):
        m = self.moments["m"]
        m[:] = self.beta * m + (1 - self.beta) * grad
        delta[:] = lr * np.sign(m)


@dtypes
def test_one_of_your_own(dtype):
    model, optimizer = Model(np.ones(3, dtype), np.array([True, True, False]), lr_scale=np.array([1, 2, 1])), Signs()
    optimizer.step(model, np.array([1, -1, 1], dtype))
    np.testing.assert_allclose(model.theta, [0.9, 1.2, 1], rtol=1e-6)
    assert optimizer.m.tolist() == [0.5, -0.5, 0]
    again = Signs()
    again.load_state(optimizer.state())
    for one in (optimizer, again):
        other = Model(np.ones(3, dtype))
        one.step(other, np.array([-0.5, 0.5, 0], dtype))  # as much as is left of the momentum
        assert other.theta.tolist() == [1, 1, 1]
    assert repr(optimizer) == "Signs(lr=0.1, beta=0.5)" and optimizer.kernel is None
    with pytest.raises(AttributeError, match="'Signs' object has no attribute 'v'"):
        optimizer.v  # noqa: B018
    with pytest.raises(NotImplementedError, match="Optimizer must define `change`"):
        optim.Optimizer(0.1).step(model, np.ones(3, dtype))


def test_who_changes_otherwise_has_no_kernel():
    class Other(Adam):
        def change(self, model, grad, lr, delta):
            delta[:] = lr

    class Renamed(Adam):
        pass

    assert not Other.kernel_is_all and Renamed.kernel_is_all and AdamW.kernel_is_all
    assert Other.kernel == Renamed.kernel == "adam"


def test_a_change_that_is_returned_is_refused():
    """It would change nothing, in silence."""

    class Returns(optim.Optimizer):
        def change(self, model, grad, lr, delta):
            return lr * grad

    model = Model(np.ones(3))
    optimizer = Returns(0.1)
    with pytest.raises(TypeError, match="`change` of Returns must write into `delta`, and return nothing"):
        optimizer.step(model, np.ones(3))
    assert optimizer.t == 0 and (model.theta == 1).all()


@pytest.mark.parametrize("kind", optim.OPTIMIZERS.values())
def test_a_class_of_the_library_may_be_gone_on_from(kind):
    """What is overridden may call what it overrides."""

    class Half(kind):
        steps = 0

        def change(self, model, grad, lr, delta):
            super().change(model, grad, lr, delta)
            delta *= 0.5

        def step(self, model, grad):
            super().step(model, grad)
            self.steps += 1

    models, grad = [Model(np.ones(3)), Model(np.ones(3))], np.array([1.0, -2.0, 3.0])
    half = Half(0.25)
    half.step(models[0], grad)
    kind(0.25).step(models[1], grad)
    np.testing.assert_allclose(2 * (models[0].theta - 1), models[1].theta - 1, rtol=1e-15)
    assert half.steps == 1


def test_the_repr_of_one_that_does_not_keep_its_arguments():
    class Short(Adam):
        def __init__(self, lr, other):
            super().__init__(lr)

    assert repr(Short(0.1, 2)) == "Short(...)"


def test_a_moment_may_be_set():
    model, optimizer = Model(np.ones(2)), optim.SGD(0.1, momentum=0.5)
    assert optimizer.b is None
    optimizer.step(model, np.array([1.0, 2.0]))
    assert optimizer.b is optimizer.moments["b"]
    optimizer.b = np.zeros(2)
    optimizer.step(model, np.array([1.0, 2.0]))
    assert optimizer.b.tolist() == [1, 2]
