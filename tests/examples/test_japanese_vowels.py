"""The example of Japanese vowels: its reader, its folds, its answer, and its command line."""

import numpy as np
import pytest


@pytest.fixture
def vowels(example):
    return example("japanese_vowels")


def file_of(path, x, y):
    """A .ts file of utterances."""
    lines = ["# a comment: with a colon", "@problemName made up", "@data"]
    for utterance, speaker in zip(x, y, strict=True):
        lines.append(":".join([*(",".join(map(str, channel)) for channel in utterance.T), str(speaker + 1)]))
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.fixture
def utterances(rng):
    """Twenty of each speaker, who are told apart by the mean of one coefficient."""
    y = np.repeat(np.arange(9), 20)
    x = [
        rng.standard_normal((T, 12)) + 3 * np.eye(9, 12)[k] for T, k in zip(rng.integers(7, 30, y.size), y, strict=True)
    ]
    return x, y


def test_files_are_read_as_they_are_written(vowels, utterances, tmp_path):
    x, y = utterances
    read_x, read_y = vowels.read(file_of(tmp_path / "a.ts", x, y))
    assert read_y.tolist() == y.tolist()
    for got, want in zip(read_x, x, strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_folds_have_as_many_of_each_speaker(vowels, utterances):
    _, y = utterances
    folds = vowels.fold_of(y)
    for fold in range(5):
        assert np.bincount(y[folds == fold], minlength=9).tolist() == [4] * 9


def test_the_answer_is_the_mean_over_the_steps(vowels, rng):
    """The sum of the logarithms, as of independent steps, in equal parts whatever the length."""
    p = [rng.dirichlet(np.ones(9), T) for T in (3, 8)]

    class Model:
        def predict_proba(self, x):
            return p

    y = np.array([4, 7])
    loss, accuracy = vowels.scores(Model(), [None, None], y)
    geometric = np.array([np.prod(own, axis=0) ** (1 / len(own)) for own in p])
    geometric /= geometric.sum(1, keepdims=True)
    assert loss == pytest.approx(-np.log(geometric[[0, 1], y]).mean(), rel=1e-9)
    assert accuracy == (geometric.argmax(1) == y).mean()


def test_the_answers_are_of_one_of_the_mean_and_of_both(vowels, monkeypatch):
    """Probabilities are averaged; the scores of the line are logits, five times as large, beside their logarithm."""
    p = np.full((2, 1, 9), 0.01)
    p[0, 0, 3], p[1, 0, 4], p[0, 0, 5], p[1, 0, 5] = 0.5, 0.6, 0.4, 0.4  # the first says 3, the second 4, their mean 5
    monkeypatch.setattr(vowels, "trained", lambda name, x, y, seed, epochs: Model(next(made)))
    monkeypatch.setattr(vowels, "log_probabilities", lambda model, x: np.log(p[model.theta]))

    class Model:
        def __init__(self, number):
            self.theta = np.array(number)

    def right(truth, line):
        nonlocal made
        made = iter(range(2))
        return vowels.test("gru", 0, 1, None, None, None, np.array([truth]), 1, 2, line)[:3]

    made, none = None, np.zeros((1, 9))
    assert right(3, none) == (100, 0, 0)
    assert right(5, none) == (0, 100, 100)
    assert right(4, np.eye(9)[[4]] / 9) == (0, 0, 100)  # e^(5/9) 0.305 is more than 0.4
    assert right(4, np.eye(9)[[4]] / 20) == (0, 0, 0)  # e^(5/20) 0.305 is not


def test_the_linear_classifier_solves_its_equations(vowels, utterances, rng):
    """At the least of |T - 1 m - X W|^2 + penalty |W|^2 its derivative is 0; and nothing of what is asked is learnt."""
    x, y = utterances
    known = np.array([np.concatenate([u.mean(0), u.std(0), u[0], u[-1]]) for u in x])
    np.testing.assert_array_equal(vowels.statistics(x), known)
    known = (known - known.mean(0)) / known.std(0)
    wanted, scored = np.eye(9)[y], vowels.ridge(x, y, x, 10.0)
    weights = np.linalg.lstsq(known, scored - wanted.mean(0), rcond=None)[0]  # 180 utterances, 48 numbers: unique
    np.testing.assert_allclose(known.T @ (scored - wanted) + 10 * weights, 0, atol=1e-9 * len(x))
    assert np.array_equal(vowels.ridge(x, y, [*x[:3], 9 * x[3]], 10.0)[:3], scored[:3])


def test_the_penalty_is_that_of_the_least_error_in_the_folds(vowels, utterances, monkeypatch):
    x, y = utterances
    errors = {0.1: 0.5, 1.0: 0.2, 10.0: 0.1, 100.0: 0.3}

    def ridge(x, y, test_x, penalty):
        assert len(x) == 144 and len(test_x) == 36
        return np.eye(9)[[truth[id(u)] for u in test_x]] + errors[penalty]

    truth = {id(u): k for u, k in zip(x, y, strict=True)}
    monkeypatch.setattr(vowels, "ridge", ridge)
    assert vowels.chosen_penalty(x, y) == (10.0, 1.0)


def test_who_wins_alone(vowels):
    found = [(97.0, 98.0, 99.0, 10), (98.0, 98.0, 100.0, 10)]
    rest = "it has 98.10 %, they have 98.00 %. Together they have 99.50 %."
    assert vowels.verdict(found, 0.981) == f"**Alone a linear function wins against networks**: {rest}"
    assert vowels.verdict(found, 0.97).startswith("**Alone networks win against a linear function**: it has 97.00 %")


@pytest.mark.slow
def test_the_example_tells_speakers_apart(run_example, utterances, tmp_path):
    x, y = utterances
    train, test = file_of(tmp_path / "train.ts", x[::2], y[::2]), file_of(tmp_path / "test.ts", x[1::2], y[1::2])
    done = run_example("japanese_vowels", train, test, "--quick", "--models", "gru", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "(chosen) |" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith("test accuracy of gru, %: ")
    assert float(last.split()[5]) > 90
    assert sorted(path.name for path in tmp_path.iterdir()) == ["test.ts", "train.ts"]


def test_the_example_refuses_nonsense(vowels, utterances, tmp_path, capsys):
    good = file_of(tmp_path / "good.ts", *utterances)
    (tmp_path / "empty.ts").write_text("@data\n")
    (tmp_path / "text.ts").write_text("@data\none:two\n")
    (tmp_path / "few.ts").write_text("@data\n1,2:3,4:1\n")
    (tmp_path / "ragged.ts").write_text(f"@data\n{'1,2:' * 11}3:1\n")
    (tmp_path / "tenth.ts").write_text(f"@data\n{'1,2:' * 12}10\n")
    for args, words in (
        ([good], "TRAIN and TEST: give the paths of all 2 files"),
        ([good, "nowhere.ts"], "TEST nowhere.ts: [Errno 2] No such file"),
        ([str(tmp_path / "empty.ts"), good], "must have lines of utterances after @data"),
        ([str(tmp_path / "text.ts"), good], "line 2 must be channels and a class"),
        ([str(tmp_path / "few.ts"), good], "line 2 must have 12 channels"),
        ([str(tmp_path / "ragged.ts"), good], "line 2 must be channels and a class"),
        ([str(tmp_path / "tenth.ts"), good], "a class in 1..9"),
        ([good, good, "--epochs", "0"], "--epochs: must be at least 1, got 0"),
    ):
        with pytest.raises(SystemExit) as stop:
            vowels.main(args)
        assert stop.value.code == 2
        assert words in capsys.readouterr().err
