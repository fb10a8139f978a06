"""Error against cost of four solvers: draws docs/images/solvers.png.

    python docs/solvers/measure.py

It prints the table of docs/maths/ltc_solvers.md.  24 random networks of each size, all neurons connected, reversal
potentials +1 or -1, initial parameters as the library draws them; ten time steps of dt = 1 with normal inputs, from
v = 0.  An error is the largest of any potential after any step, against 2,000 exponential unfolds, in float64.  Takes
less than a minute; rounding aside the figures are the same on every machine.
"""

import pathlib

import matplotlib.pyplot as plt
import numpy as np

from ltc_np import LTCRNN, FullyConnected
from ltc_np.kernels.codes import SOLVERS

SIZES, NETWORKS, STEPS, INPUTS, REFERENCE = (8, 16, 32, 64), 24, 10, 4, 2000
COSTS = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)  # evaluations of all recurrent synapses in a time step
SHOWN = (6, 12, 24, 48, 96)
COLOURS = {"semi_implicit": "#e39c37", "euler": "#b0b0b0", "rk4": "#c2453c", "exponential": "#1b7f79"}
IMAGE = pathlib.Path(__file__).parents[1] / "images" / "solvers.png"


def potentials(N, seed, solver, unfolds):
    """All potentials after every time step of one network, (STEPS, N)."""
    x = np.random.default_rng(seed).standard_normal((STEPS, INPUTS))
    model = LTCRNN(
        FullyConnected(N, erev_init_seed=seed), INPUTS, seed=seed, solver=solver, ode_unfolds=unfolds,
        dtype="float64", input_mapping=None, output_mapping=None, check_stability="off",
    )  # fmt: skip
    return model(x)


def measure(N):
    """{solver: {cost: errors of the networks}}, and the largest doubt about the references."""
    references = [potentials(N, seed, "exponential", REFERENCE) for seed in range(NETWORKS)]
    doubt = max(
        np.abs(potentials(N, seed, "exponential", REFERENCE // 2) - reference).max()
        for seed, reference in enumerate(references)
    )
    errors = {}
    for name in COLOURS:
        solver = SOLVERS[name]
        costs = [cost for cost in COSTS if cost % solver.stages == 0]
        errors[name] = {
            cost: [
                np.nan_to_num(np.abs(potentials(N, seed, name, cost // solver.stages) - reference).max(), nan=np.inf)
                for seed, reference in enumerate(references)
            ]
            for cost in costs
        }
    return errors, doubt


def cell(value):
    return "-" if value is None else "diverges" if not value < 10 else f"{value:.1e}"


def table(sizes):
    """Medians at equal cost, as Markdown."""
    lines = [
        "| N | solver | " + " | ".join(f"{cost} evaluations" for cost in SHOWN) + " |",
        "|---|---|" + "---|" * len(SHOWN),
    ]
    for N, errors in sizes.items():
        for name in COLOURS:
            values = [np.median(errors[name][cost]) if cost in errors[name] else None for cost in SHOWN]
            lines.append(f"| {N} | `{name}` | " + " | ".join(map(cell, values)) + " |")
    return "\n".join(lines)


def ratios(errors):
    """Errors of semi-implicit with 6 unfolds over exponential with 3, network by network."""
    return np.array(errors["semi_implicit"][6]) / np.array(errors["exponential"][6])


def plot(sizes):
    figure, panels = plt.subplots(1, len(sizes), figsize=(11, 3.4), layout="constrained", sharey=True)
    for axes, (N, errors) in zip(panels, sizes.items(), strict=True):
        for name, by_cost in errors.items():
            costs = np.array(list(by_cost))
            values = np.minimum(list(by_cost.values()), 1e3)  # what diverges leaves the panel
            low, middle, high = np.quantile(values, (0.1, 0.5, 0.9), axis=1)
            axes.plot(costs, middle, color=COLOURS[name], marker=".", label=name)
            axes.fill_between(costs, low, high, color=COLOURS[name], alpha=0.15, linewidth=0)
        axes.set(xscale="log", yscale="log", ylim=(1e-8, 3), title=f"N = {N}", xlabel="evaluations per time step")
        axes.set_xticks((1, 3, 6, 12, 24, 48, 96), ("1", "3", "6", "12", "24", "48", "96"))
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("largest error of a potential")
    panels[0].legend(fontsize=8, frameon=False, loc="lower left")
    figure.savefig(IMAGE, dpi=130, metadata={"Software": None})
    plt.close(figure)


def main():
    sizes = {}
    with np.errstate(over="ignore", invalid="ignore"):  # explicit solvers diverge
        for N in SIZES:
            sizes[N], doubt = measure(N)
            ratio = ratios(sizes[N])
            print(
                f"N = {N}: references settled to {doubt:.0e}; semi_implicit, 6 unfolds, has {np.median(ratio):.1f} "
                f"times the error of exponential, 3 unfolds, in the median ({ratio.min():.1f} to {ratio.max():.1f})",
                flush=True,
            )
    print(table(sizes))
    plot(sizes)


if __name__ == "__main__":
    main()
