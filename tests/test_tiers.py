"""What the README's command leaves out: never a value of a parameter, never a case that is known to catch a fault."""

import itertools
import subprocess
import sys
import types

import pytest
from support import ROOT, TESTS, budget, tiers


class Item:
    """What is read of a test that pytest has collected."""

    def __init__(self, name, params, *marks, path="test_some.py"):
        self.nodeid, self.path = f"tests/{path}::test_it[{name}]", TESTS / path
        self.callspec, self.marks = types.SimpleNamespace(params=params), [mark.mark for mark in marks]

    def iter_markers(self, name):
        return [mark for mark in self.marks if mark.name == name]

    def get_closest_marker(self, name):
        return next(iter(self.iter_markers(name)), None)

    def add_marker(self, name):
        self.marks.append(getattr(pytest.mark, name).mark)


LAYERS, BACKENDS, DTYPES = [object() for _ in range(7)], ["numpy", "cpu"], ["float32", "float64"]
TABLES = [pytest.mark.parametrize(name, values) for name, values in (("layer", LAYERS), ("dtype", DTYPES))]


def product(*marks):
    """Cases of a test with a fixture ``backend`` and two marks."""
    cases = itertools.product(LAYERS, BACKENDS, DTYPES)
    names = ("layer", "backend", "dtype")
    return [Item(str(k), dict(zip(names, case, strict=True)), *TABLES, *marks) for k, case in enumerate(cases)]


def kept(items, seed=0):
    tiers.mark(items, seed)
    return [item for item in items if not item.iter_markers("thorough")]


def test_every_value_occurs():
    found = [item.callspec.params for item in kept(product())]
    assert {id(case["layer"]) for case in found} == {*map(id, LAYERS)}
    assert {case["backend"] for case in found} == {*BACKENDS} and {case["dtype"] for case in found} == {*DTYPES}
    assert len(LAYERS) <= len(found) <= len(LAYERS) + 2


def test_every_two_values_occur_in_what_ci_runs():
    """Of 7 times 2 times 2 cases 14 are enough for that, and one chosen after the other takes a few more."""
    items = product()
    tiers.mark(items, 0)
    left = [item for item in items if not item.iter_markers("product")]
    for one, other in itertools.combinations(("layer", "backend", "dtype"), 2):

        def both(item, one=one, other=other):
            return id(item.callspec.params[one]), id(item.callspec.params[other])

        assert {both(item) for item in left} == {both(item) for item in items}
    assert 14 <= len(left) <= 20
    assert all(item.iter_markers("thorough") for item in items if item.iter_markers("product"))
    some = [Item(str(seed), {"seed": seed}, pytest.mark.few(3)) for seed in range(50)]
    tiers.mark(some, 0)
    assert sum(not item.iter_markers("product") for item in some) == 3 * tiers.FURTHER


def test_float32_runs_with_numpy_only():
    """Kernels of both types would take twice the time to compile."""
    assert ("cpu", "float32") not in [
        (item.callspec.params["backend"], item.callspec.params["dtype"]) for item in kept(product())
    ]
    items = [Item(backend, {"backend": backend}, pytest.mark.single) for backend in BACKENDS]
    assert [item.callspec.params["backend"] for item in kept(items)] == ["numpy"]


def test_another_seed_draws_others():
    drawn = {tuple(item.nodeid for item in kept(product(), seed)) for seed in range(5)}
    assert len(drawn) > 1


def test_parameters_that_belong_together():
    found = [item.callspec.params for item in kept(product(pytest.mark.together("layer", "backend")))]
    assert {(id(case["layer"]), case["backend"]) for case in found} == {*itertools.product(map(id, LAYERS), BACKENDS)}


def test_no_row_of_a_table_is_left_out():
    """Though what is in its columns occurs in other rows."""
    rows = [*itertools.product((1, 2), (3, 4))]
    table = pytest.mark.parametrize("a, b", rows)
    items = [Item(f"{a}-{b}", {"a": a, "b": b}, table) for a, b in rows]
    assert kept(items) == items


