"""Sunspots: how many next year?  Small LTCs and a linear autoregression, alone and together.

FILE is a text file of lines "year,number", one year after the other, with or without a line of names.  The yearly
numbers of 1700 to 2008 come with the Python package `statsmodels`, which the extra `examples` brings; then FILE need
not be named.

    python examples/sunspots.py                 # a minute
    python examples/sunspots.py FILE            # with a file of your own
    python examples/sunspots.py --write-docs    # the same, which also writes docs/results.md and its picture

The years up to 1939 are for training, the 69 from 1940 for the test; every forecast knows all numbers before its year.
The recipe: everything is learnt of the square roots of the numbers, because peaks are as uncertain as they are high;
windows of 60 years, of which the first 10 only start the state; Huber's loss; the mean of five LTCs; and half of it
is what an autoregression says.
"""

import argparse
import pathlib
import shlex
import sys
import textwrap
import time
from dataclasses import replace

import data_files
import numpy as np
from comparison import add_arguments, check_arguments, mean_sd, put_section, train_all, write, written

from ltc_np import set_num_threads
from ltc_np.data import windows
from ltc_np.recipe import Recipe

TITLE = "Sunspots"
FIRST_TEST_YEAR, LAGS = 1940, 9
WINDOW, WARM_UP, HOP, EPOCHS = 60, 10, 3, 150  # years
RECIPE = Recipe(
    units=16, ode_unfolds=1, time_constants=(1.0, 11.0), learning_rate=0.005, weight_decay=0.1, batch_size=8, ensemble=5
)
MODELS = {"ltc": f"{RECIPE.ensemble} LTCs, roots"}
LINE, BOTH = f"AR({LAGS}), roots", f"mean of AR({LAGS}) and the LTCs, roots"
HIGH = 120  # a number that few years of the training reach


def read(path):
    """Years (n,) and their numbers (n,)."""
    lines = pathlib.Path(path).read_text(encoding="utf-8").split()
    try:
        if lines and not lines[0][0].isdigit():  # names of the columns
            lines = lines[1:]
        years, numbers = np.array([line.split(",")[:2] for line in lines], float).T
    except ValueError:
        raise ValueError('must have lines "year,number"') from None
    if not (np.diff(years) == 1).all() or not years[0] + 100 < FIRST_TEST_YEAR < years[-1]:
        raise ValueError(f"must have every year, from 100 before {FIRST_TEST_YEAR} to some after, got {years[[0, -1]]}")
    return years, numbers


def autoregression(numbers, lags, first):
    """Forecasts of the numbers from ``first`` on: a linear function of the ``lags`` before, fitted to earlier ones."""
    rows = np.array([np.r_[1, numbers[t - lags : t]] for t in range(lags, numbers.size)])
    known = first - lags
    weights = np.linalg.lstsq(rows[:known], numbers[lags:first], rcond=None)[0]
    return rows[known:] @ weights


def forecasts(name, seed, threads, numbers, first, epochs):
    """Forecasts of the numbers from ``first`` on by LTCs that have learnt those before, (n,)."""
    set_num_threads(threads)
    recipe = replace(RECIPE, epochs=epochs)
    model = recipe.model(1, 1, steps=WINDOW, every_step=True, numbers=True, seed=seed)
    x, y = windows(numbers[:first, None], WINDOW, HOP)
    counts = np.ones(y.shape[:2])
    counts[:, :WARM_UP] = 0
    recipe.fit(model, x, y, sequences=len(x), loss="huber", sample_weight=counts, seed=seed, verbose=False)
    return model(numbers[:-1, None])[first - 1 :, 0]


def squared(roots):
    """The numbers that have these roots; a forecast below 0 means 0."""
    return np.maximum(roots, 0) ** 2


def error(forecast, numbers):
    """Mean absolute error."""
    return np.abs(forecast - numbers).mean()


