"""A budget of processor time for each test: with ``--budget SECONDS`` one that takes more fails.

What Numba compiles is not counted, since a second run has it in its cache, and neither are fixtures.  A test that needs
more is made smaller, or has the mark ``slow``.  Without the option nothing is measured: a machine may be busy.
"""

import contextlib
import resource

import pytest


class Budget:
    """The plugin; registered where the option is given."""

    def __init__(self, seconds, clock=None):
        self.seconds, self.clock = seconds, clock or _processor_time

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        before = self.clock()
        with _compiling() as compiled:
            result = yield
        spent = self.clock() - before - sum(compiled)
        if spent > self.seconds:
            pytest.fail(
                f"it took {spent:.1f} s of processor time beside compiling, and has a budget of {self.seconds:g} s: "
                "make it smaller, or mark it slow (docs/contributing.md)"
            )
        return result


def _processor_time():
    """Seconds of this process and of those that it has waited for."""
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


@contextlib.contextmanager
def _compiling():
    """A list to which the seconds of each compilation are added."""
    try:
        from numba.core import event
    except ImportError:
        yield []
        return
    seconds = []
    with event.install_timer("numba:compile", seconds.append):
        yield seconds
