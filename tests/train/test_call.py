"""Former names of options of `fit`: they are taken for now, and a warning shows the new line."""

import re

import numpy as np
import pytest

from ltc_np import LTCRNN, Adam, AutoNCP, Checkpoints
from ltc_np.train.call import OF_CHECKPOINTS

X = np.random.default_rng(0).normal(size=(12, 4, 1))


def fit(epochs=3, **options):
    model = LTCRNN(AutoNCP(6, 1), 1, seed=0, backend="numpy")
    return model.fit(X, X, optimizer=Adam(0.02), epochs=epochs, batch_size=4, seed=1, verbose=0, **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_former_names_are_taken_with_a_warning(tmp_path):
    """As the new line is; and what the warning shows is that line."""
    wanted = Checkpoints(tmp_path / "former", every=2, keep_last=1)
    words = f"`every`, `keep_last` of `fit` will be refused by the next version: give checkpoint={wanted!r}"
    with pytest.warns(FutureWarning, match=re.escape(words)) as told:
        fit(checkpoint=tmp_path / "former", every=2, keep_last=1)
    assert [warning.filename for warning in told] == [__file__]
    fit(checkpoint=Checkpoints(tmp_path / "new", every=2, keep_last=1))
    assert names(tmp_path / "former") == names(tmp_path / "new") == ["step-00000009.npz"]
    with pytest.warns(FutureWarning, match="`resume` of `fit` will be refused"):
        history = fit(4, checkpoint=tmp_path / "former", resume=True)
    assert history.epoch == [0, 1, 2, 3]


def test_former_names_with_their_defaults_need_no_folder():
    """As where a program hands on what it was given."""
    assert fit(checkpoint=None, **OF_CHECKPOINTS).epoch == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"checkpoint": 3, "every": 1}, TypeError, "^`checkpoint` must be a folder, a str or a Path, got 3$"),
        ({"checkpoint": "run", "every": 1.5}, TypeError, "^`every` must be an int >= 1, got 1.5$"),
        ({"checkpoint": "run", "keep_last": 0}, ValueError, "^`keep_last` must be an int >= 1, got 0$"),
        ({"checkpoint": "run", "resume": 1}, TypeError, "^`resume` must be a bool, got 1$"),
        ({"every": 3}, ValueError, "^`every` must be left out without a folder `checkpoint`, got 3$"),
        ({"keep_last": 4}, ValueError, "^`keep_last` must be left out without a folder `checkpoint`, got 4$"),
        ({"resume": True}, ValueError, "^`resume` must be left out without a folder `checkpoint`, got True$"),
        (
            {"checkpoint": Checkpoints("run"), "resume": True}, TypeError,
            r"^`resume` must be given to `Checkpoints`, not beside it, got Checkpoints\('run'\)$",
        ),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit(options, error, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        fit(**options)
    assert not list(tmp_path.iterdir())


def test_a_name_that_never_was_is_refused():
    with pytest.raises(TypeError, match="^`fit` has no argument `keep_lst`"):
        fit(keep_lst=4)
