"""The pages of the API: every public name stands there, and each page leads to what explains it."""

import ast
import importlib
import importlib.util
import inspect
import re

import pytest
from support import ROOT

import ltc_np

PAGES = sorted((ROOT / "docs" / "api").glob("*.md"))
ENTRY = re.compile(r"^::: ([\w.]+)((?:\n {4}.*)*)", re.MULTILINE)
ENTRIES = {name: options for page in PAGES for name, options in ENTRY.findall(page.read_text(encoding="utf-8"))}
OTHERS = ("aeon", "sktime", "sklearn", "torch", "stable_baselines", "jax", "nir")  # libraries that some modules need
INSIDE = ("kernels", "train.callbacks")  # the former is no part of the API, the latter's names are those of ltc_np


def exports(path):
    """The literal ``__all__`` of a file, with those of its folders that it adds, or None."""
    found = None
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            found = ast.literal_eval(node.value)
        elif isinstance(node, ast.AugAssign) and getattr(node.target, "id", "") == "__all__":
            found += exports(path.parent / node.value.value.id / "__init__.py")
    return found


def modules():
    """(name, ``__all__``) of every module that has one."""
    for path in sorted((ROOT / "ltc_np").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found = exports(path)
        if found is not None and not name.removeprefix("ltc_np.").startswith(INSIDE):
            yield name, found


def thing(name):
    """The object of a full name; None where another library would be needed."""
    if any(part in name.split(".") for part in OTHERS):
        return None
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:k]))
        except ModuleNotFoundError:
            continue
        for part in parts[k:]:
            found = getattr(found, part)
        return found
    raise AssertionError(name)


def documented(entries):
    """Full names, and the objects, that some entry is about."""
    names = set(entries)
    for module, exported in modules():
        if "members: false" not in entries.get(module, "members: false"):
            names |= {f"{module}.{name}" for name in exported}
    return names, {id(found) for found in map(thing, names) if found is not None}


def missing(module, exported, names, things):
    """Public names without an entry; a module of the package counts by its own names."""
    for name in exported:
        full = f"{module}.{name}"
        if full in names or full in (*MODULES, "ltc_np.analysis.gradcheck"):
            continue
        if thing(module) is None or id(getattr(thing(module), name)) not in things:
            yield full


MODULES = dict(modules())


@pytest.fixture(scope="module")
def known():
    return documented(ENTRIES)


@pytest.mark.parametrize("module", MODULES)
def test_public_names_have_an_entry(module, known):
    assert not list(missing(module, MODULES[module], *known))


def test_what_is_in_no_list_has_an_entry():
    assert {"ltc_np.cells.CELLS", "ltc_np.layers.LAYERS", "ltc_np.layers.Stack"} <= set(ENTRIES)
    functions = inspect.getmembers(ltc_np.gradcheck, inspect.isfunction)
    own = {name for name, f in functions if f.__module__ == ltc_np.gradcheck.__name__ and not name.startswith("_")}
    assert own == {"check", "direction"}
    assert {f"ltc_np.gradcheck.{name}" for name in own} <= set(ENTRIES)
    for method in dir(ltc_np.Model):
        found = inspect.getattr_static(ltc_np.Model, method)
        if inspect.isfunction(found) and found.__qualname__ == method and not method.startswith("_"):
            assert f"{found.__module__}.{method}" in ENTRIES  # a function that a class has by assignment


def test_missing_entries_are_found():
    fewer = {name: options for name, options in ENTRIES.items() if name not in ("ltc_np.LTC", "ltc_np.sktime")}
    known = documented(fewer)
    assert list(missing("ltc_np", MODULES["ltc_np"], *known)) == ["ltc_np.LTC"]
    assert "ltc_np.sktime.LTCRegressor" in missing("ltc_np.sktime", MODULES["ltc_np.sktime"], *known)


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p.name not in ("index.md", "names.md")], ids=lambda page: page.name
)
def test_pages_lead_to_what_explains_them(page):
    text = page.read_text(encoding="utf-8")
    assert re.search(r"\]\(\.\./[\w/]+\.md", text), "a link to a guide or to the mathematics"
    assert page.name in (page.parent / "index.md").read_text(encoding="utf-8")


def test_every_page_of_a_cell_is_linked():
    """With the mathematics of every cell, around cells, of solvers and wirings."""
    linked = {name for page in PAGES for name in re.findall(r"\(\.\./maths/(\w+)\.md", page.read_text("utf-8"))}
    assert {page.stem for page in (ROOT / "docs" / "maths").glob("*.md")} - linked == {
        "bibliography",
        "ltc_example",
        "symbols",
    }


def test_the_page_of_all_names_is_as_written():
    """After a change of the pages or of a docstring's first sentence: `python docs/scripts/names.py`."""
    pytest.importorskip("griffe", reason='griffe is not installed: pip install "ltc-np[dev]"')
    spec = importlib.util.spec_from_file_location("names", ROOT / "docs" / "scripts" / "names.py")
    names = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(names)
    assert names.PAGE.read_text(encoding="utf-8") == names.written()
