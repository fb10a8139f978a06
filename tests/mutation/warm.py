"""Runs pytest again and again in forks of this process, which has imported what every run needs: that takes longest.

Started by `run`.  Each line of the input, JSON, is a run: ``arguments`` of pytest, the folder ``cache`` for compiled
kernels, a file for the ``output``.  What is answered is the number of the process, which leads a group of its own, and
when it has ended its exit status.  The library itself is not imported before a run, since its sources change between.
With ``--numpy`` there is no Numba.
"""

import importlib
import json
import os
import sys

import pytest

if "--numpy" in sys.argv:
    sys.modules["numba"] = None  # as if it were not installed
for name in ("numpy", "numba", "hypothesis"):
    try:
        importlib.import_module(name)
    except ImportError:
        print(f"{name} is not there", file=sys.stderr)


def one(arguments, cache, output):
    """In the fork: pytest, with what it says in a file."""
    os.setsid()
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ["NUMBA_CACHE_DIR"] = cache  # for processes that a test starts
    if sys.modules.get("numba"):
        sys.modules["numba"].config.CACHE_DIR = cache
    status = int(pytest.main(arguments))
    sys.stdout.flush()
    os._exit(status)


def main():
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            one(**json.loads(line))
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
