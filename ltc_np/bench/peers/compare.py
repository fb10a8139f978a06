"""The comparison of ltc_np with its peers: trials, runs in turn, a table."""

import contextlib
import statistics
import time
from importlib import metadata

from ...base import threads
from .jax import FORMULATIONS
from .known import ONE_THREAD, PACKAGES, PEERS_OF, REFERENCE_MS, is_weak, left_out
from .worker import Worker

TRIAL_RUNS = 3
PAUSE = 0.05  # seconds before another process works: OpenMP's threads spin for some milliseconds after theirs
MEMORY_CASE = "medium"


def fastest(trials):
    """The quickest trial of each peer: {peer: trial}, trials being dicts with "peer" and "ms"."""
    found = {}
    for trial in trials:
        if trial["peer"] not in found or trial["ms"] < found[trial["peer"]]["ms"]:
            found[trial["peer"]] = trial
    return found


def compare(cases, n, runs, say):
    """Time the peers beside ltc_np on ``n`` threads.

    Parameters
    ----------
    cases : list of str
        Those without peers are passed over.
    n : int
    runs : int
    say : callable
        Is told each case when it is measured.

    Returns
    -------
    dict
        ``rows``: one for each case and peer; ``trials``: what the choice was made from; ``memory_mib``: peer -> MiB
        a step adds at its peak, for ltc_np and ncps in the medium case; ``left_out``: lines; ``versions``.

    Raises
    ------
    RuntimeError
        Where a peer fails or does not compute the same numbers.
    """
    lines = {name: left_out(name) for name in PACKAGES}
    names = [name for name in PACKAGES if not lines[name]]
    cases = [case for case in cases if case in PEERS_OF]
    packages = sorted({package for name in names for package in PACKAGES[name]})
    result = {
        "left_out": [line for line in lines.values() if line],
        "versions": {package: metadata.version(package) for package in packages},
        "rows": [],
        "trials": [],
        "memory_mib": {},
    }
    if not names:
        return result
    with contextlib.ExitStack() as stack:
        counts = [k for k in (1, 2) if k <= threads.available()]
        asked = [("ltc_np", k) for k in {1, n}] + [(name, k) for name in names for k in counts]
        workers = {key: stack.enter_context(Worker(*key)) for key in asked}
        for case in cases:
            trials = []
            ours = workers["ltc_np", 1 if case in ONE_THREAD else n]
            for (name, k), worker in workers.items():
                if name not in PEERS_OF[case] or (k > 1 and case in ONE_THREAD):
                    continue
                for formulation in FORMULATIONS if name == "jax" else [None]:
                    ms = 1e3 * statistics.median(worker.ask(case, formulation, TRIAL_RUNS))
                    trials.append({"case": case, "peer": name, "threads": k, "formulation": formulation, "ms": ms})
            chosen = fastest(trials)
            seconds = {name: [] for name in ["ltc_np", *chosen]}
            for _ in range(runs):
                for name, found in seconds.items():
                    worker = ours if name == "ltc_np" else workers[name, chosen[name]["threads"]]
                    time.sleep(PAUSE)
                    found += worker.ask(case, None if name == "ltc_np" else chosen[name]["formulation"])
            ms = {name: 1e3 * statistics.median(found) for name, found in seconds.items()}
            say(f"{case}: {', '.join(f'{name} {time:.3f} ms' for name, time in ms.items())}")
            result["trials"] += trials
            result["rows"] += [
                trial
                | {
                    "ms": ms[name],
                    "ltc_np_ms": ms["ltc_np"],
                    "ratio": ms[name] / ms["ltc_np"],
                    "reference_ms": REFERENCE_MS[name][case],
                    "weak": is_weak(name, case, ms[name]),
                }
                for name, trial in chosen.items()
            ]
    if MEMORY_CASE in cases and "ncps" in names:
        for name in ("ltc_np", "ncps"):
            with Worker(name, 1) as worker:
                memory = worker.ask(MEMORY_CASE, runs=None)
                result["memory_mib"][name] = None if memory is None else memory / 2**20
    return result


def table(result):
    """The result of `compare` as text."""
    lines = [*result["left_out"]]
    if result["rows"]:
        versions = ", ".join(f"{package} {version}" for package, version in result["versions"].items())
        lines += [
            f"one training step in float32 beside {versions}",
            f"{'case':<10} {'ltc_np ms':>9}  {'peer':<4} {'threads':>7} {'ms':>10} {'ratio':>6}",
        ]
    for row in result["rows"]:
        marks = [row["formulation"] or "", "weak peer" if row["weak"] else ""]
        lines.append(
            f"{row['case']:<10} {row['ltc_np_ms']:>9.3f}  {row['peer']:<4} {row['threads']:>7} {row['ms']:>10.3f} "
            f"{row['ratio']:>6.1f}  {'; '.join(filter(None, marks))}".rstrip()
        )
    memory = result["memory_mib"]
    if memory and None not in memory.values():
        lines.append(
            f"a step adds to the process's peak memory ({MEMORY_CASE}): ltc_np {memory['ltc_np']:.1f} MiB, "
            f"ncps {memory['ncps']:.0f} MiB ({memory['ncps'] / memory['ltc_np']:.0f} times)"
        )
    return "\n".join(lines)
