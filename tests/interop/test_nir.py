"""Graphs of NIR, read by `ltc_np.interop.nir_graph`: against a simulation of what NIR's own docstrings say."""

import numpy as np
import pytest

from ltc_np import LTC, Dense, Dropout, FullyConnected, Model, SpikingLIF

nir = pytest.importorskip("nir", reason="nir is not installed (extra `nir`)")
from ltc_np.interop.nir import from_nir, to_nir  # noqa: E402

I, MS = 3, 1e-3


def lif(tau, r=1.0, leak=0.0, threshold=1.0, reset=0.0, N=4):
    each = (np.broadcast_to(np.asarray(a, float), N).copy() for a in (tau, r, leak, threshold, reset))
    return nir.LIF(**dict(zip(("tau", "r", "v_leak", "v_threshold", "v_reset"), each, strict=True)))


def simulate(graph, x, dt, pieces=None):
    """Outputs of a graph (T, O) and its last potentials, by name, for x (T, I) and times (T,) in seconds.

    An edge carries what its source gave last, at first what it gives for nothing.  The equation of a LIF is solved
    exactly for the current of a step, or by Euler's method in ``pieces``.
    """
    size = {name: node.output_type["output"][0] for name, node in graph.nodes.items()}
    v = {name: node.v_leak.astype(float) for name, node in graph.nodes.items() if isinstance(node, nir.LIF)}
    out = {name: np.zeros(n) for name, n in size.items()}
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Affine):
            out[name] = node.bias.astype(float)
    outputs = []
    for row, h in zip(x, dt, strict=True):
        for name, node in graph.nodes.items():
            given = sum((out[a] for a, b in graph.edges if b == name), 0.0)
            if isinstance(node, nir.Input):
                out[name] = row
            elif isinstance(node, nir.Output):
                out[name] = given
            elif isinstance(node, nir.Linear):
                out[name] = node.weight @ given
            elif isinstance(node, nir.Affine):
                out[name] = node.weight @ given + node.bias
            else:
                target = node.v_leak + node.r * given
                if pieces is None:
                    u = target + (v[name] - target) * np.exp(-h / node.tau)
                else:
                    u = v[name]
                    for _ in range(pieces):
                        u = u + h / pieces / node.tau * (target - u)
                out[name] = np.where(u > node.v_threshold, 1.0, 0.0)
                v[name] = np.where(u > node.v_threshold, node.v_reset, u)
        outputs.append(out["output"])
    return np.array(outputs), v


def networks():
    weights = {"init": {"w_x": (-1.5, 2.0)}, "tau": 5.0}
    yield Model(SpikingLIF(6, **weights), input_dim=I, seed=0, dtype="float64")
    yield Model(SpikingLIF(6, threshold=0.7, reset=-0.3, **weights), Dense(2), input_dim=I, seed=1, dtype="float64")
    yield Model(
        Dense(4),
        SpikingLIF(5, recurrent=True, threshold=0.4, **weights),
        Dropout(0.5),
        SpikingLIF(4, recurrent=True, threshold=0.3, reset=0.1, **weights),
        Dense(3),
        Dense(2),
        input_dim=I,
        seed=2,
        dtype="float64",
    )


NETWORKS = list(networks())


@pytest.fixture(params=NETWORKS, ids=["one", "readout", "deep"])
def model(request, rng):
    chosen = request.param
    for name, part in chosen.params.items():
        if name.endswith("tau"):
            part[...] = rng.uniform(1, 9, part.shape)
        elif name.endswith(("b", "bias")):
            part[...] = rng.uniform(-0.2, 0.3, part.shape)
    return chosen


@pytest.fixture
def data(rng):
    """x (T, I), and times (T,) in milliseconds, all different."""
    return rng.normal(size=(200, I)), rng.uniform(0.5, 3.0, 200)


def spiking(model):
    """Slices of the state that are potentials, layer by layer."""
    return [where for name, where in model.layer_stack.state_slices.items() if name.rpartition(".")[2] == "v"]


