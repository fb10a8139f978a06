"""ncps itself, side by side: random networks, there and back; only where ncps and PyTorch are installed."""

import pickle

import numpy as np
import pytest

from ltc_np import LTCRNN, NCP, AutoNCP, CfCRNN, FullyConnected, Random, Wiring
from ltc_np.interop.ncps import from_ncps, to_ncps

NEEDS = 'needs ncps and PyTorch: pip install "ltc-np[ncps]"'
torch = pytest.importorskip("torch", reason=NEEDS)
networks = pytest.importorskip("ncps.torch", reason=NEEDS)
theirs = pytest.importorskip("ncps.wirings", reason=NEEDS)

pytestmark = [
    pytest.mark.filterwarnings("ignore:no input reaches the motor neurons:UserWarning"),  # of random wirings
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),  # from inside torch.compile
]
QUICK, SLOW, ALL = 40, 60, 200  # random networks of each test: in the usual run, with the slow tests, with sweeps
B, T, I = 3, 4, 2
seeds = pytest.mark.parametrize(
    "seed",
    [
        pytest.param(k, marks=[] if k < QUICK else [pytest.mark.slow] + [pytest.mark.sweep] * (k >= SLOW))
        for k in range(ALL)
    ],
)


def recipe(rng):
    """A class of wirings and its arguments, the same in both packages."""
    N, O = int(rng.integers(4, 9)), int(rng.integers(1, 3))
    return [
        (FullyConnected, {"units": N, "output_dim": O, "self_connections": bool(rng.integers(2))}),
        (Random, {"units": N, "output_dim": O, "sparsity_level": 0.4, "random_seed": int(rng.integers(99))}),
        (AutoNCP, {"units": N + 1, "output_size": O, "sparsity_level": 0.3, "seed": int(rng.integers(99))}),
        (NCP, {"inter_neurons": 3, "command_neurons": 4, "motor_neurons": O, "sensory_fanout": 2, "inter_fanout": 3,
               "recurrent_command_synapses": 4, "motor_fanin": 2, "seed": int(rng.integers(99))}),
    ][rng.integers(4)]  # fmt: skip


def drawn(rng):
    """(a network of ncps, what its state dict does not say, its wiring here or None)."""
    wiring, arguments = recipe(rng)
    of_ncps = getattr(theirs, wiring.__name__)(**arguments)
    mixed = bool(rng.integers(2))
    if rng.integers(2):
        implicit, unfolds = bool(rng.integers(2)), int(rng.integers(1, 8))
        mappings = {f"{side}_mapping": [None, "linear", "affine"][rng.integers(3)] for side in ("input", "output")}
        module = networks.LTC(
            I, of_ncps, mixed_memory=mixed, ode_unfolds=unfolds, epsilon=1e-4, implicit_param_constraints=implicit,
            **mappings,
        )  # fmt: skip
        said = {"positivity": "softplus" if implicit else "clip", "ode_unfolds": unfolds, "epsilon": 1e-4}
        return module, said | {"output_dim": of_ncps.output_dim}, wiring(**arguments)
    mode = ("default", "no_gate", "pure")[rng.integers(3)]
    projected = [None, 3][rng.integers(2)]
    if rng.integers(2):
        if wiring in (FullyConnected, Random):
            projected = None  # ncps fails
        return networks.CfC(I, of_ncps, projected, mixed_memory=mixed, mode=mode), {"mode": mode}, wiring(**arguments)
    layers, activation = int(rng.integers(5)), ("silu", "relu", "tanh", "gelu", "lecun_tanh")[rng.integers(5)]
    rate = [0.0, 0.25][rng.integers(2)]
    module = networks.CfC(
        I, int(rng.integers(2, 7)), projected, mixed_memory=mixed, mode=mode, activation=activation,
        backbone_units=int(rng.integers(2, 7)), backbone_layers=layers, backbone_dropout=rate,
    )  # fmt: skip
    return module, {"mode": mode, "activation": activation, "backbone_dropout": rate if layers > 1 else 0.0}, None


def trained(module, rng):
    """With other weights than at the beginning, in float64."""
    module = module.double().eval()
    for name, p in module.named_parameters():
        if p.requires_grad:
            positive = name.split(".")[-1] in ("w", "sensory_w", "cm", "gleak")
            values = rng.uniform(0.05, 1.5, tuple(p.shape)) if positive else rng.normal(0, 0.8, tuple(p.shape))
            p.data.copy_(torch.from_numpy(values))
    return module


