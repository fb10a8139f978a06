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
FOLDERS = {"docs": "docs", "examples": "docs"}  # folders of tests, and the mark of all that is in them, but for
NAMED_TOO = {"examples"}  # what the lists of mutations name, which are functions and no runs of examples


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
    return path.parent == TESTS and path.name in FOLDERS.keys() - NAMED_TOO


def mark(items, seed, products=True):
    """Marks what the README's command leaves out; without ``products`` the mark of this name is not given."""
    cases, every = {}, {}
    for item in items:
        if hasattr(item, "callspec"):
            every.setdefault(item.nodeid.partition("[")[0], []).append(item)
        folder = _folder(item.path)
        if folder in FOLDERS:
            if folder not in NAMED_TOO or not named(item):
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
    if params.get("backend") == "numpy":
        return False
    return params.get("dtype") == "float32" or item.get_closest_marker("single") is not None


def _left_out(items, seed):
    """The cases of one test without which every value of its parameters still occurs."""
    few, taken, left, tables = items[0].get_closest_marker("few"), set(), [], _tables(items[0])
    for k, item in enumerate(sorted(items, key=lambda item: _order(item, seed))):
        values = _values(item, tables)
        enough = k >= few.args[0] if few else values <= taken
        if enough and not named(item):
            left.append(item)
        taken |= values
    return left


def _products(items, seed):
    """The cases of one test without which every two values of its parameters still occur together."""
    few, taken, left = items[0].get_closest_marker("few"), set(), []
    tables = _tables(items[0], together=False)
    later = {id(item): item.get_closest_marker("thorough") is not None for item in items}
    for k, item in enumerate(sorted(items, key=lambda item: (later[id(item)], *_order(item, seed)))):
        values = _values(item, tables)
        pairs = {frozenset(pair) for pair in itertools.combinations(values, min(2, len(values)))}
        enough = k >= FURTHER * few.args[0] if few else pairs <= taken
        if enough and later[id(item)] and not named(item):
            left.append(item)
        taken |= pairs
    return left


def _tables(item, together=True):
    """The names of the parameters of each table of rows, and of each mark ``together``, of all cases of a test."""
    tables = [mark.args[0] for mark in item.iter_markers("parametrize")]
    tables += [",".join(mark.args) for mark in item.iter_markers("together") if together]
    return [[n.strip() for n in table.split(",")] if isinstance(table, str) else [*table] for table in tables]


def _values(item, tables):
    """What a case is made of; the parameters of one of the `_tables` are one value."""
    params = item.callspec.params
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
    group = "@" in item.nodeid and item.get_closest_marker("xdist_group")
    return item.nodeid.partition("@")[0] if group else item.nodeid
