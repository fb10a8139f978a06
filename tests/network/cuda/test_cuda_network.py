"""Networks that live on the device: parameters, one route for arrays of host and device, steps of a training."""

import numpy as np
import pytest

pytest.importorskip("numba")

from support.card import pair
from support.cuda_uses import OnDevice

from ltc_np import LTC, SGD, Adam, AutoNCP, Dense, FullyConnected, Model, RandomWiring, Residual, losses
from ltc_np.base.workspace import Fresh, Workspace
from ltc_np.kernels import codes
from ltc_np.kernels.cuda import optim
from ltc_np.kernels.cuda.device import download, empty, upload
from ltc_np.kernels.cuda.memory import Memory
from ltc_np.network.cuda import calls, device_arrays, host_arrays, layers, training
from ltc_np.network.cuda.device_calls import DeviceCalls
from ltc_np.network.cuda.engine import CudaEngine
from ltc_np.network.cuda.parameters import DeviceParameters
from ltc_np.network.cuda.stack import DeviceStack
from ltc_np.network.engine import Batch, Objective
from ltc_np.network.sequences import Sequences
from ltc_np.optim import OPTIMIZERS
from ltc_np.optim.clip import Clip

pytestmark = pytest.mark.usefixtures("emulator")
B, T, LENGTHS = 4, 5, [5, 3, 0, 5]


def stacked(dtype="float64", **options):
    given = (
        LTC(AutoNCP(9, 3, seed=1), input_dim=3, ode_unfolds=2),
        Dense(4, "gelu", input_dim=3),
        LTC(FullyConnected(6, 2), input_dim=4, ode_unfolds=1),
    )
    return pair(*given, dtype=dtype, **options)[1]


def batch_of(model, rng, lengths=None):
    x, y = rng.normal(size=(B, T, model.input_size)), rng.normal(size=(B, T, model.output_size))
    given = model.engine.read(x, rng.uniform(0, 1, (B, T)), lengths, None, True)
    return model.make_batch(given.sequences, y, "mse", None)


def test_every_name_of_the_library_has_its_number_or_its_kernel():
    from ltc_np.base import activations

    assert set(codes.ACTIVATIONS) == set(activations.ACTIVATIONS)
    assert set(codes.LOSSES) == {name for name, kind in losses.LOSSES.items() if kind.on_card}
    assert set(layers.LAYERS) == {LTC, Dense}
    assert set(optim.STEPS) == {optimizer.kernel for optimizer in OPTIMIZERS.values()} - {None}


def test_the_engine_knows_what_runs_on_the_card():
    model = stacked()
    assert type(model.engine) is CudaEngine
    assert model.engine.unknown is None
    assert model.engine.calls_for(np.zeros(3)) is model.engine
    assert type(model.engine.calls_for(OnDevice(np.zeros(3)))) is DeviceCalls
    other = Residual(LTC(FullyConnected(3), input_dim=3))
    assert Model(other, backend="cuda").engine.unknown is other


def test_parameters_follow_the_hosts(rng):
    model = stacked()
    own = DeviceParameters(model)
    own.load(model.theta, model.buffer_vector)
    own.prepare()
    for name, values in model.effective.items():
        np.testing.assert_allclose(download(own.p[name]), values.ravel(), rtol=1e-14)
    for name, values in model.buffers.items():
        np.testing.assert_array_equal(download(own.buffers[name]), values.ravel())
    model.freeze("0.w")
    own.freeze()
    for name in own.g:
        own.g[name].host[:] = rng.normal(size=own.g[name].size)
    own.differentiate()
    wanted = model.layout.d_effective(model.layout.effective(model.theta), download(own.d_values))
    np.testing.assert_allclose(download(own.gradient), np.where(model.trainable, wanted, 0), rtol=1e-13)
    penalty, total = model.penalty(0.1, {"0.cm": 0.2}), upload(np.ones(1))
    value = penalty.add(model, np.zeros_like(model.theta))
    own.add_penalties(*map(upload, penalty.rates(model.layout.size)), total, Memory())
    np.testing.assert_allclose(download(total), 1 + value, rtol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "sequences", "memory"), [("float32", True, "full"), ("float64", False, "full"), ("float64", True, "low")]
)
def test_arrays_of_the_host_and_of_the_device_give_the_same_bits(dtype, sequences, memory, rng):
    """They take one route."""
    model = stacked(dtype, return_sequences=sequences)
    x, dt = (a.astype(dtype) for a in (rng.normal(size=(B, T, 3)), rng.uniform(0, 1, (B, T))))
    h0, d_state = rng.normal(size=(2, B, model.state_size)).astype(dtype)
    d_y = rng.normal(size=(B, T, 2) if sequences else (B, 2)).astype(dtype)
    found = []
    for wrap in (np.asarray, OnDevice):
        y, tape = model.forward(wrap(x), dt=wrap(dt), lengths=LENGTHS, h0=h0, memory=memory)
        g = model.backward(tape, wrap(d_y), wrap(d_state))
        found.append([np.asarray(a) for a in (y, g.theta, g.x, g.h0, g.dt)])
    for host, card in zip(*found, strict=True):
        assert np.array_equal(host, card)
        assert host.any()


