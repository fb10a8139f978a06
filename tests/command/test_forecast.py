"""`forecast`: its numbers are those of `LiquidForecaster` and of loops; a mistake is a line, and nothing is written."""

import argparse
import csv
import datetime
import json
import os
import signal
import sys
import threading
import warnings

import numpy as np
import pytest
from support.tables import SMALL, change, write_csv

pytest.importorskip("sklearn")

from ltc_np.command import backtested, calendar, continued, forecast, pictures, tables, train, used
from ltc_np.command.task import Task
from ltc_np.shortcut.ridge import ridge
from ltc_np.sklearn import LiquidForecaster

T, H, START = 80, 3, 64
BY_THE_BEST = ["forecast", "sales.csv", "--target", "shop", "--time", "month", "--horizon", H, "--no-calendar", *SMALL]
ASKED = [*BY_THE_BEST[:1], "--use", "network", *BY_THE_BEST[1:]]
LTC, NOW, SEASON, LINE = "ltc, 4 units", used.NOW, used.SEASON, used.LINE


def months(count=T):
    return [f"{2010 + k // 12}-{k % 12 + 1:02d}-01" for k in range(count)]


def sales():
    """A trend with a season of 12, and one with a season of 7."""
    rng, t = np.random.default_rng(0), np.arange(T)
    shop = 0.2 * t + np.sin(2 * np.pi * t / 12) + 0.1 * rng.normal(size=T)
    web = np.tile(rng.normal(size=7), 12)[:T] + 0.1 * rng.normal(size=T)
    price = rng.normal(size=T)
    return {"month": months(), "shop": shop.tolist(), "web": web.tolist(), "price": price.tolist()}


def forecaster(**more):
    small = {"units": 4, "ode_unfolds": 1, "epochs": 2, "backend": "numpy", "random_state": 0}
    return LiquidForecaster(**small | {"in_advance": False} | more)


@pytest.fixture
def table(here):
    write_csv(here / "sales.csv", sales())
    return {name: np.array(values) for name, values in sales().items()}


def read(path):
    with open(path, newline="") as file:
        names, *rows = csv.reader(file)
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def test_numbers_are_those_of_the_forecaster_and_of_loops(table, ltc):
    status, out, _ = ltc(*ASKED, "--out", "f.csv", "--json")
    assert status == 0
    said, y = json.loads(out), table["shop"]
    judged = forecaster().fit(y[:START], H)
    wanted = judged.backtest(y, START, season=12)
    found = said["targets"]["shop"]
    np.testing.assert_allclose(found["mae"][LTC], wanted.mae, rtol=1e-12)
    np.testing.assert_allclose(found["mae"][NOW], wanted.naive_mae, rtol=1e-12)
    np.testing.assert_allclose(found["mae"][SEASON], wanted.seasonal_mae, rtol=1e-12)
    np.testing.assert_allclose(found["coverage"]["steps"], wanted.coverage, rtol=1e-12)
    assert found["coverage"]["wanted"] == 0.9 and found["season"] == 12 and said["difference"] == judged.difference_
    assert said["roles"] == {
        "target": ["shop"], "features": ["shop"], "time": ["month"], "not read": ["web", "price"],
    }  # fmt: skip
    assert said["judged"] == 14 and said["rows"] == T and said["file"] == "f.csv" and said["picture"] is None
    ahead = forecaster(difference=judged.difference_).fit(y, H)
    rows = read("f.csv")
    assert rows["month"] == ["2016-09-01", "2016-10-01", "2016-11-01"] and said["forecast"]["month"] == rows["month"]
    exact = np.column_stack([ahead.predict(), ahead.predict_interval(0.9)])
    assert ahead.difference_ == 1
    decimals = 8 - int(np.floor(np.log10(np.abs(exact - y[-1]).max())))  # float32 has nine digits of a difference
    for name, values in zip(("forecast", "lower", "upper"), exact.T.tolist(), strict=True):
        wanted = [round(value, decimals) for value in values]
        assert list(map(float, rows[f"{name}_shop"])) == wanted == said["forecast"][f"{name}_shop"]


