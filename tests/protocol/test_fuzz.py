"""Random models and sequences at the edge of what is allowed: what must hold of every one of them.

With `pytest -m fuzz` the cases are new ones every time.  Hypothesis makes what fails as small as it can, and prints
what reproduces it; it also remembers it, and begins with it the next time.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from protocol.cases import AROUND, FAMILIES, FEWER, JUMPS, cases
from protocol.fuzzed import COUNTS, LARGEST, check
from support.backends import BACKENDS
from support.exported import MAKERS

from ltc_np.layers import LAYERS

FEW, MANY = 104, 4200  # cases of each family: 520 and 21,000
options = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
each = pytest.mark.parametrize("family", FAMILIES)
# In so many of a family's cases of an ordinary run, at least, a property was looked at; those that no family need have.
SHARES = {"padding": 0.6, "agreement": 0.5, "low memory": 0.2, "alone": 0.2, "steps": 0.1, "parts": 0.05, "tbptt": 0.1}


@pytest.fixture(autouse=True)
def counted():
    COUNTS.clear()
    LARGEST.clear()


def record(trust, family, which):
    """What a family's cases have shown, in which nothing was wrong."""
    counts = f"{COUNTS['cases']:,} tried, 0 wrong, {COUNTS['refused by the documented error']:,} refused"
    largest = "".join(f"; {what} {LARGEST[what]:.3g}" for what in sorted(LARGEST))
    trust.record("numbers", {f"cases of {family}, {which}": counts + largest})


def test_every_registered_layer_is_drawn():
    assert set(MAKERS) | AROUND | JUMPS | FEWER == set(LAYERS)


def run(family, **more):
    """Check cases of a family; a function for Hypothesis may not be one that pytest finds."""
    settings(options, **more)(given(cases(family, BACKENDS))(lambda case: check(case)))()


@pytest.mark.slow
@each
def test_numbers(family, trust):
    """The same cases every time."""
    run(family, max_examples=FEW, derandomize=True)
    assert COUNTS["cases"] >= FEW
    for what, share in SHARES.items():
        assert COUNTS[what] >= share * COUNTS["cases"], what
    assert COUNTS["direction"] > 0
    record(trust, family, "the same every time")


@pytest.mark.fuzz
@each
def test_many_numbers(family, trust):
    """New cases every time."""
    run(family, max_examples=MANY, print_blob=True)
    record(trust, family, "new ones")
