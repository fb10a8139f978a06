"""Models as modules of PyTorch: its own gradcheck, its habits, and the same numbers as without it."""

import copy
import pickle

import numpy as np
import pytest

from ltc_np import (
    LTC,
    LTCRNN,
    SGD,
    AutoNCP,
    BatchNorm,
    CfC,
    Dense,
    Dropout,
    FullyConnected,
    Model,
    Pooling,
    RandomWiring,
    SpikingLIF,
    from_config,
)
from ltc_np.interop import functional

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra `torch`)")
from ltc_np.interop.torch import TorchModel  # noqa: E402

B, T, I = 3, 4, 2
NETWORKS = {
    "LTC": lambda **o: Model(LTC(AutoNCP(7, 2)), Dense(2), input_dim=I, seed=0, **o),
    "CfC": lambda **o: Model(CfC(5, backbone_units=4), Dense(2), input_dim=I, seed=0, **o),
    "tutorial": lambda **o: LTCRNN(RandomWiring(I, 2, 5, seed=0), I, seed=0, **o),
    "pooling": lambda **o: Model(Dense(3, "tanh"), Pooling("mean"), LTC(FullyConnected(4)), input_dim=I, seed=0, **o),
    "LSTM": lambda **o: from_config({"cell": "LSTM", "units": 3, "input_dim": I, "output_dim": 2}, seed=0, **o),
}


def tensors(rng, model, dt_shape=(B, T), batch=(B,)):
    """x, dt and h0 that want gradients, or None where the model has no such thing."""
    shapes = [(*batch, T, I), dt_shape if model.takes_dt else None, (*batch, model.state_size)]
    made = [None if s is None else torch.from_numpy(np.array(rng.uniform(0.2, 1.0, s))) for s in shapes]
    return [t if t is None else t.requires_grad_() for t in made]


def as_function(module, **options):
    """The module with its parameters as an argument, as gradcheck wants it."""

    def function(theta, x, dt, h0):
        given = {"dt": dt, "h0": h0, "return_state": True} | options
        return torch.func.functional_call(module, {"theta": theta}, (x,), given)

    return function


def gradcheck(function, inputs):
    """PyTorch's, in which central differences of steps of 1e-6 leave some 1e-9 of numbers of the size of 1."""
    return torch.autograd.gradcheck(function, inputs, atol=1e-8, rtol=1e-5)


def double(**o):
    return NETWORKS["LTC"](dtype="float64", **o)


# ------------------------------------------------------------------------------------------------- numbers, gradients


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("sequences", [True, False])
def test_gradients_pass_pytorch_s_gradcheck(name, sequences, rng):
    model = NETWORKS[name](dtype="float64", return_sequences=sequences)
    module = TorchModel(model)
    assert gradcheck(as_function(module, lengths=[4, 2, 3]), (module.theta, *tensors(rng, model)))


@pytest.mark.parametrize("dt_shape", [(), (T,), (B, T)])
def test_elapsed_times_of_every_form(dt_shape, rng):
    module = TorchModel(double(), memory="low")
    assert gradcheck(as_function(module), (module.theta, *tensors(rng, double(), dt_shape)))


def test_a_single_sequence(rng):
    module = TorchModel(double())
    assert gradcheck(as_function(module), (module.theta, *tensors(rng, double(), (T,), ())))


def test_gradcheck_would_see_a_wrong_gradient(rng, monkeypatch):
    from ltc_np.network.host import HostEngine

    right = HostEngine.differentiate

    def wrong(self, *arguments):
        g = right(self, *arguments)
        return g._replace(dt=g.dt * 1.001)

    monkeypatch.setattr(HostEngine, "differentiate", wrong)
    module = TorchModel(double())
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradcheck(as_function(module), (module.theta, *tensors(rng, double())))


