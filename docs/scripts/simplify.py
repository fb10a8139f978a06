"""Measure what docs/simplify.md says, and draw its picture, docs/images/simplify.png.

    python docs/scripts/simplify.py      # some minutes; prints the page's tables

An LTC of 19 neurons, all connected, learns the angle of a driven, damped pendulum that it sees at irregular times; then
it is made smaller in every way that `ltc_np.simplify` has.  Errors are on sequences that nothing was trained on.
"""

import functools
import pathlib
import tempfile
import warnings

import matplotlib.pyplot as plt
import numpy as np

from ltc_np import GRU, LTC, LTCRNN, Adam, CfC, CosineDecay, Dense, FullyConnected, Model, Standardize, Wiring, plot
from ltc_np.export import c
from ltc_np.simplify import closed_form, distil, fewer_unfolds, prune

IMAGE = pathlib.Path(__file__).parents[1] / "images" / "simplify.png"
STEPS, SEQUENCES, EPOCHS, BATCH = 60, 256, 300, 32


def pendulum(n, seed):
    """Torque (n, STEPS, 1), elapsed times (n, STEPS) and the angle (n, STEPS, 1) of q'' = -sin q - 0.5 q' + torque."""
    rng = np.random.default_rng(seed)
    dt, torque, angle = rng.uniform(0.1, 0.9, (n, STEPS)), np.empty((n, STEPS)), np.empty((n, STEPS))
    level, q, speed = rng.normal(0, 0.25, n), np.zeros(n), np.zeros(n)
    for t in range(STEPS):
        stays = np.exp(-dt[:, t] / 3)
        level = level * stays + rng.normal(0, 0.25, n) * np.sqrt(1 - stays**2)
        for _ in range(20):
            h = dt[:, t] / 20
            speed = speed + h * (level - np.sin(q) - 0.5 * speed)
            q = q + h * speed
        torque[:, t], angle[:, t] = level, q
    return torque[..., None], dt, angle[..., None]


def network(*cell, seed=0):
    return Model(Standardize(), *cell, Dense(1), Standardize(inverse=True), input_dim=1, seed=seed)