def test_forecasts_have_the_digits_of_the_networks_part():
    """Nine of the largest in a column: a difference from 123456789.25 is known to more decimals than the whole."""
    found = np.array([[[123456790.12345679123, 123456789.25 + 1e-12], [0.123456789123, -1.0]]])
    naive = np.array([[[123456789.25], [0.0]]])
    assert backtested.rounded(found, naive).tolist() == [[[123456790.12345679, 123456789.25], [0.12345679, -1.0]]]
    assert backtested.rounded(found, naive * 0)[0, 0].tolist() == [123456790.0, 123456789.0]
    assert backtested.rounded(naive, naive).tolist() == naive.tolist()
    assert backtested.rounded(np.full((1, 1, 1), 1e-310), np.zeros((1, 1, 1))).tolist() == [[[1e-310]]]


def test_the_line_is_a_ridge_regression_of_the_last_rows(table, ltc):
    """Of as many rows as the sixth part of the training has, of the differences that the network reads."""
    said = json.loads(ltc(*ASKED, "--json")[1])
    y, steps = table["shop"], START // 6
    d = np.append(np.nan, np.diff(y))
    assert said["difference"] == 1

    def row(t):
        return [d[t - k] for k in range(steps)]

    known = list(range(1 + steps - 1, START - H))
    x, later = np.array([row(t) for t in known]), range(START - 1, T - H)
    wanted = np.array([[y[t + h] - y[t] for h in range(1, H + 1)] for t in known])
    answers = ridge(x, wanted).predict(np.array([row(t) for t in later]))
    truth = np.array([[y[t + h] - y[t] for h in range(1, H + 1)] for t in later])
    errors = np.abs(answers - truth).mean(axis=0)
    np.testing.assert_allclose(said["targets"]["shop"]["mae"][LINE], errors, rtol=1e-9)
    assert answers.max() > wanted.max() or answers.min() < wanted.min() or errors.max() < 1  # it is not clipped


def test_several_targets_features_and_gaps(table, here, ltc):
    """Each target has errors and a season of its own; what is missing counts nowhere, and features are filled."""
    gaps = change(sales(), shop={20: None, 70: None}, price={0: None, 5: None})
    write_csv(here / "gaps.csv", gaps)
    line = ["forecast", "gaps.csv", "--target", "shop,web", "--features", "price", "--horizon", H, "--use", "network"]
    line += [*SMALL, "--json"]
    status, out, _ = ltc(*line)
    assert status == 0
    said = json.loads(out)
    y = np.array([gaps["shop"], gaps["web"]], float).T
    price = np.array(gaps["price"], float)
    price[0] = np.nanmean(price[:START])
    price[5] = price[4]
    test = forecaster().fit(y[:START], H, price[:START]).backtest(y, START, price)
    for k, (name, season) in enumerate((("shop", 12), ("web", 7))):
        error = np.abs(test.forecasts - test.actual)[..., k]
        np.testing.assert_allclose(said["targets"][name]["mae"][LTC], np.nanmean(error, axis=0), rtol=1e-12)
        low, high = test.intervals[:, :, k, 0], test.intervals[:, :, k, 1]
        inside = [
            np.mean([low[n, h] <= a <= high[n, h] for n, a in enumerate(test.actual[:, h, k]) if a == a])
            for h in range(H)
        ]
        np.testing.assert_allclose(said["targets"][name]["coverage"]["steps"], inside, rtol=1e-12)
        assert said["targets"][name]["season"] == season
    assert list(said["forecast"]) == [
        *("row", "forecast_shop", "lower_shop", "upper_shop", "forecast_web", "lower_web", "upper_web")
    ]
    assert said["forecast"]["row"] == [80, 81, 82]


def test_a_season_and_a_coverage_that_are_given(table, ltc):
    said = json.loads(ltc(*ASKED, "--season", 5, "--coverage", 0.8, "--json")[1])["targets"]["shop"]
    y = table["shop"]
    levels = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
    test = forecaster(quantiles=levels).fit(y[:START], H).backtest(y, START, season=5, coverage=0.8)
    np.testing.assert_allclose(said["mae"][SEASON], test.seasonal_mae, rtol=1e-12)
    np.testing.assert_allclose(said["coverage"]["steps"], test.coverage, rtol=1e-12)


