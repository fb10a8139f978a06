"""The LTC in closed form: both formulas against loops, against exact solutions, and what each keeps."""

import math

import numpy as np
import pytest
from support.ltc_networks import WIRINGS, make

from ltc_np import LTC, LTCRNN, AutoNCP, Bidirectional, Dense, FullyConnected, Model, Standardize, Wiring, solver_error
from ltc_np.simplify import ClosedForm, closed_form, fewer_unfolds


def naive(model, x, dt, formula):
    """Potentials after every step of one sequence, from v = 0, with Python floats."""
    layer, p = model.layers[0], {name: values.tolist() for name, values in model.effective.items()}
    wiring = layer.wiring
    gains = {"": wiring.gain, "sensory_": wiring.sensory_gain}
    lists = {"": (wiring.pre, wiring.post), "sensory_": (wiring.sensory_pre, wiring.sensory_post)}
    into = {i: [] for i in range(wiring.units)}
    for kind, (pre, post) in lists.items():
        for k, (j, i) in enumerate(zip(pre.tolist(), post.tolist(), strict=True)):
            gain = 1.0 if gains[kind] is None else float(gains[kind][k])
            into[i].append((kind, j, gain * p[kind + "w"][k], *(p[kind + name][k] for name in ("mu", "sigma", "erev"))))
    v, states = [0.0] * wiring.units, []
    for inputs, h in zip(x.tolist(), dt.tolist(), strict=True):
        if "input_w" in p:
            inputs = [a * w + b for a, w, b in zip(inputs, p["input_w"], p["input_b"], strict=True)]
        new = []
        for i, synapses in into.items():
            g, cm = p["gleak"][i] + layer.epsilon, p["cm"][i]
            total, P, Q = 0.0, p["gleak"][i] * p["vleak"][i], g
            for kind, j, w, mu, sigma, E in synapses:
                z = sigma * ((inputs if kind else v)[j] - mu)
                a = w / (1 + math.exp(-z))
                total += (v[i] - E) * math.exp(-h * (g + a) / cm) * (1 / (1 + math.exp(z))) ** w + E
                P, Q = P + a * E, Q + a
            rest = p["vleak"][i] if formula == "published" and not synapses else P / Q
            if formula == "frozen" or not synapses:
                total = rest + (v[i] - rest) * math.exp(-h * Q / cm)
            new.append(total)
        v = new
        states.append(v)
    return np.array(states)


@pytest.mark.parametrize("formula", ["published", "frozen"])
@pytest.mark.parametrize("key", WIRINGS)
def test_formulas_against_loops(key, formula, backend):
    model, x, dt, lengths = make(key, backend)
    result = closed_form(model, x, dt=dt, lengths=lengths, formula=formula)
    y, state = result.model(x, dt=dt, lengths=lengths, return_state=True)
    for b, n in enumerate(lengths):
        states = naive(model, x[b, :n], dt[b, :n], formula)
        if n == 0:
            assert (state[b] == 0).all()
            assert (y[b] == 0).all()
            continue
        # Sums of some ten terms that may grow from step to step: a few roundings of the largest.
        largest = np.abs(states).max()
        assert np.abs(state[b] - states[-1]).max() <= 1e-12 * largest
        motor = states[:, : model.output_size]
        if "output_w" in model.effective:
            motor = motor * model.effective["output_w"] + model.effective["output_b"]
        assert np.abs(y[b, :n] - motor).max() <= 1e-12 * max(largest, 1)
        assert (y[b, n:] == 0).all()


def one_neuron(synapses=((0, 0, 1),), vleak=None, **options):
    """One neuron of known parameters with constant inputs; without mappings, epsilon 0."""
    wiring = Wiring.from_edges(1, [], synapses, input_dim=len(synapses))
    model = LTCRNN(
        wiring, epsilon=0.0, positivity="clip", input_mapping=None, output_mapping=None, dtype="float64", seed=3,
        **options,
    )  # fmt: skip
    if vleak is not None:
        model.params["vleak"] = vleak
    return model


def solution(model, x, v, t):
    """v(t) of one neuron whose inputs are held: the equation is linear."""
    p = model.params
    a = p["sensory_w"] / (1 + np.exp(-p["sensory_sigma"] * (x - p["sensory_mu"])))
    Q = p["gleak"][0] + a.sum()
    rest = (p["gleak"][0] * p["vleak"][0] + (a * p["sensory_erev"]).sum()) / Q
    return rest + (v - rest) * np.exp(-t * Q / p["cm"][0])