def inputs(rng, K):
    return rng.normal(size=(B, T, I)), rng.uniform(0.05, 2, (B, T)), rng.uniform(-1, 1, (B, K))


def outputs(module, x, dt, h0):
    """Outputs and last states of ncps, states as a model here has them: h, and c behind it.

    `timespans` are (B, T, N), each as often as there are neurons, which ncps takes for B > 1, but not on a wiring of
    several layers: there sequences run one by one.
    """
    N, mixed = module.state_size, module.use_mixed
    x, dt, h0 = (torch.tensor(a) for a in (x, dt, h0))
    state = (h0[:, :N], h0[:, N:]) if mixed else h0
    if getattr(getattr(module, "wiring", None), "num_layers", 1) == 1:
        y, last = module(x, state, dt[:, :, None].expand(-1, -1, N))
        return y.detach().numpy(), torch.cat(last, 1).detach().numpy() if mixed else last.detach().numpy()
    ys, lasts = [], []
    for b in range(B):
        own = tuple(s[b : b + 1] for s in state) if mixed else state[b : b + 1]
        y, last = module(x[b : b + 1], own, dt[b : b + 1])
        ys.append(y), lasts.append(torch.cat(last, 1) if mixed else last)
    return torch.cat(ys).detach().numpy(), torch.cat(lasts).detach().numpy()


def same_outputs(model, module, rng):
    x, dt, h0 = inputs(rng, model.state_size)
    found, wanted = model(x, dt=dt, h0=h0, return_state=True), outputs(module, x, dt, h0)
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= 1e-10 * max(np.abs(b).max(), 1e-3)


@seeds
def test_in(seed):
    """The module, its state dict, and that with a wiring give the same model, and ncps' outputs."""
    rng = np.random.default_rng(seed)
    module, said, wiring = drawn(rng)
    module = trained(module, rng)
    model = from_ncps(module, backend="numpy")
    same_outputs(model, module, rng)
    again = from_ncps(module.state_dict(), backend="numpy", **said)
    np.testing.assert_array_equal(again.theta, model.theta)
    same_outputs(again, module, rng)
    if wiring is not None:
        known = from_ncps(module.state_dict(), backend="numpy", wiring=wiring, **said)
        np.testing.assert_array_equal(known.theta, model.theta)
        found = model.layers[0].wiring
        if found.output_dim == wiring.output_dim:  # unless ncps gives more neurons than the motor neurons
            built = wiring.build(I)
            assert (found.layers, found.recipe[2:5]) == (built.layers, built.recipe[2:5])
            for name in ("pre", "post", "polarity", "sensory_pre", "sensory_post", "sensory_polarity"):
                np.testing.assert_array_equal(getattr(found, name), getattr(built, name))


@seeds
def test_there_and_back(seed):
    """A trained module of ncps, through a model, a module and a model: nothing changes."""
    rng = np.random.default_rng(1000 + seed)
    module, _, _ = drawn(rng)
    model = from_ncps(trained(module, rng), backend="numpy")
    again = to_ncps(model, as_module=True)
    same_outputs(model, again, rng)
    assert not again.training
    np.testing.assert_array_equal(from_ncps(again, backend="numpy").theta, model.theta)
    module.load_state_dict({k: torch.from_numpy(v) for k, v in to_ncps(model).items()}, strict=True)
    same_outputs(model, module, rng)


@seeds
def test_out(seed):
    """Models that were made here."""
    rng = np.random.default_rng(2000 + seed)
    wiring, arguments = recipe(rng)
    options = {"dtype": "float64", "backend": "numpy", "seed": seed, "mixed_memory": bool(rng.integers(2))}
    if rng.integers(2):
        positivity = ("softplus", "clip")[rng.integers(2)]
        model = LTCRNN(wiring(**arguments), I, positivity=positivity, ode_unfolds=int(rng.integers(1, 5)), **options)
    elif wiring in (AutoNCP, NCP) and rng.integers(2):
        model = CfCRNN(wiring(**arguments), input_dim=I, proj_size=[None, 2][rng.integers(2)], **options)
    else:
        model = CfCRNN(5, input_dim=I, backbone_layers=3, backbone_dropout=[0, 0.1][rng.integers(2)], **options)
    module = to_ncps(model, as_module=True)
    same_outputs(model, module, rng)
    np.testing.assert_array_equal(from_ncps(module, backend="numpy").theta, model.theta)


# -------------------------------------------------------------------------------------------------- modules and files


