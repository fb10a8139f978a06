"""Missing hours: how much electricity in the next three hours, if the meter fails at times?

Inputs are missing and so are targets, since what is not measured cannot be taught either (`demand.py`).  Two ways with
missing inputs are compared: fill in the last value, and say that it is filled in and how old it is; or leave the hours
out and tell the network by `dt` how much time has passed.  Missing targets are NaN, and `missing="ignore"` leaves them
out of the loss.

    python examples/missing_hours.py                 # five networks, three seeds each; some minutes on 2 cores
    python examples/missing_hours.py --quick         # few epochs, one seed
    python examples/missing_hours.py --write-docs    # the full run, which also writes docs/results.md
    python examples/missing_hours.py TRAIN TEST      # ItalyPowerDemand_TRAIN.ts and ItalyPowerDemand_TEST.ts

The extra `examples` brings a package that has these two files; then they need not be named.
`cope_with_gaps.py` tells the story with one seed, as a script and as a notebook.
"""

import argparse
import re
import shlex
import sys
import textwrap
import time
from typing import Any, NamedTuple

import data_files
import demand
import numpy as np
from comparison import add_arguments, check_arguments, mean_sd, put_section, train_all, write, written

from ltc_np import (
    GRU,
    LTC,
    AdamW,
    CfC,
    CosineDecay,
    Dense,
    Dropout,
    FullyConnected,
    Model,
    dt_from_times,
    set_num_threads,
)
from ltc_np.data import forward_fill

TITLE = "Missing hours"
UNITS, EPOCHS, BATCH, DECAY = 32, 80, 16, 0.01
DAY = 2 * np.pi / demand.HOURS


class Setting(NamedTuple):
    """A cell, its learning rate, and its way with missing inputs."""

    title: str
    cell: Any
    rate: float
    fills: bool  # or leaves out


MODELS = {
    "ltc_filled": Setting("LTC, filled in", LTC(FullyConnected(UNITS)), 0.02, True),
    "ltc_dt": Setting("LTC, left out, dt", LTC(FullyConnected(UNITS)), 0.02, False),
    "cfc_filled": Setting("CfC, filled in", CfC(UNITS), 0.005, True),
    "cfc_dt": Setting("CfC, left out, dt", CfC(UNITS), 0.005, False),
    "gru_filled": Setting("GRU, filled in", GRU(UNITS), 0.005, True),
}


def clock():
    """The hour of the day as a point on a circle, (24, 2)."""
    hour = np.arange(demand.HOURS)
    return np.stack([np.sin(DAY * hour), np.cos(DAY * hour)], axis=1)


def filled(days):
    """What a network is given, x (n, 24, 5): the last value, whether it is new, how old it is, and the clock."""
    parts = forward_fill(days.seen[:, :, None])
    return {"x": np.concatenate([*parts, np.broadcast_to(clock(), (len(days.seen), demand.HOURS, 2))], axis=2)}


def left_out(days):
    """The same as lists of sequences of unequal length: x, the value and the clock at hours that were seen, and dt."""
    hours = [np.flatnonzero(~np.isnan(seen)) for seen in days.seen]
    x = [np.c_[seen[own], clock()[own]] for seen, own in zip(days.seen, hours, strict=True)]
    return {"x": x, "dt": [dt_from_times(own, t0=-1) for own in hours]}


def taught(setting, days):
    """Inputs, and targets with NaN: of every hour, or of those that were seen."""
    later = demand.ahead(days.seen)
    if setting.fills:
        return {**filled(days), "y": later}
    return {**left_out(days), "y": [own[~np.isnan(seen)] for own, seen in zip(later, days.seen, strict=True)]}