@pytest.mark.parametrize("changed", ["theta", "buffer_vector"])
def test_a_stack_has_the_parameters_and_buffers_of_its_version(changed, rng):
    """Even if another thread changes them while the stack is made: it is used again when they have come back."""
    layer = LTC(RandomWiring(3, 2, 5, seed=1), input_dim=3, ode_unfolds=1)  # whose gains are buffers
    (_, model), x = pair(layer), rng.normal(size=(2, 2, 3))
    want, version, values = pair(layer)[1](x), model.parameter_version, getattr(model, changed)
    before = values.copy()

    def another_thread_writes():
        found = version()
        values[:] = 0.5
        return found

    vars(model)["parameter_version"] = another_thread_writes  # between the version and what is loaded of it
    made = model.engine.stack()
    del vars(model)["parameter_version"]
    values[:] = before
    assert np.array_equal(model(x), want)
    assert model.engine.stack() is made


def test_a_call_is_planned_with_its_backward_pass(rng, monkeypatch):
    """Its rehearsal asks for the adjoints that the caller may ask for: those of the inputs only without a workspace."""
    asked, model = [], stacked()
    backward = DeviceStack.backward

    def spy(self, saved, d_y, d_h, want_x, want_dt, memory):
        asked.append((want_x, want_dt))
        return backward(self, saved, d_y, d_h, want_x, want_dt, memory)

    monkeypatch.setattr(DeviceStack, "backward", spy)
    call = host_arrays.HostCall(batch_of(model, rng).sequences)
    for workspace, keep in ((Fresh(), "full"), (Workspace(), "low"), (Workspace(), None)):
        _, _, saved = calls.forward(call, model.engine.stack(), keep, workspace)
        assert (saved is None) == (keep is None)
    assert asked == [(True, True), (False, False)]
    assert call.size == (B, T, (3, False))


def test_the_form_of_a_device_call(rng):
    form = device_arrays.DeviceForm((), False, True)
    assert form.shape(1, *form.steps(T, 2)) == (2,)
    assert form._replace(return_sequences=True, single=False).steps(T, 2) == (T, 2)
    y = upload(rng.normal(size=6))
    assert [a.size for a in form.like(y, empty(3, np.float64))] == [6, 3]
    assert device_arrays.on_device(OnDevice(np.zeros(1)))
    assert not device_arrays.on_device(np.zeros(1))


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_a_trainer_leaves_its_gradient_for_others(lengths, rng):
    """The joint: what `flat` shows between `gradient` and `update` is what a call gives, penalties included."""
    model = stacked()
    batch = batch_of(model, rng, lengths)
    objective = Objective(losses.get("mse"), None, model.penalty(None, 0.1))
    wanted = model.engine.loss_and_grad(batch, objective, "full", Fresh())
    trainer = model.engine.trainer(objective, SGD(0.1), Clip(1e-3), "full", Workspace())
    assert type(trainer) is training.CudaTrainer
    trainer.load()
    found = trainer.gradient(batch, None, True, True)
    np.testing.assert_allclose(found.value, wanted.value, rtol=1e-12)
    np.testing.assert_allclose(found.outputs, wanted.outputs, rtol=1e-12)
    np.testing.assert_array_equal(found.state, wanted.state)
    assert found.finite
    assert found.weight == wanted.weight
    gradient, before = trainer.flat(), model.theta.copy()
    np.testing.assert_allclose(gradient, wanted.gradient, rtol=1e-11, atol=1e-14)
    trainer.update()
    np.testing.assert_array_equal(model.theta, before)  # until it is stored
    trainer.store()
    clipped = gradient * (1e-3 / np.linalg.norm(gradient))
    np.testing.assert_allclose(before - model.theta, 0.1 * clipped, rtol=1e-6, atol=1e-14)
    trainer.restore()
    np.testing.assert_array_equal(model.theta, before)


def test_a_trainer_says_what_it_does_not_know():
    model, adam = stacked(), Adam()

    def own(y, target):
        return 0.0, 0 * y

    class Mine(Adam):
        def change(self, model, grad, lr, delta):
            delta[:] = 0

    mse = Objective(losses.get("mse"), None, None)
    assert training.why_not(model, mse, adam) is None
    assert training.why_not(model, mse._replace(loss=losses.get(own)), adam) == "loss own"
    assert training.why_not(model, mse._replace(class_weight=[1, 2]), adam) == "loss mse"
    assert training.why_not(model, mse, Mine()) == "optimizer Mine"
    other = Model(Residual(LTC(FullyConnected(3), input_dim=3)), backend="cuda")
    assert training.why_not(other, mse, adam).startswith("layer Residual")


@pytest.mark.parametrize("shape", [(B, T), (B, T, 2)])
def test_a_batch_is_taken_as_it_is(shape, rng):
    """Weights of steps or of single outputs, and sequences of the caller's own making."""
    model = stacked()
    x, y, weight = rng.normal(size=(B, T, 3)), rng.normal(size=(B, T, 2)), rng.uniform(0.5, 2, shape)
    sequences = Sequences(x, np.ones((B, T)), np.full(B, T), None, np.zeros((B, model.state_size)))
    batch, objective = Batch(sequences, y, weight, weight), Objective(losses.get("mae"), None, None)
    wanted = model.engine.loss_and_grad(batch, objective, "full", Fresh())
    trainer = model.engine.trainer(objective, Adam(), None, "low", Workspace())
    trainer.load()
    found = trainer.gradient(batch, None, False, False)
    assert found.outputs is found.state is None
    np.testing.assert_allclose([found.value, found.weight], [wanted.value, wanted.weight], rtol=1e-12)
    np.testing.assert_allclose(trainer.flat(), wanted.gradient, rtol=1e-11, atol=1e-14)
