"""Shared fixtures: the backends, and one example of everything in the layer registry."""

import gc
import importlib
import os
import pathlib
import signal
import subprocess
import sys

import hypothesis
import numpy as np
import pytest
from support import ROOT, tiers
from support.backends import KERNELS, NO_CARD, NO_KERNELS, NO_NUMBA, NOT_USED
from support.trust import Trust, command_of

from ltc_np.cells.base import Layer

# Without a database no test fails where the checkout is read-only.
COMMON = {"deadline": None, "database": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("few", max_examples=20, **COMMON)
hypothesis.settings.register_profile("many", max_examples=150, **COMMON)
hypothesis.settings.load_profile("few")


def pytest_addoption(parser):
    parser.addoption("--write-trust", action="store_true", help="write the figures of docs/trust.md; not with xdist")
    parser.addoption("--budget", type=float, metavar="SECONDS", help="fail tests that take more processor time")
    parser.addoption("--sample", type=int, default=0, metavar="SEED", help="draw other cases than those of seed 0")


def pytest_configure(config):
    """Without kernels for the CPU models are made with NumPy's backend, and the package says so."""
    if config.getoption("--budget") is not None:
        from support.budget import Budget  # it asks the system for processor times, which Windows has not

        config.pluginmanager.register(Budget(config.getoption("--budget")))
    # Tests that run pytest themselves are no stages.
    if os.environ.get("LTC_NP_OUTCOMES") and "PYTEST_CURRENT_TEST" not in os.environ:
        from support.outcomes import Outcomes

        config.pluginmanager.register(Outcomes(os.environ["LTC_NP_OUTCOMES"]))
    if not NO_NUMBA:
        from support.signatures import Watch

        config.pluginmanager.register(Watch())
    if NO_KERNELS:
        config.addinivalue_line("filterwarnings", "ignore:ltc_np. no working numba:RuntimeWarning")
    asked = config.invocation_params.args
    if config.args and all("::" in arg for arg in config.args) and not any(arg.startswith("-m") for arg in asked):
        config.option.markexpr = ""  # a test that is named runs, whatever marks it has


def pytest_report_header():
    return f"kernels: {KERNELS}" + (f" (the compiled ones are not used: {NOT_USED})" if NOT_USED else "")


def _by_default(config):
    """Whether the marks that are to run are those of the README's command."""
    options = config.getini("addopts")
    return config.option.markexpr == options[options.index("-m") + 1]


def pytest_ignore_collect(collection_path, config):
    """Files whose tests the README's command leaves out are not even read by it, unless they are asked for by name."""
    asked = [pathlib.Path(arg.partition("::")[0]).resolve() for arg in config.args]
    by_name = any(path.is_relative_to(collection_path) for path in asked)
    return True if _by_default(config) and not by_name and tiers.left_out(collection_path) else None


def pytest_terminal_summary(terminalreporter, config):
    """Says what to do where marks have left out everything that was asked for."""
    ran = any(terminalreporter.stats.get(what) for what in ("passed", "failed", "skipped", "error"))
    if terminalreporter.stats.get("deselected") and not ran and _by_default(config):
        terminalreporter.write_line('Such tests run where their marks are named: `-m ""` runs all of what is asked for')


# Workers that read the same files at the same time would each compile all of them, the first time; so every second one
# begins with the last file, and finds what the others have compiled.
FROM_THE_END = os.environ.get("PYTEST_XDIST_WORKER", "gw0")[-1] in "13579"


@pytest.hookimpl(hookwrapper=True)
def pytest_collection():
    """No search for garbage looks at the tests, which stay: it took half of the time of reading twenty thousand."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    report = (yield).get_result()
    if FROM_THE_END and not isinstance(collector, (pytest.Session, pytest.Module, pytest.Class)):
        report.result.reverse()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Marks what the README's command leaves out; what there are no kernels for is left out everywhere.

    Workers that call a kernel at the same time would each compile it, so tests of one cell go to one worker.  Emulated
    kernels are compiled anew in every process: what uses them goes to one worker, too.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.path.parts)  # all workers have the same order
    for item in items:
        params, marks = (
            item.callspec.params if hasattr(item, "callspec") else {},
            {mark.name for mark in item.iter_markers()},
        )
        emulated = "emulator" in getattr(item, "fixturenames", ()) or params.get("backend") == "cuda"
        if emulated:
            item.add_marker(pytest.mark.xdist_group("card"))
            if params.get("backend") == "cuda" or not tiers.named(item):
                item.add_marker("card")
        elif isinstance(params.get("layer"), Layer):
            name = type(params["layer"]).__name__.lower()
            item.add_marker(pytest.mark.xdist_group("ode" if name in ("ctrnn", "neuralode") else name))  # one kernel
        elif item.path.parent.name == "bench":  # it measures LTCs
            item.add_marker(pytest.mark.xdist_group("ltc"))
        elif item.path.parent.name == "online":  # whose kernels others have not
            item.add_marker(pytest.mark.xdist_group("online"))
        elif item.path.name == "test_house.py" and "xdist_group" not in marks:  # which reads all sources once
            item.add_marker(pytest.mark.xdist_group("house"))
        elif item.path.parent.name == "cells":
            item.add_marker(pytest.mark.xdist_group(item.path.stem.removeprefix("test_").replace("_", "")))
        for reason, needed in (
            (NO_CARD, emulated),
            (NO_KERNELS, params.get("backend") == "cpu" or "compiled" in marks),
            (NO_NUMBA, "numba" in marks),
        ):
            if reason and needed:
                item.add_marker(pytest.mark.skip(reason=reason))
        for tools in item.iter_markers("tools") if "tools" in marks else ():
            if missing := tiers.lacking(tools):
                item.add_marker(pytest.mark.skip(reason=missing))
    tiers.mark(items, config.getoption("--sample"), products=not _by_default(config))


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_the_disk():
    """Files of tests need not survive a loss of power; `os.fstat` refuses the same descriptors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture
def interruptible():
    """Ctrl-C is taken, also by new processes, where a shell has started the tests in its background, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=["numpy", "cpu"])
def backend(request):
    return request.param


@pytest.fixture
def emulator(monkeypatch):
    """Puts an emulator in the place of the GPU; call it again for another one."""
    from support.emulator import Emulator

    from ltc_np.kernels.cuda import device

    monkeypatch.setattr(device, "why_not", lambda: None)

    def install(**options):
        emulator = Emulator(**options)
        monkeypatch.setattr(device, "machine", emulator)
        return emulator

    install()
    return install


@pytest.fixture
def registry():
    """What a test registers is forgotten afterwards."""
    from ltc_np.layers import registry

    tables = registry.CELLS, registry.LAYERS
    before = [dict(table) for table in tables]
    yield registry
    for table, known in zip(tables, before, strict=True):
        table.clear()
        table.update(known)


@pytest.fixture(scope="session")
def trust(pytestconfig):
    """Takes figures for docs/trust.md, and writes them if that is asked for."""
    if not pytestconfig.getoption("--write-trust"):
        return Trust(None)
    if hasattr(pytestconfig, "workerinput"):
        raise pytest.UsageError("--write-trust: leave out -n, since workers would write to one file at the same time")
    return Trust(command_of(pytestconfig.invocation_params.args))


@pytest.fixture
def rng():
    return np.random.default_rng(20210202)


@pytest.fixture
def example(monkeypatch):
    """Imports a module of the examples by name."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    return importlib.import_module


@pytest.fixture
def run_example():
    """Runs an example by name, as a user does."""

    def run(name, *args, cwd):
        command = [sys.executable, str(ROOT / "examples" / f"{name}.py"), *args]
        env = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=900)

    return run
