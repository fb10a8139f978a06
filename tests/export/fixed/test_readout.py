"""A readout of integers that learns: against the exact rule, bit by bit in C, at all limits."""

import functools
import subprocess
from fractions import Fraction

import numpy as np
import pytest
from support import compilers
from support.fixed_point import sequences
from support.learning_c import Learns

from ltc_np import GRU, LTC, AutoNCP, Dense, Model, Standardize
from ltc_np.export import fixed
from ltc_np.export.fixed.arithmetic import HIGHEST, LOWEST
from ltc_np.export.fixed.readout import MISSING, OFF, FixedReadout, bits_of_features
from ltc_np.export.learning import Readout
from ltc_np.online import NLMS, RLS, Learner

needs_compiler = pytest.mark.tools("gcc clang")
SANITIZED = ["-O1", "-fsanitize=undefined,address,float-cast-overflow", "-fno-sanitize-recover=all"]
MODELS = {
    "NCP": [LTC(AutoNCP(19, 6)), Dense(2), Standardize(inverse=True)],
    "GRU": [GRU(1), Dense(1)],
    "large features": [GRU(5), Dense(7), Dense(3)],
    "small features": [GRU(5), Dense(4), Dense(1)],
}
SCALES = {"large features": 300.0, "small features": 1e-4}


def made(name):
    """A model whose features are large or small."""
    rng = np.random.default_rng(3)
    model = Model(*MODELS[name], input_dim=3, seed=1, dtype="float64", backend="numpy")
    for values in model.buffers.values():
        values[:] = rng.uniform(0.5, 2, values.shape)
    if name in SCALES:
        model.params["1.weight"][:] *= SCALES[name]
    return model


@functools.cache
def quantised_once(name):
    model = made(name)
    x, arguments = sequences(model, np.random.default_rng(4), 4, 50)
    return fixed.quantise(model, x, **arguments, learn=NLMS(0.7), headroom=4)


@pytest.fixture(params=MODELS)
def quantised(request):
    return quantised_once(request.param)


def drawn(readout, rng, size=1.0):
    """(W, f, target): weights near those deployed, features and targets within ``size`` of their formats."""
    O, F = readout.W.shape[0], readout.W.shape[1] - 1
    most = size * 2 ** bits_of_features(F)
    f = (rng.uniform(-most, most, F) * 2.0 ** -rng.integers(0, 24)).astype(np.int64)
    W = readout.W + (rng.uniform(-1, 1, (O, F + 1)) * 2**24).astype(np.int64)
    target = (rng.uniform(-size, size, O) * 2.0 ** (31 - rng.integers(0, 8))).astype(np.int64)
    return W, f, target


def exactly(readout, W, f, target):
    """The changes of the weights by the exact rule, and how far off they may be, as fractions.

    None where an error or an output would not fit.
    """
    p = readout.places
    unit = {name: Fraction(2) ** -getattr(p, name) for name in ("features", "weights", "bias", "y", "rate")}
    real = [int(v) * unit["features"] for v in f]
    gain = readout.rate * unit["rate"] / (readout.one * Fraction(2) ** -readout.norm_places + sum(v * v for v in real))
    change, allowed = [], []
    for row, wanted in zip(W, target, strict=True):
        y = sum(int(w) * unit["weights"] * v for w, v in zip(row, real, strict=False)) + int(row[-1]) * unit["bias"]
        error = int(wanted) * unit["y"] - y
        if max(abs(y), abs(error)) >= 2**31 * unit["y"]:
            return None
        units = [unit["weights"]] * len(real) + [unit["bias"]]
        change.append([gain * error * v for v in (*real, 1)])
        off = [gain * abs(v) * Fraction(OFF) * unit["y"] for v in (*real, 1)]
        allowed.append([one / 2 + more for one, more in zip(units, off, strict=True)])
    return change, allowed


