"""Memory of the device: what is planned is what is taken; what cannot fit is refused before it is begun."""

import re

import numpy as np
import pytest

pytest.importorskip("numba")

from support.cuda_uses import OnDevice

from ltc_np import BPTT, L1L2, LTC, Adam, Dense, FullyConnected, Model, Residual, losses
from ltc_np.base.workspace import Workspace
from ltc_np.kernels.cuda import device, ltc, ltc_sweeps, plan
from ltc_np.kernels.cuda.memory import Memory
from ltc_np.network.engine import Objective

STACKS = {
    "one": lambda: [LTC(FullyConnected(6, 3), input_dim=2, ode_unfolds=2)],
    "wide input": lambda: [LTC(FullyConnected(3), input_dim=200, ode_unfolds=1, input_mapping=None)],
    "wide readout": lambda: [
        LTC(FullyConnected(4, 2), input_dim=2, ode_unfolds=1),
        Dense(300, "gelu", input_dim=2),
        Dense(1, input_dim=300),
    ],
    "two, the small one first": lambda: [
        LTC(FullyConnected(3), input_dim=2),
        LTC(FullyConnected(12, 2), input_dim=3, ode_unfolds=3),
    ],
    "in another layer": lambda: [Residual(LTC(FullyConnected(6, 2), input_dim=2, ode_unfolds=2))],
}
B, T, POINTS = 9, 20, 9


@pytest.fixture(autouse=True)
def short_segments(monkeypatch):
    """So that what is kept of everything is most of the memory, as in large batches."""
    monkeypatch.setattr(ltc, "SEGMENT_NUMBERS", 500)


def both_directions(model, wrap, memory="full", lengths=None, batch=B):
    rng = np.random.default_rng(0)
    x, dt = rng.normal(size=(batch, T, model.input_size)), rng.uniform(0, 1, (batch, T))
    y, tape = model.forward(wrap(x), dt=wrap(dt), lengths=lengths, memory=memory)
    d_y, d_state = rng.normal(size=y.shape), rng.normal(size=(batch, model.state_size))
    g = model.backward(tape, wrap(d_y), wrap(d_state))
    return [np.asarray(a) for a in (y, g.theta, g.x, g.h0, g.dt)]


def train(model, wrap, memory="full", lengths=None, batch=B):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(batch, T, model.input_size)), rng.normal(size=(batch, T, model.output_size))
    model.fit(
        x,
        y,
        epochs=1,
        batch_size=batch,
        tbptt=BPTT(memory=memory),
        lengths=lengths,
        metrics=["mae"],
        penalty=L1L2(l2=0.1),
        seed=0,
        verbose=False,
    )
    return [model.theta.copy()]


def on_device(x):
    return OnDevice(np.ascontiguousarray(x))


WAYS = {
    "host": (both_directions, np.asarray),
    "device": (both_directions, on_device),
    "fit": (train, np.asarray),
}


def model_of(name):
    return Model(*STACKS[name](), seed=0, dtype="float64", backend="cuda")


# What goes through the host goes no other way.
each = pytest.mark.parametrize(
    "name, way", [(name, way) for name in STACKS for way in WAYS if name != "in another layer" or way == "host"]
)


@pytest.fixture
def peaks(monkeypatch):
    """What `plan.peak` has found."""
    found, peak = [], plan.peak
    monkeypatch.setattr(plan, "peak", lambda call: (found.append(peak(call)), found[-1])[1])
    return found


@each
def test_what_is_planned_is_what_is_taken(name, way, emulator, peaks):
    call, wrap = WAYS[way]
    for keep in ("full", "low"):
        for lengths in (None, [T, *range(1, B)]):
            model, machine = model_of(name), emulator()
            own = parameters(model, way)
            peaks.clear()
            before = machine.peak = machine.taken
            call(model, wrap, keep, lengths)
            taken, planned = machine.peak - before, max(peaks) + own
            assert taken <= planned <= 1.02 * taken + 24 * 512, (keep, planned, taken)


