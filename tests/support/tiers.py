"""Which tests the README's command runs (docs/contributing.md, "How tests are run"); the others have marks.

The command runs every kind of case once.  A test whose parameters are multiplied has more cases than kinds: of these it
runs a sample in which every value of every parameter occurs, and all that the lists of mutations name, since these are
known to catch a fault.  The other cases have the mark ``thorough``; `.ci/run` runs so many of them that every two
values occur together, and those without which they still do have the mark ``product``, too.  ``--sample SEED`` draws
others.
"""

import functools
import hashlib
import itertools
import re
import shutil

from support import TESTS

FURTHER = 4  # `.ci/run` runs so many times as many of the cases of a mark ``few`` as the README's command
FOLDERS = {"docs": "docs", "examples": "docs"}  # folders of tests, and the mark of all that is in them


@functools.cache
def named_by_mutations():
    """The tests that the lists of mutations name, as pytest writes them."""
    lists = (path.read_text(encoding="utf-8") for path in (TESTS / "mutation" / "list").glob("*.diff"))
    return {
        name for text in lists for name in re.findall(r"^(?:tests:|  )\s*(tests/\S+\.py::.*\S)", text, re.MULTILINE)
    }


def lacking(tools):
    """Which programs a mark ``tools`` asks for in vain: one of those in each of its texts; None if all are there."""
    missing = [" or ".join(names.split()) for names in tools.args if not any(map(shutil.which, names.split()))]
    return f"needs {' and '.join(missing)}: the packages of the system have it" if missing else None


def left_out(path):
    """Whether the README's command runs nothing in a folder of tests, or in a file."""
    return path.parent == TESTS and path.name in FOLDERS


def mark(items, seed, products=True):
    """Marks what the README's command leaves out; without ``products`` the mark of this name is not given."""
    cases, every = {}, {}
    for item in items:
        if hasattr(item, "callspec"):
            every.setdefault(item.nodeid.partition("[")[0], []).append(item)
        folder = _folder(item.path)
        if folder in FOLDERS:
            item.add_marker(FOLDERS[folder])
        elif _compiles_twice(item) or (item.get_closest_marker("further") and not named(item)):
            item.add_marker("thorough")
        elif hasattr(item, "callspec"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for some in cases.values():
        for item in _left_out(some, seed):
            item.add_marker("thorough")
    for some in every.values() if products else ():
        for item in _products(some, seed):
            item.add_marker("product")


@functools.cache
def _folder(path):
    """The folder of the tests that a file lies in."""
    return path.relative_to(TESTS).parts[0] if path.is_relative_to(TESTS) else ""


def _compiles_twice(item):
    """Whether a test runs compiled kernels in float32, which float64 has compiled already."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    single = params.get("dtype") == "float32" or item.get_closest_marker("single") is not None
    return single and params.get("backend") != "numpy"


def _left_out(items, seed):
    """The cases of one test without which every value of its parameters still occurs."""
    few, taken, left = items[0].get_closest_marker("few"), set(), []
    for k, item in enumerate(sorted(items, key=lambda item: _order(item, seed))):
        values = _values(item)
        enough = k >= few.args[0] if few else values <= taken
        if enough and not named(item):
            left.append(item)
        taken |= values
    return left


def _products(items, seed):
    """The cases of one test without which every two values of its parameters still occur together."""
    few, taken, left = items[0].get_closest_marker("few"), set(), []
    later = {id(item): item.get_closest_marker("thorough") is not None for item in items}
    for k, item in enumerate(sorted(items, key=lambda item: (later[id(item)], *_order(item, seed)))):
        values = _values(item, together=False)
        pairs = {frozenset(pair) for pair in itertools.combinations(values, min(2, len(values)))}
        enough = k >= FURTHER * few.args[0] if few else pairs <= taken
        if enough and later[id(item)] and not named(item):
            left.append(item)
        taken |= pairs
    return left


def _values(item, together=True):
    """What a case is made of; the parameters of one table of rows, or of a mark ``together``, are one value."""
    params = item.callspec.params
    tables = [mark.args[0] for mark in item.iter_markers("parametrize")]
    tables += [",".join(mark.args) for mark in item.iter_markers("together") if together]
    tables = [[n.strip() for n in table.split(",")] if isinstance(table, str) else [*table] for table in tables]
    alone = [[n] for n in params if not any(n in table for table in tables)]
    return {(*table, *(id(params[n]) for n in table)) for table in tables + alone if params.keys() >= {*table}}


def _order(item, seed):
    """First what is named, then by chance."""
    return not named(item), hashlib.sha256(f"{seed} {name(item)}".encode()).digest()


def named(item):
    """Whether a list of mutations names a case."""
    return name(item) in named_by_mutations()


def name(item):
    """The name of a test without the group of pytest-xdist."""
    return item.nodeid.partition("@")[0] if item.get_closest_marker("xdist_group") else item.nodeid