def test_who_erred_least_forecasts(table, ltc):
    """Each by its formula: all but the network's and the mean of both, of a line that has learned from all rows."""
    said = {use: json.loads(ltc(*BY_THE_BEST, "--use", use, "--json")[1]) for use in ("best", "network", *used.BY_WORD)}
    mean = {who: np.mean(errors) for who, errors in said["best"]["targets"]["shop"]["mae"].items()}
    assert said["best"]["targets"]["shop"]["used"] == min(mean, key=mean.get)
    rival = min((who for who in mean if who not in (LTC, used.MIXED)), key=mean.get)
    assert said["best"]["targets"]["shop"]["verdict"].endswith(f"`{rival}`")
    same = next(use for use in said if said[use]["targets"]["shop"]["used"] == min(mean, key=mean.get))
    assert said["best"]["forecast"] == said[same]["forecast"]
    y = table["shop"]
    found = {use: np.array(one["forecast"]["forecast_shop"]) for use, one in said.items()}
    assert found["now"].tolist() == pytest.approx([y[-1]] * H) and found["season"] == pytest.approx(y[-12:][:H])
    assert found["mean"] == pytest.approx([y.mean()] * H)
    errors = [y[t + 1] - y[: t + 1].mean() for t in range(START - 1, T - H)]
    assert said["mean"]["targets"]["shop"]["mae"][used.MEAN][0] == pytest.approx(np.abs(errors).mean())
    assert found["mixed"] == pytest.approx((found["network"] + found["linear"]) / 2)
    d, steps = np.append(np.nan, np.diff(y)), T // 6

    def row(t):
        return [d[t - k] for k in range(steps)]

    known = range(1 + steps - 1, T - H)
    line = ridge(
        np.array([row(t) for t in known]), np.array([[y[t + h] - y[t] for h in range(1, H + 1)] for t in known])
    )
    assert found["linear"] == pytest.approx(y[-1] + line.predict(np.array([row(T - 1)]))[0])


def test_each_target_repeats_its_own_season(table, ltc):
    line = [option if option != "shop" else "shop,web" for option in BY_THE_BEST]
    found = json.loads(ltc(*line, "--use", "season", "--json")[1])["forecast"]
    assert found["forecast_shop"] == pytest.approx(table["shop"][-12:][:H])
    assert found["forecast_web"] == pytest.approx(table["web"][-7:][:H])


def test_intervals_of_who_is_no_network(table, ltc):
    """Quantiles of its errors in the backtest, one step ahead like another; what they held, by the errors before."""
    said = json.loads(ltc(*BY_THE_BEST, "--use", "now", "--coverage", 0.6, "--json")[1])
    y, rows = table["shop"], np.arange(START - 1, T - H)
    errors = np.array([[y[t + h] - y[t] for h in range(1, H + 1)] for t in rows])

    def ends(errors):
        size, tail = np.abs(errors).mean(axis=0), 1 - (len(errors) + 1) / len(errors) * 0.8
        return [[size[h] * np.quantile(errors / size, level) for level in (tail, 1 - tail)] for h in range(H)]

    found = said["forecast"]
    for h, (low, high) in enumerate(ends(errors)):
        assert [found["lower_shop"][h], found["upper_shop"][h]] == pytest.approx([y[-1] + low, y[-1] + high], rel=1e-6)
    inside = []
    for one, t in enumerate(rows):
        before = [k for k, row in enumerate(rows) if row + H <= t]
        if len(before) >= used.FEWEST:
            low, high = np.array(ends(errors[before])).T
            inside.append((low <= errors[one]) & (errors[one] <= high))
    assert said["targets"]["shop"]["coverage"]["steps"] == np.mean(inside, axis=0).tolist() and len(inside) == 4


def test_intervals_hold_what_they_say():
    rng = np.random.default_rng(0)
    guess, actual = np.zeros((400, 3)), rng.normal(size=(400, 3)) * [1, 2, 5]
    actual[::7, 1] = np.nan
    for coverage in (0.5, 0.9):
        ends = used.before(guess, actual, np.arange(400), coverage)
        one = used.Used("now", guess, ends)
        # Of some 400 values: three standard deviations.
        np.testing.assert_allclose(one.covered(actual), coverage, atol=3 * 0.5 / 390**0.5)
    assert np.isnan(ends[: used.FEWEST + 2]).all() and not np.isnan(ends[used.FEWEST + 2 :]).any()
    assert (
        used.around(np.zeros((5, 2)), 0.9).tolist()
        == [[0, 0], [0, 0]]
        == used.around(np.full((5, 2), np.nan), 0.9).tolist()
    )
    assert np.isnan(used.Used("now", guess[:2], ends[:2]).covered(actual[:2])).all()


