"""A thousand streams of one model, stepped one at a time by two threads."""

import json
import os

import pytest
from support.processes import within

STREAMS, THREADS = 1000, 2
# Bytes that the process may grow by; one block of 32 bytes a step, the least that malloc gives, would be more.
ROOM = 1 << 20

PROGRAM = """
    import gc, json, os, sys, threading, tracemalloc
    import numpy as np
    from ltc_np.bench import streams

    seconds, n_streams, n_threads = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    model = streams.network()

    def held():
        gc.collect()
        with open("/proc/self/statm") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        handles, tasks = len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
        return {"resident": resident, "handles": handles, "tasks": tasks, "threads": threading.active_count()}

    streams.load(model, n_streams, n_threads, seconds / 6)
    before = held()
    load = streams.load(model, n_streams, n_threads, seconds)
    after = held()

    differing = 0  # each stream alone: its whole sequence, in one call
    x = streams.rows(model.dtype)
    for owned, rounds in zip(load.owned, load.rounds):
        for stream in owned:
            sequence = x[[streams.row_of(stream, step) for step in range(rounds)]]
            state = model(sequence, return_state=True)[1]
            differing += not np.array_equal(state, load.states[stream])

    tracemalloc.start()
    streams.load(model, n_streams, n_threads, seconds / 10)
    gc.collect()
    traced = tracemalloc.get_traced_memory()[0]
    last = streams.load(model, n_streams, n_threads, seconds / 5)
    count = last.latencies.count
    del last
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - traced
    times = {str(p): load.latencies.percentile(p) / 1e3 for p in streams.PERCENTS}
    print(json.dumps({
        "before": before, "after": after, "differing": differing, "rounds": load.rounds, "traced": grown,
        "traced_steps": count, "steps": load.latencies.count, "us": times, "max_us": load.latencies.largest / 1e3,
    }))
"""

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs /proc")


def soak(seconds):
    """Run the streams, check what must hold, and return what was found."""
    found = json.loads(within(600 + 20 * seconds, PROGRAM, arguments=[seconds, STREAMS, THREADS]))
    assert min(found["rounds"]) >= 1
    assert found["steps"] == STREAMS // THREADS * sum(found["rounds"])
    assert found["differing"] == 0
    before, after = found["before"], found["after"]
    for name in ("handles", "tasks", "threads"):
        assert after[name] == before[name], name
    assert after["resident"] - before["resident"] < ROOM, found
    assert found["traced"] < 0.1 * found["traced_steps"] + 4096, found  # less than a byte in ten steps
    return found


@pytest.mark.slow
@pytest.mark.compiled
def test_for_seconds():
    soak(3)


@pytest.mark.compiled
@pytest.mark.fuzz
def test_for_a_minute(trust):
    found = soak(60)
    grown = found["after"]["resident"] - found["before"]["resident"]
    trust.record(
        "concurrency",
        {
            "1,000 streams for a minute: steps, and streams with other bits than alone": f"{found['steps']:,}, 0",
            "1,000 streams for a minute: growth of the process": f"{max(grown, 0) // 1024:,} KiB",
            "1,000 streams for a minute: threads and file handles that were left": "0",
        },
    )
