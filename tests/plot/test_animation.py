"""Moving pictures: each frame shows the numbers of its step or epoch, and files are whole or not there."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image
from support.picture_cases import history, traced

from ltc_np import LSTM, Model
from ltc_np.plot import animate
from ltc_np.plot.filmed_network import scene as network_scene
from ltc_np.plot.filmed_training import scene as training_scene

T = np.linspace(0, 3, 8)
Y = np.sin(T)
PREDICTED = [Y * share for share in (0.0, 0.2, 0.5, 0.7, 0.9, 1.0)]


@pytest.mark.slow
def test_a_network_that_runs(tmp_path):
    trace = traced()
    file = tmp_path / "run.gif"
    animate(trace, file=file, frames=3, per_second=10, sequence=1)
    with Image.open(file) as image:
        assert image.n_frames == 3 and image.info["duration"] == 100 and image.info["loop"] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["run.gif"]


def test_a_frame_of_a_network_shows_one_step():
    trace = traced()
    figure, count, show = network_scene(trace, 0, 1)
    assert count == 9
    own = trace.layers[0]
    flows = np.concatenate([trace["sensory_currents"][1], trace["currents"][1]], axis=1)[:9]
    network, strip = figure.axes
    (lines,) = [c for c in network.collections if c.get_label() == "synapses"]
    neurons = network.collections[-1]
    for step in (0, 4, 8):
        show(step)
        # A synapse is as wide as its share of the largest current of all steps, and its colour says which way.
        wide = 0.3 + 2.7 * np.abs(flows[step]) / np.abs(flows).max()
        np.testing.assert_allclose(np.sort(lines.get_linewidths()), np.sort(wide), rtol=1e-6)
        red, blue = lines.get_edgecolors()[:, [0, 2]].T
        assert np.count_nonzero(red > blue) == np.count_nonzero(flows[step] < 0)
        red, _, blue = neurons.get_facecolors()[:, :3].T
        state = own.state[1, step] / np.abs(own.state[1, :9]).max()
        clear = np.abs(state) > 0.05
        assert (np.sign(blue - red)[clear] == np.sign(state)[clear]).all()
        order = np.argsort(np.abs(state))
        assert (np.diff(np.abs(blue - red)[order])[np.abs(state)[order][1:] < 0.4] > -0.02).all()
        now = strip.get_lines()[-1]
        assert now.get_xdata()[0] == pytest.approx(trace.dt[1, : step + 1].sum())
    plt.close(figure)


@pytest.mark.slow
def test_a_frame_of_a_training_shows_one_epoch():
    figure, count, show = training_scene(PREDICTED, Y, T, history())
    curve, losses = figure.axes
    true, line = curve.get_lines()
    np.testing.assert_array_equal(true.get_ydata(), Y)
    assert count == 6
    for epoch in (3, 0, 5):
        show(epoch)
        np.testing.assert_array_equal(line.get_ydata(), PREDICTED[epoch])
        np.testing.assert_array_equal(line.get_xdata(), T)
        assert curve.get_title() == f"epoch {epoch}"
        assert list(losses.get_lines()[-1].get_xdata()) == [epoch, epoch]
    assert losses.get_lines()[0].get_ydata().tolist() == history()["loss"]
    low, high = curve.get_ylim()
    assert low < np.min(PREDICTED) and high > np.max(Y)


def test_a_training_of_several_outputs_without_the_truth(tmp_path):
    file = tmp_path / "learn.gif"
    animate([np.stack([p, p + 1], axis=1) for p in PREDICTED], file=file, frames=2)
    with Image.open(file) as image:
        assert image.n_frames == 2


@pytest.mark.slow
def test_a_file_that_cannot_be_written_loses_nothing(tmp_path, monkeypatch):
    file = tmp_path / "learn.gif"
    file.write_bytes(b"before")
    monkeypatch.setattr(Image.Image, "save", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "no space left")))
    with pytest.raises(OSError, match="no space left; nothing was written"):
        animate(PREDICTED, file=file, frames=2)
    assert file.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


def test_what_is_refused(tmp_path):
    trace = traced()
    lstm = Model(LSTM(3), input_dim=2, backend="numpy").trace(np.ones((4, 2)))
    for call, error, message in (
        (lambda: animate(3), TypeError, "`source` must be a Trace or a list of predictions, got 3"),
        (lambda: animate([]), ValueError, "`source` must be a Trace or hold at least one prediction"),
        (lambda: animate(np.ones((2, 3, 7))), ValueError, r"of 1..6 outputs, got an array \(2, 3, 7\)"),
        (lambda: animate([[1, 2], [1]]), ValueError, "`source` must be predictions of one shape"),
        (lambda: animate(trace, y=Y), ValueError, "`y` must be left out here, it goes with predictions"),
        (lambda: animate(PREDICTED, sequence=0), ValueError, "`sequence` must be left out here, it goes with a trace"),
        (lambda: animate(lstm), ValueError, "one layer with a wiring, no layer has"),
        (lambda: animate(PREDICTED, y=Y[1:]), ValueError, r"`y` must have the shape of a prediction, \(8,\), got"),
        (lambda: animate(PREDICTED, t=T[1:]), ValueError, r"`t` must be times \(T,\) = \(8,\), got \(7,\)"),
        (
            lambda: animate(PREDICTED[:4], history=history()),
            ValueError,
            "an epoch for each of the 4 predictions, got 6",
        ),
        (lambda: animate(PREDICTED, frames=1), ValueError, "`frames` must be an int >= 2, got 1"),
        (lambda: animate(PREDICTED, per_second=0), ValueError, "`per_second` must be a finite number > 0"),
        (lambda: animate(PREDICTED, file=3), TypeError, "`file` must be a str or Path, got 3"),
        (lambda: animate(PREDICTED, file=tmp_path / "a.mp4"), ValueError, "`file` must end in .gif, got"),
        (lambda: animate(PREDICTED, file=tmp_path / "no" / "a.gif"), FileNotFoundError, "existing folder"),
    ):
        with pytest.raises(error, match=message) as found:
            call()
        assert "\n" not in str(found.value)
    assert not list(tmp_path.iterdir()) and not plt.get_fignums()
