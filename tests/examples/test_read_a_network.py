"""Reading a network: the thermostat against its rule, the linear rival, and the whole example, quickly."""

import numpy as np
import pytest


@pytest.fixture
def thermostat(example):
    return example("thermostat")


def test_the_heating_follows_the_rule(thermostat):
    """Step by step, with a memory that Python's own bools keep; every case occurs."""
    recorded, seen = thermostat.record(20, 60, 3), set()
    for x, on in zip(recorded.x, recorded.on[:, :, 0], strict=True):
        state = bool(on[0])
        for (room, wanted), found in zip(x[1:], on[1:], strict=True):
            case = "cold" if room < wanted - 0.4 else "warm" if room > wanted + 0.4 else "band"
            state = {"cold": True, "warm": False, "band": state}[case]
            assert found == state
            seen.add((case, state))
    assert seen == {("cold", True), ("warm", False), ("band", True), ("band", False)}


def test_recordings(thermostat):
    recorded = thermostat.record(300, 100, 5)
    assert recorded.dt.min() >= thermostat.LEAST
    assert recorded.dt.mean() == pytest.approx(thermostat.MEAN, rel=0.02)  # of 30,000 numbers: 4 standard deviations
    band = recorded.in_band()
    difference = recorded.x[:, :, 0] - recorded.x[:, :, 1]
    assert np.array_equal(band, np.abs(difference) <= 0.4) and 0.2 < band.mean() < 0.6
    again, other = thermostat.record(300, 100, 5), thermostat.record(300, 100, 6)
    assert np.array_equal(recorded.x, again.x) and not np.array_equal(recorded.x, other.x)


def test_the_room_follows_the_weather(thermostat, monkeypatch):
    """A weather that does not change: the way to it falls by e in ROOM minutes, however the samples lie."""
    monkeypatch.setattr(thermostat, "OUTSIDE", 1e12)
    recorded = thermostat.record(4, 400, 1)
    room, passed = recorded.x[:, :, 0], np.cumsum(recorded.dt, axis=1)
    last = room[:, -1:]  # after a hundred of its time constants
    way = np.log(np.abs(room[:, :10] - last))
    np.testing.assert_allclose(np.diff(way), -np.diff(passed[:, :10]) / thermostat.ROOM, rtol=1e-3)


def test_the_linear_rival(thermostat):
    known, asked = thermostat.record(60, 50, 1), thermostat.record(5, 50, 2)
    rows = thermostat.lagged(asked.x)
    assert rows.shape == (5, 50, 65)
    np.testing.assert_array_equal(rows[2, 40, :4], np.r_[asked.x[2, 40], asked.x[2, 39]])
    np.testing.assert_array_equal(rows[2, 3, -5:-1], np.tile(asked.x[2, 0], 2))
    found, later = thermostat.linear(known, asked.x), asked.x.copy()
    later[:, 30:] = 7
    other = thermostat.linear(known, later)
    assert np.array_equal(found[:, :30], other[:, :30]) and not np.allclose(found[:, 30:], other[:, 30:])
    target = known._replace(on=(known.x[:, :, :1] > 0.3).astype(float))
    assert thermostat.right(thermostat.linear(target, asked.x), asked._replace(on=asked.x[:, :, :1] > 0.3)) > 90


def test_how_often_it_is_right(thermostat):
    on = np.array([[[1.0], [0.0], [1.0], [0.0]]])
    recorded = thermostat.Recorded(np.zeros((1, 4, 2)), np.ones((1, 4)), on)
    logits = np.array([[[2.0], [-1.0], [-0.1], [3.0]]])
    assert thermostat.right(logits, recorded) == 50
    assert thermostat.right(logits, recorded, np.array([[True, True, True, False]])) == pytest.approx(200 / 3)


@pytest.mark.slow
def test_the_example_reads_its_network(run_example, tmp_path):
    done = run_example("read_a_network", "--quick", "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    rows = {line[:28].strip(): [float(word) for word in line[28:].split()] for line in lines[3:6]}
    assert list(rows) == ["the present temperatures", "ridge, 32 samples", "19 neurons"]
    assert rows["19 neurons"][0] > rows["the present temperatures"][0]
    first = next(k for k, line in enumerate(lines) if line.startswith("neuron layer"))
    table = [line.split() for line in lines[first + 1 : first + 20]]
    assert sorted(int(row[0]) for row in table) == list(range(19))
    losses = [float(row[-2]) for row in table]
    assert losses == sorted(losses, reverse=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["read_a_network.png"]