def test_numbers_are_those_of_nir_s_equations(model, data):
    x, dt = data
    y, state = model(x, dt=dt, return_state=True)
    graph = to_nir(model, time_unit=MS)
    wanted, v = simulate(graph, x, dt * MS)
    assert (y.std(0) > 0).all(), "there must be spikes to compare"
    np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-12)
    for where, potential in zip(spiking(model), v.values(), strict=True):
        np.testing.assert_allclose(state[where], potential, rtol=1e-9, atol=1e-12)


def test_euler_s_method_comes_closer_with_shorter_steps(rng):
    """The equation itself, without the formula of its solution: a potential below the threshold, error of order 1."""
    model = Model(SpikingLIF(4, threshold=100.0, tau=3.0), input_dim=I, seed=0, dtype="float64")
    x, dt = rng.normal(size=(20, I)), rng.uniform(0.5, 3.0, 20)
    state = model(x, dt=dt, return_state=True)[1]
    errors = [np.abs(simulate(to_nir(model), x, dt, n)[1]["0_lif"] - state).max() for n in (200, 400, 800)]
    assert errors[-1] < 1e-3 * np.abs(state).max()
    np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 2, rtol=0.02)


def described(layer, dtype):
    """What a graph says of a layer besides its parameters; numbers in the dtype of the graph."""
    config = layer.config()
    numbers = {name: np.dtype(dtype).type(config[name]) for name in ("threshold", "reset") if name in config}
    return {name: value for name, value in config.items() if name not in ("tau", "init")} | numbers


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_around_through_a_file(model, dtype, data, tmp_path):
    there = Model(*model.layers, dtype=dtype)
    there.theta = model.theta
    graph = to_nir(there, tmp_path / "model.nir", time_unit=MS)
    assert [path.name for path in tmp_path.iterdir()] == ["model.nir"]
    back = from_nir(tmp_path / "model.nir", time_unit=MS, dtype=dtype)
    kept = tuple(layer for layer in there.layers if not isinstance(layer, Dropout))
    assert [described(layer, dtype) for layer in back.layers] == [described(layer, dtype) for layer in kept]
    assert back.dtype == there.dtype
    least = np.finfo(dtype).eps
    for own, found in zip(there.effective.values(), back.effective.values(), strict=True):
        np.testing.assert_allclose(found, own, rtol=8 * least)  # times a unit and back, softplus and back
    x, dt = data
    if dtype == "float64":  # rounding in float32 may turn one of 200 steps of a spike
        np.testing.assert_allclose(back(x, dt=dt), there(x, dt=dt), rtol=1e-12, atol=1e-12)
    again = to_nir(back, time_unit=MS)
    assert [type(node) for node in again.nodes.values()] == [type(node) for node in graph.nodes.values()]
    assert len(again.edges) == len(graph.edges)


def chain(*nodes, edges=()):
    """A graph of nodes one after another, named n0, n1, ..., with more nodes and edges at the side."""
    names = [f"n{k}" for k in range(len(nodes))]
    inside = dict(zip(names, nodes, strict=True))
    first, last = nodes[0].input_type["input"], nodes[-1].output_type["output"]
    return {"input": nir.Input(np.array(first))} | inside | {"output": nir.Output(np.array(last))}, [
        *zip(["input", *names], [*names, "output"], strict=True),
        *edges,
    ]


