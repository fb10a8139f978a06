"""Questions about irregular series: what the network reads, by a naive loop; answers, stepped by hand; intervals."""

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
from sklearn.base import clone

from ltc_np.sklearn import IrregularForecaster, asked, irregular, points
from ltc_np.sklearn.irregular import COLUMNS

SMALL = {"units": 6, "epochs": 3, "random_state": 0, "backend": "numpy"}
# Networks that have hardly learned are worse than a mean, and are told to be.
hardly_learned = pytest.mark.filterwarnings("ignore:ltc_np. to .* gives better answers")


def table(rng, series=12, n=10, channels=2, dates=False):
    """Observations at random times; those of the last third are questions."""
    time = np.sort(rng.uniform(0, 6, (series, n)), axis=1)
    if dates:
        time = np.datetime64("2024-01-01", "ns") + (time * 3.6e12).astype(np.int64)
    channel = rng.integers(0, channels, (series, n))
    value = 5 + channel + np.sin(np.arange(series)[:, None] + np.arange(n))
    ids = np.array([f"s{k}" for k in range(series)])
    rows = {
        "id": np.repeat(ids, n), "time": time.ravel(), "channel": np.array(["x", "y"])[channel.ravel()],
        "value": value.ravel(),
    }  # fmt: skip
    late = np.tile(np.arange(n) >= 2 * n // 3, series)
    past, questions = ({name: column[part] for name, column in rows.items()} for part in (~late, late))
    order = rng.permutation(len(questions["id"]))
    return past, {name: column[order] for name, column in questions.items()}


def naive(frame, past, question_series, question_times):
    """Inputs and elapsed times of one series, observation by observation."""
    own = [(t, c, v) for s, t, c, v in zip(*past, strict=True) if s == question_series]
    times = sorted({t for t, _, _ in own} | set(question_times))
    clock, dt = [times[0]], [1.0]
    for before, after in pairwise(times):
        parts = int(np.clip(np.ceil((after - before) / frame.unit - 1e-6), 1, 32))
        clock += [before + (after - before) * k / parts for k in range(1, parts)] + [after]
        dt += [(after - before) / parts / frame.unit] * parts
    end, C = max(t for t, _, _ in own), len(frame.channels)
    last, seen, rows = [0.0] * C, [None] * C, []
    for t in clock:
        now = [0.0] * C
        for time, channel, value in own:
            if time == t:
                k = frame.channels[channel]
                last[k], seen[k], now[k] = (value - frame.mean[k]) / frame.scale[k], t, 1.0
        ages = [np.log1p((t - (clock[0] if s is None else s)) / frame.unit / frame.usual) for s in seen]
        rows.append([*last, *now, *ages, float(t > end), max(0.0, t - end) / frame.unit / frame.usual / 10])
    return np.array(rows), np.array(dt)


def test_what_the_network_reads_is_that_of_a_loop(rng):
    past, questions = table(rng)
    frame = asked.frame_of(*(points.read("p", each, COLUMNS, values=True) for each in (past, questions)))
    every = np.concatenate([past["value"], questions["value"]])
    of = np.concatenate([past["channel"], questions["channel"]])
    assert list(frame.channels) == list(dict.fromkeys(of)) and frame.features == 8
    for name, k in frame.channels.items():
        assert frame.mean[k] == pytest.approx(every[of == name].mean()) and frame.scale[k] == pytest.approx(
            every[of == name].std()
        )
    steps = frame.steps(*(points.read("p", each, COLUMNS, values=True) for each in (past, questions)))
    names = list(dict.fromkeys(questions["id"]))
    gaps = []
    for k, name in enumerate(names):
        wanted = questions["time"][questions["id"] == name]
        x, dt = naive(frame, list(past.values()), name, wanted)
        np.testing.assert_allclose(steps.x[k], x, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(steps.dt[k], dt, rtol=1e-9)
        gaps += np.diff(np.unique(np.concatenate([past["time"][past["id"] == name], wanted]))).tolist()
    assert 2 * frame.unit == pytest.approx(np.mean(gaps)) and frame.usual == 2
    clocks = [np.cumsum(dt) - 1 for dt in steps.dt]
    for row, (of, step) in enumerate(zip(steps.sequence, steps.step, strict=True)):
        first = min(past["time"][past["id"] == questions["id"][row]].min(), questions["time"].max())
        assert clocks[of][step] == pytest.approx((questions["time"][row] - first) / frame.unit, abs=1e-9)
        assert steps.x[of][step][-2] == (steps.lead[row] > 0)


def test_rounding_puts_no_step_between():
    """0.3 is three times 0.1, and a bit more as floats are."""
    frame = asked.Frame({"x": 0}, np.zeros(1), np.ones(1), 0.1, 2.0, False)
    for gap, parts in ((0.1 * 3, 3), (0.1, 1), (0.31, 4)):
        place, since, dt = frame._clock(np.array([0.0, gap]))
        assert place.tolist() == [0, parts] and len(dt) == parts + 1
        assert since[-1] == pytest.approx(gap / 0.1)


def test_long_gaps_constant_channels_and_what_is_too_long_ago():
    frame = asked.Frame({"x": 0}, np.zeros(1), np.ones(1), 1.0, 2.0, False, history=5.0)
    place, _, dt = frame._clock(np.array([0.0, 1000.0]))
    assert place.tolist() == [0, 32] and dt[1:].tolist() == [1000 / 32] * 32
    past = points.read("past", (["a"] * 4, [0.0, 4.9, 5.0, 10.0], ["x"] * 4, [7.0] * 4), COLUMNS, values=True)
    assert frame._recent(past).time.tolist() == [5.0, 10.0]
    assert asked.frame_of(past, past).scale.tolist() == [1.0]


@pytest.mark.parametrize("dates", [False, True])
@pytest.mark.parametrize("cell", ["ltc", "gru"])
def test_answers_are_those_of_the_model_stepped_by_hand(rng, cell, dates):
    past, questions = table(rng, series=30, dates=dates)
    forecaster = IrregularForecaster(cell=cell, **SMALL).fit(past, questions)
    found, steps = forecaster.predict(past, questions), forecaster.steps(past, questions)
    model, wanted = forecaster.model_, np.empty(len(found))
    for k, (x, dt) in enumerate(zip(steps.x, steps.dt, strict=True)):
        state = None
        for t, row in enumerate(x.astype(np.float32)):
            y, state = model.step(row, state=state, **({"dt": dt[t]} if model.takes_dt else {}))
            for n in np.flatnonzero((steps.sequence == k) & (steps.step == t)):
                c = steps.channel[n]
                wanted[n] = np.float64(y[c]) * forecaster.frame_.scale[c] + forecaster.frame_.mean[c]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)  # BLAS rounds otherwise for one row than for many


def test_the_order_of_rows_and_other_series_change_nothing(rng):
    past, questions = table(rng)
    forecaster = IrregularForecaster(**SMALL, validation_fraction=0).fit(past, questions)
    found = forecaster.predict(past, questions)
    order = rng.permutation(len(past["id"]))
    np.testing.assert_array_equal(forecaster.predict({k: v[order] for k, v in past.items()}, questions), found)
    row = 5
    alone = {k: v[row : row + 1] for k, v in questions.items()}
    own = past["id"] == questions["id"][row]
    alone_past = {k: v[own] for k, v in past.items()}
    first = forecaster.predict(alone_past, alone)
    assert forecaster.predict(past, alone) == first  # the other series
    assert first.shape == (1,)
    with pytest.raises(ValueError, match="needs errors of series that were held out"):
        forecaster.predict_interval(past, questions)


@hardly_learned
def test_a_series_without_a_past_and_questions_within_it(rng):
    past, questions = table(rng)
    forecaster = IrregularForecaster(**SMALL).fit(past, questions)
    within = {"id": ["s0", "new"], "time": [past["time"][0], 3.0], "channel": ["x", "y"]}
    with pytest.warns(
        RuntimeWarning, match="1 of the 2 series that are asked about have no row in `past`, such as 'new'"
    ):
        assert np.isfinite(forecaster.predict(past, within)).all()
    later = {k: v[past["time"] <= past["time"][0]] for k, v in past.items()}
    one = {k: v[:1] for k, v in within.items()}
    own = {k: v[:1] for k, v in past.items()}
    assert forecaster.predict(own, one) == pytest.approx(forecaster.predict(later, one)[0], rel=1e-6)


@hardly_learned
def test_intervals_hold_what_they_say():
    """Of series like those of the training, for each channel and however far ahead."""
    rng = np.random.default_rng(5)

    def draw(n):
        phase, time = rng.uniform(0, 6, n), np.sort(rng.uniform(0, 8, (n, 16)), axis=1)
        noise = rng.normal(size=(n, 16)) * (1 + time)  # larger later
        rows = [
            np.repeat(np.arange(n), 16),
            time.ravel(),
            np.tile([0, 1], 8 * n),
            (np.sin(time + phase[:, None]) + noise).ravel(),
        ]
        late = rows[1] > 4
        return tuple(r[~late] for r in rows), tuple(r[late] for r in rows)

    forecaster = IrregularForecaster(
        units=4, ensemble=1, epochs=1, validation_fraction=0.5, random_state=0, backend="numpy"
    )
    forecaster.fit(*draw(300))
    past, questions = draw(400)
    for coverage in (0.5, 0.9):
        low, high = forecaster.predict_interval(past, questions, coverage).T
        inside = (questions[3] >= low) & (questions[3] <= high)
        for rows in (questions[2] == 0, questions[2] == 1, questions[1] < 5, questions[1] > 7):
            # The errors of some 150 held-out answers, and some 400 new ones: 4 standard deviations of both.
            assert inside[rows].mean() == pytest.approx(coverage, abs=4 * 0.5 * np.sqrt(1 / 150 + 1 / 400))
    widths = np.diff(forecaster.predict_interval(past, questions), axis=1)[:, 0]
    assert widths[questions[1] > 7].mean() > 1.2 * widths[questions[1] < 5].mean()


def test_data_of_ones_own_say_when_to_stop(rng):
    past, questions = table(rng)
    other = table(rng, series=6)
    forecaster = IrregularForecaster(**(SMALL | {"epochs": 5})).fit(past, questions, validation=other)
    assert len(forecaster.history_["val_loss"]) and 1 <= forecaster.n_iter_ <= 5
    assert forecaster.predict_interval(*other, coverage=0.5).shape == (len(other[1]["id"]), 2)
    with pytest.raises(ValueError, match=r"`validation` must be \(past, asked\), got 3"):
        forecaster.fit(past, questions, validation=3)


@hardly_learned
def test_few_errors_are_told_of(rng):
    past, questions = table(rng)
    forecaster = IrregularForecaster(**SMALL).fit(past, questions)
    with pytest.warns(RuntimeWarning) as caught:
        forecaster.predict_interval(past, questions, 0.99)
    few, series = (str(one.message) for one in caught)
    assert few.startswith("ltc_np: intervals for 99% need 99 errors of series that were held out, but there are 8")
    assert series.startswith("ltc_np: intervals come from errors of 2 series that were held out")
    forecaster.fit(past, questions, validation=table(rng, series=30))
    forecaster.predict_interval(past, questions)  # of 30 series, among which those of the training


def test_denser_questions_change_no_answer(rng):
    """In sequences of their own; usual questions are in one."""
    past, questions = table(rng, series=20)
    forecaster = IrregularForecaster(**SMALL, validation_fraction=0).fit(past, questions)
    assert len(forecaster.steps(past, questions).x) == 20
    ids, time = np.repeat(["s1", "s2"], 50), np.tile(past["time"].max() + np.linspace(0, 2, 50), 2)
    asked_ = {"id": ids, "time": time, "channel": np.tile(["x", "y"], 50)}
    steps = forecaster.steps(past, asked_)
    apart = asked.APART * forecaster.frame_.unit
    assert len(steps.x) > 20
    found = forecaster.predict(past, asked_)
    for k in range(len(steps.x)):
        own = steps.sequence == k
        assert len(set(ids[own])) == 1 and (np.diff(np.unique(time[own])) >= apart * (1 - 1e-6)).all()
        alone = {name: np.asarray(column)[own] for name, column in asked_.items()}
        np.testing.assert_array_equal(found[own], forecaster.predict(past, alone))


def test_later_questions_than_any_of_the_training_are_told_of(rng):
    past, questions = table(rng, series=20)
    forecaster = IrregularForecaster(**SMALL, validation_fraction=0).fit(past, questions)
    of = {name: past["time"][past["id"] == name].max() for name in questions["id"]}
    latest = max(time - of[name] for name, time in zip(questions["id"], questions["time"], strict=True))
    late = {"id": ["s3", "s4"], "time": [of["s3"] + 1.05 * latest, of["s4"] + 2.0], "channel": ["x", "x"]}
    assert forecaster._latest == pytest.approx(latest) or forecaster._latest > latest  # of copies it is later
    late["time"][0] = of["s3"] + 1.09 * forecaster._latest
    forecaster.predict(past, late)
    late["time"][0] = of["s3"] + 1.11 * forecaster._latest
    with pytest.warns(RuntimeWarning, match="1 of 2 questions come later after the last observation of their series"):
        forecaster.predict(past, late)


@hardly_learned
def test_questions_before_all_observations_are_told_of(rng):
    """Of half of the questions they may be meant; of more the tables may be exchanged."""
    past, questions = table(rng, series=20)
    forecaster = IrregularForecaster(**SMALL, validation_fraction=0).fit(past, questions)
    first = past["time"][past["id"] == "s3"].min()
    early = {"id": ["s3", "s3"], "time": [first - 0.1, first], "channel": ["x", "x"]}
    forecaster.predict(past, early)
    early["time"][1] = first - 0.2
    with pytest.warns(RuntimeWarning, match="2 of 2 questions come before the first .* are `past` and `asked` exch"):
        forecaster.predict(past, early)
    with pytest.warns(RuntimeWarning, match="120 of 120 questions come before"):
        IrregularForecaster(**SMALL, validation_fraction=0).fit(questions, past | {"time": past["time"] - 6})


def test_the_date_of_two_values_is_told(rng):
    past, questions = table(rng, dates=True)
    twice = {k: np.concatenate([v, v[:1]]) for k, v in past.items()}
    with pytest.raises(ValueError, match="of series 's0' at 2024-01-01T00:.*, in rows 0 and 72: take their mean"):
        IrregularForecaster(**SMALL).fit(twice, questions)


def test_series_that_do_not_match(rng):
    past, questions = table(rng)
    other = questions | {"id": np.char.add("z", questions["id"])}
    with pytest.raises(ValueError, match="`asked` must be about series of `past`: 12 of the 12 series .* such as 'zs"):
        IrregularForecaster(**SMALL).fit(past, other)
    with pytest.raises(ValueError, match="`asked` must be about series of `past`"):
        IrregularForecaster(**SMALL).fit(past, questions, validation=(past, other))
    forecaster = IrregularForecaster(**SMALL, validation_fraction=0).fit(past, questions)
    with pytest.warns(RuntimeWarning, match="12 of the 12 series that are asked about have no row in `past`"):
        forecaster.predict(past, other)
    with pytest.raises(ValueError, match="`asked` must have a column `id` as `past` has, got none"):
        forecaster.score(past, {name: questions[name] for name in ("time", "channel", "value")})


@hardly_learned
def test_the_report_says_who_answers_better(rng):
    """Errors of the rivals by hand; the warning names the best of them."""
    past, questions = table(rng, series=40)
    with pytest.warns(
        RuntimeWarning, match="to 32 questions that were held out `the mean of the channel` gives better"
    ):
        forecaster = IrregularForecaster(**SMALL | {"epochs": 1, "learning_rate": 1e-6}, ensemble=1).fit(
            past, questions
        )
    report = forecaster.report_
    assert report["held_out"] == 32 and list(report["errors"]) == [
        irregular.NETWORK, "the value seen last", "the mean of the channel", "a line through each series",
    ]  # fmt: skip
    forecaster.fit(past, questions, validation=(past, questions))
    frame, truth = forecaster.frame_, questions["value"]
    mean = {name: past["value"][past["channel"] == name].mean() for name in ("x", "y")}
    scale = np.array([frame.scale[frame.channels[name]] for name in questions["channel"]])
    wanted = np.mean((([mean[name] for name in questions["channel"]] - truth) / scale) ** 2)
    assert forecaster.report_["errors"]["the mean of the channel"] == pytest.approx(wanted)
    found = (forecaster.predict(past, questions) - truth) / scale
    assert forecaster.report_["errors"][irregular.NETWORK] == pytest.approx(np.mean(found**2), rel=1e-5)
    assert clone(forecaster).set_params(validation_fraction=0).fit(past, questions).report_ == {}


def test_what_is_learned_from_and_for_how_long(rng, monkeypatch):
    """First all but what is held out, until its best epoch, then all for so many; half of the epochs with one copy."""
    past, questions = table(rng, series=20)
    calls = []
    train = IrregularForecaster._train

    def seen(self, frame, learn, seeds, epochs, held=None):
        model, _ = train(self, frame, learn, seeds, epochs, held)
        names = {name if isinstance(name, str) else name[1] for name in learn[1].series}
        calls.append((len(names), len(learn[0].time), epochs, None if held is None else len(held[0].dt)))
        return model, {"val_loss": [3.0, 1.0, 2.0]}

    monkeypatch.setattr(IrregularForecaster, "_train", seen)
    forecaster = IrregularForecaster(**SMALL | {"epochs": "auto"}, copies=0, ensemble=1)
    assert forecaster._epochs() == 100 and clone(forecaster).set_params(copies=1)._epochs() == 50
    assert clone(forecaster).set_params(copies=2)._epochs() == 34
    forecaster.set_params(epochs=3).fit(past, questions)
    of_rest = calls[0][1]
    assert calls == [(16, of_rest, 3, 4), (20, len(past["id"]), 2, None)] and of_rest < len(past["id"])
    assert forecaster.n_iter_ == 2


def test_intervals_by_hand(rng):
    """The error of rank ceil((n + 1) coverage) of the channel's bin; of the whole channel where that has too few."""
    errors = irregular.Errors(
        np.arange(1.0, irregular.BINS),
        [[np.arange(1.0, 20.0) + 100 * k for k in range(irregular.BINS)], [np.arange(3.0)] * irregular.BINS],
    )
    steps = asked.Steps([], [], np.zeros(3, int), np.zeros(3, int), np.array([0, 0, 1]), np.array([0.5, 1.5, 0.5]))
    assert irregular._half_widths(errors, steps, 0.75).tolist() == [
        15.0,
        115.0,
        np.sort(np.tile(np.arange(3.0), irregular.BINS))[-(-(3 * irregular.BINS + 1) * 3 // 4) - 1],
    ]


def test_times_and_names_keep_what_they_are():
    late = np.array([2**63 - 3, 2**63 - 1], np.uint64)
    read = points.read("past", (["a", "a"], late, ["x", "x"], [1, 2]), COLUMNS, values=True)
    assert read.time.tolist() == late.tolist()
    for missing in (np.nan, None, np.datetime64("NaT")):
        with pytest.raises(ValueError, match=r"`past\['id'\]` must hold a name in every row, got .* in row 1"):
            points.read("past", (["a", missing], [0, 1], ["x", "x"], [1, 2]), COLUMNS, values=True)


@hardly_learned
def test_refused(rng):
    past, questions = table(rng)
    forecaster = IrregularForecaster(**SMALL).fit(past, questions)
    twice = {k: np.concatenate([v, v[:1]]) for k, v in past.items()}
    with pytest.raises(ValueError, match="one value of a channel at a time, got two of channel .* of series 's0' at"):
        forecaster.predict(twice, questions)
    both = {k: np.concatenate([v, v[:1]]) for k, v in questions.items()}
    with pytest.raises(ValueError, match="`asked` must have one value of a channel at a time, got two of"):
        forecaster.fit(past, both)
    with pytest.raises(ValueError, match=r"`validation\[1\]` must have one value of a channel at a time, got two of"):
        forecaster.fit(past, questions, validation=(past, both))
    assert len(forecaster.predict(past, both)) == len(both["id"])  # a question may be asked twice
    with pytest.raises(ValueError, match=r"`asked` must name channels that fit has seen \(., .\), got 'z'"):
        forecaster.predict(past, {"id": ["s0"], "time": [7.0], "channel": ["z"]})
    with pytest.raises(ValueError, match="`asked` must have numbers as times, as in fit, got dates"):
        forecaster.predict(past, {"id": ["s0"], "time": np.array(["2024"], "datetime64[Y]"), "channel": ["x"]})
    with pytest.raises(ValueError, match="`columns` must be four names"):
        clone(forecaster).set_params(columns=("a", "b")).fit(past, questions)
    with pytest.raises(ValueError, match="`coverage` must be"):
        forecaster.predict_interval(past, questions, 1.5)
    with pytest.raises(ValueError, match="`validation_fraction` must be"):
        IrregularForecaster(validation_fraction=1.0).fit(past, questions)


def test_what_auto_is():
    """Of each cell what was found best; what is given stays."""
    found = {cell: IrregularForecaster(cell=cell).recipe() for cell in ("ltc", "gru", "cfc")}
    assert {cell: (own.mixed_memory, own.learning_rate, own.ensemble) for cell, own in found.items()} == {
        "ltc": (False, 0.01, 3), "gru": (False, 0.01, 3), "cfc": (True, 0.003, 1),
    }  # fmt: skip
    own = IrregularForecaster(cell="cfc", mixed_memory=False, learning_rate=0.1, ensemble=2).recipe()
    assert (own.mixed_memory, own.learning_rate, own.ensemble) == (False, 0.1, 2)
    with pytest.raises(ValueError, match=r'`learning_rate` must be a number or "auto"'):
        IrregularForecaster(learning_rate="small").recipe()