def test_a_network_that_is_not_used_is_not_trained_again(table, ltc, monkeypatch):
    trained = []
    fit = LiquidForecaster.fit
    monkeypatch.setattr(
        LiquidForecaster, "fit", lambda self, series, *rest: trained.append(len(series)) or fit(self, series, *rest)
    )
    for use, lengths in (("linear", [START]), ("mixed", [START, T])):
        trained.clear()
        assert ltc(*BY_THE_BEST, "--use", use)[0] == 0 and trained == lengths


def test_what_is_not_there_cannot_be_used(here, ltc):
    y = np.random.default_rng(0).normal(size=20)
    y[:15:2] = np.nan
    write_csv(here / "few.csv", {"y": y.tolist(), "other": range(20)})
    status, out, err = ltc("forecast", "few.csv", "--target", "y", "--horizon", 4, "--use", "season", *SMALL)
    assert (status, out) == (2, "") and err.endswith(
        "--use season needs what is not there for y; there are network, now, mean: "
        "give --season M, or take one of these\n"
    )
    status, out, _ = ltc("forecast", "few.csv", "--target", "y", "--horizon", 4, "--use", "now", *SMALL)
    assert status == 0 and "too few forecasts to say how many of the values were inside" in out


@pytest.mark.slow
def test_what_is_said(table, ltc):
    status, out, _ = ltc(*[option for option in ASKED if option != "--no-calendar"], "--model", "cfc")
    first, *lines = out.splitlines()
    assert first == "columns: target shop; features shop; time month; not read web, price"
    assert status == 0 and lines[0].split() == [
        "mean",
        "absolute",
        "error",
        "of",
        "shop",
        "1",
        "ahead",
        "2",
        "ahead",
        "3",
        "ahead",
        "1",
        "to",
        "3",
    ]
    assert [line[:14].strip() for line in lines[1:6]] == [
        "cfc, 4 units",
        "the value now",
        "the value one",
        "the mean of al",
        "linear, of the",
    ]
    assert lines[6].startswith("network and linear, their mean")
    assert lines[8].startswith("on the test part cfc, 4 units is ")
    assert lines[9] == "forecast of shop: by cfc, 4 units"
    assert lines[10].endswith(" % of the values were inside of its intervals for 90 %")
    assert lines[11] == "rows of a season: 12"
    assert lines[13].startswith("14 forecasts judged, of the last fifth of 80 rows, in ")
    assert lines[14].startswith("differences: to the row before; calendar: year read, since a ")
    assert [line.split()[0] for line in lines[16:]] == ["month", "2016-09-01", "2016-10-01", "2016-11-01"]


def test_no_season_and_too_few_rows_for_a_line_are_no_baselines(here, ltc):
    y = np.random.default_rng(0).normal(size=20)
    y[:15:2] = np.nan  # so that there is no forecast of four rows to learn from
    write_csv(here / "few.csv", {"y": y.tolist(), "other": range(20)})
    status, out, _ = ltc("forecast", "few.csv", "--target", "y", "--horizon", 4, *SMALL, "--json")
    found = json.loads(out)["targets"]["y"]
    assert status == 0 and set(found["mae"]) == {LTC, NOW, used.MEAN} and found["season"] is None


@pytest.mark.slow
def test_a_constant_series_and_one_step(here, ltc):
    write_csv(here / "still.csv", {"y": [3.0] * 40, "day": [f"2024-01-{k + 1:02d}" for k in range(31)] + [
        f"2024-02-{k + 1:02d}" for k in range(9)]})  # fmt: skip
    line = ["forecast", "still.csv", "--target", "y", "--time", "day", "--horizon", 1, *SMALL, "--json"]
    status, out, _ = ltc(*line)
    assert status == 0
    said = json.loads(out)
    assert said["targets"]["y"]["mae"][NOW] == [0.0] and said["forecast"]["day"] == ["2024-02-10"]


@pytest.mark.slow
def test_not_more_forecasts_are_judged_than_needed(table, ltc, monkeypatch):
    monkeypatch.setattr(continued, "MOST", 4)
    said = json.loads(ltc(*ASKED, "--json")[1])
    wanted = forecaster().fit(table["shop"][:START], H).backtest(table["shop"], START, step=4)
    assert said["judged"] == 4 == len(wanted.forecasts)
    np.testing.assert_allclose(said["targets"]["shop"]["mae"][LTC], wanted.mae, rtol=1e-12)


# ------------------------------------------------------------------------------------------------------- calendar


def microseconds(*dates):
    return np.array([np.datetime64(date, "us").astype(np.int64) for date in dates])


