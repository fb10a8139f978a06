"""Irregular sampling: what is it good for that a network knows how much time has passed?

A mass on a spring that stiffens is driven by a force (`stiff_spring.py`).  Networks are given the force at random times
and asked for the place at each of them: without the elapsed times, as if all were equal; with each as one more input;
as the time that their own differential equation runs (`dt`); or both.  A linear forecast stands beside them, which
first puts the force on a regular grid along straight lines.

    python examples/irregular_sampling.py                 # ten networks, two seeds each, some 15 minutes on 2 cores
    python examples/irregular_sampling.py --quick         # three networks, few epochs, one seed; half a minute
    python examples/irregular_sampling.py --write-docs    # the full run, which also writes docs/results.md

`use_elapsed_time.py` tells the story with one seed, as a script and as a notebook.
"""

import argparse
import shlex
import sys
import textwrap
import time
from typing import Any, NamedTuple

import numpy as np
import stiff_spring
from comparison import add_arguments, check_arguments, mean_sd, put_section, train_all, write, written

from ltc_np import (
    GRU,
    LTC,
    Adam,
    CfC,
    CosineDecay,
    Dense,
    FullyConnected,
    Model,
    Standardize,
    dt_from_times,
    set_num_threads,
)

TITLE = "Irregular sampling"
UNITS, TRAINED, TESTED, EPOCHS, BATCH, RATE = 32, 400, 300, 60, 16, 0.01
MEAN = 0.3  # s between samples of the training, which is the networks' unit of time
MEANS = 0.15, 0.3, 0.6  # s, of the tests
CELLS = {"ltc": LTC(FullyConnected(UNITS)), "cfc": CfC(UNITS), "gru": GRU(UNITS)}


class Setting(NamedTuple):
    """A cell, and how it is told the elapsed times."""

    title: str
    cell: Any
    told: bool  # as `dt`
    shown: bool  # as an input


def settings():
    """{name: Setting}; a GRU has no notion of elapsed time, so it can only be shown them."""
    ways = {"untold": (False, False), "input": (False, True), "dt": (True, False), "both": (True, True)}
    titles = {"untold": "no times", "input": "times as an input", "dt": "dt", "both": "dt, and as an input"}
    return {
        f"{cell}_{way}": Setting(f"{type(layer).__name__}, {titles[way]}", layer, told, shown)
        for cell, layer in CELLS.items()
        for way, (told, shown) in ways.items()
        if not (told and cell == "gru")
    }


MODELS = settings()
QUICK = "ltc_untold", "ltc_input", "ltc_dt"


def inputs(setting, recorded):
    """What a network is given: x (n, T, 1 or 2), and dt (n, T) or None."""
    dt = dt_from_times(recorded.seconds, t0=0) / MEAN
    x = np.concatenate([recorded.force, dt[:, :, None]], axis=2) if setting.shown else recorded.force
    return x, dt if setting.told else None