def test_learning_is_the_exact_rule_within_its_bound(quantised, rng):
    """Of features, weights and targets of all sizes; and the bound is not a loose one."""
    readout, closest = quantised.readout, 0.0
    p, compared = readout.places, 0
    while compared < 30:
        W, f, target = drawn(readout, rng)
        found = exactly(readout, W, f, target)
        after = readout.learn(W, f, target)
        if found is None or (np.abs(after) >= HIGHEST).any():
            continue
        compared += 1
        for o, (change, allowed) in enumerate(zip(*found, strict=True)):
            for i, (exact, most) in enumerate(zip(change, allowed, strict=True)):
                unit = Fraction(2) ** -(p.weights if i < len(f) else p.bias)
                error = abs(int(after[o, i] - W[o, i]) * unit - exact)
                assert error <= most
                closest = max(closest, float(error / most))
    assert closest > 0.3


def test_an_answer_is_the_nearest_one(quantised, rng):
    """Half a unit from the exact sum, where the bias has the format of outputs or fewer places."""
    readout = quantised.readout
    p = readout.places
    assert p.bias <= p.y
    for _ in range(100):
        W, f, _ = drawn(readout, rng, 0.5)
        wide = readout.wide_answers(f, W)
        for row, y in zip(W, wide, strict=True):
            exact = sum(Fraction(int(w)) * int(v) for w, v in zip(row, f, strict=False))
            exact = exact / Fraction(2) ** (p.weights + p.features - p.y) + Fraction(int(row[-1])) * 2 ** (p.y - p.bias)
            assert abs(int(y) - exact) <= Fraction(1, 2)


def limits(readout, rng):
    """(W, f, target) with numbers at their limits, 0 and 1 among random ones."""
    W, f, target = drawn(readout, rng)
    most = 2 ** bits_of_features(len(f))
    for array, extremes in (
        (W, (LOWEST, HIGHEST, 0)),
        (f, (-most, most, 0, 1)),
        (target, (LOWEST + 1, HIGHEST, 0, MISSING)),
    ):
        where = rng.random(array.shape) < rng.choice([0, 0.5, 1])
        array[where] = rng.choice(extremes, where.sum())
    return W, f, target


def test_at_the_limits_nothing_overflows_and_all_saturates(quantised, rng):
    """Against Python's integers, which have no limits."""
    readout = quantised.readout
    saturated = 0
    for _ in range(300):
        W, f, target = limits(readout, rng)
        after, wide = readout.learn(W, f, target), readout.wide_answers(f, W)
        assert after.min() >= LOWEST and after.max() <= HIGHEST
        sums = [sum(int(w) * int(v) for w, v in zip(row, f, strict=False)) for row in W]
        assert max(map(abs, sums)) <= 2**61 and sum(int(v) ** 2 for v in f) <= 2**60
        for y, total, row in zip(wide, sums, W, strict=True):
            n, bias = readout.sum_shift, int(row[-1]) << (readout.places.y - readout.places.bias)
            plain = ((total + (1 << (n - 1))) >> n if n > 0 else total << -n) + bias
            assert max(LOWEST, min(plain, HIGHEST)) == np.clip(y, LOWEST, HIGHEST)
        np.testing.assert_array_equal(after[target == MISSING], W[target == MISSING])
        saturated += int(np.isin(after[target != MISSING], (LOWEST, HIGHEST)).sum())
    assert saturated > 0


@needs_compiler
@pytest.mark.parametrize("compiler", compilers.HOST)
def test_c_has_the_same_bits(quantised, compiler, rng, tmp_path):
    """At all limits, too; what C leaves undefined would end the process."""
    learns = Learns(fixed.write(quantised, tmp_path / "c", "net", measure=False).folder, compiler, np.int32)
    readout, state = quantised.readout, learns.begin()
    np.testing.assert_array_equal(learns.weights, readout.W)
    K = len(state) - learns.macros["FEATURES"] - 1
    assert learns.learn(state, np.zeros(learns.outputs)) == 1  # there is no answer yet
    np.testing.assert_array_equal(learns.weights, readout.W)
    for k in range(2000):
        W, f, target = limits(readout, rng) if k % 2 else drawn(readout, rng)
        learns.weights[:], state[K:-1], state[-1] = W, f, 1
        assert learns.learn(state, target) == 0
        np.testing.assert_array_equal(learns.weights, readout.learn(W, f, target))


