"""The table of docs/forecasting.md that counts what intervals cover, over 200 simulated series of 100 to 250 values.

    python docs/scripts/intervals.py                # prints the table
    python docs/scripts/intervals.py --write-docs   # and writes it

Every series is an autoregressive process, half of them with a season of 12.  A small network is trained once for each
series; then it forecasts from 9 later times.  Needs the extra ``sklearn``; takes four minutes of one core.
"""

import argparse
import datetime
import pathlib
import re
from unittest import mock

import numpy as np

from ltc_np.bench import host
from ltc_np.sklearn import LiquidForecaster, conformal

PAGE = pathlib.Path(__file__).resolve().parents[1] / "forecasting.md"
LENGTHS, SEEDS = (100, 150, 200, 250), range(50)  # one series each
HORIZON, SEASON, LATER, SHOWN = 12, 12, 40, (1, 12)
COVERAGE = 0.9
WAYS = "as learned", "plain quantile", "finite-sample quantile"
NETWORK = {"difference": None, "cell": "cfc", "units": 8, "epochs": 30}


def series(T, seed):
    """y[t] = 1.2 y[t - 1] - 0.5 y[t - 2] + noise; of odd seeds with a sine."""
    rng = np.random.default_rng([T, seed])
    y, noise = np.zeros(T + 50), rng.normal(size=T + 50)
    for t in range(2, len(y)):
        y[t] = 1.2 * y[t - 1] - 0.5 * y[t - 2] + noise[t]
    season = 3 * np.sin(2 * np.pi * (np.arange(T) / SEASON + rng.uniform()))
    return y[50:] + (season if seed % 2 else 0)


def measured(T, seed):
    """Shares of values inside, and widths, (ways, H) each, and how many errors say it, (H,)."""
    y = series(T + LATER + HORIZON, seed)
    forecaster = LiquidForecaster(random_state=seed, **NETWORK)
    with mock.patch.object(conformal, "shifts", wraps=conformal.shifts) as call:
        forecaster.fit(y[:T], HORIZON)
    _, curves, truth = (np.asarray(values) for values in call.call_args.args)
    error = np.maximum(curves[..., 0] - truth, truth - curves[..., -1])
    plain = np.nanquantile(error, COVERAGE, axis=0, method="inverted_cdf")[:, 0]
    network = forecaster.network_
    moved = forecaster.backtest(y, T, step=5, coverage=COVERAGE)
    forecaster.network_ = network._replace(shifts=np.zeros(()))
    learned = forecaster.backtest(y, T, step=5, coverage=COVERAGE).intervals[:, :, 0]
    intervals = np.stack([learned, learned + plain[:, None] * [-1, 1], moved.intervals[:, :, 0]])
    true = moved.actual[:, :, 0]
    inside = (intervals[..., 0] <= true) & (true <= intervals[..., 1])
    return inside.mean(axis=1), (intervals[..., 1] - intervals[..., 0]).mean(axis=1), network.errors[:, 0]


def row(name, errors, inside, width):
    """A line of the table, of means over (series, ways)."""
    cells = [f"{100 * share:.1f} %" for share in inside.mean(axis=0)] + [f"{w:.2f}" for w in width.mean(axis=0)]
    return f"| {name} | {errors.min()} to {errors.max()} | {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write-docs", action="store_true")
    write = parser.parse_args().write_docs
    found = [measured(T, seed) for T in LENGTHS for seed in SEEDS]
    inside, width, errors = (np.stack(own) for own in zip(*found, strict=True))
    lengths = np.repeat(LENGTHS, len(SEEDS))
    lines = [
        f"{len(found)} series of {LENGTHS[0]} to {LENGTHS[-1]} values, half of them with a season; a CfC of "
        f"{NETWORK['units']} units,",
        f"{NETWORK['epochs']} epochs, else by the defaults. Shares of the values after the end that lie",
        f"in their intervals for {100 * COVERAGE:.0f} %, and the widths of these intervals:",
        "",
        f"| | values held out | {' | '.join(WAYS)} | width | width | width |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for h in SHOWN:
        name = f"{h} step{'s' * (h > 1)} ahead"
        lines.append(row(name, errors[:, h - 1], inside[..., h - 1], width[..., h - 1]))
    for T in LENGTHS:
        own = lengths == T
        lines.append(row(f"{T} values", errors[own], inside[own].mean(axis=-1), width[own].mean(axis=-1)))
    lines.append(row("all", errors, inside.mean(axis=-1), width.mean(axis=-1)))
    spread = inside.mean(axis=-1).std(axis=0)[-1] / np.sqrt(len(found))
    cpu, day = host.machine()["cpu"], datetime.date.today()
    lines += [
        "",
        f"The standard error of the last line is {100 * spread:.1f} %. Made by `python docs/scripts/intervals.py` on a "
        f"{cpu}, {day}.",
        "",
    ]
    print("\n".join(lines))
    if write:
        text = PAGE.read_text(encoding="utf-8")
        begin, end = "<!-- docs/scripts/intervals.py -->\n", "<!-- end -->"
        new = re.sub(f"{begin}.*?{end}", lambda _: begin + "\n".join(lines) + end, text, flags=re.DOTALL)
        PAGE.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
