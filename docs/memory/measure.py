"""How far back an LTC's gradient reaches: draws docs/images/memory.png and prints the tables of docs/memory.md.

    python docs/memory/measure.py

Gradients: 8 random networks of each size, all neurons connected, 16 sequences of 501 standard normal inputs each, in
float64; the loss is the last potentials times a random unit vector.  Training: the adding problem, with several
strengths of the synapses, and with time constants that conductances or capacitances carry.  Takes some eight minutes
on one core; rounding aside the gradients are the same on every machine.
"""

import pathlib

import matplotlib.pyplot as plt
import numpy as np

from ltc_np import LTC, LTCRNN, Adam, CosineDecay, Dense, FullyConnected, Model
from ltc_np.cells import time_constants

SIZES, NETWORKS, SEQUENCES, LAG, INPUTS = (8, 32, 128), 8, 16, 500, 4
SOLVERS = {"semi_implicit": 6, "exponential": 3}
INITS = {"default": None, "time constants": {"time_constants": (1.0, float(LAG))}}
SHOWN = (1, 3, 10, 30, 100, 300, 500)
STRENGTHS = (1.0, 3.0, 10.0, 30.0)
ADDING = 100  # steps
COLOURS = {"default": "#b0b0b0", "time constants": "#1b7f79"}
STYLES = {"semi_implicit": "-", "exponential": ":"}
IMAGE = pathlib.Path(__file__).parents[1] / "images" / "memory.png"


def network(N, seed, solver, init):
    return LTCRNN(
        FullyConnected(N, erev_init_seed=seed), INPUTS, seed=seed, solver=solver, ode_unfolds=SOLVERS[solver],
        init=init, dtype="float64", input_mapping=None, output_mapping=None,
    )  # fmt: skip


def conductance(model, x, v):
    """Q of every neuron with these inputs and potentials, (B, N)."""
    p, wiring = model.effective, model.wiring
    Q = np.tile(p["gleak"], (len(x), 1))
    for kind, source in (("", v), ("sensory_", x)):
        pre, post = getattr(wiring, kind + "pre"), getattr(wiring, kind + "post")
        a = p[kind + "w"] / (1 + np.exp(-p[kind + "sigma"] * (source[:, pre] - p[kind + "mu"])))
        np.add.at(Q, (slice(None), post), a)
    return Q


def speed_up(model, x, v):
    """How many times shorter time constants are with these inputs and potentials than at rest, (B, N)."""
    return conductance(model, x, v) / conductance(model, 0 * x, 0 * v)


def one_step(N, solver):
    """Of the 21st step with the usual values: Q/c, spectral radius of the Jacobian, and |J u| / |u|: medians."""
    found = []
    for seed in range(NETWORKS):
        rng, model = np.random.default_rng(seed), network(N, seed, solver, None)
        for x in rng.standard_normal((2, 21, INPUTS)):
            _, v = model(x[:-1], return_state=True)
            _, tape = model.forward(np.tile(x[-1], (N, 1, 1)), h0=np.tile(v, (N, 1)))
            jacobian = model.backward(tape, np.eye(N)[:, None]).h0  # row i: the derivatives of potential i
            u = rng.standard_normal(N)
            radius = np.abs(np.linalg.eigvals(jacobian)).max()
            ratio = np.median(conductance(model, x[-1:], v[None]) / model.effective["cm"])
            found.append((ratio, radius, np.linalg.norm(jacobian @ u) / np.linalg.norm(u)))
    return np.median(found, axis=0)


def step_table():
    """Markdown."""
    lines = [
        "| N | $Q/c$ | $e^{-Q/c}$ | $(1 + Q/6c)^{-6}$ | solver | spectral radius | random direction |",
        "|---|---|---|---|---|---|---|",
    ]
    for N in SIZES:
        for solver in SOLVERS:
            ratio, radius, shrink = one_step(N, solver)
            frozen = f"{ratio:.2g} | {power(np.exp(-ratio))} | {power((1 + ratio / 6) ** -6)}"
            lines.append(f"| {N} | {frozen} | `{solver}` | {radius:.1e} | {shrink:.1e} |")
    return "\n".join(lines)


def gradients(N, solver, init):
    """Norms of the gradient by lag, (LAG + 1,), and by the first potentials, and the speed-up: medians."""
    by_lag, by_start, faster = [], [], []
    for seed in range(NETWORKS):
        rng, model = np.random.default_rng(seed), network(N, seed, solver, init)
        x = rng.standard_normal((SEQUENCES, LAG + 1, INPUTS))
        y, tape = model.forward(x)
        d_y = np.zeros_like(y)
        d_y[:, -1] = rng.standard_normal((SEQUENCES, N))
        d_y /= np.linalg.norm(d_y, axis=(1, 2), keepdims=True)
        g = model.backward(tape, d_y)
        by_lag.append(np.linalg.norm(g.x, axis=2)[:, ::-1])
        by_start.append(np.linalg.norm(g.h0, axis=1))
        faster.append(speed_up(model, x[:, -1], y[:, -2]))
    return np.median(np.concatenate(by_lag), axis=0), np.median(by_start), np.median(faster)


def power(value):
    return "0" if value == 0 else f"{value:.0e}"


