"""A plugin that watches which types kernels are called with: all must stand in `ltc_np.kernels.signatures`.

Where kernels come compiled there is code for these types only, so a session whose calls met others fails, though all
of its tests have passed.  Each worker of pytest-xdist looks at its own kernels and tells the process that started it.
"""

import sys

import pytest

from ltc_np.kernels.library import symbol
from ltc_np.kernels.signatures import SIGNATURES

KEY = "signatures that are not in the table"


def unknown(modules, table=SIGNATURES):
    """Texts: each signature that a kernel of the CPU has been compiled for, and that its line has not."""
    from numba.core.registry import CPUDispatcher

    from ltc_np.kernels.aot.kinds import signatures

    found, texts = {}, []
    for name, module in list(modules.items()):
        if name.startswith("ltc_np.kernels.cpu."):
            for value in vars(module).values():
                if type(value) is CPUDispatcher and value.py_func.__module__.startswith("ltc_np.kernels.cpu."):
                    found[symbol(value.py_func)] = value
    for name, kernel in sorted(found.items()):
        known = signatures(table[name]) if name in table else []
        texts += [f"{name}{signature}" for signature in kernel.signatures if signature not in known]
    return texts


class Watch:
    """The plugin, for sessions whose kernels Numba compiles."""

    def __init__(self):
        self.found = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session):
        own = unknown(sys.modules) if "numba" in sys.modules else []
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[KEY] = own
        self.found.update(own)
        if self.found and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        self.found.update(getattr(node, "workeroutput", {}).get(KEY, ()))

    def pytest_terminal_summary(self, terminalreporter):
        if self.found:
            terminalreporter.section("kernels were called with types that ltc_np/kernels/signatures.py has no line for")
            for text in sorted(self.found):
                terminalreporter.write_line(text)