@pytest.mark.parametrize("name", NETWORKS)
def test_bits_are_those_of_the_model(name, rng):
    model, lengths = NETWORKS[name](), torch.tensor([4, 2, 3])
    module = TorchModel(model)
    x, dt, h0 = (None if t is None else t.detach().float().requires_grad_() for t in tensors(rng, model))
    x_n, dt_n, h0_n = (None if t is None else t.detach().numpy() for t in (x, dt, h0))
    y, state = module(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
    wanted, last = model(x_n, dt=dt_n, lengths=lengths.numpy(), h0=h0_n, return_state=True)
    assert np.array_equal(y.detach(), wanted) and np.array_equal(state.detach(), last)
    d_y, d_state = (rng.normal(size=a.shape).astype(np.float32) for a in (wanted, last))
    torch.autograd.backward((y, state), (torch.from_numpy(d_y), torch.from_numpy(d_state)))
    _, tape = model.forward(x_n, dt=dt_n, lengths=lengths.numpy(), h0=h0_n)
    g = model.backward(tape, d_y, d_state)
    for found, own in ((module.theta, g.theta), (x, g.x), (dt, g.dt), (h0, g.h0)):
        assert found is None or np.array_equal(found.grad, own)


def test_outputs_alone_and_the_state_alone(rng):
    """What nobody differentiates counts nothing."""
    module = TorchModel(double())
    x, dt, h0 = tensors(rng, double())
    together = module(x, dt=dt, h0=h0, return_state=True)
    d_y, d_state = (torch.autograd.grad(part.sum(), x, retain_graph=True)[0] for part in together)
    (both,) = torch.autograd.grad(together[0].sum() + together[1].sum(), x)
    assert torch.allclose(both, d_y + d_state, rtol=1e-12) and not torch.allclose(d_y, d_state)


def test_training_takes_the_steps_of_the_library(rng):
    """Twenty steps of plain gradient descent, here by PyTorch and there without it."""
    model = double()
    module = TorchModel(model)
    x, target = rng.normal(size=(B, T, I)), rng.normal(size=(B, T, 2))
    optimizer, own = torch.optim.SGD(module.parameters(), lr=0.1), SGD(0.1)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(module(x, dt=0.5), torch.from_numpy(target))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        value, gradient = model.loss_and_grad(x, target, dt=0.5)
        own.step(model, gradient)
        assert value == pytest.approx(losses[-1], rel=1e-12)
    assert losses[-1] < 0.95 * losses[0]
    np.testing.assert_allclose(module.theta.detach(), model.theta, rtol=1e-10, atol=1e-14)  # sums in another order


def test_inside_a_larger_model_all_parameters_learn(rng):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(5, I), TorchModel(NETWORKS["LTC"]()), torch.nn.Linear(2, 1))
    x = torch.randn(16, 6, 5)
    target = torch.tanh(x[..., :1] - x[..., 1:2])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    before, losses = [p.detach().clone() for p in network.parameters()], []
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(network(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all((p != b).any() for p, b in zip(network.parameters(), before, strict=True))


# ---------------------------------------------------------------------------------------------------------- graphs


def test_one_module_several_times_in_a_graph(rng):
    """Two layers with the same parameters, and a third call beside them: each has its own tape."""
    module = TorchModel(double())

    def function(theta, x):
        def call(x, dt):
            return torch.func.functional_call(module, {"theta": theta}, (x,), {"dt": dt})

        return call(call(x, 0.5), 2.0) * call(x, 1.0)

    assert gradcheck(function, (module.theta, tensors(rng, double())[0]))


def test_a_tape_keeps_what_has_been_changed_since(rng):
    module = TorchModel(double())
    x = tensors(rng, double())[0].detach()
    (wanted,) = torch.autograd.grad(module(x).sum(), module.theta)
    y = module(x)
    kept = y.detach().clone()
    with torch.no_grad():
        module.theta.add_(1.0)
        x.zero_()
        module(x)
    (found,) = torch.autograd.grad(y.sum(), module.theta)
    assert torch.equal(found, wanted) and torch.equal(y.detach(), kept)


@pytest.fixture
def kept(monkeypatch):
    """What of a tape each call of a model kept."""
    from ltc_np.interop import torch as module

    found = []

    def spy(model, x, dt, lengths, h0, keep, dropout_seed):
        found.append(keep)
        return functional.run(model, x, dt, lengths, h0, keep, dropout_seed)

    monkeypatch.setattr(module, "run", spy)
    return found


def test_a_tape_is_kept_only_for_gradients(kept, rng):
    module, x = TorchModel(double(), memory="low"), tensors(rng, double())[0]
    module(x)
    module.eval()
    module(x)  # the mode has nothing to do with gradients
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            assert not module(x).requires_grad
    module.requires_grad_(False)
    assert module(x).requires_grad and not module(x.detach()).requires_grad
    assert kept == ["low", "low", None, None, "low", None]


@pytest.mark.parametrize("asked", [("theta",), ("x",), ("dt", "h0"), ("theta", "x", "dt", "h0")])
def test_only_what_is_asked_for_is_computed(asked, rng, monkeypatch):
    wanted, stack = [], type(double().layer_stack)
    backward = stack.backward

    def spy(self, prepared, saved, valid, d_y, d_h, g, want_x, want_dt, workspace):
        wanted.append((want_x, want_dt))
        return backward(self, prepared, saved, valid, d_y, d_h, g, want_x, want_dt, workspace)

    monkeypatch.setattr(stack, "backward", spy)
    module = TorchModel(double())
    given = dict(zip(("theta", "x", "dt", "h0"), (module.theta, *tensors(rng, double())), strict=True))
    for name, tensor in given.items():
        tensor.requires_grad_(name in asked)
    module(given["x"], dt=given["dt"], h0=given["h0"]).sum().backward()
    assert wanted == [("x" in asked, "dt" in asked)]
    assert {name for name, tensor in given.items() if tensor.grad is not None} == set(asked)


@pytest.mark.parametrize("of", ["theta", "x"])
def test_a_second_derivative_is_an_error_and_never_zero(of, rng):
    module, x = TorchModel(double()), tensors(rng, double())[0]
    where = {"theta": module.theta, "x": x}[of]
    (gradient,) = torch.autograd.grad(module(x).sum(), where, create_graph=True)
    with pytest.raises(RuntimeError, match="ltc_np has first derivatives only: a gradient of a TorchModel cannot be"):
        gradient.square().sum().backward()


def test_transforms_of_functions(rng):
    module, x = TorchModel(double()), tensors(rng, double())[0].detach()
    function = as_function(module)
    found = torch.func.grad(lambda theta: function(theta, x, None, None)[0].sum())(module.theta)
    assert torch.equal(found, torch.autograd.grad(module(x).sum(), module.theta)[0])
    with pytest.raises(RuntimeError, match="does not have vmap support"):
        torch.func.vmap(module)(x)


def test_checkpointing_computes_again_with_the_same_dropout(rng):
    from torch.utils.checkpoint import checkpoint

    module = TorchModel(Model(Dense(4, "tanh"), Dropout(0.5), LTC(FullyConnected(3)), input_dim=I, seed=0))
    x, found = torch.randn(B, T, I), []
    for call in (module, lambda x: checkpoint(module, x, use_reentrant=False)):
        torch.manual_seed(1)
        found.append(torch.autograd.grad(call(x).square().sum(), module.theta)[0])
    assert torch.equal(*found)


# --------------------------------------------------------------------------------------------- modes, buffers, files


def test_dropout_is_that_of_training_mode(rng):
    module = TorchModel(Model(Dropout(0.5), Dense(2), input_dim=I, seed=0, dtype="float64"))
    x = tensors(rng, double())[0]
    torch.manual_seed(0)
    first, second = module(x), module(x)
    torch.manual_seed(0)
    assert torch.equal(module(x), first) and not torch.equal(first, second)
    module.eval()
    assert torch.equal(module(x), module(x)) and not torch.equal(module(x), first)
    module.train()

    def function(theta, x):
        torch.manual_seed(3)
        return torch.func.functional_call(module, {"theta": theta}, (x,))

    assert gradcheck(function, (module.theta, x))


def test_a_model_without_dropout_takes_no_random_numbers(rng):
    module, state = TorchModel(double()), torch.get_rng_state()
    module(tensors(rng, double())[0])
    assert torch.equal(torch.get_rng_state(), state)


def test_batch_norm_takes_each_batch_as_fit_does(rng):
    """A training without steps (its rate is 0) leaves the statistics that calls in training mode leave."""
    model = Model(BatchNorm(), Dense(2), input_dim=I, seed=0)
    module, x, lengths = TorchModel(model), 3 + 2 * rng.normal(size=(6, T, I)), np.array([4, 2, 3, 4, 1, 2])
    before = module.buffer_vector.clone()
    with torch.no_grad():
        module.eval()
        module(x)
        assert torch.equal(module.buffer_vector, before)
        module.train()
        for _ in range(3):
            module(x, lengths=lengths)
    y = np.zeros((6, T, 2))
    model.fit(x, y, lengths=lengths, epochs=3, batch_size=6, optimizer=SGD(1e-30), verbose=False)
    assert not torch.equal(module.buffer_vector, before)
    np.testing.assert_allclose(module.buffer_vector, model.buffer_vector, rtol=1e-6)


def test_state_dicts_hold_parameters_and_buffers(tmp_path, rng):
    wiring = RandomWiring(I, 2, 5, seed=0)
    module = torch.nn.Sequential(TorchModel(LTCRNN(wiring, I, seed=0)))
    assert list(module.state_dict()) == ["0.theta", "0.buffer_vector"] and module[0].buffer_vector.numel() > 0
    torch.save(module.state_dict(), tmp_path / "state.pt")
    other = torch.nn.Sequential(TorchModel(LTCRNN(wiring, I, seed=1)))
    x = torch.randn(B, T, I)
    assert not torch.equal(other(x), module(x))
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(other(x), module(x))
    with pytest.raises(RuntimeError, match="size mismatch for theta"):
        TorchModel(double()).load_state_dict(module[0].state_dict())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_are_independent(copied, rng):
    module = TorchModel(NETWORKS["LTC"]())
    other, x = copied(module), torch.randn(B, T, I)
    assert torch.equal(module(x), other(x))
    with torch.no_grad():
        other.theta.add_(0.1)
    assert not torch.equal(module(x), other(x))


def test_back_to_a_model_of_this_library(tmp_path, rng):
    model = NETWORKS["LSTM"]()
    model.freeze(next(iter(model.params)))
    module, given = TorchModel(model), model.theta.copy()
    with torch.no_grad():
        module.theta.mul_(0.5)
    back = module.to_model()
    assert type(back) is type(model) and back.config == model.config and np.array_equal(back.trainable, model.trainable)
    assert np.array_equal(back.theta, module.theta.detach()) and np.array_equal(model.theta, given)
    x = torch.randn(B, T, I)
    assert np.array_equal(back(x.numpy()), module(x).detach())
    back.theta = given
    assert not np.array_equal(back.theta, module.theta.detach())
    module(x).sum().backward()
    assert (module.theta.grad[torch.from_numpy(~model.trainable)] == 0).all() and (module.theta.grad != 0).any()


def test_clipped_parameters_are_moved_back_to_their_bounds():
    module = TorchModel(Model(LTC(FullyConnected(3), positivity="clip"), input_dim=I, seed=0))
    with torch.no_grad():
        module.theta.fill_(-1.0)
    outside = module.to_model()
    module.project()
    inside = module.to_model()
    assert (outside.params["gleak"] < 0).all() and (inside.params["gleak"] >= 0).all()
    assert (inside.params["mu"] == -1).all()
    assert all(np.array_equal(inside.effective[name], outside.effective[name]) for name in inside.effective)


# ------------------------------------------------------------------------------------------------ dtypes and forms


def test_the_dtype_is_that_of_the_parameters(rng):
    module = TorchModel(NETWORKS["LTC"]())
    x = tensors(rng, double())[0]
    y = module(x)
    assert y.dtype == torch.float32
    y.sum().backward()
    assert x.grad.dtype == torch.float64 and module.theta.grad.dtype == torch.float32
    for other in (torch.float16, torch.bfloat16, torch.int64):
        assert module(x.detach().to(other)).dtype == torch.float32
    theta = module.theta.detach().numpy()
    module.double()
    wanted = double()
    wanted.theta = theta
    assert np.array_equal(module(x).detach(), wanted(x.detach().numpy()))
    with pytest.raises(TypeError, match="`theta` must be float32 or float64, got float16"):
        module.half()(x)


def test_numbers_and_arrays_keep_their_precision(rng):
    module, x = TorchModel(double()), rng.normal(size=(B, T, I))
    assert np.array_equal(module(x, dt=0.1, lengths=[4, 2, 3]).detach(), double()(x, dt=0.1, lengths=[4, 2, 3]))


def test_tensors_of_any_strides(rng):
    module, x = TorchModel(double()), torch.from_numpy(rng.normal(size=(T, B, I)))
    strided = x.transpose(0, 1).requires_grad_()
    assert not strided.is_contiguous()
    y = module(strided)
    assert torch.equal(y, module(x.transpose(0, 1).contiguous()))
    y.transpose(0, 2)[:, 1].sum().backward()  # whose adjoint has strides of 0
    assert (strided.grad[:, 2:] == 0).all() and (strided.grad[:, :2] != 0).all()


def test_surrogate_gradients_come_through():
    """Spikes have no derivative: the module gives the library's own."""
    model = Model(SpikingLIF(5, threshold=0.2), Dense(1), input_dim=I, seed=0)
    module, x = TorchModel(model), torch.ones(B, T, I)
    module(x).sum().backward()
    _, tape = model.forward(x.numpy())
    own = model.backward(tape, np.ones((B, T, 1), np.float32)).theta
    assert np.array_equal(module.theta.grad, own) and (own != 0).sum() > 1


# ------------------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize("name", ["x", "dt", "h0", "theta"])
def test_other_devices_are_named(name, rng):
    module = TorchModel(double())
    given = dict(zip(("x", "dt", "h0"), tensors(rng, double()), strict=True))
    if name == "theta":
        module.to("meta")
    else:
        given[name] = given[name].to("meta")
    remedy = "module.cpu()" if name == "theta" else f"{name}.cpu()"
    with pytest.raises(TypeError) as caught:
        module(given["x"], dt=given["dt"], h0=given["h0"])
    assert str(caught.value) == f"`{name}` must lie on the CPU, where ltc_np computes, got meta: write {remedy}"


def test_errors_are_the_library_s_in_one_line(rng):
    module, x = TorchModel(double()), tensors(rng, double())[0]
    wrong = [
        (TypeError, "`model` must be a model of ltc_np, got", lambda: TorchModel(torch.nn.Linear(2, 2))),
        (ValueError, "`memory` must be", lambda: TorchModel(double(), memory="little")),
        (ValueError, "`x` must be \\(B, T, 2\\) or \\(T, 2\\), got shape \\(3, 4, 1\\)", lambda: module(x[..., :1])),
        (ValueError, "`dt` must be a number", lambda: module(x, dt=torch.ones(2, T))),
        (TypeError, "`x` must", lambda: module(x.to(torch.complex64))),
        (TypeError, "`forward` has no argument `lenghts`", lambda: module(x, lenghts=[1, 2, 3])),
        (ValueError, "`d_y` must be finite", lambda: (module(x) * np.nan).sum().backward()),
        (ValueError, "`dt` must be left out", lambda: TorchModel(NETWORKS["LSTM"]())(x, dt=torch.tensor(1.0))),
    ]
    for kind, message, call in wrong:
        with pytest.raises(kind, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
    with torch.no_grad():
        module.theta[0] = np.nan
    with pytest.raises(ValueError, match="`theta` must be finite"):
        module(x)


@pytest.mark.filterwarnings("ignore")  # of the compiler's own
def test_a_compiled_module_calls_the_model_as_it_is(rng):
    """The tracer cannot look inside: it goes round, and gives the same numbers."""
    module = TorchModel(NETWORKS["LTC"](backend="numpy"))
    whole = torch.nn.Sequential(torch.nn.Linear(I, I), module)
    compiled, x = torch.compile(whole, backend="eager"), torch.from_numpy(rng.normal(size=(B, T, I)).astype("f"))
    for one in (whole, compiled):
        one.zero_grad()
        y = one(x)
        y.sum().backward()
        found = y.detach(), module.theta.grad.clone(), whole[0].weight.grad.clone()
        if one is whole:
            expected = found
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)