@pytest.mark.slow
@pytest.mark.parametrize("synapses", [[(0, 0, 1)], [(0, 0, 1), (1, 0, -1), (2, 0, 1)]])
@pytest.mark.parametrize("t", [0.0, 0.03, 1.0, 40.0])
def test_frozen_is_exact_where_conductances_are_constant(synapses, t):
    model = one_neuron(synapses)
    x = np.linspace(0.2, 0.9, len(synapses))
    other = closed_form(model, x[None], dt=t).model
    for v in (-1.3, 0.0, 0.7):
        found = other(x[None], dt=t, h0=[v])[0, 0]
        assert abs(found - solution(model, x, v, t)) < 1e-15
    in_parts = other(np.tile(x, (7, 1)), dt=t / 7, h0=[0.7])[-1, 0]
    assert abs(in_parts - solution(model, x, 0.7, t)) < 1e-14


def test_what_is_missing_in_the_published_formula():
    """Of one synapse with vleak = E it is off by the factor s(-z)**w alone; of several it rests at the sum of all E."""
    E, x, t = 1.0, np.array([0.6]), 0.4
    model = one_neuron(vleak=E)
    p = model.params
    shut = (1 / (1 + np.exp(p["sensory_sigma"] * (x - p["sensory_mu"]))) ** p["sensory_w"]).item()
    assert 0.1 < shut < 0.9  # a factor that can be seen
    other = closed_form(model, x[None], dt=t, formula="published").model
    found = other(x[None], dt=t, h0=[-0.5])[0, 0]
    assert found - E == pytest.approx((solution(model, x, -0.5, t) - E) * shut, rel=1e-13)
    at_rest = other(x[None], dt=0.0, h0=[-0.5])[0, 0]
    assert at_rest - E == pytest.approx(-1.5 * shut, rel=1e-13)  # so a step of no time moves the state

    several = one_neuron([(0, 0, 1), (1, 0, 1), (2, 0, 1)])
    x = np.full((1, 3), 0.6)
    y = closed_form(several, x, dt=1e3, formula="published").model(x, dt=1e3)[0, 0]
    assert y == pytest.approx(3.0, abs=1e-12)
    assert solution(several, x[0], 0.0, 1e3) < 1  # where the neuron rests, within the hull of its potentials


def test_frozen_keeps_the_hull_and_stays_at_dt_0():
    model = LTCRNN(FullyConnected(9, 2), 3, seed=0, dtype="float64", output_mapping=None)
    x = np.random.default_rng(0).normal(size=(5, 12, 3))
    low, high = -1.0, 1.0  # of erev; vleak lies within
    other = closed_form(model, x, dt=2.0).model
    _, state = other(x, dt=2.0, return_state=True)
    assert low <= state.min() <= state.max() <= high
    h0 = np.random.default_rng(1).uniform(-1, 1, (5, 9))
    assert (other(x, dt=0.0, h0=h0, return_state=True)[1] == h0).all()


def test_error_falls_with_dt_and_is_of_first_order():
    """Against the exact equation; halving the step halves the error (next term of the series: a tenth)."""
    fine = LTCRNN(AutoNCP(8, 2), 3, seed=0, dtype="float64", solver="exponential", ode_unfolds=400)
    x, errors = np.full((1, 1, 3), 0.4), []
    for n in (16, 32, 64):
        steps = np.repeat(x, n, axis=1)
        y = closed_form(fine, steps, dt=1 / n).model(steps, dt=1 / n)[0, -1]
        errors.append(np.abs(y - fine(x)[0, -1]).max())
    assert np.abs(np.log2([errors[0] / errors[1], errors[1] / errors[2]]) - 1).max() < 0.1


@pytest.mark.parametrize("formula", ["published", "frozen"])
def test_other_layers_stay_and_streams_are_sequences(formula):
    model = Model(
        Standardize(mean=2.0, scale=3.0), LTC(AutoNCP(8, 2)), Bidirectional(LTC(AutoNCP(9, 3))), Dense(2),
        input_dim=3, seed=0, dtype="float64",
    )  # fmt: skip
    x = np.random.default_rng(0).normal(size=(4, 6, 3))
    other = closed_form(model, x, formula=formula).model
    assert [type(layer) for layer in other.layers] == [Standardize, ClosedForm, Bidirectional, Dense]
    assert isinstance(other.layers[2].layer, ClosedForm)
    assert (other.theta == model.theta).all()
    assert other.layers[0] == model.layers[0]
    assert other.layers[3] == model.layers[3]

    plain = closed_form(Model(*model.layers[:2], Dense(2), seed=1, dtype="float64"), x, formula=formula).model
    y, last = plain(x, dt=0.3, return_state=True)
    first, state = plain(x[:, :4], dt=0.3, return_state=True)
    second, end = plain(x[:, 4:], dt=0.3, h0=state, return_state=True)
    assert (np.concatenate([first, second], 1) == y).all()
    assert (end == last).all()
    state = None
    for t in range(6):
        y_t, state = plain.step(x[0, t], dt=0.3, state=state)
        np.testing.assert_allclose(y_t, y[0, t], rtol=1e-12, atol=1e-12)  # Dense: BLAS


