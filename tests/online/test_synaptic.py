"""Sensitivities of LTC and LRC along a stream: against backpropagation, and against dense recursions written out."""

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from support.backends import BACKENDS

from ltc_np import LRC, LTC, NCP, AutoNCP, FullyConnected, Model, Random, RandomWiring, Wiring
from ltc_np.base.layout import Entry, Layout
from ltc_np.kernels.codes import SOLVERS, Rule
from ltc_np.kernels.numpy.synaptic_traces import Dense, Followed, bind
from ltc_np.online.methods import EProp, Exact, Immediate, SnAp
from ltc_np.online.synaptic import SynapticTraces, fits, traces_of
from ltc_np.online.synaptic_plan import make

# Of each: the layer, with inputs so many.  19 unfolds are more than a vector has lanes.
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.sweep) for seed in (1, 2))]  # the others in the long job
LAYERS = {
    "NCP": lambda: (LTC(AutoNCP(12, 3)), 4),
    "exponential": lambda: (LTC(AutoNCP(12, 3), solver="exponential", ode_unfolds=3, positivity="clip"), 4),
    "euler": lambda: (LTC(AutoNCP(9, 2), solver="euler", ode_unfolds=19, output_mapping="linear"), 3),
    "gains": lambda: (LTC(RandomWiring(5, 3, 8, seed=0)), 5),
    "random": lambda: (LTC(Random(7, 2, sparsity_level=0.6, random_seed=5), input_mapping="linear"), 2),
    "dense": lambda: (LTC(FullyConnected(9, 2), ode_unfolds=2), 9),
    "lrc": lambda: (LRC(AutoNCP(12, 3)), 4),
    "lrc gains": lambda: (LRC(RandomWiring(5, 3, 8, seed=1), solver="semi_implicit", ode_unfolds=2), 5),
    "lrc symmetric": lambda: (LRC(Random(7, 2, 0.5), elastance="symmetric", solver="exponential", ode_unfolds=9), 4),
    "lrc by state": lambda: (LRC(Random(7, 3, 0.5), elastance_by="state", solver="semi_implicit"), 3),
    "lrc by both": lambda: (LRC(Random(7, 3, 0.5), elastance_by="state_and_inputs"), 7),
    "lrc constant": lambda: (LRC(Random(7, 3, 0.5), elastance=None, positivity="clip"), 3),
}
# Those of LRC in `.ci/run` alone: their kernel takes seconds to compile.
LRC_SYMMETRIC, LRC_GAINS = (pytest.param(name, marks=pytest.mark.slow) for name in ("lrc symmetric", "lrc gains"))
FEW = ("NCP", "exponential", "gains", LRC_SYMMETRIC)


def network(name, seed=0, backend="numpy", dtype="float64"):
    layer, I = LAYERS[name]()
    model = Model(layer, input_dim=I, seed=seed, dtype=dtype, backend=backend)
    model.theta = model.theta + 0.1 * np.random.default_rng(seed).standard_normal(model.theta.size)
    return model


def stream(model, T, seed=0):
    """Inputs, targets and elapsed times, some of them 0; none so long that an explicit solver would not be stable."""
    rng = np.random.default_rng(seed)
    dt = rng.uniform(0, 1.2, T) * (rng.random(T) > 0.2)
    x, targets = rng.standard_normal((T, model.input_size)), rng.standard_normal((T, model.output_size))
    return x.astype(model.dtype), targets.astype(model.dtype), dt.astype(model.dtype)


@pytest.fixture
def traces():
    """Makes them for a model of one layer."""

    def make_traces(model, method=None, **options):
        given = {"buffers": dict(model.buffers), "backend": model.backend, "dtype": model.dtype} | options
        made = SynapticTraces(model.layers[0], method or Exact(), **given)
        made.prepare(model.theta)
        return made

    return make_traces


def summed(made, model, x, targets, dt):
    """The gradient of the mean squared error, added up along the stream, and all outputs."""
    total, outputs = np.zeros(model.theta.size), []
    for x_t, target, dt_t in zip(x, targets, dt, strict=True):
        y = made.advance(x_t, float(dt_t))
        total += made.gradient(2 * (y - target) / targets.size)
        outputs.append(y)
    return total, np.array(outputs)


def farthest(model, found, wanted):
    """The largest distance of an array from what is wanted, by its own size."""
    worst = 0.0
    for where, _ in model.layout.slices.values():
        if found[where].size:
            worst = max(worst, np.abs(found[where] - wanted[where]).max() / np.abs(wanted[where]).max())
    return worst