def test_single_precision_and_the_last_output():
    rng = np.random.default_rng(0)
    module = networks.LTC(I, theirs.AutoNCP(8, 2), return_sequences=False).eval()
    model = from_ncps(module)
    assert (model.dtype, model.return_sequences) == (np.float32, False)
    x = rng.normal(size=(B, T, I)).astype(np.float32)
    np.testing.assert_allclose(model(x), module(torch.tensor(x))[0].detach().numpy(), rtol=0, atol=1e-6)
    assert to_ncps(model, as_module=True).return_sequences is False


@pytest.mark.parametrize("cell", ["LTCCell", "CfCCell", "WiredCfCCell"])
def test_single_cells(cell):
    rng = np.random.default_rng(1)
    module = {
        "LTCCell": lambda: networks.LTCCell(theirs.AutoNCP(8, 2), I, implicit_param_constraints=True),
        "CfCCell": lambda: networks.CfCCell(I, 5, mode="no_gate", backbone_activation="silu"),
        "WiredCfCCell": lambda: networks.WiredCfCCell(I, theirs.AutoNCP(8, 2), mode="no_gate"),
    }[cell]()
    model = from_ncps(trained(module, rng))
    x, dt, h0 = inputs(rng, model.state_size)
    for b in range(B):
        state = torch.tensor(h0[b : b + 1])
        y, last = model(x[b], dt=dt[b], h0=h0[b], return_state=True)
        for t in range(T):
            wanted, state = module(torch.tensor(x[b : b + 1, t]), state, torch.tensor(dt[b, t]))
            np.testing.assert_allclose(y[t], wanted.detach().numpy()[0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(last, state.detach().numpy()[0], rtol=0, atol=1e-12)


class Own(torch.nn.Module):
    """What users write: a network inside, and a readout."""

    def __init__(self):
        super().__init__()
        self.rnn = networks.LTC(I, theirs.AutoNCP(8, 2), ode_unfolds=3, implicit_param_constraints=False)
        self.head = torch.nn.Linear(2, 1)


def test_a_network_inside_a_module():
    module = Own()
    with pytest.raises(ValueError, match=r'it has too much head.bias, head.weight; prefix="rnn." reads only'):
        from_ncps(module)
    layer = from_ncps(module, prefix="rnn").layers[0]
    assert (layer.ode_unfolds, layer.positivity) == (3, "clip")
    with pytest.raises(ValueError, match="`ode_unfolds` must be left out or 3, as the module says, got 6"):
        from_ncps(module, prefix="rnn", ode_unfolds=6)
    assert from_ncps(module, prefix="rnn", ode_unfolds=3).layers[0] == layer


class Subclass(networks.LTC):
    """Says the same as its base."""


def test_wrapped_modules():
    for wrap in (
        torch.compile,
        torch.nn.DataParallel,
        torch.nn.Sequential,
        lambda m: torch.nn.Sequential(torch.compile(m)),
    ):
        module = Subclass(I, theirs.AutoNCP(8, 2), ode_unfolds=3, implicit_param_constraints=False)
        model, plain = from_ncps(wrap(module)), from_ncps(module)
        assert model.layers == plain.layers and plain.layers[0].ode_unfolds == 3
        np.testing.assert_array_equal(model.theta, plain.theta)


class Renamed(torch.nn.Module):
    """Its keys do not say where its parts are."""

    def __init__(self):
        super().__init__()
        self.rnn = networks.CfC(I, 3)

    def state_dict(self, *args, **options):
        return {key.replace("rnn.", "elsewhere.", 1): value for key, value in super().state_dict().items()}


def test_a_module_whose_keys_have_other_names():
    module = Renamed()
    with pytest.raises(
        ValueError, match="`source` must be a module with a part 'elsewhere.', as its keys say: give its"
    ):
        from_ncps(module)
    assert from_ncps(module.state_dict()).layers == from_ncps(module.rnn).layers


def test_masks_decide_where_a_module_and_its_wiring_differ():
    """Loading a state dict changes masks of ncps, and not the wiring; outputs follow the masks."""
    rng = np.random.default_rng(2)
    module = trained(networks.LTC(I, theirs.FullyConnected(5, 2)), rng)
    module.rnn_cell.sparsity_mask.data[1:4, 2] = 0
    model = from_ncps(module)
    assert model.wiring.synapse_count == 22 and module.synapse_count == 25
    same_outputs(model, module, rng)


def test_a_wiring_of_ncps_is_not_changed():
    state_dict = networks.LTC(I, theirs.AutoNCP(8, 2)).state_dict()
    wiring = theirs.AutoNCP(8, 2)
    model = from_ncps(state_dict, wiring=wiring)
    assert wiring.input_dim is None
    built = AutoNCP(8, 2).build(I)
    np.testing.assert_array_equal(model.wiring.adjacency_matrix, built.adjacency_matrix)
    assert model.wiring.layers == built.layers


def test_bfloat16_tensors():
    module = networks.CfC(I, 4).bfloat16()
    model = from_ncps(module)
    assert model.dtype == np.float32
    np.testing.assert_array_equal(model.params["ff1_b"], module.rnn_cell.ff1.bias.detach().float().numpy())


def test_the_wiring_of_a_module_made_here():
    """ncps' own methods work on it."""
    layers = [("first", [6, 3]), ("second", [4, 5, 2]), ("motor", [0, 1])]
    edges = [(6, 4, 1), (3, 5, -1), (6, 2, 1), (4, 0, 1), (5, 1, -1)]
    wiring = Wiring.from_edges(7, edges, [(0, 6, 1), (1, 3, -1)], 2, layers=layers)
    module = to_ncps(CfCRNN(wiring, input_dim=I, seed=0), as_module=True)
    assert [module.wiring.get_neurons_of_layer(k) for k in range(3)] == [[6, 3], [4, 5, 2], [0, 1]]
    assert module.wiring.get_type_of_neuron(5) == "second"
    np.testing.assert_array_equal(module.wiring.adjacency_matrix, wiring.adjacency_matrix)
    assert from_ncps(module).wiring == wiring


def test_gains():
    """Masks of ncps that are no zeros and ones."""
    rng = np.random.default_rng(4)
    wiring = Wiring.from_matrix(rng.uniform(-1, 1, (5, 5)), rng.uniform(-1, 1, (I, 5)), 2)
    for positivity in ("softplus", "clip"):
        model = LTCRNN(wiring, I, positivity=positivity, dtype="float64", backend="numpy", seed=0)
        module = to_ncps(model, as_module=True)
        same_outputs(model, module, rng)
        again = from_ncps(module, backend="numpy")
        np.testing.assert_array_equal(again.theta, model.theta)
        np.testing.assert_array_equal(again.buffer_vector, model.buffer_vector)


class Evil:
    """Would make a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_code_in_files_is_not_run(tmp_path):
    target = tmp_path / "made_by_code"
    contents = {
        "torch.pt": lambda path: torch.save({"rnn_cell.gleak": torch.ones(3), "x": Evil(target)}, path),
        "old.pth": lambda path: torch.save({"x": Evil(target)}, path, _use_new_zipfile_serialization=False),
        "pickle.ckpt": lambda path: path.write_bytes(pickle.dumps({"state_dict": Evil(target)})),
        "module.bin": lambda path: torch.save(networks.CfC(I, 3), path),
        "noise.pt": lambda path: path.write_bytes(bytes(range(256)) * 9),
        "empty.pt": lambda path: path.write_bytes(b""),
    }
    for name, make in contents.items():
        make(tmp_path / name)
        target.unlink(missing_ok=True)
        with pytest.raises(ValueError) as caught:
            from_ncps(tmp_path / name)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / name}: damaged, or it holds more than tensors") and "\n" not in message
        assert "\x1b" not in message and "can still be loaded" not in message
        assert not target.exists()
    pickle.loads(pickle.dumps({"state_dict": Evil(target)}))["state_dict"].close()
    assert target.exists(), "the code would have worked"


def test_old_versions_of_pytorch_are_not_used(tmp_path, monkeypatch):
    torch.save(networks.CfC(I, 3).state_dict(), tmp_path / "x.pt")
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    with pytest.raises(ImportError, match=r"needs PyTorch 2\.6 or newer, got 2\.5\.1\+cpu"):
        from_ncps(tmp_path / "x.pt")


def test_files_that_hold_something_else(tmp_path):
    for name, content in {"tensor.pt": torch.ones(3), "list.pt": [torch.ones(3)]}.items():
        torch.save(content, tmp_path / name)
        with pytest.raises(ValueError, match=rf"{name}: holds no state dict, but"):
            from_ncps(tmp_path / name)
    module = networks.CfC(I, 3)
    torch.save({"epoch": 3, "state_dict": module.state_dict(), "optimizer": {"lr": 0.1}}, tmp_path / "x.ckpt")
    np.testing.assert_array_equal(from_ncps(tmp_path / "x.ckpt").theta, from_ncps(module).theta)
