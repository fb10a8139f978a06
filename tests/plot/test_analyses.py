"""Pictures of what `ltc_np.analysis` gives: they show its numbers."""

import numpy as np
import pytest
from support.picture_cases import influences, plane, reaches, traced

from ltc_np.plot import gradient_by_lag, phase_portrait, saliency


def test_saliency_is_what_was_given():
    ax = saliency(influences(), step=6, names=["a", "b", "c"])
    mesh = ax.collections[0]
    np.testing.assert_array_equal(mesh.get_array().reshape(3, 10), influences().T)
    assert mesh.get_coordinates()[0, :, 0].tolist() == list(range(11))
    assert (mesh.norm.vmin, mesh.norm.vmax) == (-1.0, 1.0)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]
    (line,) = ax.get_lines()
    assert set(line.get_xdata()) == {7}, "the end of step 6"
    assert ax.get_xlabel() == "step"


def test_saliency_over_elapsed_time():
    dt = np.linspace(0.1, 1.0, 10)
    ax = saliency(influences(), dt=dt, step=-1)
    np.testing.assert_allclose(ax.collections[0].get_coordinates()[0, :, 0], [0, *np.cumsum(dt)], rtol=1e-12)
    assert set(ax.get_lines()[0].get_xdata()) == {ax.collections[0].get_coordinates()[0, -1, 0]}
    assert ax.get_xlabel() == "time" and ax.get_ylabel() == "input"


def test_saliency_refuses():
    for call, error, message in (
        (lambda: saliency(np.ones((2, 4, 3))), ValueError, r"shape \(T, I\), got \(2, 4, 3\): choose a sequence"),
        (lambda: saliency(np.ones(4)), ValueError, r"`values` must have shape \(T, I\), got \(4,\)"),
        (lambda: saliency([["a"]]), TypeError, "`values` must be real numbers"),
        (lambda: saliency([[np.nan]]), ValueError, "`values` must be finite"),
        (lambda: saliency(influences(), step=10), ValueError, "`step` must be an int in -10..9, got 10"),
        (lambda: saliency(influences(), names=["a"]), ValueError, "`names` must be 3 texts, one for each input"),
        (lambda: saliency(influences(), dt=[1, 2]), ValueError, r"`dt` must be a number or \(10,\)"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_gradients_by_lag_are_what_was_given():
    ax = gradient_by_lag(reaches())
    for line, (name, values) in zip(ax.get_lines(), reaches().items(), strict=True):
        assert line.get_label() == name
        seen = ~np.isnan(line.get_ydata())
        assert line.get_xdata().tolist() == list(range(len(values)))
        np.testing.assert_array_equal(line.get_ydata()[seen], values[values > 0])
        np.testing.assert_array_equal(seen, values > 0)
    assert ax.get_yscale() == "log" and ax.get_ylim() == (1e-16, 2.0)
    (line,) = gradient_by_lag([1.0, 0.1]).get_lines()
    assert line.get_ydata().tolist() == [1.0, 0.1] and line.axes.get_legend() is None


def test_gradients_by_lag_refuse():
    for given, error, message in (
        (np.ones((2, 3)), ValueError, r"`norms` must have shape \(T,\), got \(2, 3\): choose a sequence, norms\[0\]"),
        ({"a": np.ones((2, 3))}, ValueError, r"`norms\['a'\]` must have shape \(T,\), got \(2, 3\): choose"),
        ([1.0, -2.0], ValueError, r"`norms` must be finite and at least 0, got -2.0"),
        ([np.nan], ValueError, "got nan"),
        ([0.0, 0.0], ValueError, "`norms` must not be all 0"),
        ({}, ValueError, "`norms` must be of 1..7 networks in one picture, got 0"),
        (["a"], TypeError, "`norms` must be real numbers"),
    ):
        with pytest.raises(error, match=message):
            gradient_by_lag(given)


def test_a_phase_portrait_is_the_plane_and_the_trace():
    trace = traced()
    ax = phase_portrait(plane(), (4, 7), trace=trace, layer=0, sequence=1)
    lines = {line.get_label(): line for line in ax.get_lines()}
    np.testing.assert_array_equal(lines["neuron 4 still"].get_xydata(), plane().first_still)
    np.testing.assert_array_equal(lines["neuron 7 still"].get_xydata(), plane().second_still)
    state = trace.layers[0].state[1, :9]
    wanted = np.concatenate([trace.layers[0].h0[1:2], state])[:, [4, 7]]
    np.testing.assert_array_equal(lines["trace"].get_xydata(), wanted)
    (arrows,) = [c for c in ax.collections if hasattr(c, "U")]
    places = arrows.get_offsets()
    # Turning around (0.2, -0.1) clockwise and inwards, at each of the 54 points of the grid.
    x, y = places[:, 0] - 0.2, places[:, 1] + 0.1
    slopes = np.stack([-0.5 * x + 2 * y, -2 * x - 0.5 * y])
    assert len(places) == 54
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V]), slopes / np.hypot(*slopes), atol=1e-12)
    assert (ax.get_xlim(), ax.get_ylim()) == ((-1, 1), (-0.5, 0.5))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("neuron 4", "neuron 7")


def test_a_fine_grid_has_few_arrows_in_their_places():
    line = np.linspace(-1, 1, 41)
    slopes = np.stack(np.meshgrid(line, 2 * line, indexing="ij"))
    fine = plane()._replace(first=line, second=line, slopes=slopes)
    (arrows,) = [c for c in phase_portrait(fine, (0, 1)).collections if hasattr(c, "U")]
    places = arrows.get_offsets()
    assert 100 <= len(places) <= 14**2
    wanted = places * [1, 2]
    size = np.hypot(*wanted.T)
    wanted = np.where(size[:, None] > 1e-12, wanted / np.maximum(size, 1e-12)[:, None], 0)
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V], 1), wanted, atol=1e-12)


def test_phase_portraits_refuse():
    for call, error, message in (
        (lambda: phase_portrait(np.ones(3), (0, 1)), TypeError, "`plane` must be what `analysis.nullclines` gives"),
        (lambda: phase_portrait(plane(), 3), TypeError, "`neurons` must be two ints, got 3"),
        (lambda: phase_portrait(plane(), (0, 12), trace=traced()), ValueError, "`neurons` must be an int in 0..11"),
        (lambda: phase_portrait(plane(), (0, 1), trace=3), TypeError, "`trace` must be what"),
    ):
        with pytest.raises(error, match=message):
            call()