def compare(traces, name, seed, backend, T):
    model = network(name, seed, backend)
    x, targets, dt = stream(model, T, seed)
    found, outputs = summed(traces(model), model, x, targets, dt)
    _, wanted = model.loss_and_grad(x[None], targets[None], dt=dt[None], loss="mse")
    assert farthest(model, found, wanted) <= 1e-10
    # The potentials have the bits of `step`.
    state = None
    for k in range(T):
        y, state = model.step(x[k], dt=float(dt[k]), state=state)
        assert np.array_equal(y, outputs[k])


@pytest.mark.few(4)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", FEW)
def test_the_exact_gradient_is_that_of_backpropagation(traces, name, backend):
    compare(traces, name, 0, backend, 25)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LAYERS)
def test_it_is_for_every_kind_of_layer(traces, name, seed, backend):
    compare(traces, name, seed, backend, 60)


@pytest.mark.slow
@pytest.mark.compiled
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LAYERS)
def test_it_is_along_two_thousand_steps(traces, name, seed):
    compare(traces, name, seed, "cpu", 2000)


@pytest.mark.few(1)
@pytest.mark.single
@pytest.mark.parametrize("backend", BACKENDS)
def test_in_single_precision_it_is_near(traces, backend):
    model = network("NCP", 0, backend, "float32")
    x, targets, dt = stream(model, 40)
    made = traces(model)
    found, _ = summed(made, model, x, targets, dt)
    assert made.arrays["sensitivities"].dtype == made.gradient(targets[0]).dtype == np.float32
    _, wanted = model.loss_and_grad(x[None], targets[None], dt=dt[None], loss="mse")
    assert farthest(model, found, wanted) <= 1e-4  # some hundred roundings of 6e-8 each


# ------------------------------------------------------------------------------- the methods, by a dense recursion


def dense_recursion(model, x, dt, mask, keep):
    """J after the last step by J+ = mask o (keep(D) J + I), D and I by one backward pass for each neuron."""
    N, P = model.state_size, model.theta.size
    J, state = np.zeros((N, P)), np.zeros((1, N))
    for x_t, dt_t in zip(x, dt, strict=True):
        D, I = np.zeros((N, N)), np.zeros((N, P))
        for i in range(N):
            _, tape = model.forward(x_t[None, None], dt=float(dt_t), h0=state)
            g = model.backward(tape, np.eye(N)[None, [i]])
            D[i], I[i] = g.h0[0], g.theta
        J = mask * (keep(D) @ J + I)
        state = model.step(x_t[None], dt=np.array([dt_t]), state=state)[1]
    return J


def within(model, hops):
    """(N, P) whether a parameter reaches a neuron within so many steps, synapse by synapse."""
    layer, N = model.layers[0], model.state_size
    found = np.zeros((N, model.theta.size), bool)
    for name, (where, _) in model.layout.slices.items():
        for k in range(where.stop - where.start):
            if name.startswith("input_"):
                reached = {p for j, p in zip(layer.sensory.pre, layer.sensory.post, strict=True) if j == k}
            elif name.startswith("sensory_"):
                reached = {layer.sensory.post[k]}
            else:
                reached = {layer.recurrent.post[k] if f"sensory_{name}" in model.layout.slices else k}
            for _ in range(hops - 1):
                arcs = zip(layer.recurrent.pre, layer.recurrent.post, strict=True)
                reached = reached | {p for j, p in arcs if j in reached}
            found[list(reached), where.start + k] = True
    return found


EDGES = [(0, 1, 1), (1, 2, -1), (2, 3, 1), (3, 2, 1), (3, 4, 1), (4, 4, -1), (1, 0, 1)]
SENSORY = [(0, 0, 1), (0, 1, 1), (1, 1, -1), (2, 3, 1)]


def sparse(**options):
    wiring = Wiring.from_edges(5, EDGES, output_dim=5, sensory_edges=SENSORY, input_dim=3)
    return wiring, {"output_mapping": None, "ode_unfolds": 1, "solver": "semi_implicit"} | options


