"""New processes: code that needs an interpreter of its own, an empty cache of kernels, or another environment."""

import os
import subprocess
import sys
import textwrap

from support import ROOT, TESTS

CACHE = "NUMBA_CACHE_DIR"


def python(code, *, arguments=(), root=ROOT, check=True, warnings=None, timeout=300, **environment):
    """Run code in a new process that imports `ltc_np` from ``root`` and `support` from here; `sys.argv` has arguments.

    Its kernels come from the cache of this process, unless ``environment`` names another: ``NUMBA_CACHE_DIR``.
    """
    env = {name: value for name, value in os.environ.items() if name != "NUMBA_DISABLE_JIT"}
    path = os.pathsep.join([str(root), str(TESTS)])
    env |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, *(() if warnings is None else ("-W", warnings)), "-c", textwrap.dedent(code), *arguments]
    done = subprocess.run(command, env=env, cwd=root, capture_output=True, text=True, timeout=timeout)
    assert not check or done.returncode == 0, done.stderr
    return done