def trained(setting, known, validation, seed, epochs):
    """A network that has learnt the days known, with the weights that were best for what was seen in the others."""
    model = Model(setting.cell, Dropout(0.1), Dense(demand.AHEAD), input_dim=5 if setting.fills else 3, seed=seed)
    steps = epochs * -(-len(known.seen) // BATCH)
    model.fit(
        **taught(setting, known),
        missing="ignore",
        validation=taught(setting, validation),
        epochs=epochs,
        batch_size=BATCH,
        optimizer=AdamW(CosineDecay(setting.rate, steps), weight_decay=DECAY),
        clip_norm=1.0,
        seed=seed,
        verbose=False,
    )
    return model


def forecast(model, setting, days):
    """Forecasts (n, 24, 3), at hours that were seen."""
    if setting.fills:
        return model.predict(**filled(days))
    found = np.full((*days.seen.shape, demand.AHEAD), np.nan)
    found[~np.isnan(days.seen)] = np.concatenate(model.predict(**left_out(days)))
    return found


def train(name, seed, threads, days, epochs):
    """Errors on the test 1, 2 and 3 hours ahead, and the number of parameters, of a network."""
    set_num_threads(threads)
    known, validation, test = days
    model = trained(MODELS[name], known, validation, seed, epochs)
    return demand.errors(forecast(model, MODELS[name], test), test), model.theta.size


def rivals(days):
    """{title: errors} of the forecasts that need no network."""
    known, validation, test = days
    forecasts = {
        "the last value": demand.last_value(test),
        "the mean day": demand.mean_day(known, test),
        "ridge regression": demand.linear(known, test, demand.chosen_penalty(known, validation)),
    }
    return {title: demand.errors(own, test) for title, own in forecasts.items()}


def table(found, others):
    """Markdown: errors by the hours ahead."""
    lines = ["| forecast | parameters | 1 hour | 2 hours | 3 hours |", "|---|---|---|---|---|"]
    lines += [f"| {title} | | {' | '.join(f'{value:.3f}' for value in own)} |" for title, own in others.items()]
    for name, own in found.items():
        cells = [mean_sd([one[k] for one, _ in own], 3) for k in range(demand.AHEAD)]
        lines.append(f"| {MODELS[name].title} | {own[0][1]:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(found, others, file):
    """Errors by the hours ahead."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 3.8), layout="constrained")
    rows = {title: (own, "0.6") for title, own in others.items()}
    for name, own in found.items():
        colour = "#0072b2" if MODELS[name].fills else "#d55e00"
        rows[MODELS[name].title] = np.mean([one for one, _ in own], axis=0), colour
    for k, (own, colour) in enumerate(rows.values()):
        for ahead, value in enumerate(own):
            axes.bar(k + 0.27 * (ahead - 1), value, 0.25, color=colour, alpha=(1, 0.75, 0.5)[ahead])
    labels = [re.sub(r", | (?=\S+$)", lambda gap: gap[0].replace(" ", "\n"), title, count=1) for title in rows]
    axes.set_xticks(range(len(rows)), labels)
    axes.tick_params(labelsize=9)
    axes.set(ylim=(0, 0.6), ylabel="error 1, 2, 3 hours ahead")
    cut = rows["the last value"][0]
    for ahead, value in enumerate(cut):
        if value > 0.6:
            axes.annotate(f"{value:.1f}", (0.27 * (ahead - 1), 0.6), ha="center", va="bottom", fontsize=9)
    write(file, lambda part: figure.savefig(part, dpi=110, format="png"))


def verdict(found, others):
    """Who is better, in a sentence."""
    means = {MODELS[name].title: np.mean([one for one, _ in own], axis=0).mean() for name, own in found.items()}
    best, linear = min(means, key=means.get), others["ridge regression"].mean()
    if means[best] < linear:
        return (
            f"Least errors: **{best}**, over the three hours {100 * (1 - means[best] / linear):.0f} % less than ridge."
        )
    return f"**Ridge regression wins**: over the three hours the best network ({best}) has larger errors."


def section(found, others, days, args, seconds):
    """The text of docs/results.md on this task."""
    lost = np.isnan(np.concatenate([own.seen for own in days])).mean()
    prose = f"""\
How much electricity will be used in the next three hours, if the meter fails at times? ItalyPowerDemand has
{sum(len(own.seen) for own in days):,} days of 24 hours, in units of each day's spread. A meter that works fails in the
next hour with a chance of {demand.FAILS:g}; one that has failed works again in the next hour with a chance of
{demand.WORKS:g}. So {100 * lost:.0f} % of all hours are lost, as inputs and as targets, and no training sees them. At
random {len(days[0].seen)} days are for training, {len(days[1].seen)} choose weights and penalty, {len(days[2].seen)}
are the test. A forecast is made whenever the meter has shown a
value. Errors are root mean squares against the true values, also in hours that the meter lost.

"Filled in": a network sees the last value, whether it is new and how old it is, by `forward_fill`. "Left out": it sees
only the hours in which the meter worked, with the hours since the one before as `dt`. Both are told the hour of the
day. The networks have {UNITS} units, 10 % dropout and a dense readout. AdamW has a learning rate that falls from
{MODELS["ltc_dt"].rate:g} (LTC) or {MODELS["cfc_dt"].rate:g} to 0 and runs for {args.epochs} epochs in batches of
{BATCH}, with gradients clipped to norm 1. There is a ridge regression for each hour of the day and each hour ahead, on
the last value at every hour so far, and whether it was new. Over the seeds {", ".join(map(str, args.seeds))}:"""
    prose = "\n\n".join(textwrap.fill(part, 120) for part in prose.split("\n\n"))
    return f"""## {TITLE}

{prose}

{table(found, others)}

{textwrap.fill(verdict(found, others), 120)}

![Errors 1, 2 and 3 hours ahead](images/missing_hours.png)

{written(args, seconds)}
"""


def read_days(files):
    """Days for training, validation and the test from the two files, given or of a package; a list of three."""
    return demand.split(np.concatenate([demand.read(file) for file in data_files.chosen(files, *data_files.DEMAND)]))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", metavar="TRAIN", nargs="?", help=".ts file; see above")
    parser.add_argument("test", metavar="TEST", nargs="?", help=".ts file")
    add_arguments(parser, MODELS, tuple(MODELS), [0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="5 epochs, one seed")
    args = parser.parse_args(argv)
    given = sys.argv[1:] if argv is None else list(argv)
    shown = [{args.train: "TRAIN", args.test: "TEST"}.get(word, word) for word in given]
    args.command = shlex.join(["python", "examples/missing_hours.py", *shown])
    if args.quick:
        args.seeds = args.seeds[:1]
    check_arguments(parser, args)
    try:
        days = read_days([args.train, args.test])
    except (OSError, ValueError) as error:
        parser.error(f"TRAIN and TEST: {error}")
    args.epochs = args.epochs or (5 if args.quick else EPOCHS)
    start = time.perf_counter()
    others, found = rivals(days), train_all(args, train, days, args.epochs)
    seconds = time.perf_counter() - start
    print(table(found, others))
    print(verdict(found, others))
    if args.no_plot:
        return
    draw(found, others, args.output / "missing_hours.png")
    if args.write_docs:
        put_section(TITLE, section(found, others, days, args, seconds))


if __name__ == "__main__":
    main()