@pytest.mark.few(1)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("cell", [LTC, LRC])
@pytest.mark.parametrize(
    ("method", "hops", "keep"),
    [
        (SnAp(1), 1, lambda D: D),
        (SnAp(2), 2, lambda D: D),
        (SnAp(3), 3, lambda D: D),
        (Exact(), 9, lambda D: D),
        (EProp(), 1, lambda D: np.diag(np.diag(D))),
        (Immediate(), 1, lambda D: 0 * D),
    ],
    ids=["SnAp1", "SnAp2", "SnAp3", "exact", "e-prop", "immediate"],
)
def test_a_method_has_what_its_definition_says(traces, method, hops, keep, cell, backend):
    """Also of features of the input mapping, which move several neurons."""
    wiring, options = sparse()
    layer = cell(wiring, **options)
    model = Model(layer, input_dim=3, seed=1, dtype="float64", backend="numpy")
    x, _, dt = stream(model, 8, 1)
    wanted = dense_recursion(model, x, dt, within(model, hops), keep)
    made = traces(model, method, backend=backend)
    for x_t, dt_t in zip(x, dt, strict=True):
        made.advance(x_t, float(dt_t))
    found = np.array([made.gradient(row) for row in np.eye(5)])
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-14)
    # What is followed is what can be reached, and no more.
    assert np.array_equal(Dense(made.plan).of(np.ones(made.plan.size)) > 0, within(model, hops))


@pytest.mark.parametrize("backend", BACKENDS)
def test_steps_of_the_core_are_unfolds(traces, backend):
    """Six of one step are six steps of a sixth of its time."""
    wiring, options = sparse()
    one = Model(LTC(wiring, **options), input_dim=3, seed=1, dtype="float64", backend="numpy")
    six = Model(LTC(wiring, **options | {"ode_unfolds": 6}), input_dim=3, seed=1, dtype="float64", backend=backend)
    x, _, dt = stream(one, 5, 2)
    wanted = dense_recursion(one, np.repeat(x, 6, axis=0), np.repeat(dt / 6, 6), within(one, 2), lambda D: D)
    made = traces(six, SnAp(2))
    for x_t, dt_t in zip(x, dt, strict=True):
        made.advance(x_t, float(dt_t))
    found = np.array([made.gradient(row) for row in np.eye(5)])
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("edges", [[(0, 1), (1, 2)], [(3, 2), (0, 2), (2, 1), (0, 1), (3, 4)]], ids=["chain", "two"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_that_lack_a_block_of_their_neighbours(traces, edges, backend):
    """The first neuron's row begins where all numbers do: what it has no place for is not there, and is not skipped."""
    N = max(map(max, edges)) + 1
    wiring = Wiring.from_edges(N, [(*edge, 1) for edge in edges], [(0, k, -1) for k in range(N)], output_dim=N)
    model = Model(LTC(wiring, input_mapping=None), input_dim=1, seed=1, dtype="float64", backend=backend)
    x, targets, dt = stream(model, 8)
    found, _ = summed(traces(model), model, x, targets, dt)
    _, wanted = model.loss_and_grad(x[None], targets[None], dt=dt[None], loss="mse")
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-14)


def driving():
    """The network of the published driving experiments: 12 inter, 6 command, 1 motor neuron, 32 inputs."""
    wiring = NCP(12, 6, 1, sensory_fanout=4, inter_fanout=4, recurrent_command_synapses=4, motor_fanin=6)
    return LTC(wiring, input_dim=32, input_mapping=None, output_mapping=None)


def test_so_many_entries_of_an_ncp_can_be_reached():
    layer = driving()
    assert (layer.recurrent.pre.size, layer.sensory.pre.size, layer.layout.size) == (57, 128, 797)
    counts = [make(layer, n, False, True, np.float64).entries()[0].size for n in (1, 2, 3, 4, None)]
    assert counts == [797, 3312, 4365, 4416, 4416]


def test_so_many_multiplications_carry_them_on():
    """Of a row for each synapse and each neuron, without padding."""
    small = LTC(AutoNCP(19, 1), input_dim=2, input_mapping=None, output_mapping=None)
    assert small.layout.size == 293
    for layer, n, wanted in ((driving(), None, 11404), (driving(), 1, 797), (small, None, 2593)):
        plan = make(layer, n, n == 1, True, np.float64)
        entries = np.bincount(plan.entries()[1], minlength=plan.N)
        links = entries.sum() + (entries[layer.recurrent.pre].sum() if n is None else 0)
        assert links == wanted
        assert plan.multiplications >= 6 * wanted


@pytest.mark.parametrize("backend", BACKENDS)
def test_far_enough_is_exact(traces, backend):
    model = Model(LTC(AutoNCP(12, 3)), input_dim=4, seed=0, dtype="float64", backend=backend)
    x, targets, dt = stream(model, 6)
    exact, _ = summed(traces(model), model, x, targets, dt)
    far, _ = summed(traces(model, SnAp(12)), model, x, targets, dt)
    assert np.array_equal(exact, far)


def test_random_feedback_reaches_every_neuron(traces):
    model = network("NCP")
    x, targets, dt = stream(model, 10)
    made = traces(model, EProp("random", seed=3))
    found, _ = summed(made, model, x, targets, dt)
    g = model.views(found)
    assert all((g[name] != 0).all() for name in ("gleak", "vleak", "cm", "w", "sensory_mu", "input_w"))
    # The output mapping is not fed back: its gradient is that of backpropagation.
    _, exact = model.loss_and_grad(x[None], targets[None], dt=dt[None], loss="mse")
    for name in ("output_w", "output_b"):
        np.testing.assert_allclose(g[name], model.views(exact)[name], rtol=1e-10)
    again, _ = summed(traces(model, EProp("random", seed=3)), model, x, targets, dt)
    other, _ = summed(traces(model, EProp("random", seed=4)), model, x, targets, dt)
    assert np.array_equal(found, again)
    assert not np.allclose(found, other)


def test_random_feedback_is_as_large_for_any_number_of_outputs(traces):
    """Signals of standard normal errors have a variance of 1, however many neurons and outputs there are."""
    for motor in (1, 5):
        model = Model(LTC(NCP(80, 80, motor, 4, 4, 4, 4)), input_dim=2, seed=0, dtype="float64", backend="numpy")
        B = traces(model, EProp("random", seed=0))._feedback
        assert B.shape == (160 + motor, motor)
        assert (B**2).sum(axis=1).mean() == pytest.approx(1, abs=5 * (2 / B.size) ** 0.5)  # five deviations of it


def test_only_what_motor_neurons_see_within_reach_learns(traces):
    """With the outputs of an NCP, of the method of one step the motor neurons alone."""
    model = network("NCP")
    x, targets, dt = stream(model, 4)
    found = model.views(summed(traces(model, SnAp(1)), model, x, targets, dt)[0])
    assert (found["cm"][:3] != 0).all()
    assert (found["cm"][3:] == 0).all()


# ---------------------------------------------------------------------------------------------- along the stream


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["NCP", "exponential", LRC_SYMMETRIC])
def test_no_time_changes_nothing(traces, name, backend):
    model = network(name, 0, backend)
    x, targets, dt = stream(model, 3)
    made = traces(model)
    summed(made, model, x, targets, dt + 0.1)
    before = {key: values.tobytes() for key, values in made.arrays.items()}
    made.advance(x[1], 0.0)
    assert {key: values.tobytes() for key, values in made.arrays.items()} == before


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["NCP", LRC_GAINS])
def test_it_goes_on_from_a_copy_with_the_same_bits(traces, name, backend):
    model = network(name, 0, backend)
    x, targets, dt = stream(model, 8)
    whole, _ = summed(traces(model), model, x, targets, dt)
    made = traces(model)
    first, _ = summed(made, model, x[:3], targets[:3], dt[:3])
    kept = {key: values.copy() for key, values in made.arrays.items()}
    copies = [copy.deepcopy(made), pickle.loads(pickle.dumps(made)), traces(model)]
    for key, values in kept.items():
        copies[2].arrays[key][:] = values
    rest, _ = summed(made, model, x[3:], targets[3:], dt[3:])
    np.testing.assert_allclose(first * 9 + rest * 15, whole * 24, rtol=1e-12, atol=1e-15)
    for one in copies:
        assert np.array_equal(summed(one, model, x[3:], targets[3:], dt[3:])[0], rest)
    made.reset()
    assert np.array_equal(summed(made, model, x, targets, dt)[0], whole)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["NCP", "gains", "euler", LRC_GAINS])