def parameters(model, way):
    """Bytes that a training takes beside what is planned: parameters, and what it knows of optimiser and loss.

    Of other calls nothing: their parameters are there afterwards.
    """
    if way == "fit":
        objective = Objective(losses.get("mse"), None, model.penalty(None, 0.1))
        return held(lambda: model.engine.trainer(objective, Adam(), None, "full", Workspace()))
    return held(lambda: model(np.zeros((1, 1, model.input_size)), dt=0.1)) and 0


def held(make):
    before = device.machine.peak = device.machine.taken
    thing = make()
    assert thing is not None
    return device.machine.peak - before


@each
def test_whatever_memory_there_is_nothing_fails_midway(name, way, emulator):
    """From too little to plenty: refused, with sizes, before any sweep; or the same bits."""
    call, wrap = WAYS[way]
    roomy = emulator()
    expected = call(model_of(name), wrap)
    low = emulator()
    call(model_of(name), wrap, "low")
    machine, model = emulator(), model_of(name)
    least = 2 * parameters(model, way) + machine.taken + 4096  # a training has the model twice: `CudaTrainer.gradient`
    outcomes, accepted = [], np.inf
    for memory in np.linspace(least, 1.1 * roomy.peak, POINTS).astype(int).tolist():
        machine, model = emulator(memory=memory), model_of(name)
        try:
            got = call(model, wrap)
        except MemoryError as error:
            sizes = (
                r"(9 sequences of 20 steps need|.* more are needed) .* GiB .*are free: take fewer .*batch_size.*tbptt"
            )
            assert re.match(sizes, str(error)), error
            assert not {ltc_sweeps.forward(R) for R in (1, 2, 4)} & set(machine.launched)
            outcomes.append("refused")
        else:
            assert all(np.array_equal(a, b) for a, b in zip(got, expected, strict=True))
            outcomes.append("low" if machine.launched != roomy.launched else "full")
            accepted = min(accepted, memory)
    order = [what for what, before in zip(outcomes, [None, *outcomes], strict=False) if what != before]
    assert order in (["refused", "low", "full"], ["refused", "full"])
    assert "low" in order or low.peak > 0.8 * roomy.peak
    assert accepted < 1.02 * low.peak + (1.1 * roomy.peak - least) / (POINTS - 1) + 24 * 512, "too much is refused"


def test_memory_that_is_held_for_other_shapes_is_given_back(emulator, peaks):
    """A thread keeps arrays for the next call; one of another shape must not be refused for them."""

    def call(model, batch, memory="full"):
        rng = np.random.default_rng(0)
        model.loss_and_grad(rng.normal(size=(batch, T, 2)), rng.normal(size=(batch, T, 3)), memory=memory)

    model, machine = model_of("one"), emulator()
    model.engine.stack()
    parameters = machine.taken
    call(model, 20)
    call(model, 40, "low")
    enough = parameters + max(peaks)
    assert machine.peak > enough, "more is held than needed"
    model, machine = model_of("one"), emulator(memory=enough)
    for _ in range(2):
        call(model, 20)
        call(model, 40)  # fits as "low" only
    assert machine.peak <= enough


def test_what_is_granted_is_granted_for_one_size(emulator):
    """A call of the same kind with more steps, more sequences, or another keep, is looked at anew."""

    def choice(keep, batch, steps):
        def call(what, own):
            own.array("steps", batch * steps * (100 if what == "full" else 1), np.float64)

        return plan.choose(call, keep, batch, steps, ("of this model",), memory)

    emulator(memory=2**17)
    memory = Memory()
    assert [choice("full", 3, steps) for steps in (10, 100, 10)] == ["full", "low", "full"]
    assert [choice("full", batch, 10) for batch in (3, 30, 3)] == ["full", "low", "full"]
    assert [choice(keep, 3, 10) for keep in ("low", "full")] == ["low", "full"]
    for batch, steps in ((3, 10_000), (3_000, 10)):
        with pytest.raises(MemoryError, match=f"^{batch} sequences of {steps} steps need"):
            choice("full", batch, steps)


