"""The table and the picture of docs/forecasting.md: airline passengers, three years that were not trained with.

    python docs/scripts/forecasting.py                # prints the table
    python docs/scripts/forecasting.py --write-docs   # and writes it and docs/images/forecasting.png

Needs the extras ``sklearn`` and ``plot``; takes half a minute.
"""

import argparse
import pathlib
import re

import numpy as np

from ltc_np.bench import host
from ltc_np.sklearn import LiquidForecaster

DOCS = pathlib.Path(__file__).resolve().parents[1]

# Thousands of passengers of international airlines by month, January 1949 to December 1960; G. E. P. Box and
# G. M. Jenkins, "Time Series Analysis: Forecasting and Control", 1970, series G.
PASSENGERS = """
112 118 132 129 121 135 148 148 136 119 104 118 115 126 141 135 125 149 170 170 158 133 114 140
145 150 178 163 172 178 199 199 184 162 146 166 171 180 193 181 183 218 230 242 209 191 172 194
196 196 236 235 229 243 264 272 237 211 180 201 204 188 235 227 234 264 302 293 259 229 203 229
242 233 267 269 270 315 364 347 312 274 237 278 284 277 317 313 318 374 413 405 355 306 271 306
315 301 356 348 355 422 465 467 404 347 305 336 340 318 362 348 363 435 491 505 404 359 310 337
360 342 406 396 420 472 548 559 463 407 362 405 417 391 419 461 472 535 622 606 508 461 390 432
"""
START, HORIZON, SEASON, SEEDS = 108, 12, 12, range(3)
MODELS = {"CfC, 32 units": {"cell": "cfc"}, "LTC, 32 units": {"cell": "ltc"}}


def regression(y):
    """Mean absolute errors (H,) of an autoregression on the 13 months before, step by step, in logarithms."""
    p = SEASON + 1
    rows = np.array([np.r_[1, y[t - p : t]] for t in range(p, START)])
    weights = np.linalg.lstsq(rows, y[p:START], rcond=None)[0]
    errors = []
    for T in range(START, len(y) - HORIZON + 1):
        past = list(y[:T])
        for _ in range(HORIZON):
            past.append(np.r_[1, past[-p:]] @ weights)
        errors.append(np.abs(np.exp(past[T:]) - np.exp(y[T : T + HORIZON])))
    return np.mean(errors, axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write-docs", action="store_true")
    write = parser.parse_args().write_docs
    passengers = np.array(PASSENGERS.split(), float)
    y, rows, inside = np.log(passengers), {}, {}
    for name, options in MODELS.items():
        found = [
            LiquidForecaster(difference=SEASON, random_state=seed, **options)
            .fit(y[:START], HORIZON)
            .backtest(y, START, season=SEASON)
            for seed in SEEDS
        ]
        own = [np.abs(np.exp(b.forecasts) - np.exp(b.actual)).mean(axis=(0, 2)) for b in found]
        rows[name] = np.mean(own, axis=0)
        inside[name] = np.mean([b.coverage.mean() for b in found])
        backtest = found[0]
    rows["autoregression, 13 months"] = regression(y)
    truth = np.exp(backtest.actual[:, :, 0])
    origins = backtest.origins[:, 1]
    rows["seasonal naive"] = np.abs(np.stack([passengers[T - 12 : T] for T in origins]) - truth).mean(axis=0)
    rows["naive"] = np.abs(passengers[origins - 1, None] - truth).mean(axis=0)
    lines = [
        "Passengers of airlines by month (Box and Jenkins' series G), in logarithms with `difference=12`, else by the",
        "defaults: trained with 1949 to 1957, tested with 1958 to 1960. Mean absolute errors in thousands of",
        f"passengers, {len(SEEDS)} seeds:",
        "",
        "| forecast | 1 month | 6 months | 12 months | mean of 1 to 12 | inside of intervals for 90 % |",
        "|---|---|---|---|---|---|",
    ]
    for name, own in rows.items():
        share = f"{100 * inside[name]:.0f} %" if name in inside else ""
        lines.append(f"| {name} | {own[0]:.1f} | {own[5]:.1f} | {own[11]:.1f} | {own.mean():.1f} | {share} |")
    lines += ["", f"Made by `python docs/scripts/forecasting.py` on a {host.machine()['cpu']}.", ""]
    print("\n".join(lines))
    if write:
        lines += ["![Passengers of 1957 to 1960, forecasts and intervals](images/forecasting.png)", ""]
        page = DOCS / "forecasting.md"
        text = page.read_text(encoding="utf-8")
        begin, end = "<!-- docs/scripts/forecasting.py -->\n", "<!-- end -->"
        new = re.sub(f"{begin}.*?{end}", lambda _: begin + "\n".join(lines) + end, text, flags=re.DOTALL)
        page.write_text(new, encoding="utf-8")
        draw(y)


def draw(y):
    """Three forecasts of a year, each with all that was known at its beginning."""
    from ltc_np import plot

    forecaster = LiquidForecaster(difference=SEASON, random_state=0, cell="cfc").fit(y[:START], HORIZON)
    coverages = 0.5, 0.9
    found = {name: np.full(len(y), np.nan) for name in ("median", *(f"{c} {k}" for c in coverages for k in (0, 1)))}
    for T in range(START, len(y), HORIZON):
        rows = slice(T, T + HORIZON)
        found["median"][rows] = np.exp(forecaster.predict(past=y[:T]))
        for c in coverages:
            for k, end in enumerate(np.exp(forecaster.predict_interval(c, past=y[:T])).T):
                found[f"{c} {k}"][rows] = end
    shown = slice(START - HORIZON, None)
    bands = {c: (found[f"{c} 0"][shown], found[f"{c} 1"][shown]) for c in coverages}
    month = 1949 + np.arange(len(y)) / 12
    with plot.style():
        axes = plot.predictions(month[shown], np.exp(y)[shown], found["median"][shown], intervals=bands)
        axes.set(xlabel="year", ylabel="thousand passengers", xticks=range(1957, 1962))
        axes.figure.savefig(DOCS / "images" / "forecasting.png", dpi=150)


if __name__ == "__main__":
    main()