def foreign(rng):
    """Graphs as other libraries write them, by what is special."""

    def weights(rows, columns=4):
        return rng.normal(size=(rows, columns)) * 1.5

    def bias(rows=4):
        return rng.uniform(0, 0.4, rows)

    def graph(*nodes, side=None, edges=()):
        found, all_edges = chain(*nodes, edges=edges)
        return nir.NIRGraph(found | (side or {}), all_edges)

    tau = rng.uniform(2, 9, 4)
    rest = rng.uniform(-0.5, 0.5, 4)
    affine = nir.Affine(weights(4, I), bias())
    return {
        "resistance": graph(affine, lif(tau, rng.uniform(0.5, 2, 4))),
        "leak": graph(affine, lif(tau, 1, rest, rest + 0.8, rest - 0.1)),
        "thresholds": graph(affine, lif(tau, 2, 0, rng.uniform(0.3, 2, 4), 0)),
        "thresholds and leak": graph(affine, lif(tau, 2, rest, rest + np.arange(1, 5) / 4, rest - np.arange(1, 5) / 9)),
        "no weights": graph(lif(tau, 3, threshold=0.5), nir.Linear(weights(2))),
        "two lifs": graph(nir.Linear(weights(4, I)), lif(tau, threshold=0.2), lif(tau, 4, threshold=0.3)),
        "two affines": graph(affine, nir.Linear(weights(4)), lif(tau), nir.Affine(weights(2), bias(2))),
        "recurrent": graph(
            affine, lif(tau, 2, threshold=0.5), side={"w": nir.Linear(weights(4))}, edges=[("n1", "w"), ("w", "n1")]
        ),
        "recurrent with a bias": graph(
            affine,
            lif(tau, rng.uniform(0.5, 2, 4), 0.1, rng.uniform(0.5, 1, 4), 0.1),
            nir.Linear(weights(2)),
            side={"w": nir.Affine(weights(4), bias())},
            edges=[("n1", "w"), ("w", "n1")],
        ),
        "recurrent without weights": graph(affine, lif(tau), edges=[("n1", "n1")]),
    }


@pytest.mark.parametrize("name", list(foreign(np.random.default_rng(0))))
def test_graphs_of_others_compute_the_same_here(name, rng, tmp_path):
    graph = foreign(rng)[name]
    T = 300
    x, dt = rng.normal(size=(T, graph.nodes["input"].output_type["output"][0])), rng.uniform(0.5, 3.0, T)
    wanted, _ = simulate(graph, x, dt)
    assert wanted.std() > 0
    nir.write(tmp_path / "graph.nir", graph)
    for given in (graph, str(tmp_path / "graph.nir")):
        model = from_nir(given, dtype="float64")
        np.testing.assert_allclose(model(x, dt=dt), wanted, rtol=1e-9, atol=1e-9)
    slow = from_nir(graph, dtype="float64", time_unit=MS)
    np.testing.assert_allclose(slow(x, dt=dt / MS), wanted, rtol=1e-9, atol=1e-9)


def test_what_training_needs_is_given_by_arguments(rng):
    graph = foreign(rng)["resistance"]
    model = from_nir(graph, surrogate="arctan", slope=3.0, backend="numpy", return_sequences=False)
    (layer,) = model.layers
    assert (layer.surrogate, layer.slope, model.dtype.name, model.backend) == ("arctan", 3.0, "float32", "numpy")
    assert model(np.zeros((2, 5, I))).shape == (2, 4)
    loss, gradient = model.loss_and_grad(np.ones((2, 5, I)), np.ones((2, 4)))
    assert np.isfinite(loss) and (gradient != 0).any()