def table(found, numbers):
    """Markdown: mean absolute errors, over all test years and over those of few and of many sunspots."""
    few = numbers <= HIGH
    parts = np.ones_like(few), few, ~few
    lines = [
        f"| forecast | all {few.size} years | {few.sum()} of at most {HIGH} | {(~few).sum()} of more |",
        "|---|---|---|---|",
    ]
    for title, own in found.items():
        cells = [mean_sd([error(forecast[part], numbers[part]) for forecast in own], 1) for part in parts]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(found, years, numbers, file):
    """The test years and what was forecast of them."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    axes.plot(years, numbers, "k.-", lw=1, label="sunspots")
    for k, title in enumerate((f"AR({LAGS})", BOTH)):
        for forecast in found[title]:
            axes.plot(years, forecast, color=f"C{k}", lw=1, label=title if forecast is found[title][0] else None)
    axes.set(xlabel="year", ylabel="number", title="one year ahead")
    axes.legend()
    write(file, lambda part: figure.savefig(part, dpi=110, format="png"))


def section(found, years, numbers, first, args, seconds):
    """The text of docs/results.md on this task."""
    test = numbers[first:]
    means = {title: np.mean([error(forecast, test) for forecast in own]) for title, own in found.items()}
    least = min(means, key=means.get)
    high, years_of = (found[title] for title in (MODELS["ltc"], LINE)), test > HIGH
    of_ltc, of_line = (np.mean([error(own[years_of], test[years_of]) for own in forecasts]) for forecasts in high)
    rare = (numbers[:first] > HIGH).sum()
    verdict = textwrap.fill(
        f"**Least error: {least}.** In years of more than {HIGH} sunspots the LTCs are off by {of_ltc:.1f}, the line "
        f"by {of_line:.1f}: only {rare} of the {first} years of training have so many, their largest number is "
        f"{numbers[:first].max():.0f}, and the test has {test.max():.0f}. A linear function goes on to numbers that "
        "it has not seen; the sigmoids of an LTC saturate.",
        120,
    )
    return f"""## {TITLE}

How many sunspots will there be next year? The data are yearly numbers, {years[0]:.0f} to {years[first - 1]:.0f} for
training and {years[first]:.0f} to {years[-1]:.0f} for the test. Every forecast knows all numbers before its year. AR(p)
is a linear function of the last p numbers, fitted by least squares; "roots" means that square roots are forecast from
square roots, and the forecast is squared. An LTC has {RECIPE.units} neurons, one unfold and time constants of 1 to
{RECIPE.time_constants[1]:g} years at the beginning. It learns from windows of {WINDOW} years, one every {HOP}, of which
the first {WARM_UP} weigh nothing, by Huber's loss. AdamW has decay {RECIPE.weight_decay:g} and a learning rate that
falls from {RECIPE.learning_rate:g} to 0, and runs for {args.epochs} epochs in batches of {RECIPE.batch_size}. The
answer is the mean of {RECIPE.ensemble}. All this was chosen by the errors in 1860 to 1939.

Mean absolute errors; those of LTCs over the seeds {", ".join(map(str, args.seeds))}:

{table(found, test)}

{verdict}

![Forecasts of the test years](images/sunspots.png)

{written(args, seconds)}
"""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", metavar="FILE", nargs="?", help='text file of lines "year,number"; see above')
    add_arguments(parser, MODELS, tuple(MODELS), [0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="10 epochs, one seed")
    args = parser.parse_args(argv)
    given = sys.argv[1:] if argv is None else list(argv)
    args.command = shlex.join(["python", "examples/sunspots.py", *("FILE" if w == args.file else w for w in given)])
    check_arguments(parser, args)
    try:
        (file,) = data_files.chosen([args.file], data_files.SUNSPOTS)
    except FileNotFoundError as problem:
        parser.error(f"FILE: {problem}")
    try:
        years, numbers = read(file)
    except (OSError, ValueError) as problem:
        parser.error(f"FILE {file}: {problem}")
    if args.quick:
        args.seeds = args.seeds[:1]
    args.epochs = args.epochs or (10 if args.quick else EPOCHS)
    first = int(np.searchsorted(years, FIRST_TEST_YEAR))
    start = time.perf_counter()
    found = {"the number of the year before": [numbers[first - 1 : -1]]}
    found |= {f"AR({lags})": [autoregression(numbers, lags, first)] for lags in (2, LAGS)}
    roots = np.sqrt(numbers)
    line = autoregression(roots, LAGS, first)
    learnt = train_all(args, forecasts, roots, first, args.epochs)["ltc"]
    found[LINE] = [squared(line)]
    found[MODELS["ltc"]] = [squared(own) for own in learnt]
    found[BOTH] = [squared((line + own) / 2) for own in learnt]
    seconds = time.perf_counter() - start
    print(table(found, numbers[first:]))
    if args.no_plot:
        return
    draw(found, years[first:], numbers[first:], args.output / "sunspots.png")
    if args.write_docs:
        put_section(TITLE, section(found, years, numbers, first, args, seconds))


if __name__ == "__main__":
    main()
