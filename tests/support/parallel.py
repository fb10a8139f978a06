"""Calls that share their work among threads, even if it is small."""

import contextlib
import sys
from unittest import mock

import ltc_np
from ltc_np import set_num_threads
from ltc_np.base import threads
from support.backends import BACKENDS


@contextlib.contextmanager
def always_parallel():
    """A context in which calls share all work; it gives a function that tells the largest number of helpers asked
    for."""
    asked, workers = [0], threads._workers
    for name in ("ltc", "ode", "cfc", "lstm"):
        ltc_np.kernels.load(BACKENDS[-1], name)
    with contextlib.ExitStack() as until:
        until.enter_context(mock.patch.object(threads, "_workers", lambda n: (asked.append(n), workers(n))[1]))
        for module in [m for name, m in sys.modules.items() if name.startswith("ltc_np.")]:
            for threshold in [name for name in vars(module) if name.startswith("PARALLEL_")]:
                until.enter_context(mock.patch.object(module, threshold, 0))
        until.callback(set_num_threads, None)
        yield lambda: max(asked)