def trained(setting, recorded, seed, epochs):
    """A network that has learnt these recordings."""
    x, dt = inputs(setting, recorded)
    model = Model(Standardize(), setting.cell, Dense(1), input_dim=x.shape[2], seed=seed)
    steps = epochs * -(-len(x) // BATCH)
    model.fit(
        x,
        recorded.place,
        dt=dt,
        epochs=epochs,
        batch_size=BATCH,
        optimizer=Adam(CosineDecay(RATE, steps)),
        clip_norm=1.0,
        standardize=True,
        seed=seed,
        verbose=False,
    )
    return model


def forecast(model, setting, recorded):
    """Places (n, T, 1)."""
    x, dt = inputs(setting, recorded)
    return model(x, dt=dt)


def data(seed):
    """Recordings for training, and {mean: those of a test}; seeds of one's own are other ones."""
    tests = {mean: stiff_spring.record(TESTED, mean, [seed, 1 + k]) for k, mean in enumerate(MEANS)}
    return stiff_spring.record(TRAINED, MEAN, [seed, 0]), tests


def errors(name, seed, threads, epochs):
    """Errors on the tests, one for each of MEANS, of a network; and its number of parameters."""
    set_num_threads(threads)
    start = time.perf_counter()
    known, tests = data(1)
    model = trained(MODELS[name], known, seed, epochs)
    found = [stiff_spring.error(forecast(model, MODELS[name], own), own) for own in tests.values()]
    text = ", ".join(f"{value:.3f}" for value in found)
    print(f"{name}, seed {seed}: errors {text}, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return found, model.theta.size


def linear_errors():
    """Those of the linear forecast."""
    known, tests = data(1)
    return [stiff_spring.error(stiff_spring.linear(known, own), own) for own in tests.values()]


def table(found, rival):
    """Markdown: errors in % by the mean time between samples."""
    lines = [f"| forecast | parameters | {' | '.join(f'{1000 * mean:.0f} ms' for mean in MEANS)} |"]
    lines.append("|---" * (2 + len(MEANS)) + "|")
    for name, own in found.items():
        cells = [mean_sd([100 * one[k] for one, _ in own], 1) for k in range(len(MEANS))]
        lines.append(f"| {MODELS[name].title} | {own[0][1]:,} | {' | '.join(cells)} |")
    cells = [f"{100 * value:.1f}" for value in rival]
    lines.append(f"| ridge regression on the resampled force | {stiff_spring.LAGS} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(found, rival, file):
    """Errors by the mean time between samples."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    colours = {"ltc": "#0072b2", "cfc": "#d55e00", "gru": "#009e73"}
    styles = {"untold": ":x", "input": "--s", "dt": "-o", "both": "-.D"}
    for name, own in found.items():
        cell, way = name.split("_")
        mean = 100 * np.mean([one for one, _ in own], axis=0)
        axes.plot(1000 * np.array(MEANS), mean, styles[way], color=colours[cell], label=MODELS[name].title)
    axes.plot(1000 * np.array(MEANS), 100 * np.array(rival), "k-", lw=2.5, label="ridge regression")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="mean time between samples, ms (training: 300)",
        ylabel="error, % of the places' own size",
    )
    axes.set_xticks(1000 * np.array(MEANS), [f"{1000 * mean:.0f}" for mean in MEANS])
    axes.set_yticks([10, 20, 50, 100], ["10", "20", "50", "100"])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, bbox_to_anchor=(1.01, 1), loc="upper left")
    write(file, lambda part: figure.savefig(part, dpi=110, format="png"))


def verdict(found, rival):
    """Which is best where, in a sentence or two."""
    best = []
    for k, mean in enumerate(MEANS):
        name = min(found, key=lambda name: np.mean([one[k] for one, _ in found[name]]))
        least = np.mean([one[k] for one, _ in found[name]])
        title = MODELS[name].title if least <= rival[k] else "ridge regression"
        best.append(f"{title} at {1000 * mean:.0f} ms")
    return f"**Least errors**: {'; '.join(best)}."


def section(found, rival, args, seconds):
    """The text of docs/results.md on this task."""
    low, high = stiff_spring.FREQUENCIES
    prose = f"""\
Where is a mass on a spring, if one knows the force that drives it? The spring becomes stiffer the farther it is
stretched: s'' = -w²(s + s³) - 2zws' + af(t), where w/2π = {stiff_spring.OMEGA / 2 / np.pi:g} Hz, z =
{stiff_spring.DAMPING:g}, a = {stiff_spring.DRIVE:g}. The force is a sum of three sines of random sizes, with
frequencies between {low:g} and {high:g} Hz. It is given at {stiff_spring.STEPS} random times, with exponentially
distributed times between them. The place of the mass at each of these times is asked for.

Networks of {UNITS} units and a dense readout learn from {TRAINED} recordings with {1000 * MEAN:.0f} ms between
samples on average, and are tested on {TESTED} others for each mean. "No times": the network is told nothing of
the times; "as an input": the time since the sample before is one more input; "dt": the cell's own equation runs for
that time. Adam has a learning rate that falls from {RATE:g} to 0 and runs for {args.epochs} epochs in batches
of {BATCH}, with gradients clipped to norm 1. The ridge regression sees the force of the last
{stiff_spring.GRID * stiff_spring.LAGS:.0f} s on a grid of {1000 * stiff_spring.GRID:.0f} ms, interpolated linearly.

The table has the root mean square error in % of the root mean square of the places, over the seeds
{", ".join(map(str, args.seeds))}:"""
    prose = "\n\n".join(textwrap.fill(part, 120) for part in prose.split("\n\n"))
    return f"""## {TITLE}

{prose}

{table(found, rival)}

{textwrap.fill(verdict(found, rival), 120)}

![Errors by the mean time between samples](images/irregular_sampling.png)

{written(args, seconds)}
"""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, MODELS, tuple(MODELS), [0, 1])
    parser.add_argument("--quick", action="store_true", help="three networks, 10 epochs, one seed")
    args = parser.parse_args(argv)
    args.command = shlex.join(["python", "examples/irregular_sampling.py", *(sys.argv[1:] if argv is None else argv)])
    if args.quick:
        args.seeds = args.seeds[:1]
        args.models = QUICK if args.models == tuple(MODELS) else args.models
    check_arguments(parser, args)
    args.epochs = args.epochs or (10 if args.quick else EPOCHS)
    start = time.perf_counter()
    found, rival = train_all(args, errors, args.epochs), linear_errors()
    seconds = time.perf_counter() - start
    print(table(found, rival))
    print(verdict(found, rival))
    if args.no_plot:
        return
    draw(found, rival, args.output / "irregular_sampling.png")
    if args.write_docs:
        put_section(TITLE, section(found, rival, args, seconds))


if __name__ == "__main__":
    main()
