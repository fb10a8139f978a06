"""What `S4D` and `LiquidS4` make of the processor, how their time grows with the sequence, and JAX's associative scan.

    python docs/performance/state_spaces.py [--quick]     # tables for docs/performance.md; some minutes

Operations are multiply-adds of one mode and step: what the formulas of docs/maths/s4d.md need if every sum is made with
a product. With gradients the forward part runs twice.  An exponential, a sine and a cosine count as what the kernels'
polynomials need.  JAX is looked at if it is installed.
"""

import argparse
import importlib.util
import statistics

import numpy as np

from ltc_np import S4D, LiquidS4, Model, set_num_threads
from ltc_np.bench.rates import multiply_add_rate, processor_seconds, times

# Of a mode and step: forward, and with gradients (which runs forward twice).
COUNTS = {"S4D": (8, 30), "discrete": (10, 38), "exact": (61, 215)}


def layer(form, states, channels):
    if form == "S4D":
        return S4D(states, input_dim=channels)
    return LiquidS4(states, input_dim=channels, liquid=form)


def seconds(function, runs):
    """The median time of a call."""
    return statistics.median(times(function, runs))


def shares(runs, states=32, channels=64, T=1024, B=32):
    """Processor time of forward and gradient on one thread, and their share of that thread's rate."""
    set_num_threads(1)
    x = np.random.default_rng(0).normal(size=(B, T, channels)).astype(np.float32)
    dt = np.random.default_rng(1).uniform(0.5, 1.5, (B, T)).astype(np.float32)
    print(f"\nT = {T}, H = {channels}, N = {states}, B = {B}, one thread, float32\n")
    print("| form | forward ms | of the rate | with gradients ms | of the rate |")
    print("|---|---|---|---|---|")
    for name, form, steps in (
        ("S4D", "S4D", 1.0),
        ("S4D, dt changing", "exact", dt),
        ("LiquidS4, discrete", "discrete", 1.0),
        ("LiquidS4, exact", "exact", 1.0),
    ):
        model = Model(layer("S4D" if name.startswith("S4D") else form, states, channels), seed=0)
        forward = processor_seconds(lambda model=model, steps=steps: model(x, dt=steps), runs)
        train = processor_seconds(lambda model=model, steps=steps: model.loss_and_grad(x, x, dt=steps), runs)
        rate = multiply_add_rate("float32")
        work = B * T * channels * states / 2
        a, b = (count * work / time / rate for count, time in zip(COUNTS[form], (forward, train), strict=True))
        print(f"| {name} | {1e3 * forward:.1f} | {a:.0%} | {1e3 * train:.0f} | {b:.0%} |", flush=True)
    print(f"\n{rate / 1e9:.0f} G multiply-adds a second")
    set_num_threads(None)


def lengths(runs, longest):
    """Time of a gradient per step, over sequences of growing length."""
    print("\n| T | S4D, ms | ns a mode and step | LiquidS4, exact, ms | ns a mode and step |\n|---|---|---|---|---|")
    T = 1024
    while longest >= T:
        x = np.random.default_rng(0).normal(size=(2, T, 32)).astype(np.float32)
        row = []
        for form in ("S4D", "exact"):
            model = Model(layer(form, 32, 32), seed=0)
            train = seconds(lambda model=model, x=x: model.loss_and_grad(x, x), runs)
            row += [f"{1e3 * train:.0f}", f"{1e9 * train / x.size / 16:.2f}"]
        print(f"| {T} | {' | '.join(row)} |", flush=True)
        T *= 4


# -------------------------------------------------------------------------------------------------- JAX


FORMULATIONS = ("time first", "time last", "time first, sequences one by one", "time first, recomputed")