def options(epochs=EPOCHS, rate=0.02):
    """Of `fit`; made anew for every training, since an optimiser keeps its moments."""
    steps = epochs * -(-SEQUENCES // BATCH)
    return {
        "epochs": epochs, "batch_size": BATCH, "optimizer": Adam(CosineDecay(rate, steps)), "clip_norm": 1.0, "seed": 0,
        "verbose": False,
    }  # fmt: skip


def few_synapses(count, trials=200):
    """Median errors of one step of dt = 1 of single neurons with so many constant inputs, against the exact solution.

    From v = 0; of the published formula, the same where the leak pulls to E too (one synapse only), and frozen.
    """
    rng, found = np.random.default_rng(count), []
    for trial in range(trials):
        wiring = Wiring.from_edges(1, [], [(k, 0, rng.choice([-1, 1])) for k in range(count)], input_dim=count)
        x, errors = rng.uniform(size=(1, 1, count)), []
        model = LTCRNN(wiring, seed=trial, dtype="float64", solver="exponential", ode_unfolds=1)
        for formula in ("published", "frozen"):
            errors.append(closed_form(model, x, formula=formula).error.largest)
        model.params["vleak"] = model.params["sensory_erev"][0]
        errors.append(closed_form(model, x, formula="published").error.largest)
        found.append(errors)
    return np.median(found, axis=0)


@functools.cache
def test_data():
    return pendulum(64, 1)


def outputs(model):
    x, dt, _ = test_data()
    return model(x, dt=dt if model.takes_dt else None)


def rms(model):
    """Root mean square error of the angle."""
    return np.sqrt(np.mean((outputs(model) - test_data()[2]) ** 2))


def trained(*cell):
    x, dt, y = pendulum(SEQUENCES, 0)
    model = network(*cell)
    model.fit(x, y, dt=dt if model.takes_dt else None, standardize=True, **options())
    return model


def told(result):
    """Error to the original, error of the angle, time."""
    x, dt, _ = test_data()
    return f"{result.error}; rms {rms(result.model):.4f}, time {result.time_ratio(x, dt=dt):.2f}"


def closed(model):
    x, dt, _ = test_data()
    for formula in ("published", "frozen"):
        result = closed_form(model, x, dt=dt, formula=formula)
        if np.isfinite(result.error.rms):
            print(f"  {formula}: {told(result)}")
            continue
        y, wanted = (one(x[:, :1], dt=dt[:, :1]) for one in (result.model, model))
        first = np.sqrt(np.mean((y - wanted) ** 2)) / wanted.std()
        print(f"  {formula}: its state overflows; after the first step it is off by {first:.0%} of the spread")


def unfolds(model, tolerance):
    x, dt, _ = test_data()
    result = fewer_unfolds(model, x, tolerance, dt=dt)
    print(f"{result}\n  {told(result)}", flush=True)


def students(teacher):
    x, dt, _ = pendulum(2 * SEQUENCES, 2)
    for name, cell in {
        "CfC(19)": lambda: CfC(19, backbone_units=32),
        "GRU(19)": lambda: GRU(19),
        "LTC, 8 neurons, 3 unfolds": lambda: LTC(FullyConnected(8, 4), ode_unfolds=3, init="time_constants"),
    }.items():
        student = network(cell(), seed=1)
        result = distil(teacher, student, x, dt=dt, standardize=True, **options(EPOCHS // 2))
        print(
            f"  {name}: {result.after.parameters} parameters, {told(result)}, alone {rms(trained(cell())):.4f}",
            flush=True,
        )


def cuts(model, **more):
    """Prune down to a tenth of the synapses, and print size, errors and time after every cut."""
    (x, dt, _), models = pendulum(64, 0), []

    def error(one):
        models.append(one)
        return rms(one)

    result = prune(model, x, dt=dt, keep=0.1, error=error, **more)
    wanted, (x, dt, _) = outputs(model), test_data()
    for row, one in zip(result.table, models, strict=True):
        relative = np.sqrt(np.mean((outputs(one) - wanted) ** 2)) / wanted.std()
        time, size = result._replace(model=one).time_ratio(x, dt=dt), row.size
        print(f"  {size.state} neurons, {size.synapses} synapses: {relative:.1%} rms {row.error:.4f} time {time:.2f}")


def main():
    print("one neuron, n constant synapses: published, frozen, published with vleak = E (n = 1)")
    for count in (1, 2, 4, 8):
        published, frozen, same = few_synapses(count)
        print(f"  {count}: {published:.1e} {frozen:.1e}", f"{same:.1e}" if count == 1 else "")
    model = trained(LTC(FullyConnected(19, 8), init="time_constants"))
    exact = trained(LTC(FullyConnected(19, 8), init="time_constants", solver="exponential", ode_unfolds=3))
    for name, one in (("semi-implicit, 6 unfolds", model), ("exponential, 3 unfolds", exact)):
        print(f"\nLTC, {name}: spread of the angle {test_data()[2].std():.3f}, rms {rms(one):.4f}; closed form")
        closed(one)
        unfolds(one, 0.05)
    x, dt, y = pendulum(SEQUENCES, 0)
    small = fewer_unfolds(model, x[:8], 10.0, dt=dt[:8], solvers=["exponential"]).model
    print(f"\none exponential unfold with the weights of six semi-implicit ones: rms {rms(small):.4f}", end="")
    small.fit(x, y, dt=dt, **options(50, 0.005))
    print(f", after 50 epochs {rms(small):.4f}")

    print("\ndistilled, on sequences without targets; alone: trained on the targets instead")
    students(model)
    print("\npruned, w = 0")
    cuts(model, compensate=False)
    print("pruned, the mean to the leak")
    cuts(model)
    print("the same, and 20 epochs of training after each cut")
    cuts(model, fine_tune=lambda one: one.fit(x, y, dt=dt, **options(20, 0.005)))
    result = prune(model, x[:64], dt=dt[:64], tolerance=0.1)
    with tempfile.TemporaryDirectory() as folder:
        for one in (model, result.model):
            export = c.write(one, pathlib.Path(folder) / "c", "net", libm=False, measure=False)
            print(f"in C: {export.table_bytes} bytes of tables")
    draw(model, result)


def draw(model, result):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for axes, one, size in ((left, model, result.before), (right, result.model, result.after)):
        plot.wiring(one, ax=axes, input_names=["torque"])
        axes.set_title(f"{size.state} neurons, {size.synapses} synapses", fontsize=11)
    figure.savefig(IMAGE, dpi=130, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no input reaches")
        main()
