"""Processes that are killed in the middle of a training: nothing that was on the disk is lost, and no bit differs."""

import json
import os

import pytest
from support.processes import python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that fork")


def found(*arguments):
    """What a function of `support.crashes` found, run in a separate process."""
    run = "import sys\nfrom support import crashes\ncrashes.main(*sys.argv[1:])"
    done = python(run, arguments=list(arguments), timeout=1200)
    return json.loads(done.stdout)


def at_random(folder, trust, kills, what):
    """SIGKILL comes from outside, at any moment.  Two checkpoints are kept, written after every step or after every
    fourth."""
    counts = {}
    for every in (1, 4):
        part = found("killed_at_random", str(folder), str(kills // 2), str(every), "2", str(kills + every))
        counts = {name: counts.get(name, 0) + number for name, number in part.items()}
        folder = folder / "next"
        folder.mkdir()
    assert counts["killed"] == kills and counts["finished"] >= 2
    assert counts["different"] == counts["steps lost"] == 0
    trust.record("checkpoints", {
        f"trainings killed by SIGKILL at a random moment and resumed ({what})": counts["killed"],
        f"of these trainings, finished and compared with one that was never killed ({what})": counts["finished"],
        f"of these, with another bit in weights, moments or history ({what})": counts["different"],
        f"steps that were in a checkpoint and were lost ({what})": counts["steps lost"],
    })  # fmt: skip


@pytest.mark.slow
def test_kill_at_random_moments(tmp_path, trust):
    at_random(tmp_path, trust, 20, "in every run")


@pytest.mark.fuzz
def test_kill_at_many_random_moments(tmp_path, trust):
    at_random(tmp_path, trust, 200, "in the long run")


@pytest.mark.slow
def test_kill_at_every_call_on_the_way_to_a_file(tmp_path, trust):
    """The process is killed each time before a file is opened, brought to the disk, renamed, closed or removed."""
    counts = found("killed_at_every_call", str(tmp_path), "9", "1")
    assert counts["killed"] > 10
    assert counts["different"] == counts["older"] == 0
    trust.record("checkpoints", {
        "trainings killed before each call of the system by which a checkpoint is written": counts["killed"],
        "of these, resumed with another bit": counts["different"],
    })  # fmt: skip
