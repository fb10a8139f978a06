"""What is done with arrays on the device beside the LTC's sweeps, kernel by kernel, against NumPy; by the emulator."""

import numpy as np
import pytest

pytest.importorskip("numba")

from support.cuda_uses import SOLVERS
from support.emulator import called_here

from ltc_np import AutoNCP, Dense, FullyConnected, losses
from ltc_np.base.checks import largest
from ltc_np.base.layout import LEAST, Entry, Layout
from ltc_np.kernels import codes
from ltc_np.kernels.cuda import (
    checks,
    dense,
    device,
    features,
    ltc_circuit,
    ltc_packing,
    ltc_solvers,
    moves,
    optim,
    sequences,
    sums,
)
from ltc_np.kernels.cuda import losses as card_losses
from ltc_np.kernels.cuda.device import download, launch, launch_over, upload
from ltc_np.kernels.cuda.memory import Memory, fill
from ltc_np.kernels.numpy import ltc_solvers as definition
from ltc_np.network.outputs import d_last_outputs, last_outputs
from ltc_np.wirings.synapses import Synapses

pytestmark = pytest.mark.usefixtures("emulator")
B, T, N = 3, 4, 5
u = np.uint64


def test_a_kernel_is_launched_by_names():
    y = upload(np.zeros(200))
    launch_over(200, fill, value=np.float64(2), array=y)
    assert (download(y) == 2).all()
    launch(fill, 1, 4, y, np.float64(4))
    assert download(y).tolist() == [4] * 4 + [2] * 196
    one = np.float64(1)
    for wrong in ({"array": y}, {"array": y, "value": one, "more": one}, {"array": y, "values": one}):
        with pytest.raises(TypeError, match=f"a kernel takes array, value, got {', '.join(wrong)}$"):
            launch_over(5, fill, **wrong)
        with pytest.raises(TypeError, match="a kernel takes array, value, got array"):
            launch(fill, 1, 1, **wrong)


def test_time_and_batch_change_places(rng):
    memory, x = Memory(), rng.normal(size=(B, T, N))
    y = moves.put_steps("x", x, memory)
    np.testing.assert_array_equal(download(y).reshape(T, B, N), x.swapaxes(0, 1))
    np.testing.assert_array_equal(moves.take_steps(y, B, T, memory), x)
    np.testing.assert_array_equal(download(moves.put("flat", x, memory)), x.ravel())


def test_last_outputs(rng):
    lengths, x, d = np.array([T, 0, 2]), rng.normal(size=(B, T, N)), rng.normal(size=(B, N))
    memory, steps = Memory(), upload(lengths)
    y, last = moves.put_steps("y", x, memory), upload(np.empty(B * N))
    launch_over(B * N, moves.last_outputs, y=y, steps=steps, B=u(B), n=u(N), last=last)
    np.testing.assert_array_equal(download(last).reshape(B, N), last_outputs(x, lengths))
    d_y = upload(np.zeros(T * B * N))
    launch_over(B * N, moves.d_last_outputs, d_last=upload(d), steps=steps, B=u(B), n=u(N), d_y=d_y)
    np.testing.assert_array_equal(moves.take_steps(d_y, B, T, memory), d_last_outputs(d, lengths, T))


@pytest.mark.parametrize("ragged", [True, False])
def test_what_lies_behind_an_end_is_blanked(ragged, rng):
    lengths, x = np.array([T, 0, 2]), rng.normal(size=(B, T, N))
    y = moves.put_steps("y", x, Memory())
    given = sequences.DeviceSequences(y, None, upload(lengths), T, B, ragged)
    given.blank(y)
    x[1] = x[2, 2:] = 0 if ragged else np.nan
    np.testing.assert_array_equal(moves.take_steps(y, B, T, Memory())[~np.isnan(x)], x[~np.isnan(x)])
    assert given.samples == B * T