@pytest.mark.parametrize("name", ["month", "count", "gap", "price", "fall"])
def test_a_column_that_may_be_the_time_is_told_of(name, here):
    """Numbers or dates that --time would take: what falls, or rises by unequal steps, is none."""
    may = {"month": months(), "count": [0.1 * k for k in range(T)], "gap": [*range(T - 1), T], "fall": range(T, 0, -1)}
    columns = {"shop": list(range(T)), name: (may | sales())[name], "other": ["a"] * T}
    write_csv(here / "t.csv", columns)
    task, table = {"target": "shop", "features": None, "time": None, "horizon": H}, tables.read("t.csv")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        continued.read(argparse.Namespace(**task, season=None), table)
    told = [f"column `{name}` rises by equal steps: --time {name} if it says when rows were observed"]
    assert [str(w.message) for w in caught] == told * (name in ("month", "count"))


def test_columns_of_a_calendar():
    """Against the standard library's dates."""
    dates = [datetime.datetime(2023, 12, 31, 18) + datetime.timedelta(hours=6.5 * k) for k in range(3000)]
    found = calendar.columns(microseconds(*dates), ["day", "week", "year"])
    monday = datetime.datetime(1970, 1, 1)  # a Thursday: only that all weeks are alike matters
    for row, date in zip(found, dates, strict=True):
        first, following = (datetime.datetime(date.year + k, 1, 1) for k in (0, 1))
        shares = [(date.hour + date.minute / 60) / 24, (date - monday).total_seconds() / 604800,
                  (date - first) / (following - first)]  # fmt: skip
        wanted = [wave(2 * np.pi * share) for share in shares for wave in (np.sin, np.cos)]
        np.testing.assert_allclose(row, wanted, atol=1e-9)


@pytest.mark.parametrize(
    ("step", "count", "wanted"),
    [
        ("h", 48, ["day"]),
        ("h", 47, []),
        ("h", 24 * 15, ["day", "week"]),
        ("D", 15, ["week"]),
        ("D", 800, ["week", "year"]),
        ("W", 120, ["year"]),
        ("M", 30, ["year"]),
        ("M", 24, []),
        ("Y", 90, []),
    ],
)
def test_which_periods_a_table_can_tell(step, count, wanted):
    times = (np.datetime64("2020", step) + np.arange(count)).astype("datetime64[us]").astype(np.int64)
    assert calendar.periods(times) == (wanted if (step, count) != ("h", 48) else [])  # 47 steps are no two days
    if (step, count) == ("h", 48):
        assert calendar.periods(np.append(times, times[-1] + 3_600_000_000)) == ["day"]


@pytest.mark.slow
@pytest.mark.parametrize(("target", "reads"), [("shop", True), ("price", False)])
def test_a_calendar_is_read_where_it_helps_a_line(target, reads, table, ltc):
    """A year's rhythm, of which a line that reads ten months sees a part only; or nothing but noise."""
    line = ["forecast", "sales.csv", "--target", target, "--time", "month", "--horizon", H, *SMALL, "--json"]
    said = {option: json.loads(ltc(*line, *option)[1]) for option in ((), ("--calendar",), ("--no-calendar",))}
    same = said[()]["targets"] == said["--calendar",]["targets"]
    other = said[()]["targets"] == said["--no-calendar",]["targets"]
    assert (same, other) == (reads, not reads)
    assert said[()]["calendar"].startswith("year read, since a linear" if reads else "not read, since a linear")
    assert said["--calendar",]["calendar"] == "year read, as --calendar says"
    assert said["--no-calendar",]["calendar"] == "not read"
    more = calendar.columns(microseconds(*table["month"]), ["year"])
    by_hand = forecaster().fit(table[target][:START], H, more[:START]).backtest(table[target], START, more)
    np.testing.assert_allclose(said["--calendar",]["targets"][target]["mae"][LTC], by_hand.mae, rtol=1e-12)


# ------------------------------------------------------------------------------------------- files, times, mistakes


@pytest.mark.slow
def test_kinds_of_files(table, here, ltc):
    csv_, npz = (ltc(*ASKED, "--out", f"f.{kind}")[0] for kind in ("csv", "npz"))
    assert csv_ == npz == 0
    with np.load("f.npz") as found:
        assert {name: values.tolist() for name, values in found.items()} == {
            name: values if name == "month" else list(map(float, values)) for name, values in read("f.csv").items()
        }
    days = np.array(months(), "datetime64[D]")
    np.savez("dated.npz", month=days, shop=table["shop"])
    assert ltc("forecast", "dated.npz", *BY_THE_BEST[2:], "--out", "later.npz", "--json")[0] == 0
    with np.load("later.npz") as found:
        assert found["month"].dtype == "M8[D]" and str(found["month"][0]) == "2016-09-01"