@needs_compiler
def test_sequences_with_their_targets(quantised, rng, tmp_path):
    """The same bits in C as in NumPy, and close to what the learner in Python computes in float64."""
    learns = Learns(fixed.write(quantised, tmp_path / "c", "net", measure=False).folder, None, np.int32)
    model, places = quantised.model, quantised.places
    x, arguments = sequences(model, rng, 1, 200)
    x, dt = np.clip(x[0], -2, 2), arguments["dt"][0] if model.takes_dt else None
    y = model(x, dt=dt)
    target = 1.3 * y + 0.1 * np.abs(y).max()
    target[rng.random(target.shape) < 0.2] = np.nan
    y, W = quantised.learn(x, target, dt=dt)
    state, learner, exact = learns.begin(), Learner(model, NLMS(0.7)), []
    for t, wanted in enumerate(quantised.readout.targets(target)):
        whole = np.round(x[t] * 2.0 ** places["x"])
        time = None if dt is None else int(np.round(dt[t] * 2.0 ** places["dt"]))
        np.testing.assert_array_equal(learns.step(state, whole, time) / 2.0 ** places["y"], y[t])
        assert learns.learn(state, wanted) == 0
        exact.append(learner.predict(x[t], dt=None if dt is None else dt[t]))
        learner.learn(target[t])
    np.testing.assert_array_equal(learns.weights, W)
    assert (W != quantised.readout.W).any()
    size = np.nanmax(np.abs(target))
    np.testing.assert_allclose(y, exact, rtol=0, atol=1e-5 * size)


def test_missing_targets_leave_all_as_it_was(quantised, rng):
    x, arguments = sequences(quantised.model, rng, 1, 20)
    dt = {"dt": arguments["dt"][0]} if arguments else {}
    y, W = quantised.learn(x[0], np.full((20, quantised.model.output_size), np.nan), **dt)
    np.testing.assert_array_equal(W, quantised.readout.W)
    np.testing.assert_array_equal(y, quantised(x[0], **dt))
    first, W = quantised.learn(x[0, :10], y[:10] + 0.01, **{name: values[:10] for name, values in dt.items()})
    assert (W != quantised.readout.W).any()
    np.testing.assert_array_equal(first[0], y[0])
    again, _ = quantised.learn(x[0, :10], np.full_like(y[:10], np.nan), W=W, **{n: v[:10] for n, v in dt.items()})
    assert (again != y[:10]).any()


@needs_compiler
@pytest.mark.parametrize("compiler", compilers.HOST)
def test_its_own_test_allows_no_difference(quantised, compiler, tmp_path):
    """It learns in the test."""
    folder = fixed.write(quantised, tmp_path / "c", "net", measure=False).folder
    command = compiler, *compilers.WARNINGS, *SANITIZED, "net.c", "net_test.c", "-o", tmp_path / "test"
    compilers.run(*command, cwd=folder)
    assert compilers.run(tmp_path / "test") == "net: largest error 0, allowed 0\n"
    text = (folder / "net.c").read_text()
    assert text.count("norm = norm > 0") == 1
    (folder / "net.c").write_text(text.replace("norm = norm > 0", "norm += norm >> 12;\n    norm = norm > 0"))
    compilers.run(*command, cwd=folder)
    assert compilers.status(tmp_path / "test") == 1


@needs_compiler
def test_sizes_are_the_compiler_s(quantised, tmp_path):
    export = fixed.write(quantised, tmp_path / "c", "net", measure=False)
    learns, memory = Learns(export.folder, None, np.int32), quantised.report.memory
    assert (learns.state_bytes, learns.learnt_bytes) == (export.state_bytes, export.learnt_bytes)
    assert memory == (export.table_bytes, export.state_bytes, export.stack_bytes, export.learnt_bytes)
    assert export.learnt_bytes == 4 * quantised.readout.W.size
    assert f", readout {export.learnt_bytes}" in str(quantised.report)