# Chunks as they are, of one flush each, and all samples in one of several.
each_cut = pytest.mark.parametrize("most_chunks", [sums.MOST_CHUNKS, 1])


@each_cut
@pytest.mark.parametrize("samples", [1, 255, 256, 257, 1000])
def test_sums_over_samples(samples, most_chunks, monkeypatch, rng):
    """They are added to what is there, and cut into chunks of a few hundred samples."""
    monkeypatch.setattr(sums, "MOST_CHUNKS", most_chunks)
    x, y, memory = rng.normal(size=(samples, 3)), rng.normal(size=(samples, 2)), Memory()
    totals = {size: upload(np.ones(size)) for size in (1, 2, 3, 6)}
    on_device = upload(x), upload(y)
    sums.add_columns(on_device[0], None, 3, samples, totals[3], memory)
    sums.add_products(*on_device, 3, 2, samples, totals[6], memory)
    sums.add_columns(on_device[1], upload(y), 2, samples, totals[2], memory)
    sums.add_squares(on_device[0], totals[1], memory)
    wanted = {3: x.sum(0), 6: (x.T @ y).ravel(), 2: (y * y).sum(0), 1: [(x * x).sum()]}
    for size, want in wanted.items():
        np.testing.assert_allclose(download(totals[size]), 1 + np.array(want), rtol=1e-12, atol=1e-12)


def test_sums_of_float32_do_not_drift():
    values, total = np.full(100_000, 0.1, np.float32), upload(np.zeros(1))
    sums.add_columns(upload(values), None, 1, values.size, total, Memory())
    exact = values.size * np.float64(values[0])
    error, drift = (abs(found / exact - 1) for found in (download(total)[0], np.cumsum(values)[-1]))
    assert error < 3e-6
    assert drift > 1e-5, "one after the other they would"


def test_rows_and_additions(rng):
    x = rng.normal(size=(7, 3))
    out, total = upload(np.empty(7)), upload(np.ones(7))
    launch_over(7, sums.row_sums, values=upload(x), n_columns=u(3), rows=u(7), divisor=4, out=out)
    np.testing.assert_allclose(download(out), x.sum(1) / 4, rtol=1e-14)
    launch_over(7, sums.add, total, out)
    np.testing.assert_allclose(download(total), 1 + x.sum(1) / 4, rtol=1e-14)


@pytest.mark.parametrize("affine", [True, False])
def test_features(affine, rng):
    x, d_y, (w, b) = rng.normal(size=(7, 3)), rng.normal(size=(7, 3)), rng.normal(size=(2, 3))
    memory, w_d, x_d = Memory(), upload(w), upload(x)
    d_w, d_b = upload(np.zeros(3)), upload(np.zeros(3)) if affine else None
    y = features.forward(x_d, w_d, upload(b) if affine else w_d[:0], "x", memory)
    np.testing.assert_allclose(download(y).reshape(7, 3), x * w + b * affine, rtol=1e-14)
    d_x = features.backward(x_d, w_d, upload(d_y), True, d_w, d_b, "x", memory)
    np.testing.assert_allclose(download(d_x).reshape(7, 3), d_y * w, rtol=1e-14)
    np.testing.assert_allclose(download(d_w), (d_y * x).sum(0), rtol=1e-12)
    if affine:
        np.testing.assert_allclose(download(d_b), d_y.sum(0), rtol=1e-12)
    assert features.backward(x_d, w_d, upload(d_y), False, d_w, d_b, "x", memory) is None


