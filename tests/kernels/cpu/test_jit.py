"""One text for the kernels of several cells: each has its own, in a process and in the cache."""

import textwrap

import pytest
from support.processes import python

pytestmark = pytest.mark.numba

SWEEP = """
    from ltc_np.kernels.cpu.jit import for_cell, helper, kernel

    cell = None

    def twice(x):
        return cell.change(cell.change(x))

    def run(x):
        return twice(x) + cell.MORE

    def sweep(parts):
        return for_cell(parts, {helper: (twice,), kernel: (run,)}, wanted=(run,))
"""
PARTS = """
    import sys
    import sweeps
    from ltc_np.kernels.cpu.jit import helper

    MORE = {more}

    @helper
    def change(x):
        return {change}

    (run,) = sweeps.sweep(sys.modules[__name__])
"""
USE = """
    import sys
    sys.path.insert(0, {folder!r})
    import one, other
    print(one.run(3.0), other.run(3.0))
    print(*(sum(d.values()) for k in (one.run, other.run) for d in (k.stats.cache_hits, k.stats.cache_misses)))
"""


@pytest.mark.slow
def test_every_cell_has_its_own_copy_of_a_sweep_also_in_the_cache(tmp_path):
    """The second process finds both kernels, though they have the same text and take the same arguments."""
    (tmp_path / "sweeps.py").write_text(textwrap.dedent(SWEEP))
    (tmp_path / "one.py").write_text(textwrap.dedent(PARTS.format(more=0.5, change="x + 1")))
    (tmp_path / "other.py").write_text(textwrap.dedent(PARTS.format(more=0.25, change="x * 2")))
    code, cache = USE.format(folder=str(tmp_path)), {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    first = python(code, **cache).stdout.splitlines()
    second = python(code, **cache).stdout.splitlines()
    assert first == ["5.5 12.25", "0 1 0 1"]
    assert second == ["5.5 12.25", "1 0 1 0"]