CALLER = """
#define NET_REAL
#include "net.h"
#include <stdio.h>
int main(void)
{
    double v;
    while (scanf("%lf", &v) == 1) {
        printf("%ld\\n", (long)net_target_from_real(v));
    }
    return 0;
}
"""


@needs_compiler
def test_real_targets_become_those_of_numpy(quantised, rng, tmp_path):
    folder = fixed.write(quantised, tmp_path / "c", "net", measure=False).folder
    (folder / "caller.c").write_text(CALLER)
    compilers.run(compilers.HOST[0], *compilers.WARNINGS, *SANITIZED, "caller.c", "-o", tmp_path / "caller", cwd=folder)
    v = np.concatenate([rng.standard_normal(50), [0.0, 1e300, -1e300, np.nan]])
    given = "\n".join(map(repr, v.tolist()))
    done = subprocess.run([tmp_path / "caller"], input=given, capture_output=True, text=True, check=True).stdout
    np.testing.assert_array_equal([int(n) for n in done.split()], quantised.readout.targets(v))
    assert quantised.readout.targets(v)[-3:].tolist() == [HIGHEST, -HIGHEST, MISSING]


def test_formats_leave_room_for_what_is_learnt(quantised):
    """Four times the deployed weights, times the headroom; a weight alone may make any output."""
    readout, p = quantised.readout, quantised.readout.places
    real = readout.W[:, :-1] / 2.0**p.weights
    assert 2.0 ** (31 - p.weights) >= 4 * 4 * np.abs(real).max()
    listed = {each.name: each for each in quantised.report.formats}
    assert 2.0 ** (31 - p.weights) >= listed["y"].largest / listed["features"].largest
    assert [listed[name].places for name in ("features", "weights", "biases", "y")] == [*p[:4]]
    assert listed["y"].largest * 4 <= listed["y"].limit
    assert "network" in listed


def test_arguments_that_are_refused(rng):
    model = made("GRU")
    x, arguments = sequences(model, rng, 2, 20)
    with pytest.raises(TypeError, match=r"`learn` must be an NLMS in fixed point, got RLS\(.*\): RLS is for float"):
        fixed.quantise(model, x, **arguments, learn=RLS())
    with pytest.raises(ValueError, match="`epsilon` of `learn` must be at most .* in fixed point, got 1e"):
        fixed.quantise(model, x, **arguments, learn=NLMS(0.1, 1e9))
    with pytest.raises(ValueError, match="`rate` of `learn` must be at least 1e-9 in fixed point, got 1e-12"):
        fixed.quantise(model, x, **arguments, learn=NLMS(1e-12))
    with pytest.raises(ValueError, match="`learn` needs a model in fixed point that was made with"):
        fixed.quantise(model, x, **arguments).learn(x[0], x[0, :, :1])
    found = fixed.quantise(model, x, **arguments, learn=NLMS())
    with pytest.raises(ValueError, match=r"`target` must have shape \(20, 1\), and `x` be one sequence"):
        found.learn(x[0], x[0])
    with pytest.raises(ValueError, match=r"`target` must have shape \(20, 1\), and `x` be one sequence"):
        found.learn(x, x[0, :, :1])
    with pytest.raises(ValueError, match="`target` must be finite"):
        found.learn(x[0], np.full((20, 1), np.inf))


@pytest.mark.parametrize("rate", [1e-8, 0.3, 1.999])
@pytest.mark.parametrize("epsilon", [1e-30, 1e-6, 3.0])
def test_the_rate_keeps_all_its_bits(rate, epsilon):
    readout = Readout(NLMS(rate, epsilon), Model(GRU(1), input_dim=1), np.array([[1.0, 0.5]]))
    found = FixedReadout.of(readout, 31, (0.5, 1.0), 2.0)
    assert 2**30 <= found.rate < 2**31
    np.testing.assert_allclose(found.rate / 2.0**found.places.rate, rate, rtol=2**-31)
    np.testing.assert_allclose(found.one / 2.0**found.norm_places, 1 + epsilon, rtol=2**-50)