@pytest.mark.card
@pytest.mark.parametrize("name", codes.ACTIVATIONS)
def test_dense(name, rng):
    from ltc_np.base.workspace import Fresh

    layer, x, d_y = Dense(2, name, input_dim=3), rng.normal(size=(B, T, 3)), rng.normal(size=(B, T, 2))
    p, g, g_d = (dict(layer.layout.arrays(a)) for a in (rng.normal(size=8), np.zeros(8), np.zeros(8)))
    x[0, 0] = p["bias"][0] = 0  # the kink of relu
    y, _, saved = layer.forward(p, x, None, None, None, "full", Fresh())
    d_x, _, _ = layer.backward(p, saved, d_y, None, g, True, False, Fresh())
    (weight, bias), d = (upload(p[k]) for k in ("weight", "bias")), {k: upload(a) for k, a in g_d.items()}
    number, memory = codes.ACTIVATIONS.index(name), Memory()
    y_d, saved_d = dense.forward(upload(x), weight, bias, number, memory)
    d_x_d = dense.backward(saved_d, weight, upload(d_y), number, True, d["weight"], d["bias"], memory)
    for got, want in ((y_d, y), (d_x_d, d_x), (d["weight"], g["weight"]), (d["bias"], g["bias"])):
        np.testing.assert_allclose(download(got), want.ravel(), rtol=1e-11, atol=1e-14)


def test_checks():
    values = np.ones(1000, np.float32)
    checks.finite("x", upload(values), 1)
    values[[0, 255, 256, 999]] = np.nan, np.inf, -np.inf, 0.5
    with pytest.raises(ValueError, match=r"`x` must be finite in float32 .* and >= 1, got 4 values that are not"):
        checks.finite("x", upload(values), 1)
    with pytest.raises(ValueError, match=r"`x` must be finite in float32 \(at most .*\), got 3 values that are not"):
        checks.finite("x", upload(values))


def test_memory_is_used_again():
    memory = Memory()
    memory.array("x", 5, "float64")
    taken = device.machine.taken
    assert memory.array("x", 3, "float64").size == 3
    assert device.machine.taken == taken
    memory.array("x", 5, "float32")
    memory.child("own").array("x", 5, "float64")
    assert device.machine.taken == 2 * taken
    made = [memory.kept("n", key, object) for key in (1, 1, 2)]
    assert made[0] is made[1] is not made[2]
    memory.clear()
    assert device.machine.taken == 0
    assert memory.kept("n", 2, object) is made[2]


def test_effective_values_and_their_gradient(rng):
    entries = [
        Entry("a", (4,)),
        Entry("b", (4,), positivity="softplus"),
        Entry("c", (4,), positivity="clip", bound=0.5),
    ]
    # Below -354 a softplus is at its least value.
    layout, theta, d = Layout(tuple(entries)), np.tile([-400.0, -60.0, 0.0, 3.0], 3), rng.normal(size=12)
    positivity, bound = np.repeat([0, codes.SOFTPLUS, codes.CLIP], 4).astype(np.int8), np.repeat([0, 0, 0.5], 4)
    values, gradient, none = upload(np.empty(12)), upload(np.empty(12)), upload(np.zeros(0))
    frozen = np.zeros(12, np.int8)
    frozen[6] = 1
    given = {"positivity": upload(positivity), "values": values}
    launch_over(12, optim.effective, theta=upload(theta), bound=upload(bound), least=LEAST[8], **given)
    wanted = layout.effective(theta)
    np.testing.assert_allclose(download(values), wanted, rtol=1e-14)
    given |= {"d_values": upload(d), "frozen": upload(frozen), "gradient": gradient}
    launch_over(12, optim.d_effective, **given, l1=none, l2=none)
    np.testing.assert_allclose(download(gradient), layout.d_effective(wanted, d.copy()) * (frozen == 0), rtol=1e-14)
    rates = rng.uniform(size=(2, 12))
    launch_over(12, optim.d_effective, **given, l1=upload(rates[0]), l2=upload(rates[1]))
    d_penalty = rates[0] * np.sign(wanted) + rates[1] * 2 * wanted
    expected = layout.d_effective(wanted, d + d_penalty) * (frozen == 0)
    np.testing.assert_allclose(download(gradient), expected, rtol=1e-12)