def jax_gradient(model, x, form, formulation):
    """loss_and_grad of a model of one layer, by `jax.lax.associative_scan`."""
    import jax
    import jax.numpy as jnp

    names = [entry.name for entry in model.layout.entries]
    theta = {name: jnp.asarray(model.params[name]) for name in names}

    def combine(first, second):
        return first[0] * second[0], second[0] * first[1] + second[1]

    def outputs(p, x):  # (T, ..., H)
        a = -jax.nn.softplus(p["decay"]) + 1j * p["frequency"]
        b, c = p["b_re"] + 1j * p["b_im"], p["c_re"] + 1j * p["c_im"]
        delta, u = jnp.exp(p["log_step"]), x[..., None, :]
        if form == "exact":
            w = a + b * u
            factor = jnp.exp(delta * w)
            pushed = (factor - 1) / w * b * u
        else:
            factor = jnp.exp(delta * a)
            pushed = (factor - 1) / a * b * u
            factor = jnp.broadcast_to(factor, pushed.shape)
        if formulation == "time last":
            turned = (jnp.moveaxis(v, 0, -1) for v in (factor, pushed))
            states = jnp.moveaxis(jax.lax.associative_scan(combine, tuple(turned), axis=-1)[1], -1, 0)
        else:
            states = jax.lax.associative_scan(combine, (factor, pushed), axis=0)[1]
        return 2 * jnp.real(c * states).sum(-2) + p["d"] * x

    if formulation.endswith("recomputed"):
        outputs = jax.checkpoint(outputs)
    x = jnp.asarray(x.transpose(1, 0, 2))

    def loss(p):
        if formulation.endswith("one by one"):
            y = jax.lax.map(jax.checkpoint(lambda one: outputs(p, one)), x.transpose(1, 0, 2)).transpose(1, 0, 2)
        else:
            y = outputs(p, x)
        return jnp.mean((y - x) ** 2)

    run = jax.jit(jax.value_and_grad(loss))

    def call():
        value, g = jax.block_until_ready(run(theta))
        return float(value), {name: np.asarray(v) for name, v in g.items()}

    return call


def against_jax(runs, states=32, channels=64, T=1024, B=32):
    """ltc_np's gradient beside the fastest form of JAX's, after a look whether both are the same."""
    print(f"\nT = {T}, H = {channels}, N = {states}, B = {B}, gradients\n")
    print("| form | ltc_np ms | JAX ms | ratio | fastest form of JAX | largest difference of a gradient |")
    print("|---|---|---|---|---|---|")
    x = np.random.default_rng(0).normal(size=(B, T, channels)).astype(np.float32)
    for form in ("S4D", "exact"):
        model = Model(layer(form, states, channels), seed=0)
        calls = {f: jax_gradient(model, x, form, f) for f in FORMULATIONS}
        loss, gradient = model.loss_and_grad(x, x)
        apart = 0.0
        for call in calls.values():
            value, found = call()
            assert abs(value - loss) < 1e-4 * loss
            views = model.views(gradient)
            apart = max(apart, *(np.abs(found[n] - views[n]).max() / np.abs(views[n]).max() for n in views))
        assert apart < 1e-2, apart
        trials = {f: seconds(call, 1) for f, call in calls.items()}
        best = min(trials, key=trials.get)
        ours, theirs = [], []
        for _ in range(runs):  # in turn
            ours.append(seconds(lambda model=model: model.loss_and_grad(x, x), 1))
            theirs.append(seconds(calls[best], 1))
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"| {form} | {1e3 * a:.0f} | {1e3 * b:.0f} | {b / a:.1f} | {best} | {apart:.1e} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="short sequences, few runs")
    quick = parser.parse_args().quick
    runs = 2 if quick else 9
    shares(runs, **({"T": 128, "B": 2} if quick else {}))
    lengths(runs, 1024 if quick else 65_536)
    if importlib.util.find_spec("jax") is None:
        print("\nJAX is not installed")
    else:
        against_jax(runs, **({"T": 128, "B": 2} if quick else {}))


if __name__ == "__main__":
    main()