def test_new_parameters_are_taken(traces, name, backend):
    model = network(name, 0, backend)
    x, targets, dt = stream(model, 5)
    made = traces(network(name, 1, backend))
    made.advance(x[0], 1.0)
    made.prepare(model.theta)
    made.reset()
    found, outputs = summed(made, model, x, targets, dt)
    wanted, outputs_too = summed(traces(model), model, x, targets, dt)
    assert np.array_equal(found, wanted)
    assert np.array_equal(outputs, outputs_too)


@pytest.mark.compiled
@pytest.mark.parametrize("method", [SnAp(2), EProp("random"), Immediate()], ids=lambda method: type(method).__name__)
@pytest.mark.parametrize("name", FEW)
def test_kernels_have_what_the_definition_has(traces, name, method):
    both = []
    for backend in ("numpy", "cpu"):
        model = network(name, 0, backend)
        made = traces(model, method)
        summed(made, model, *stream(model, 6))
        both.append(Dense(made.plan).of(made.arrays["sensitivities"]))
    for found, wanted in zip(*both, strict=True):
        assert np.abs(found - wanted).max() <= 1e-12 * np.abs(wanted).max()


def test_an_explicit_solver_is_watched(traces):
    model = network("euler")
    made = traces(model)
    with pytest.raises(ValueError, match="`dt` must keep"):
        made.advance(np.zeros(3), 1e4)
    assert (made.arrays["state"] == 0).all()