CARD_LOSSES = {
    "mse": ("mse", None),
    "mae": ("mae", None),
    "huber": ("huber", None),
    "quantile": ("quantile", None),
    "binary": ("binary_cross_entropy", None),
    "weighted binary": ("binary_cross_entropy", [0.5, 2.0]),
    "classes": ("cross_entropy", None),
    "weighted classes": ("cross_entropy", [0.5, 2.0, 1.0]),
}


def test_every_loss_of_the_card_is_tried():
    assert {loss for loss, _ in CARD_LOSSES.values()} == set(codes.LOSSES)


WEIGHED = [(name, weighted) for name in CARD_LOSSES for weighted in (None, "steps", "outputs")]
WEIGHED = [case for case in WEIGHED if case[1] != "outputs" or "classes" not in case[0]]  # which have one number a step


@pytest.mark.card
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("name", "weighted"), WEIGHED)
def test_losses(name, weighted, last, rng):
    (loss, class_weight), O = CARD_LOSSES[name], 3
    lengths, memory, total = np.array([T, 1, 2]), Memory(), upload(np.zeros(1))
    shape, y = (B,) if last else (B, T), rng.normal(size=(B, T, O)) * 2
    target = rng.integers(0, O, shape) if loss == "cross_entropy" else rng.integers(0, 2, (*shape, O)).astype(float)
    if loss != "cross_entropy":  # the kink of mae
        y[0, -1, 0] = target.reshape(B, -1, O)[0, -1, 0]
    weight = None if weighted is None else rng.uniform(0.5, 2, shape if weighted == "steps" else (*shape, O))
    function = losses.get(loss)
    wanted, weight_sum, d_y = function(last_outputs(y, lengths) if last else y.copy(), target, weight, class_weight)
    d_y = (d_last_outputs(d_y, lengths, T) if last else d_y) / weight_sum
    numbers = losses.numbers(function, class_weight, O, np.dtype("float64"))
    on_device = card_losses.DeviceLoss(loss, numbers, np.dtype("float64"), last)
    given = sequences.DeviceSequences(None, None, upload(lengths), T, B, True)
    of_device = upload(np.zeros(0) if weight is None else weight)
    put = moves.put_steps("y", y, memory)
    found = on_device.run(put, upload(target), of_device, weight_sum, given, total, memory)
    np.testing.assert_allclose(download(total), wanted, rtol=1e-12)
    np.testing.assert_allclose(moves.take_steps(found, B, T, memory), d_y, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_a_sequence_without_steps_has_no_last_output_to_lose_by(loss, rng):
    """What stands in its place in outputs and targets is not read: here numbers that are none, and a class too many."""
    O, lengths, some, memory, total = 3, np.array([T, 0, 2]), [0, 2], Memory(), upload(np.zeros(1))
    y, target = rng.normal(size=(B, T, O)), rng.normal(size=(B, O)) if loss == "mse" else np.array([0, O, 1])
    y[1] = np.nan
    function = losses.get(loss)
    wanted, weight_sum, d_last = function(last_outputs(y[some], lengths[some]), target[some], None, None)
    d_y = np.zeros_like(y)
    d_y[some] = d_last_outputs(d_last, lengths[some], T) / weight_sum
    numbers = losses.numbers(function, None, O, np.dtype("float64"))
    given = sequences.DeviceSequences(None, None, upload(lengths), T, B, True)
    on_device = card_losses.DeviceLoss(loss, numbers, np.dtype("float64"), True)
    put = moves.put_steps("y", y, memory)
    found = on_device.run(put, upload(target), upload(np.zeros(0)), weight_sum, given, total, memory)
    np.testing.assert_allclose(download(total), wanted, rtol=1e-12)
    np.testing.assert_allclose(moves.take_steps(found, B, T, memory), d_y, rtol=1e-11, atol=1e-14)


# --------------------------------------------------------------------------------------------------- of the LTC


WIRINGS = {"dense": FullyConnected(5), "sparse": AutoNCP(9, 3, sparsity_level=0.7, seed=1)}


def circuit_of(wiring, p, gain):
    """An LTC's circuit on the device, whose inputs have the synapses of its neurons."""
    synapses = Synapses(wiring.pre, wiring.post, wiring.units, wiring.units)
    p = {name: upload(values) for name, values in p.items()}
    return ltc_circuit.DeviceCircuit(synapses, synapses, p, (upload(gain), upload(gain)), 0.01).pack()


def parameters(wiring, rng):
    p = {name: rng.uniform(0.5, 1, wiring.units) for name in codes.NEURON}
    return p | {name: rng.uniform(0.5, 1, wiring.synapse_count) for name in codes.SYNAPSE + codes.SENSORY}


@pytest.mark.parametrize("name", WIRINGS)
def test_lists_hold_every_synapse_once(name, rng):
    """Those onto a neuron one below the other, and those from one; what is left has no weight."""
    wiring = WIRINGS[name].build(2)
    p, N = parameters(wiring, rng), wiring.units
    p["w"] = values = np.arange(1.0, 1 + wiring.synapse_count)
    p["sigma"] = np.ones(values.size)
    circuit = circuit_of(wiring, p, np.zeros(0))
    lists = circuit.recurrent.lists
    for fan, constants, table, ends, plane in (
        (lists.fan, circuit.recurrent.constants, lists.pre_table, (wiring.pre, wiring.post), 2),
        (lists.d_fan, circuit.recurrent.d_constants, lists.post_table, (wiring.post, wiring.pre), 3),
    ):
        weight = download(constants).reshape(4, fan, N)[plane]
        other = download(table).reshape(fan, N) if table.size else np.broadcast_to(np.arange(fan)[:, None], (fan, N))
        found = {(o, n, w) for o, n, w in zip(other.flat, np.tile(np.arange(N), fan), weight.flat, strict=True) if w}
        assert found == set(zip(*(end.tolist() for end in ends), values.tolist(), strict=True))
    assert circuit.sizes() == {name: array.size for name, array in p.items()}


def test_neurons_are_packed(rng):
    cm, gleak, vleak = rng.uniform(0.5, 1, (3, N))
    neuron, given = upload(np.empty(3 * N)), {"cm": upload(cm), "gleak": upload(gleak), "vleak": upload(vleak)}
    launch_over(N, ltc_packing.pack_neurons, **given, epsilon=np.float64(0.25), neuron=neuron)
    np.testing.assert_array_equal(download(neuron).reshape(3, N), [cm, gleak + 0.25, gleak * vleak])


@each_cut
@pytest.mark.parametrize("gains", [False, True])
@pytest.mark.parametrize("name", WIRINGS)
def test_gradients_of_effective_values_come_from_sums_over_samples(name, gains, most_chunks, monkeypatch, rng):
    """Of a loss that is linear in P and Q of every sample, and in what the leak adds to them."""
    monkeypatch.setattr(sums, "MOST_CHUNKS", most_chunks)
    wiring, samples = WIRINGS[name].build(2), 300
    p, N = parameters(wiring, rng), wiring.units
    gain = rng.uniform(0.5, 1, wiring.synapse_count) if gains else np.zeros(0)
    source, d_p, d_q = rng.normal(size=(3, samples, N))

    def loss(p):
        total = np.sum(d_p * (p["gleak"] * p["vleak"]) + d_q * p["gleak"])
        for side in ("", "sensory_"):
            w, mu, sigma, erev = (p[side + name] for name in codes.SYNAPSE)
            a = (w * gain if gains else w) / (1 + np.exp(-sigma * (source[:, wiring.pre] - mu)))
            total += np.sum(d_p[:, wiring.post] * a * erev + d_q[:, wiring.post] * a)
        return total

    circuit, memory = circuit_of(wiring, p, gain), Memory()
    S, given = wiring.synapse_count, [upload(a) for a in (source, d_p, d_q)]
    totals = ltc_circuit.Totals(*(upload(np.zeros(size)) for size in (3 * N, 4 * S, 4 * S)))
    for k, values in enumerate(given[1:]):
        sums.add_columns(values, None, N, samples, totals.neuron[k * N : (k + 1) * N], memory)
    sums.add_synapses(*given, samples, circuit.recurrent, totals.recurrent, memory)
    sums.add_synapses(*given, samples, circuit.sensory, totals.sensory, memory)
    g = {name: upload(np.empty(size)) for name, size in circuit.sizes().items()}
    circuit.unpack(totals, g)
    for name, values in p.items():
        step = 1e-6 * rng.normal(size=values.size)
        numeric = loss(p | {name: values + step}) - loss(p | {name: values - step})
        np.testing.assert_allclose(2 * download(g[name]) @ step, numeric, rtol=1e-6, atol=1e-10, err_msg=name)


LONGEST = largest(np.float64)
STAGES = [
    (name, stage, h, q)
    for name in SOLVERS
    for stage in range(codes.SOLVERS[name].stages)
    for h, q in ((0.0, 0.7), (0.3, 0.7), (0.3, 0.0), (20.0, 0.7), (1e8, 0.7), (LONGEST, 9.0))  # h q / cm: infinite
    if h < LONGEST or name == "exponential"  # explicit rules overflow there, and the semi-implicit has no exponent
]


@pytest.mark.parametrize(("name", "stage", "h", "q"), STAGES)
def test_a_stage_of_a_solver_and_its_adjoint_are_those_of_the_definition(name, stage, h, q, rng):
    """To some roundings of each number, also where the first form of a line would cancel."""
    number, last = codes.SOLVERS[name].number, codes.SOLVERS[name].stages - 1
    cm, p, base, v, total, d_new, d_base, d_end = rng.uniform(0.3, 1, 8)
    cm = LEAST[8] if h == LONGEST else cm
    v = base if stage == 0 else v
    of_host = [np.array([[value]]) for value in (h, cm, p, q, base, v, total)]

    def run(kernel_helper, *given):
        return called_here(kernel_helper)(*(g if isinstance(g, int) else np.float64(g) for g in given))

    new, running = definition.advance(number, stage, *of_host)
    found = run(ltc_solvers.advance, number, stage, h, cm, p, q, base, v, total)
    np.testing.assert_allclose(found[0], new[0, 0], rtol=1e-14)
    if running is not None:
        np.testing.assert_allclose(found[1], running[0, 0], rtol=1e-14)
    behind = [None if stage == last else np.array([[d]]) for d in (d_base, d_end)]
    # In the definition None is what stands for 0 behind the last stage.
    d_base, d_end = (0.0, 0.0) if stage == last else (d_base, d_end)
    wanted = definition.d_advance(number, stage, *of_host[:6], new, np.array([[d_new]]), *behind)
    d_p, d_q, d_cm, d_v, d_base_found, d_end_found = run(
        ltc_solvers.d_advance, number, stage, h, cm, q, base, v, new[0, 0], d_new, d_base, d_end
    )
    d_h = run(ltc_solvers.d_elapsed_scale, number, stage, h, cm, q, d_new, d_end_found) * run(
        ltc_solvers.d_elapsed_flow, number, stage, h, cm, p, q, base, v, new[0, 0]
    )
    got = d_p, d_q, d_cm, d_h, d_v, d_base_found, d_end_found
    for name, a, b in zip(("P", "Q", "cm", "h", "v", "base", "end"), got, wanted, strict=True):
        if b is not None and (name != "base" or stage):  # nobody reads that of the first stage: it is in v's
            np.testing.assert_allclose(a, np.broadcast_to(b, (1, 1))[0, 0], rtol=1e-12, atol=0, err_msg=name)
