#!/usr/bin/env python3
"""How long a user waits for a wheel's first results, each time in a fresh environment and with empty caches.

    python3 .ci/first_calls.py dist/ltc_np-VERSION-py3-none-manylinux....whl

`.ci/release.py` writes the figures to docs/trust.md.  Other work on the machine makes them larger: beside each time
stands the processor time, which says less about that.
"""

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GRADIENT = """
import numpy as np
from ltc_np import LTCRNN, AutoNCP
model = LTCRNN(AutoNCP(16, 2), input_dim=3, seed=0)
loss, gradient = model.loss_and_grad(np.ones((64, 20, 3)), np.zeros((64, 20, 2)))
assert np.isfinite(gradient).all() and gradient.any()
"""
ANSWER = "import numpy as np, ltc_np; ltc_np.load('m.npz')(np.ones((1, 20, 3)))"
MODEL = "from ltc_np import LTCRNN, AutoNCP; LTCRNN(AutoNCP(16, 2), input_dim=3, seed=0).save('m.npz')"
RUNS = 7


def clean_environment(home):
    """Variables of a process that knows nothing of this machine's caches, thread counts and Python paths."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return kept | {"PATH": os.environ["PATH"], "HOME": str(home), "MPLBACKEND": "Agg"}


def measure(command, folder, runs=1):
    """(seconds, of processor time) of a command that must succeed: the run that took the median of the times."""
    found = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as home:
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            done = subprocess.run(
                command, cwd=folder, env=clean_environment(home), capture_output=True, text=True, shell=True
            )
            wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise OSError(f"{command}\n{(done.stdout + done.stderr)[-3000:]}")
        found.append((wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return sorted(found)[runs // 2]


def in_words(times):
    return f"{times[0]:.2f} s (processor time {times[1]:.2f} s)"


def main_command(wheel):
    """The README's main command, with the wheel instead of the checkout."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = re.search(r"<!-- ci: main -->\n```sh\n(.*?)```", readme, re.DOTALL)[1].strip()
    command = " && ".join(command.splitlines())
    if command.count('".[plot]"') != 1:
        raise ValueError(f"the README's main command must install .[plot] once, got {command}")
    return command.replace('".[plot]"', f'"{wheel}[plot]"').replace("python3 ", f"{sys.executable} ")


def figures(python, wheel, scratch):
    """What docs/trust.md says; ``python`` is that of an environment with the wheel and NumPy alone."""
    shutil.copytree(ROOT / "examples", scratch / "examples")
    gradient, python = scratch / "gradient.py", str(python)
    gradient.write_text(GRADIENT)
    measure(f'{python} -c "{MODEL}"', scratch)
    commands = {
        "import": (f'{python} -c "import ltc_np"', RUNS),
        "import and first gradient of an LTC": (f"{python} {gradient}", RUNS),
        "import, a model read from its file, and its first answer": (f'{python} -c "{ANSWER}"', RUNS),
        "`examples/spiral.py`, without its picture": (f"{python} examples/spiral.py --no-plot", 1),
        "the README's main command with the wheel instead of the checkout": (main_command(wheel), 1),
    }
    found = {f"compiled wheel: {what}": in_words(measure(c, scratch, runs)) for what, (c, runs) in commands.items()}
    if not (scratch / "spiral.png").exists():
        raise OSError("the README's main command has drawn no picture")
    return found


def main():
    (wheel,) = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        subprocess.run([sys.executable, "-m", "venv", scratch / "env"], check=True)
        subprocess.run([scratch / "env/bin/pip", "install", "-q", wheel.resolve()], check=True)
        for what, figure in figures(scratch / "env/bin/python", wheel.resolve(), scratch).items():
            print(f"{what}: {figure}")


if __name__ == "__main__":
    main()
