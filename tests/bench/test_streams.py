"""The latency of many streams: its figures are consistent; how large they are is not asserted."""

import threading

import numpy as np
import pytest

from ltc_np import set_num_threads
from ltc_np.bench import command, host, streams


def test_percentiles_are_those_of_all_numbers():
    rng, times = np.random.default_rng(0), streams.Latencies()
    numbers = [0, 1, 31, 32, 33, *(2 ** rng.uniform(0, 40, 2000)).astype(int).tolist()]
    halves = times, streams.Latencies()
    for k, number in enumerate(numbers):
        halves[k % 2].add(number)
    times.join(halves[1])
    assert times.count == len(numbers) and times.largest == max(numbers)
    for percent in (0.1, 1, 50, 90, 99, 99.9, 100):
        want = np.percentile(numbers, percent, method="inverted_cdf")
        assert want <= times.percentile(percent) <= want * (1 + 1 / 32)  # the upper end of a bin
    assert streams.Latencies().percentile(50) == 0


@pytest.mark.parametrize("n_threads", [1, 3])
def test_every_stream_makes_the_steps_of_its_thread(n_threads):
    model = streams.network()
    done = streams.load(model, 7, n_threads, 0.02)
    assert sorted(k for owned in done.owned for k in owned) == list(range(7))
    assert done.latencies.count == sum(len(o) * r for o, r in zip(done.owned, done.rounds, strict=True)) >= 7
    x = streams.rows(model.dtype)
    for owned, rounds in zip(done.owned, done.rounds, strict=True):
        for k in owned:
            state = model(x[[streams.row_of(k, step) for step in range(rounds)]], return_state=True)[1]
            assert np.array_equal(state, done.states[k])


def test_an_error_in_a_thread_ends_all_of_them(monkeypatch):
    model = streams.network()
    monkeypatch.setattr(type(model), "step", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        streams.load(model, 7, 2, 10)


@pytest.mark.compiled
def test_the_command_prints_a_row_for_each_number_of_threads(monkeypatch, capsys):
    measure = streams.measure
    monkeypatch.setattr(streams, "measure", lambda dtype: measure(dtype, 0.02, 5))
    monkeypatch.setattr(host, "start_times", lambda: {"import_s": 0.1, "cold_s": 3.0, "warm_s": 0.5})
    try:
        command.main(["--cases", "streams", "--dtypes", "float32", "--threads", "2"])
    finally:
        set_num_threads(None)
    lines = capsys.readouterr().out.splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("streams"))
    assert [line.split()[:3] for line in lines[first + 1 : first + 3]] == [["5", "float32", n] for n in ("1", "2")]
    numbers = [float(word) for word in lines[first + 2].split()[4:]]
    assert len(numbers) == len(streams.PERCENTS) + 1 and numbers == sorted(numbers)


def test_threads_do_not_hold_a_process_that_is_stopped():
    """Ctrl-C ends the main thread, and Python waits for all others but daemons."""
    seen = []
    streams.in_threads(lambda k, barrier: seen.append(threading.current_thread().daemon), 2)
    assert seen == [True, True]
