"""The gradient check itself: every deliberately wrong derivative is caught, with the size of its error."""

import numpy as np
import pytest

from ltc_np import CTRNN, Model
from ltc_np.analysis import gradcheck


def wrong(change):
    """A model with a layer whose adjoint is changed: ``change`` takes {name: gradient} and the d_h that came in."""

    class Wrong(CTRNN):
        def backward(self, prepared, saved, d_y, d_h, g, *others):
            d = {"state": d_h.copy()}
            change(d)
            d_x, d_h0, d_dt = super().backward(prepared, saved, d_y, d["state"], g, *others)
            d |= {"x": d_x, "h0": d_h0, "dt": d_dt, **g}
            change(d)
            return d_x, d_h0, d_dt

    return Model(Wrong(4, input_dim=2), seed=1, dtype="float64", backend="numpy")


def scaled(name, factor=0.9):
    def change(d):
        if name in d:
            d[name] *= factor

    return change


X = np.random.default_rng(0).normal(size=(3, 4, 2))
DATA = {"x": X, "dt": np.random.default_rng(1).uniform(0.2, 1, (3, 4))}


@pytest.mark.parametrize("name", ["w_x", "w_h", "b", "tau", "x", "h0", "dt"])
def test_a_wrong_gradient_is_found_by_its_name(name):
    errors = gradcheck.check(wrong(scaled(name)), **DATA)
    assert errors.pop(name) == pytest.approx(0.1, rel=1e-4)
    assert max(errors.values()) < 1e-6, errors
    assert gradcheck.direction(wrong(scaled(name)), **DATA) > 1e-5


def test_what_is_right_passes():
    model = wrong(lambda d: None)
    assert max(gradcheck.check(model, **DATA).values()) < 1e-6
    assert gradcheck.direction(model, **DATA) < 1e-6


def test_the_adjoint_of_the_last_state_counts():
    """A layer that takes too little of what comes back from the state after the last step."""
    errors = gradcheck.check(wrong(scaled("state")), **DATA)
    assert errors["h0"] > 1e-3
    assert gradcheck.direction(wrong(scaled("state")), **DATA) > 1e-3


def test_one_wrong_element_is_enough():
    """The largest error counts, not the mean."""

    def change(d):
        if "x" in d:
            d["x"][1, 2, 0] += 1e-3 * np.abs(d["x"]).max()

    assert gradcheck.check(wrong(change), **DATA)["x"] == pytest.approx(1e-3, rel=1e-3)


def test_a_gradient_of_what_has_none_is_wrong():
    """Elapsed time does not matter to a unit that is at rest, whatever the adjoint says."""

    def change(d):
        if "dt" in d:
            d["dt"] += 1e-3

    model = wrong(change)
    model.theta = np.where(np.arange(model.theta.size) < model.layout.slices["tau"][0].start, 0.0, 1.0)
    errors = gradcheck.check(model, **DATA, h0=np.zeros((3, 4)))
    assert errors["dt"] == np.inf


def test_frozen_parameters_are_left_out():
    model = wrong(scaled("b"))
    model.freeze("b")
    errors = gradcheck.check(model, **DATA)
    assert "b" not in errors
    assert max(errors.values()) < 1e-6


X, DT = DATA["x"], DATA["dt"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x": X + 0j}, TypeError, r"`x` must be real numbers \(\(B, T, 2\) or \(T, 2\)\), got dtype complex128"),
        ({"x": np.ma.masked_less(X, 0)}, TypeError, "`x` must be a plain array, got a masked array"),
        ({"x": X.astype(object)}, TypeError, "`x` must be real numbers .*, got dtype object"),
        ({"x": X.astype("datetime64[s]")}, TypeError, r"`x` must be real numbers .*, got dtype datetime64\[s\]"),
        ({"x": "data"}, TypeError, "`x` must be real numbers .*, got dtype <U4"),
        ({"x": X[..., :1]}, ValueError, r"`x` must be \(B, T, 2\) or \(T, 2\), got shape \(3, 4, 1\)"),
        ({"x": X[0, 0]}, ValueError, r"`x` must be \(B, T, 2\) or \(T, 2\), got shape \(2,\)"),
        ({"x": X * np.nan}, ValueError, "`x` must be finite"),
        ({"lengths": [4, 3]}, ValueError, r"`lengths` must be integers of shape \(B,\) = \(3,\), got int64 of shape"),
        ({"lengths": [4.0, 3.0, 1.0]}, TypeError, "`lengths` must be integers"),
        ({"lengths": [4, 3, 5]}, ValueError, r"`lengths` must lie in 0\.\.T = 0\.\.4, got 3\.\.5"),
        ({"x": X[0], "lengths": [4]}, ValueError, "`lengths` needs a batch"),
        ({"dt": DT[:, :1]}, ValueError, r"`dt` must be a number, \(T,\) or \(B, T\) = \(3, 4\), got shape \(3, 1\)"),
        ({"dt": -DT}, ValueError, "`dt` must be finite, >= 0"),
        ({"h0": np.zeros(4)}, ValueError, r"`h0` must have shape \(B, K\) = \(3, 4\), got \(4,\)"),
        ({"seed": "0"}, TypeError, "`seed` must be an int >= 0, got '0'"),
    ],
)
def test_arguments_are_those_of_a_call(arguments, error, message):
    for function in (gradcheck.check, gradcheck.direction):
        with pytest.raises(error, match=message) as caught:
            function(CTRNN(4, input_dim=2), **{"x": X} | arguments)
        assert "\n" not in str(caught.value)


def test_it_is_found_where_the_pages_say():
    """`ltc_np.gradcheck` is this module, by either form of an import."""
    import ltc_np
    from ltc_np.gradcheck import check

    assert ltc_np.gradcheck is gradcheck
    assert check is gradcheck.check