def test_sizes_and_error():
    model, x, dt, lengths = make("sparse", "numpy")
    result = closed_form(model, x, dt=dt, lengths=lengths)
    wiring = model.wiring
    S, S_sensory = wiring.synapse_count, wiring.sensory_synapse_count
    assert result.before == (8, model.layout.size, S + S_sensory, 6 * S + S_sensory)
    assert result.after == (8, model.layout.size, S + S_sensory, S + S_sensory)
    valid = np.arange(x.shape[1]) < lengths[:, None]
    y, wanted = (one(x, dt=dt, lengths=lengths)[valid] for one in (result.model, model))
    rms = np.sqrt(np.mean((y - wanted) ** 2))
    spread = np.sqrt(np.mean(np.var(wanted, axis=0)))
    assert result.error == pytest.approx((np.abs(y - wanted).max(), rms, rms / spread), rel=1e-12)
    assert result.original is model
    assert "outputs differ by" in repr(result)


def test_what_overflows_has_an_infinite_error():
    """On the data the state grows by a factor of some synapses a step."""
    model = LTCRNN(FullyConnected(19, 8), 3, seed=0, init="time_constants")
    x = np.random.default_rng(0).normal(size=(2, 200, 3))
    result = closed_form(model, x, dt=0.01, formula="published")
    assert result.error == (np.inf, np.inf, np.inf)
    with pytest.raises(FloatingPointError, match="overflows"):
        result.model(x, dt=0.01)
    assert closed_form(model, x, dt=0.01).error.relative < 0.1


def test_the_layer_is_described_by_its_arguments():
    layer = ClosedForm(LTC(AutoNCP(8, 2), epsilon=0.1).config(), "published")
    assert layer.open
    built = layer.with_input(3)
    assert built == ClosedForm(LTC(AutoNCP(8, 2), epsilon=0.1, input_dim=3).config(), "published")
    assert built == ClosedForm.from_config(built.config())
    assert built != ClosedForm(built.ltc)
    assert (built.input_size, built.output_size, built.state_size) == (3, 2, 8)
    assert built.layer.epsilon == 0.1
    assert (built.hull, built.dt0_identity) == (False, False)
    assert (ClosedForm(built.ltc).hull, ClosedForm(built.ltc).dt0_identity) == (True, True)


def test_refusals():
    model = LTCRNN(AutoNCP(8, 2), 3, seed=0)
    x = np.zeros((2, 3, 3))
    with pytest.raises(ValueError, match="`formula` must be .* got 'exact'"):
        closed_form(model, x, formula="exact")
    with pytest.raises(TypeError, match="`model` must be a Model, got"):
        closed_form(model.layers[0], x)
    with pytest.raises(ValueError, match="`model` must have an LTC, of which there is a closed form, got"):
        closed_form(Model(Dense(2), input_dim=3, seed=0), x)
    with pytest.raises(TypeError, match="no argument `units`"):
        ClosedForm({"units": 2})
    other = closed_form(model, x).model
    for again in (lambda: closed_form(other, x), lambda: solver_error(other, x), lambda: fewer_unfolds(other, x, 0.1)):
        with pytest.raises(ValueError, match="`model` must have a"):  # no LTC, no solver
            again()
    for closed in (
        other,
        closed_form(Model(Bidirectional(LTC(AutoNCP(8, 2))), Dense(1), input_dim=3, seed=0), x).model,
    ):
        with pytest.raises(
            ValueError, match="got ClosedForm: save the model that it was made from, or what .*unfolds`"
        ):
            closed.save("closed.npz")
    with pytest.raises(NotImplementedError, match="a closed form has no gradients: train the LTC"):
        other.fit(x, np.zeros((2, 3, 2)), verbose=False)
    with pytest.raises(ValueError, match="`x` must be"):
        closed_form(model, x[..., :2])