def test_what_is_kept_for_later_calls_is_given_back(emulator):
    """By whomever: calls of other kinds, other models."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(B, T, 2)), rng.normal(size=(B, T, 3))
    calls = {
        "call": lambda model: model(x),
        "low": lambda model: model.fit(x, y, batch_size=B, tbptt=BPTT(memory="low"), verbose=False),
        "grad": lambda model: model.loss_and_grad(x, y, memory="low"),
        "tape": lambda model: model.backward(model.forward(x, memory="low")[1], y),
    }
    alone = {}
    for name, call in calls.items():
        machine = emulator()
        call(model_of("one"))
        alone[name] = machine.peak
    machine, models = emulator(memory=int(1.3 * max(alone.values()))), [model_of("one"), model_of("one")]
    for name in ("grad", "call", "low", "tape", "grad", "tape", "low", "grad", "call"):
        for model in models:
            calls[name](model)


def test_a_call_that_fails_midway_takes_nothing_from_later_ones(emulator):
    """Its memory was granted but not taken; another model takes it."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(B, T, 2)), rng.normal(size=(B, T, 3))
    machine = emulator()
    expected = model_of("one").loss_and_grad(x, y)[1]
    emulator(memory=int(1.9 * machine.peak))
    models = [model_of("one"), model_of("one")]
    with pytest.raises(ValueError, match="weigh"):
        models[0].loss_and_grad(x, y, sample_weight=np.zeros((B, T)))
    for k in (1, 0, 1, 0):
        assert np.array_equal(models[k].loss_and_grad(x, y)[1], expected)


def test_parameters_take_what_is_kept(emulator):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(B, T, 2)), rng.normal(size=(B, T, 3))
    machine = emulator()
    model_of("one").loss_and_grad(x, y)
    for use in (lambda model: model(x[:1, :1]), lambda model: model.fit(x[:1, :1], y[:1, :1], verbose=False)):
        emulator(memory=machine.peak + 2000)
        first = model_of("one")
        first.loss_and_grad(x, y)
        use(model_of("one"))


def test_a_loss_may_call_the_model(emulator):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(B, T, 2)), rng.normal(size=(B, T, 3))

    def loss(outputs, target):
        value, _ = model.loss_and_grad(x, y)
        return float(((outputs - target) ** 2).sum()) + value, 2 * (outputs - target)

    roomy, model = emulator(), model_of("one")
    expected = model.loss_and_grad(x, y, loss=loss)[1]
    outcomes = []
    for memory in np.linspace(0.5 * roomy.peak, roomy.peak, 8).astype(int).tolist():
        emulator(memory=memory)
        model = model_of("one")
        try:
            outcomes.append(np.array_equal(model.loss_and_grad(x, y, loss=loss)[1], expected))
        except MemoryError as error:
            assert "9 sequences of 20 steps need" in str(error)
            outcomes.append(None)
    assert outcomes[-1]
    assert False not in outcomes


def test_a_backward_pass_is_planned_too(emulator):
    """Another call may have taken memory since `forward`."""
    x = np.random.default_rng(0).normal(size=(B, T, 2))
    for wrap in (np.asarray, on_device):
        model, machine = model_of("one"), emulator()
        y, tape = model.forward(wrap(x))
        machine.memory = machine.taken + 3000  # taken by others
        before = dict(machine.launched)
        with pytest.raises(MemoryError, match="9 sequences of 20 steps need .* are free"):
            model.backward(tape, wrap(np.ones_like(np.asarray(y))))
        assert machine.launched == before


def test_what_a_driver_refuses_is_said_with_sizes(monkeypatch):
    """Another process has taken what was free when the call was planned."""

    class Error(Exception):
        pass

    def fail(*args):
        raise Error("Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")

    monkeypatch.setattr(device.Gpu, "free_memory", lambda self: 2**29)
    from types import SimpleNamespace

    monkeypatch.setattr(device, "cuda", SimpleNamespace(device_array=fail, to_device=fail))
    with pytest.raises(
        MemoryError, match=r"^3\.00 GiB more are needed on the GPU, of which 0\.50 GiB are free: take fewer"
    ):
        device.Gpu().empty(3 * 2**27, np.float64)
    with pytest.raises(MemoryError, match=r"^0\.00 GiB more"):
        device.Gpu().upload(np.zeros(3))

    def other(*args):
        raise Error("CUDA_ERROR_ILLEGAL_ADDRESS")

    monkeypatch.setattr(device, "cuda", SimpleNamespace(device_array=other))
    with pytest.raises(Error, match="ILLEGAL"):
        device.Gpu().empty(1, np.float64)