def test_the_picture_shows_each_forecast_where_it_is_about(table, here, ltc, monkeypatch):
    pytest.importorskip("matplotlib")
    drawn = []
    real = pictures.forecast
    monkeypatch.setattr(pictures, "forecast", lambda *given: drawn.append(given) or real(*given))
    line = [option for option in ASKED if option != "--no-picture"]
    status, out, _ = ltc(*line, "--out", "f.csv")
    assert status == 0 and out.splitlines()[-1] == "f.png: the last rows, the backtest, and the forecast"
    assert (here / "f.png").read_bytes().startswith(b"\x89PNG")
    ((t, y, found, begins, *_),) = drawn
    test = forecaster().fit(table["shop"][:START], H).backtest(table["shop"], START)
    first = START + H - 1
    assert len(t) == T + H and (np.diff(t) > 0).all() and begins == {"backtest, 3 rows ahead": first, "forecast": T}
    assert y.tolist() == table["shop"].tolist() and np.isnan(found[:first]).all()
    np.testing.assert_allclose(found[first:T, 0], test.forecasts[:, -1, 0], rtol=1e-12)
    np.testing.assert_allclose(found[first:T, 1:], test.intervals[:, -1, 0], rtol=1e-12)
    assert found[T:, 0].tolist() == list(map(float, read("f.csv")["forecast_shop"]))
    assert ltc(*ASKED[:-1], "--picture", "p.svg")[0] == 0 and (here / "p.svg").is_file()


def test_the_axes_of_the_picture(here):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    found = np.full((303, 3), np.nan)
    found[250:] = np.arange(53)[:, None] + [0, -1, 1]
    _, ax = pyplot.subplots()
    pictures.forecast(
        np.arange(303), np.arange(300.0), found, {"backtest": 50, "forecast": 300}, "y", "row", False, 0.9
    )(ax)
    truth, guess, *marks = (line.get_xydata() for line in ax.get_lines())
    assert truth[0].tolist() == [100, 100] and len(truth) == 203 and np.isnan(truth[-3:, 1]).all()
    assert guess[-1].tolist() == [302, 52] and [mark[0, 0] for mark in marks] == [100, 300]
    assert ax.get_xlabel() == "row"
    pyplot.close("all")


def of(table, *options):
    return ["forecast", table, *BY_THE_BEST[2:], *options]


