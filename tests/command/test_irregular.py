"""`forecast --irregular`: its answers are those of `IrregularForecaster`; the best of what is at hand answers."""

import csv
import json

import numpy as np
import pytest
from support.tables import SMALL

pytest.importorskip("sklearn")

from ltc_np.command.irregular import ALL, Judged
from ltc_np.sklearn import IrregularForecaster, rivals

ROLES = ["--group", "who", "--time", "hour", "--channel", "what", "--target", "value"]
ASKED = ["forecast", "seen.csv", "--irregular", *ROLES, "--questions", "asked.csv", *SMALL, "--ensemble", "1"]
NETWORK = "ltc, 4 units"


def write(path, columns):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


@pytest.fixture
def tables(here):
    rng = np.random.default_rng(0)
    time = np.sort(rng.uniform(0, 9, (30, 12)), axis=1).round(4)
    seen = {
        "who": np.repeat([f"p{k}" for k in range(30)], 12), "hour": time.ravel(),
        "what": rng.choice(["hr", "bp"], 360), "value": rng.normal(size=360).round(3),
    }  # fmt: skip
    asked = {"who": ["p3", "p4"], "hour": [9.5, 9.25], "what": ["hr", "bp"]}
    write(here / "seen.csv", seen)
    write(here / "asked.csv", asked)
    return seen, asked