def test_what_a_mutation_names_is_kept(monkeypatch):
    names = {item.nodeid for item in product()[:9]}
    monkeypatch.setattr(tiers, "named_by_mutations", lambda: names)
    left = {item.nodeid for item in product()} - {item.nodeid for item in kept(product())}
    compiled = {item.nodeid for item in product() if [*item.callspec.params.values()][1:] == ["cpu", "float32"]}
    assert left & names == compiled & names
    items = product()
    tiers.mark(items, 0)
    assert not names & {item.nodeid for item in items if item.iter_markers("product")}


def test_names_are_those_of_the_lists():
    names = tiers.named_by_mutations()
    assert len(names) > 250 and all(name.startswith("tests/") and "::test_" in name for name in names)
    assert any(name.endswith("]") for name in names) and any(" " in name for name in names)


def test_further_examples_are_left_out(monkeypatch):
    cases = [Item(f"LTC-{k}", {"layer": LAYERS[k]}, *[pytest.mark.further] * (k > 0)) for k in range(3)]
    monkeypatch.setattr(tiers, "named_by_mutations", lambda: {cases[2].nodeid})
    assert kept(cases) == cases[::2]


def test_few_of_many_that_are_alike():
    seeds = range(50)
    mark = pytest.mark.parametrize("seed", seeds), pytest.mark.few(4)
    assert len(kept([Item(str(seed), {"seed": seed}, *mark) for seed in seeds])) == 4


@pytest.mark.parametrize(("path", "mark"), [("docs/test_a.py", "docs"), ("examples/test_a.py", "docs")])
def test_folders_have_marks(path, mark):
    item = Item("a", {}, path=path)
    tiers.mark([item], 0)
    assert [found.name for found in item.marks] == [mark]


@pytest.mark.parametrize(
    ("tools", "says"),
    [
        (("a-tool",), "needs a-tool: "),
        (("python a-tool",), None),
        (("python", "one-tool another-tool", "a-tool"), "needs one-tool or another-tool and a-tool: "),
    ],
)
def test_programs_that_are_not_there(tools, says, monkeypatch):
    monkeypatch.setattr(tiers.shutil, "which", lambda name: name if name == "python" else None)
    found = tiers.lacking(pytest.mark.tools(*tools).mark)
    assert found is None if says is None else found.startswith(says)


@pytest.mark.parametrize("seconds", [0.5, 2])
def test_a_budget_is_of_processor_time_without_compiling(seconds, monkeypatch):
    times = iter([10.0, 12.0])
    monkeypatch.setattr(budget, "_compiling", lambda: budget.contextlib.nullcontext([0.5, 0.25]))
    run = budget.Budget(seconds, times.__next__).pytest_runtest_call(None)
    next(run)
    with pytest.raises(pytest.fail.Exception if seconds < 1.25 else StopIteration) as caught:
        run.send("result")
    assert "took 1.2 s" in str(caught.value) if seconds < 1.25 else caught.value.value == "result"


PAGE, NAME = "tests/docs/test_docs.py", "test_the_readme_leads_to_every_page_of_mathematics"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ([f"{PAGE}::{NAME}"], "1 passed"),
        (["-n", "2", f"{PAGE}::{NAME}"], "1 passed"),
        (["-m", "not docs", f"{PAGE}::{NAME}"], "1 deselected"),
        ([PAGE], '`-m ""` runs all of what is asked for'),
        (["-n", "2", "tests/test_tiers.py", "tests/data/test_data.py", "-k", "few or pad"], " passed"),
    ],
    ids=["by name", "by name, workers", "by marks", "nothing", "files in any order"],
)
def test_what_is_asked_for(arguments, wanted):
    """A test that is named runs, whatever its marks; workers that read files from both ends agree on their order."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    assert wanted in subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