MISTAKES = {
    "no horizon": (["forecast", "sales.csv", "--target", "shop"], "--horizon must say how many rows are forecast, got"),
    "no rows ahead": ([*ASKED, "--horizon", 0], "--horizon must be at least 1, got 0"),
    "season of one": ([*ASKED, "--season", 1], "--season must be at least 2, got 1"),
    "season too long": ([*ASKED, "--season", 64], "--season must be less than 64, the rows of the training, got 64"),
    "certain": ([*ASKED, "--coverage", 1], "--coverage must be a share between 0 and 1, got 1.0"),
    "seed": ([*ASKED, "--seed", -1], "--seed must be at least 0, got -1"),
    "units": ([*ASKED, "--units", 0], "--units"),
    "one answer": ([*ASKED, "--readout", "mean"], "unrecognized arguments: --readout mean"),
    "unknown target": ([*ASKED, "--target", "shp"], "no column `shp` for --target: did you mean `shop`?"),
    "unknown feature": ([*ASKED, "--features", "prce"], "no column `prce` for --features: did you mean `price`?"),
    "unknown time": ([*ASKED, "--time", "mont"], "no column `mont` for --time: did you mean `month`?"),
    "target twice": ([*ASKED, "--features", "shop"], "--features must not name a target, which is read any"),
    "time as target": ([*ASKED, "--time", "shop"], "--time must be another column than --target and "),
    "too few rows": (
        [*ASKED, "--horizon", 17],
        "a forecast of 17 rows needs a table of 85 rows or more, of which the last fifth judges, got 80",
    ),
    "text": (of("text.csv"), "column `shop` must hold numbers, got 'many' in line 5"),
    "empty": (of("empty.csv"), "column `shop` must hold a value in the first 64 rows, got none"),
    "empty feature": (of("hole.csv", "--features", "price"), "column `price` must hold a value in the first 64"),
    "empty end": (
        of("end.csv"),
        "column `shop` must hold values in the last 16 rows, which judge the forecasts, got none 3 rows ahead",
    ),
    "gap": (
        of("gap.csv"),
        "column `month` must have steps that are equal, or whole months, got '2012-08-01' in line 32 after "
        "'2012-06-01' in line 31: give rows that are missing, with empty cells, or leave out --time",
    ),
    "uneven numbers": (of("uneven.csv"), "steps that are equal, got '39.5' in line 41 after '38' in line 40"),
    "unsorted": (of("back.csv"), "column `month` must increase from row to row"),
    "twice a time": (of("twice.csv"), "two rows have the same time"),
    "calendar of numbers": (of("even.csv", "--calendar"), "--calendar needs --time COL with dates"),
    "calendar without times": (
        ["forecast", "sales.csv", "--target", "shop", "--horizon", 3, "--calendar", *SMALL],
        "--calendar needs --time COL with dates",
    ),
    "sequences": (
        ["forecast", "sequences.npz", "--target", "y", "--horizon", 1, *SMALL],
        "sequences.npz: holds sequences, and a forecast is of a table whose rows are the steps of one",
    ),
    "there already": ([*ASKED, "--out", "there.csv"], "--out: there.csv is there already: give --force"),
    "the table itself": ([*ASKED, "--out", "sales.csv", "--force"], "--out must be another file than sales.csv"),
    "kind": ([*ASKED, "--out", "f.xlsx"], "f.xlsx: the name of a table must end in .csv, .tsv, .tab, .npz, .parquet"),
    "picture": ([*ASKED, "--picture", "p.png"], "--picture and --no-picture must not be given both"),
}  # fmt: skip


@pytest.fixture
def broken(here):
    all_sales = sales()
    numbers = {name: values for name, values in all_sales.items() if name != "month"}
    steps = [float(k) for k in range(T)]
    cut = {name: [*values[:30], *values[31:], values[0]] for name, values in numbers.items()}
    for name, columns in {
        "sales": all_sales,
        "text": change(all_sales, shop={3: "many"}),
        "empty": change(all_sales, shop=dict.fromkeys(range(64))),
        "hole": change(all_sales, price=dict.fromkeys(range(64))),
        "end": change(all_sales, shop=dict.fromkeys(range(66, 80))),
        "gap": {"month": [m for m in months(T + 1) if m != "2012-07-01"], **cut},
        "uneven": {
            "month": [int(k) if k != 39 else 39.5 for k in range(40)] + [k + 1 for k in range(40, 80)],
            **numbers,
        },
        "even": {"month": steps, **numbers},
        "back": change(all_sales, month={40: "2010-01-15"}),
        "twice": change(all_sales, month={40: all_sales["month"][39]}),
        "there": all_sales,
    }.items():
        write_csv(here / f"{name}.csv", columns)
    np.savez("sequences.npz", x=np.zeros((3, 30, 1)), y=np.zeros((3, 30)))
    return here


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(name, broken, ltc):
    arguments, words = MISTAKES[name]
    before = contents(broken)
    status, out, err = ltc(*arguments)
    assert (status, out) == (2, "") and err.startswith("python -m ltc_np forecast: ") and err.count("\n") == 1, err
    assert words in err, err
    assert contents(broken) == before


@pytest.mark.slow
def test_the_same_tables_without_the_mistake(broken, ltc):
    """Without --time a gap is none."""
    line = ["forecast", "gap.csv", "--target", "shop", "--horizon", 3, *SMALL]
    assert ltc(*line)[0] == ltc(*of("even.csv"))[0] == 0


