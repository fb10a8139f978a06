#!/usr/bin/env python3
"""Tests the package's wheel with every Python of this machine that Numba has wheels for.

    python3 .ci/versions.py [--python 3.12] [--quick] [--write-trust]

Each Python runs with the newest dependencies and with the lowest that it can have, the newest one also as it is
documented without Numba.  The ends, the oldest with the lowest dependencies and the newest with the newest, run all of
the README's tests in the checkout.  What is not there is named.  `--quick` has these ends and the newest Python without
Numba, all with few tests.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The lowest versions of the dependencies for which PyPI has wheels, by Python.  The first are those of pyproject.toml.
LOWEST = {
    "3.10": {"numpy": "1.24.0", "numba": "0.59.0"},
    "3.11": {"numpy": "1.24.0", "numba": "0.59.0"},
    "3.12": {"numpy": "1.26.0", "numba": "0.59.0"},
    "3.13": {"numpy": "2.1.0", "numba": "0.61.0"},
    "3.14": {"numpy": "2.3.2", "numba": "0.63.0"},
}
NEWEST = {"numpy": None, "numba": None}
WITHOUT_NUMBA = {"numpy": None}
HELP = "tests/command/test_train.py::test_every_hyperparameter_is_an_option"
# Golden values, of which those of float32 also compiled, model files of former versions, the ground floor, wirings, and
# help made of docstrings.  Most of the time compiles kernels, so few are needed.
FILES = "tests/test_io.py::test_files_of_before"
QUICK = ["-m", "not (slow or fuzz)", "tests/base", "tests/wirings", "tests/cells/test_golden.py", FILES, HELP]
QUICK += ["-k", "not float64 and not cuda and not (files_of_before and cpu)"]
NAMES = "import sys, venv, ensurepip; print('.'.join(map(str, sys.version_info[:3])))"
VERSIONS = """
import importlib.metadata as m
print(*(f"{n} {m.version(n)}" for n in ("numpy", "numba") if any(m.distributions(name=n))), sep=", ")
"""


class Failed(Exception):
    """A step of a leg, with what it said."""


@dataclasses.dataclass
class Leg:
    python: str  # as "3.12"
    interpreter: str
    kind: str
    dependencies: dict
    selection: list
    whole: bool = False  # the README's tests, of the checkout
    versions: str = ""
    outcome: str = ""

    @property
    def name(self):
        return f"Python {self.python}, {self.kind}"


def say(*command, **options):
    """What a command says; `Failed` with its last lines if it fails."""
    done = subprocess.run([*map(str, command)], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))[:200]}\n" + "\n".join(done.stdout.splitlines()[-60:]))
    return done.stdout.strip()


def interpreters(pythons=tuple(LOWEST), environ=os.environ):
    """{version: its first interpreter that works}, from PATH and then from pyenv."""
    pyenv = Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME", "/"), ".pyenv"), "versions")
    found = {}
    for python in pythons:
        candidates = [shutil.which(f"python{python}", path=environ.get("PATH", ""))]
        candidates += sorted(pyenv.glob(f"{python}.*/bin/python"), key=lambda p: int(p.parts[-3].split(".")[2]))
        for candidate in filter(None, candidates):
            try:
                version = say(candidate, "-c", NAMES, timeout=60)
            except (Failed, OSError, subprocess.TimeoutExpired):
                continue  # a shim without its Python, or one without venv
            if version.startswith(f"{python}."):
                found[python] = str(candidate)
                break
    return found


def legs(found, quick=False):
    """What is run with these interpreters; ``quick``: the ends only, and few tests."""
    all_legs = []
    for python, interpreter in found.items():
        all_legs += [
            Leg(python, interpreter, "lowest", LOWEST[python], QUICK),
            Leg(python, interpreter, "newest", NEWEST, QUICK),
        ]
    if found:
        python, interpreter = [*found.items()][-1]
        all_legs.append(Leg(python, interpreter, "without Numba", WITHOUT_NUMBA, QUICK))
    ends = [all_legs[0], *all_legs[-2:]] if found else []
    if quick:
        return ends
    for leg in ends[:2]:
        leg.selection, leg.whole = ["-n", "auto", "--dist", "loadgroup"], True
    return all_legs


def run(leg, wheel, folder, scratch):
    """Installs and tests in an environment of its own; sets what came of it."""
    env = scratch / f"{leg.python}-{leg.kind.replace(' ', '-')}"
    python = env / "bin" / "python"
    packages = [name + (f"=={version}" if version else "") for name, version in leg.dependencies.items()]
    try:
        say(leg.interpreter, "-m", "venv", env)
        pip = [python, "-m", "pip", "install", "-q", "--no-compile", "--disable-pip-version-check"]
        if leg.dependencies is WITHOUT_NUMBA:
            say(*pip, "--no-deps", wheel, *packages)
            say(*pip, "pytest", "hypothesis")
        elif leg.whole:
            say(*pip, "-e", f"{ROOT}[test]", *packages)
        else:
            say(*pip, wheel, "pytest", "hypothesis", *packages)
        leg.versions = say(python, "-c", VERSIONS)
        pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *leg.selection]
        said = say(*pytest, cwd=ROOT if leg.whole else folder)
        where = say(python, "-c", "import ltc_np; print(ltc_np.__file__)", cwd=folder)
        if not Path(where).is_relative_to(ROOT if leg.whole else env):
            raise Failed(f"what was tested is not what was installed: {where}")
        leg.outcome = said.splitlines()[-1]
    except Failed as error:
        leg.outcome = f"FAILED: {error}"
    shutil.rmtree(env, ignore_errors=True)
    print(f"{leg.name}: {leg.versions}: {leg.outcome}", flush=True)


def tests_without_package(folder):
    """Copies what git knows, except the package, so that tests find the installed one."""
    listed = say("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, listed):
        if not name.startswith(("ltc_np/", ".")) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)


def figures(all_legs, missing):
    """What docs/trust.md says of them."""
    tested = {f"{leg.name} ({leg.versions})": leg.outcome for leg in all_legs}
    return tested | {"Python that was not there, and so not tested": ", ".join(missing) or "none"}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few tests, of the oldest and of the newest only")
    parser.add_argument("--write-trust", action="store_true", help="write the figures to docs/trust.md; needs ltc_np")
    parser.add_argument("--python", action="append", choices=LOWEST, help="only this one; may be given again")
    given = parser.parse_args(arguments)
    wanted = given.python or [*LOWEST]
    found = interpreters(wanted)
    missing = [python for python in wanted if python not in found]
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        (scratch / "tests").mkdir()
        tests_without_package(scratch / "tests")
        say(sys.executable, "-m", "venv", scratch / "build")
        say(scratch / "build/bin/python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", scratch, ROOT)
        (wheel,) = scratch.glob("*.whl")
        all_legs = legs(found, given.quick)
        alone = [leg for leg in all_legs if leg.whole]
        for leg in alone:
            run(leg, wheel, scratch / "tests", scratch)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            others = [leg for leg in all_legs if not leg.whole]
            [*pool.map(lambda leg: run(leg, wheel, scratch / "tests", scratch), others)]
    for python in missing:
        print(f"NOT RUN: there is no Python {python} here")
    failed = [leg.name for leg in all_legs if leg.outcome.startswith("FAILED")]
    if failed or not all_legs:
        sys.exit(f"failed: {', '.join(failed) or 'there is no Python to test with'}")
    if given.write_trust:
        sys.path.insert(0, str(ROOT / "tests"))
        from support.trust import Trust

        command = shlex.join(["python", ".ci/versions.py", *(arguments or sys.argv[1:])])
        Trust(command).record("release", figures(all_legs, missing))


if __name__ == "__main__":
    main()