def gradient_table(found):
    """Markdown, of the default solver; the picture has both."""
    lines = [
        "| N | initial values | " + " | ".join(f"lag {lag}" for lag in SHOWN) + " | first potentials |",
        "|---|---|" + "---|" * (len(SHOWN) + 1),
    ]
    for (N, name, solver), (by_lag, by_start, _) in found.items():
        if solver == "semi_implicit":
            cells = [power(by_lag[lag]) for lag in SHOWN] + [power(by_start)]
            lines.append(f"| {N} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(found):
    figure, panels = plt.subplots(1, len(SIZES), figsize=(11, 3.6), layout="constrained", sharey=True)
    for axes, N in zip(panels, SIZES, strict=True):
        for (size, name, solver), (by_lag, *_) in found.items():
            if size == N:
                shown = np.where(by_lag > 0, by_lag, np.nan)
                axes.plot(shown, STYLES[solver], color=COLOURS[name], lw=1.2, label=f"{name}, {solver}")
        axes.plot((3, LAG / 3), (0.02, 0.02 * 9 / LAG), "--", color="black", lw=0.8, label="1 / lag")
        axes.set(xscale="log", yscale="log", xlim=(1, LAG), ylim=(1e-16, 1), title=f"N = {N}", xlabel="time steps back")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("gradient of the last potentials\nby an input (median norm)")
    panels[-1].legend(fontsize=8, frameon=False, loc="lower right")
    figure.savefig(IMAGE, dpi=130, metadata={"Software": None})
    plt.close(figure)


def by_capacitance(params, positivity):
    """Multiply c, g and all w of every neuron by its time constant at rest: c becomes that, and Q becomes 1."""
    p = {name: np.log1p(np.exp(raw)) if positivity == "softplus" else raw.copy() for name, raw in params.items()}
    N, I = len(params["0.cm"]), len(params["0.input_w"])
    post = {"0.w": np.repeat(np.arange(N), N), "0.sensory_w": np.repeat(np.arange(N), I)}
    Q = p["0.gleak"].copy()
    for name, mu, sigma in (("0.w", "0.mu", "0.sigma"), ("0.sensory_w", "0.sensory_mu", "0.sensory_sigma")):
        np.add.at(Q, post[name], p[name] / (1 + np.exp(params[sigma] * params[mu])))
    tau = p["0.cm"] / Q
    for name in ("0.cm", "0.gleak", "0.w", "0.sensory_w"):
        value = p[name] * tau[post.get(name, slice(None))]
        params[name] = value + np.log(-np.expm1(-value)) if positivity == "softplus" else value


def adding(init, rate, seed, positivity="softplus", capacitance=False):
    """Mean squared error on unseen sequences of the adding problem: the sum of two numbers, marked among ADDING."""

    def sequences(count, rng):
        x = np.zeros((count, ADDING, 2))
        x[:, :, 0] = rng.uniform(size=(count, ADDING))
        for half in (0, ADDING // 2):
            x[np.arange(count), half + rng.integers(0, ADDING // 2, count), 1] = 1
        return x, x.prod(axis=2).sum(axis=1, keepdims=True)

    (x, y), (x_test, y_test) = (sequences(count, np.random.default_rng(k)) for k, count in enumerate((2000, 1000)))
    layer = LTC(FullyConnected(16), input_dim=2, solver="exponential", ode_unfolds=3, init=init, positivity=positivity)
    model = Model(layer, Dense(1), seed=seed, return_sequences=False)
    if capacitance:
        by_capacitance(model.params, positivity)
    epochs, batch = 30, 32
    optimizer = Adam(CosineDecay(rate, epochs * -(-len(x) // batch)))
    model.fit(x, y, epochs=epochs, batch_size=batch, optimizer=optimizer, clip_norm=1.0, seed=seed, verbose=False)
    return model.evaluate(x_test, y_test)["loss"]


def main():
    print(step_table(), flush=True)
    found = {}
    for N in SIZES:
        for name, init in INITS.items():
            for solver in SOLVERS:
                found[N, name, solver] = gradients(N, solver, init)
    print(gradient_table(found), flush=True)
    for (N, name, solver), (_, _, faster) in found.items():
        print(f"N = {N}, {name}, {solver}: time constants are {faster:.1f} times shorter than at rest")
    plot(found)
    span, usual = {"time_constants": (1.0, float(ADDING))}, time_constants.STRENGTH
    print(
        "| initial values | gradient over 500 steps, N = 8 | N = 32 | adding problem, three seeds |\n|---|---|---|---|"
    )
    for strength in (None, *STRENGTHS):
        time_constants.STRENGTH = strength or usual
        far = [gradients(N, "exponential", INITS["time constants" if strength else "default"])[0][LAG] for N in (8, 32)]
        errors = [f"{adding(span if strength else None, 0.03, seed):.4f}" for seed in range(3)]
        title = f"time constants, strength {strength:g}" if strength else "default"
        print(f"| {title} | {power(far[0])} | {power(far[1])} | {', '.join(errors)} |", flush=True)
    time_constants.STRENGTH = usual
    for positivity in ("softplus", "clip"):
        for carrier in ("conductances", "capacitance"):
            errors = [adding(span, 0.03, seed, positivity, carrier == "capacitance") for seed in range(8)]
            listed = ", ".join(f"{error:.4f}" for error in errors)
            print(f"| {positivity} | {carrier} | {listed} | {np.median(errors):.4f} |", flush=True)


if __name__ == "__main__":
    main()