def test_without_scikit_learn(table, ltc, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    status, _, err = ltc(*ASKED)
    assert status == 2
    assert err == 'python -m ltc_np forecast: `forecast` needs sklearn: pip install "ltc-np[sklearn]"\n'


@pytest.mark.slow
def test_a_picture_that_cannot_be_drawn_leaves_nothing(table, here, ltc, monkeypatch):
    pytest.importorskip("matplotlib")

    def full(*given):
        raise OSError(28, "No space left on device", "f.png")

    monkeypatch.setattr(pictures, "drawn", full)
    status, out, err = ltc(*ASKED[:-1], "--out", "f.csv")
    assert (status, out) == (2, "") and "No space left" in err
    assert [path.name for path in here.iterdir()] == ["sales.csv"]


def test_ctrl_c_ends_it_at_once(table, here, ltc, monkeypatch):
    """`fit` alone would end one training, and another would follow."""
    seen = []

    class Interrupted(LiquidForecaster):
        def fit(self, *given):
            os.kill(os.getpid(), signal.SIGINT)
            found = super().fit(*given)
            seen.append(found)
            return found

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(backtested, "LiquidForecaster", Interrupted)
    status, out, err = ltc(*ASKED, "--out", "f.csv")
    assert (status, out) == (130, "") and err == "python -m ltc_np forecast: stopped; nothing was written\n"
    assert not seen and signal.getsignal(signal.SIGINT) is before
    assert [path.name for path in here.iterdir()] == ["sales.csv"]


@pytest.mark.slow
def test_another_thread_leaves_signals_alone(table, here):
    """Python lets the main thread alone handle them."""
    seen = []
    line = [str(option) for option in ASKED[1:]] + ["--out", "f.csv"]
    thread = threading.Thread(target=lambda: seen.append(forecast.main(line)))
    thread.start()
    thread.join()
    assert seen == [0] and (here / "f.csv").is_file()


def test_a_training_that_diverges(table, here, ltc):
    status, _, err = ltc(*ASKED, "--learning-rate", "1e30", "--clip-norm", "none", "--epochs", "9")
    assert status == 1 and "the training diverged, " in err and "lower --learning-rate or set --clip-norm" in err


# ---------------------------------------------------------------------------------------------------------- train


def test_train_tells_of_targets_beyond_the_range_of_the_training(here, ltc):
    """The first 56 of 80 rows train, the last 12 judge; 5 % of the range are still in it."""
    rng = np.random.default_rng(0)
    heat = rng.uniform(0, 10, 80)
    heat[:2] = 0, 10
    heat[68:72] = 10.4, 10.6, -0.4, -0.6
    heat[60] = 99  # validates
    write_csv(here / "t.csv", {"power": rng.normal(size=80).tolist(), "heat": heat.tolist()})
    line = ["train", "t.csv", "--target", "heat", "--features", "power", *SMALL]
    status, out, _ = ltc(*line, "--out", "m.npz")
    assert (
        status == 0
        and (
            "2 values of heat in the test part leave the range of the training, which a network does not: train with "
            "such values, or make differences the target\n"
        )
        in out
    )
    status, out, _ = ltc(*line, "--out", "n.npz", "--horizon", 1, "--json")
    assert json.loads(out)["beyond_range"] == {"heat": 2}
    assert "take `forecast`" in ltc(*line, "--out", "k.npz", "--horizon", 1)[1]
    heat[69], heat[71] = 5, 5
    write_csv(here / "t.csv", {"power": rng.normal(size=80).tolist(), "heat": heat.tolist()})
    status, out, _ = ltc(*line, "--out", "o.npz", "--json")
    assert json.loads(out)["beyond_range"] == {}


def test_forecasts_that_are_judged_see_what_is_known(here, ltc, monkeypatch):
    """Of weekly values in a table of days every seventh forecast would see none at most steps."""
    monkeypatch.setattr(continued, "MOST", 4)
    values = np.random.default_rng(0).normal(size=140)
    values[np.arange(140) % 7 != 0] = np.nan
    write_csv(here / "t.csv", {"y": values.tolist(), "other": range(140)})
    status, out, _ = ltc("forecast", "t.csv", "--target", "y", "--horizon", 3, *SMALL, "--json")
    assert status == 0
    said = json.loads(out)
    assert said["judged"] == 5 and np.isfinite(said["targets"]["y"]["mae"][LTC]).all()


def test_parts_of_the_command_by_themselves(here):
    """What the rows of the training are, and that features begin with their mean over these."""
    write_csv(here / "sales.csv", change(sales(), price=dict.fromkeys(range(10))))

    class Args:
        target, features, time, season, horizon = "shop", "price", "month", None, H

    series = continued.read(Args, tables.read("sales.csv"))
    assert series.start == START and isinstance(series.task, Task)
    assert series.others[0, 0] == pytest.approx(np.mean(sales()["price"][10:START]))
    assert series.later.astype("M8[us]").astype(str)[0].startswith("2016-09-01")
    assert train.BEYOND == 0.05