@pytest.mark.parametrize("cell", [LTC, LRC])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_solver_with_a_tableau_is_not_served(cell, solver, traces):
    """Its last stage needs the slopes of all before, of which two are kept."""
    model = Model(cell(AutoNCP(7, 2), solver=solver), input_dim=4, seed=0, dtype="float64", backend="numpy")
    if not SOLVERS[solver].reach:
        assert fits(model.layers[0]) and isinstance(traces_of(model, Exact()), SynapticTraces)
        return
    assert not fits(model.layers[0])
    assert traces_of(model, Exact()) is None
    with pytest.raises(
        ValueError, match="`layer` must be an LTC or LRC with a built wiring and a solver without a tab"
    ):
        traces(model)


class Tanh:
    """A circuit without elapsed time, v+ = tanh(W v + U x + b): the network of the golden case."""

    def __init__(self, cell, p):
        self.recurrent, self.sensory, self.b = cell.recurrent, cell.sensory, p["b"]
        self.W, self.U = np.zeros((2, 2)), np.zeros((2, 1))
        self.W[self.recurrent.post, self.recurrent.pre] = p["w"]
        self.U[self.sensory.post, self.sensory.pre] = p["sensory_w"]

    def from_inputs(self, x):
        return x, [x @ self.U.T + self.b]

    def advance(self, solver, stage, h, v, base, total, sensory):
        return np.tanh(v @ self.W.T + sensory[0]), None

    def d_advance(self, solver, stage, h, base, v, new, d_new, d_base, d_end, sensory, g):
        d_z = d_new * (1 - new**2)
        g["w"] += (d_z[:, self.recurrent.post] * v[:, self.recurrent.pre]).sum(0)
        g["b"] += d_z.sum(0)
        return [d_z], np.zeros_like(d_z), d_z @ self.W, np.zeros_like(d_z), None

    def d_from_inputs(self, x, s, d_sums, g):
        (d_z,) = d_sums
        g["sensory_w"] += (d_z[:, self.sensory.post] * x[:, self.sensory.pre]).sum(0)
        return d_z @ self.U


# What is followed (`make`), and the gradients of W, U and b.  The second component of the state is what is wanted.
GOLDEN = {
    "Exact()": (
        (None, False, True),
        (0.38252588, -0.22082697, 0.43614042, 0.20038683, -0.02670614, -0.86791407, 0.69008276, 0.24857136),
    ),
    "SnAp(1)": ((1, False, True), (0, 0, 0.43614042, 0.20038683, 0, -0.75517067, 0, 0.36131476)),
    "Immediate()": ((1, True, False), (0, 0, 0.38149267, 0.23193424, 0, -0.79022306, 0, 0.22386171)),
}


@pytest.mark.parametrize(("followed", "wanted"), GOLDEN.values(), ids=GOLDEN)
def test_golden_case(followed, wanted):
    """The recursion itself, of a network of two units whose figures were worked out elsewhere."""
    layer = Model(LTC(FullyConnected(2, 2)), input_dim=1, seed=0).layers[0]
    layout = Layout((Entry("w", (4,)), Entry("sensory_w", (2,)), Entry("b", (2,))))
    cell = SimpleNamespace(
        state_size=2, input_size=1, recurrent=layer.recurrent, sensory=layer.sensory, layout=layout,
        rule=Rule(SOLVERS["euler"].number, 1, 1), input_mapping=None, output_mapping=None,
    )  # fmt: skip
    plan, values = make(cell, *followed, np.float64), np.array([0.5, -0.3, 0.8, 0.2, 1.0, -0.5, 0.1, 0.0])
    arrays = Followed(np.zeros(1), np.zeros(1), np.zeros(2), np.zeros(2), np.zeros((3, plan.size)))
    step, collect = bind(Tanh(cell, layout.arrays(values)), layout, values, np.ones(8), plan, arrays)
    loss, found = 0.0, np.zeros(8)
    for x, y in ((1.0, 0.5), (-0.5, 0.0), (0.25, -0.5)):
        arrays.x[0] = x
        step()
        error = arrays.state[1] - y
        loss += 0.5 * error**2
        collect(np.array([0.0, error]), found)
    assert loss == pytest.approx(0.87316840, abs=5e-9)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=5.001e-9)  # to all eight digits