# ------------------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([SpikingLIF(4, refractory=2.0)], r"layers\[0\] has none, .*: a LIF of NIR has no refractory time, got 2"),
        ([Dense(3), SpikingLIF(4, reset="subtract")], r"layers\[1\] has none, .* got reset=\"subtract\""),
        ([SpikingLIF(4, relaxed=True)], r"layers\[0\] .*: a LIF of NIR has no relaxed spikes"),
        ([SpikingLIF(4), Dense(2, "tanh")], r"layers\[1\] .*: an Affine of NIR has no activation, got 'tanh'"),
        ([LTC(FullyConnected(4)), Dense(2)], r"layers\[0\] .*: NIR has a form for SpikingLIF and Dense"),
    ],
)
def test_what_nir_cannot_say_is_one_line(layers, reason, tmp_path):
    with pytest.raises(ValueError, match=f"`model` must have a form in NIR, but {reason}") as caught:
        to_nir(Model(*layers, input_dim=I, seed=0), tmp_path / "model.nir")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def bad_graphs():
    affine, neurons = nir.Affine(np.ones((4, I)), np.zeros(4)), lif(2.0)
    side = {"a": nir.Linear(np.eye(4)), "b": nir.Linear(np.eye(4))}

    def graph(*nodes, side=None, edges=(), check=True):
        found, all_edges = chain(*nodes, edges=edges)
        return nir.NIRGraph(found | (side or {}), all_edges, type_check=check)

    loops = [("n1", "a"), ("a", "n1"), ("n1", "b"), ("b", "n1")]
    yield "'n1' is a CubaLIF", graph(affine, nir.CubaLIF(*np.ones((5, 4))))
    yield "'n0' is a NIRGraph", graph(graph(affine, neurons), check=False)
    yield "two such ways", graph(affine, neurons, side=side, edges=loops)
    around = {"a": nir.Linear(np.eye(4))}
    yield "a chain from its Input to its Output", graph(affine, neurons, side=around, edges=[("n0", "a"), ("a", "n1")])
    yield "a chain from its Input to its Output", graph(affine, neurons, neurons, edges=[("n2", "n1")])
    yield (
        "one Input and one Output, got 2 and 1",
        graph(affine, neurons, side={"more": nir.Input(np.array([4]))}, edges=[("more", "n1")]),
    )
    yield (
        "nodes between",
        nir.NIRGraph({"input": nir.Input(np.array([2])), "output": nir.Output(np.array([2]))}, [("input", "output")]),
    )
    yield "tau of 'n1' has 0", graph(affine, lif([1, 2, 0, 3]))
    yield "'n1' has a neuron that spikes at rest", graph(affine, lif(2.0, leak=[0, 0, 2, 0]))
    yield "same for all neurons of a node, but 'n1' has 0 to 0.5", graph(affine, lif(2.0, reset=[0, 0, 0.5, 0]))
    yield "`reset` must be < `threshold` = 1, got 1", graph(affine, lif(2.0, reset=1.0))
    yield "on 1 axis in tau of 'n0', got float64 of shape \\(2, 2\\)", graph(nir.LIF(*np.ones((4, 2, 2))))
    yield "finite numbers on 2 axes in weight of 'n0'", graph(nir.Linear(np.full((4, I), np.nan)), neurons)
    yield "'n0' gives 2 numbers to a LIF of 4", graph(nir.Linear(np.ones((2, I))), neurons, check=False)
    yield "'n0' has 4 rows and a bias of 3", graph(nir.Affine(np.ones((4, I)), np.zeros(3)), neurons)


BAD = list(bad_graphs())


@pytest.mark.parametrize(("reason", "graph"), BAD, ids=[reason for reason, _ in BAD])
def test_what_no_layers_can_be_is_one_line(reason, graph):
    with pytest.raises(ValueError, match=reason) as caught:
        from_nir(graph)
    assert "\n" not in str(caught.value)


def test_what_is_no_graph_is_one_line(tmp_path):
    for call, kind, message in [
        (lambda: from_nir(3), TypeError, "`graph` must be a nir.NIRGraph or the path of a file, got 3"),
        (lambda: from_nir(tmp_path / "none.nir"), FileNotFoundError, "`graph` must be a file, there is none at"),
        (lambda: to_nir(3), TypeError, "`model` must be a model of ltc_np, got 3"),
        (lambda: to_nir(NETWORKS[0], time_unit=0), ValueError, "`time_unit` must be"),
        (lambda: to_nir(NETWORKS[0], tmp_path), IsADirectoryError, "`path` must be a file, got the folder"),
        (lambda: to_nir(NETWORKS[0], tmp_path / "no" / "x"), FileNotFoundError, "`path` must lie in an existing"),
    ]:
        with pytest.raises(kind, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_damaged_files_are_one_line(tmp_path):
    path = tmp_path / "model.nir"
    to_nir(NETWORKS[0], path)
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2], whole[:100]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"model.nir: no file of NIR, or damaged: ") as caught:
            from_nir(path)
        assert "\n" not in str(caught.value)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "model.nir"
    to_nir(NETWORKS[0], path)
    before = path.read_bytes()

    def broken(file, graph):
        file.write(b"half")
        raise OSError("no room")

    monkeypatch.setattr(nir, "write", broken)
    with pytest.raises(OSError, match="no room"):
        to_nir(NETWORKS[1], path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["model.nir"]
