"""New processes: code that needs an interpreter of its own, an empty cache of kernels, or another environment."""

import contextlib
import os
import signal
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


def within(seconds, code, *, python=sys.executable, arguments=(), files=None, **environment):
    """What code prints in a new process.  If it takes too long, the test fails with the stacks of all its threads.

    It is for code that may wait for ever.  ``files`` is a folder for the code, so that it is a module that processes of
    `multiprocessing` can import.  Processes that are left behind are ended.
    """
    env = {name: value for name, value in os.environ.items() if name != "NUMBA_DISABLE_JIT"}
    path = os.pathsep.join([str(ROOT), str(TESTS)])
    env |= {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONFAULTHANDLER": "1", **environment}
    limit = f"import faulthandler\nfaulthandler.dump_traceback_later({seconds}, exit=True)\n"
    # Python 3.12 and later warn of a fork of a process with threads, which is what is tried here.
    limit += "import warnings\nwarnings.filterwarnings('ignore', '.*multi-threaded, use of fork', DeprecationWarning)\n"
    code = limit + textwrap.dedent(code)
    source = ["-c", code]
    if files is not None:
        (files / "program.py").write_text(code, encoding="utf-8")
        source = [str(files / "program.py")]
    process = subprocess.Popen(
        [str(python), *source, *map(str, arguments)], env=env, cwd=ROOT, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        out, error = process.communicate(timeout=seconds + 30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, error = process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, f"{process.returncode}\n{out}\n{error}"
    return out