def test_the_best_answers(tables, ltc, here, monkeypatch):
    """Where the mean errs least it answers, and the network is said to be worse."""
    seen, _ = tables
    monkeypatch.setattr("ltc_np.command.irregular.Judged.best", lambda self: rivals.MEAN)
    status, out, error = ltc(*ASKED, "--out", "found.csv")
    assert status == 0, error
    assert f"{NETWORK} is WORSE than `{rivals.MEAN}`, whose answers are given" in out
    with open(here / "found.csv", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["who", "hour", "what", "forecast_value", "lower_value", "upper_value"]
    for row, name in zip(rows, ("hr", "bp"), strict=True):
        mean = seen["value"][seen["what"] == name].mean()
        assert float(row[3]) == pytest.approx(mean, rel=1e-6) and float(row[4]) < mean < float(row[5])


def test_the_network_answers_where_it_is_asked_to(tables, ltc, here, monkeypatch):
    monkeypatch.setattr("ltc_np.command.irregular.Judged.best", lambda self: rivals.MEAN)
    status, out, error = ltc(*ASKED, "--use", "network", "--json")
    assert status == 0, error
    said = json.loads(out)
    assert (said["best"], said["answers_of"]) == (rivals.MEAN, NETWORK)
    monkeypatch.undo()
    assert ltc(*ASKED, "--use", "linear")[0] == 2


def test_who_errs_least():
    """Of several channels by errors in units of their spreads."""
    channel = np.array(["hr", "hr", "bp"], object)
    errors = {"one": np.array([10.0, 30.0, 0.2]), "other": np.array([2.0, 2.0, 0.9])}
    judged = Judged(errors, channel, channel, {"hr": 100.0, "bp": 1.0}, 0.9)
    assert judged.means() == {
        "one": {ALL: pytest.approx((0.1 + 0.3 + 0.2) / 3), "hr": 20.0, "bp": 0.2},
        "other": {ALL: pytest.approx((0.02 + 0.02 + 0.9) / 3), "hr": 2.0, "bp": 0.9},
    }
    assert judged.best() == "one"
    alone = Judged({who: own[:2] for who, own in errors.items()}, channel[:2], channel[:2], {"hr": 100.0}, 0.9)
    assert alone.means()["one"] == {"hr": 20.0} and alone.best() == "other"


@pytest.mark.slow
def test_answers_of_the_network(tables, ltc, here, monkeypatch):
    seen, asked = tables
    monkeypatch.setattr("ltc_np.command.irregular.Judged.best", lambda self: NETWORK)
    status, out, error = ltc(*ASKED, "--json")
    assert status == 0, error
    said = json.loads(out)
    horizon = max(
        t - seen["hour"][seen["who"] == who].max() for who, t in zip(asked["who"], asked["hour"], strict=True)
    )
    small = {"units": 4, "ode_unfolds": 1, "epochs": 2, "ensemble": 1, "backend": "numpy", "random_state": 0}
    columns = ("who", "hour", "what", "value")
    network = IrregularForecaster(**small, horizon=horizon, columns=columns).fit(seen)
    found = network.predict(seen, asked)
    np.testing.assert_allclose(said["forecast"]["forecast_value"], found, rtol=1e-6)
    np.testing.assert_allclose(said["forecast"]["lower_value"], network.predict_interval(seen, asked)[:, 0], rtol=1e-6)
    assert said["series"] == 30 and said["channels"] == list(dict.fromkeys(seen["what"])) and said["questions"] == 2


def test_it_is_judged_by_what_it_has_not_learned(tables, ltc, monkeypatch):
    """And so are its rivals: both know the rest, and of what is held out the past."""
    seen, fitted, rivals_of = tables[0], [], []
    fit, answers = IrregularForecaster.fit, rivals.answers
    monkeypatch.setattr(IrregularForecaster, "fit", lambda self, past: fitted.append(past) or fit(self, past))
    monkeypatch.setattr(rivals, "answers", lambda *given: rivals_of.append(given) or answers(*given))
    monkeypatch.setattr("ltc_np.command.irregular.Judged.best", lambda self: NETWORK)
    status, out, error = ltc(*ASKED, "--json")
    assert status == 0, error
    rest, everything = fitted
    ((known, early, late),) = (given for given in rivals_of if given[0] is rest)  # others are of `report_`
    assert known is rest and len(everything.time) == 360 and len(set(everything.series)) == 30
    others = {name for _, name, _ in late.series}
    assert set(rest.series) | others == set(seen["who"]) and not set(rest.series) & others
    assert {name for _, name, _ in early.series} <= others
    assert json.loads(out)["coverage"]["found"] <= 1


def test_answers_of_a_rival_keep_their_digits(ltc, here, monkeypatch):
    """And a channel of which nothing was held out has intervals, too."""
    monkeypatch.setattr("ltc_np.command.irregular.Judged.best", lambda self: rivals.LAST)
    hour = np.tile(np.arange(6), 20)
    value = (123456789.125 + np.arange(120) / 1000).tolist()
    seen = {"who": np.repeat(np.arange(20), 6), "hour": hour, "what": ["hr"] * 120, "value": value}
    seen = {name: [*column, last] for (name, column), last in zip(seen.items(), (0, 0, "rare", 5.0), strict=True)}
    write(here / "seen.csv", seen)
    write(here / "asked.csv", {"who": [3, 0], "hour": [6, 6], "what": ["hr", "rare"]})
    status, out, error = ltc(*ASKED, "--json")
    assert status == 0, error
    found = json.loads(out)["forecast"]
    assert found["forecast_value"] == [round(value[23], 3), 5.0]
    assert found["lower_value"][0] < value[23] < found["upper_value"][0]
    write(here / "asked.csv", {"who": [3], "hour": [6], "what": ["zz"]})
    status, _, error = ltc(*ASKED)
    assert status == 2 and "--questions must name channels of the table (hr, rare), got 'zz'" in error


def test_intervals_of_a_rival_are_those_of_ranks():
    errors = {"one": np.arange(1.0, 20.0)}
    judged = Judged(errors, np.arange(19).astype(object), np.array(["x"] * 19, object), {"x": 2.0, "y": 8.0}, 0.9)
    assert judged.widths("one", 0.9) == {"x": 18.0, "y": 72.0}  # 18 of 19; y has none: in units of spreads
    assert judged.widths("one", 0.99) == {"x": 19.0, "y": 76.0}
    judged.warn_of_few(0.9)
    with pytest.warns(RuntimeWarning, match="intervals for 99% need 99 errors"):
        judged.warn_of_few(0.99)


def test_intervals_of_a_rival_are_judged_by_other_series():
    """Series b errs ten times as much as the others: none of its values lies within intervals by those."""
    errors = {"network": np.zeros(60), "rival": np.tile([1.0, 10.0, 1.0], 20)}
    series, channel = np.tile(["a", "b", "c"], 20).astype(object), np.array(["x"] * 60, object)
    judged = Judged(errors, series, channel, {"x": 1.0}, 0.75)
    assert judged.covered("network", 0.5) == 0.75
    assert judged.covered("rival", 0.5) == pytest.approx(2 / 3)
    assert judged.widths("rival", 0.5) == {"x": 1.0} and judged.widths("rival", 0.8) == {"x": 10.0}
    assert judged._replace(series=np.array(["a"] * 60, object)).covered("rival", 0.5) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: [w for w in a if w not in ("--questions", "asked.csv")], "--irregular needs --questions"),
        (lambda a: [*a, "--horizon", 3], "--horizon must be left out with --irregular"),
        (lambda a: [*a, "--calendar"], "--calendar must be left out with --irregular"),
        (lambda a: ["hour" if w == "what" else w for w in a], "must be different columns"),
        (lambda a: ["seen.csv" if w == "asked.csv" else w for w in a], "after the last observation of a series"),
        (lambda a: [w for w in a if w != "--irregular"], "--questions must be left out without --irregular"),
        (lambda a: ["valu" if w == "value" else w for w in a], "did you mean `value`"),
        (lambda a: ["minutes" if w == "hour" else w for w in a], "for --time, which --irregular needs: it has `who`"),
    ],
)
def test_mistakes(tables, ltc, change, words):
    status, _, error = ltc(*change(ASKED))
    assert status == 2 and words in error and error.count("\n") == 1


def test_questions_of_other_series_and_rows_without_a_value(tables, ltc, here):
    write(here / "asked.csv", {"who": ["new"], "hour": [9.5], "what": ["hr"]})
    status, _, error = ltc(*ASKED)
    assert status == 2 and "--questions must ask about series of the table" in error
    write(here / "asked.csv", {"who": ["p3"], "hour": [9.5], "what": ["hr"]})
    with open(here / "seen.csv", "a") as file:
        file.write("p3,9.2,hr,\n")
    status, _, error = ltc(*ASKED)
    assert status == 0 and "1 row of seen.csv without a value in `value` left out" in error
