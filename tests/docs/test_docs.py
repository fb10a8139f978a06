"""The documentation: its examples run, its links lead somewhere, every public name and parameter is described."""

import doctest
import importlib
import inspect
import pkgutil
import re
import sys

import numpy as np
import pytest
from protocol.layers import ROWS
from support import ROOT
from support.backends import NO_CARD, NO_KERNELS

import ltc_np
from ltc_np import losses, metrics, optim
from ltc_np.base.activations import ACTIVATIONS
from ltc_np.cells import CELLS
from ltc_np.cells.ctgru import ORDERS
from ltc_np.kernels.codes import SOLVERS, SURROGATES
from ltc_np.layers import LAYERS, config_words
from ltc_np.online.methods import METHODS
from ltc_np.online.rules import RULES

PAGES = sorted([*(ROOT / "docs").glob("**/*.md"), *ROOT.glob("README.md")])
MODULES = ["ltc_np", *sorted(m.name for m in pkgutil.walk_packages(ltc_np.__path__, "ltc_np."))]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

# What needs other libraries, modules and pages; `.ci/run` has a stage with those of `ltc_np.interop`.
NEED = {f"ltc_np.interop.{name}": [name] for name in ("torch", "jax", "nir")} | {
    "ltc_np.interop.jax_callback": ["jax"],
    "ltc_np.interop.nir_graph": ["nir"],
    "ltc_np.interop.stable_baselines": ["torch", "sb3_contrib"],
    "ltc_np.bench.peers.torch_loops": ["torch"],
    "ltc_np.aeon": ["aeon.base"],
    "ltc_np.sktime": ["sktime.base"],
    "aeon_sktime.md": ["aeon.base", "sktime.base"],
    "ltc_np.sklearn": ["sklearn"],
    "ltc_np.sklearn.forecaster": ["sklearn"],
    "forecasting.md": ["sklearn"],
    "sklearn.md": ["sklearn"],
    "control.md": ["gymnasium"],
    "frameworks.md": ["torch", "jax"],
    "nir.md": ["nir"],
}

FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*(\w*)")
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
CODE_LINK = re.compile(r"`([\w.]+)(?:\(\))?`")

each_page = pytest.mark.parametrize("page", PAGES, ids=[p.relative_to(ROOT).as_posix() for p in PAGES])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, registry):
    """Examples may write files, draw, and register layers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")


def split(text):
    """(prose, examples) of a page: each keeps its own lines and has the other's blank, so that line numbers stay."""
    prose, examples, fence, language = [], [], None, ""
    for line in text.splitlines():
        found = FENCE.match(line)
        if fence is None and found:
            fence, language = found[1], found[2]
            kept = "", ""
        elif found and found[1].startswith(fence) and not found[2]:
            fence = None
            kept = "", ""
        elif fence is None:
            kept = line, ""
        else:
            kept = "", line if language in ("python", "pycon") else ""
        prose.append(kept[0])
        examples.append(kept[1])
    return "\n".join(prose) + "\n", "\n".join(examples) + "\n"


def skip_without(name):
    """Skip the test of a module or a page if a library that it needs is missing."""
    for library in NEED.get(name, ()):
        pytest.importorskip(library, reason=f"{library} is not installed")


def run(test):
    report = []
    failed, _ = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append)
    assert not failed, "".join(report)


def links(page):
    """(line number, text, target) of every relative link of a page."""
    prose = split(page.read_text(encoding="utf-8"))[0]
    for found in LINK.finditer(prose):
        text, target = found.groups()
        if not re.match(r"[a-z][a-z0-9+.-]*:", target):
            yield prose.count("\n", 0, found.start()) + 1, text, target


def definitions(path, name):
    """Numbers of the lines of a file that define ``name``."""
    pattern = re.compile(rf"\s*(?:def|class) {re.escape(name)}\b")
    return [k for k, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if pattern.match(line)]


def sections(path):
    """Prose of the sections of a page, up to the next heading of the same level or above, by the anchor on GitHub."""
    prose = split(path.read_text(encoding="utf-8"))[0]
    found = {}
    for heading in re.finditer(r"^(#+)\s+(.*?)\s*#*$", prose, re.MULTILINE):
        rest = prose[heading.end() :]
        following = re.search(rf"^#{{1,{len(heading[1])}}}\s", rest, re.MULTILINE)
        anchor = re.sub(r"[^\w\- ]", "", heading[2].lower()).replace(" ", "-")
        found[anchor] = rest[: following.start()] if following else rest
    return found


def faults_of_links(page):
    for number, text, target in links(page):
        where = f"{page.name}:{number}: [{text}]({target})"
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            yield f"{where}: no such file"
            continue
        code, line = CODE_LINK.fullmatch(text), re.fullmatch(r"L(\d+)(?:-L\d+)?", anchor)
        if file.suffix == ".py" and code and line:
            right = definitions(file, code[1].split(".")[-1])
            if int(line[1]) not in right:
                lines = ", ".join(f"#L{k}" for k in right) or "nowhere"
                yield f"{where}: `{code[1]}` is not defined there; right: {lines}"
        elif file.suffix == ".md" and anchor and anchor not in sections(file):
            yield f"{where}: no such heading"


def test_there_are_pages():
    assert ROOT / "docs" / "maths" / "ltc.md" in PAGES


@each_page
def test_examples_of_pages(page):
    skip_without(page.name)
    examples = split(page.read_text(encoding="utf-8"))[1]
    run(doctest.DocTestParser().get_doctest(examples, {"__name__": "__main__"}, page.name, str(page), 0))


@each_page
def test_links(page):
    faults = list(faults_of_links(page))
    assert not faults, "\n".join(faults)


def test_the_link_check_finds_faults(tmp_path):
    """A check that finds nothing is to be trusted only if it can find something."""
    (tmp_path / "code.py").write_text("\n\ndef right():\n    pass\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# A title, and `code`\n"
        "[`right`](code.py#L3) [`module.right()`](code.py#L3) [text](code.py#L1) [in page](#a-title-and-code)\n"
        "[`right`](code.py#L4)\n[`wrong`](code.py#L3)\n[text](nothing.py)\n[text](page.md#nothing)\n"
        "```\n[text](not/a/link.py)\n```\n[text](https://example.org/nothing)\n"
    )
    faults = list(faults_of_links(page))
    assert [int(fault.split(":")[1]) for fault in faults] == [3, 4, 5, 6]
    assert faults[0].endswith("right: #L3")
    assert faults[1].endswith("right: nowhere")


def faults_of_names(page):
    """Files, and functions of them, that a page names as code and that are not there; NAME stands for any."""
    prose = split(page.read_text(encoding="utf-8"))[0]
    for path, name in re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", prose):
        found = [top / path for top in (ROOT, ROOT / "ltc_np", ROOT / "docs") if (top / path).is_file()]
        if "/" not in path:
            found = [file for top in ("ltc_np", "tests", "examples") for file in (ROOT / top).rglob(path)]
        if "NAME" not in path and not any(name == "" or definitions(file, name) for file in found):
            yield f"{path}::{name}" if name else path


@each_page
def test_files_that_pages_name_are_there(page):
    assert not list(faults_of_names(page))


def test_the_check_of_names_finds_faults(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "`tests/docs/test_docs.py::section` `tests/docs/test_docs.py::nothing` `cells/ltc.py` `cells/nothing.py` "
        "`jit.py` `nothing.py` `cells/NAME.py`\n```\n`cells/nothing.py`\n```\n"
    )
    assert list(faults_of_names(page)) == ["tests/docs/test_docs.py::nothing", "cells/nothing.py", "nothing.py"]


def section(page, title):
    """What stands under a heading."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.split(r"^#+ ", text.partition(f"# {title}\n")[2], flags=re.MULTILINE)[0]


# What computes or follows a gradient, by the name that its page has for it.
DERIVED = {
    **LAYERS,
    **METHODS,
    **RULES,
    **{kind.__name__: kind for kind in optim.OPTIMIZERS.values()},
    **{name: kind.function for name, kind in losses.LOSSES.items()},
}


@pytest.mark.parametrize("name", sorted(DERIVED))
def test_what_has_a_gradient_names_the_section_that_derives_it(name):
    """A docstring of the file has the link, the page has such a section with a formula, and tells of this name."""
    source = inspect.getsource(sys.modules[DERIVED[name].__module__])
    found = [(ROOT / "docs" / page, anchor) for page, anchor in re.findall(r"\bdocs/([\w/]+\.md)#([\w-]+)", source)]
    assert found, f"{name}: its file names no section of a page, as in docs/maths/gru.md#the-gradients"
    for page, anchor in found:
        assert page.is_file(), f"{name}: there is no page {page.name}"
        assert anchor in sections(page), f"{name}: {page.name} has no section {anchor}"
    derived = [sections(page)[anchor] for page, anchor in found]
    assert any(re.search(r"\\bar|\\partial|gradient", text) and "$" in text for text in derived), (
        f"{name}: no gradient is derived in {found}"
    )
    assert any(re.search(rf"\b{name}\b", page.read_text(encoding="utf-8")) for page, _ in found), (
        f"{name}: none of the pages that its file names tells of it"
    )


def test_names_are_listed():
    """Words that arguments take stand in the table of names, those of a configuration on its page, cells in theirs."""
    solvers, functions = tuple(SOLVERS), tuple(filter(None, ACTIVATIONS))
    names = section("guides/arguments.md", "Accepted values")
    for word in (*solvers, *functions, *SURROGATES, *ORDERS, "concat", "sum", "time_constants"):
        assert f'"{word}"' in names, word
    for name in {name for name in optim.__all__ if inspect.isclass(getattr(optim, name))} - {"Optimizer"}:
        assert f"`{name}`" in names, name
    (row,) = re.findall(r"^\| `solver` \|.*$", names, re.MULTILINE)
    with_solver = {name for name, cell in CELLS.items() if "solver" in cell.words}
    assert {*re.findall(r"`(\w+)`", row)} == {"solver", *with_solver}
    cells = section("guides/networks.md", "Which network?")
    for name in CELLS:
        assert f"`{name}`" in cells, name
    keys = section("ltc_se.md", "The configuration")
    aliases = [alias for field in ("cell", "solver") for alias in config_words.aliases(field)]
    for word in (*functions, *config_words.INPUT_MAPPINGS, *aliases, "linear", "time_constants"):
        assert f'"{word}"' in keys, word
    for field in inspect.signature(ltc_np.CellConfig).parameters:
        assert f"`{field}`" in keys, field


def test_the_table_of_solvers_says_what_their_rows_say():
    text = (ROOT / "docs/maths/ltc_solvers.md").read_text(encoding="utf-8")
    rows = re.findall(r'^\| `"(\w+)"`(?: \(default\))? \| (\d+) \| (\d+) \| (.*?) \| (.*?) \|$', text, re.MULTILINE)
    limit = {None: "never"} | {row.limit: f"beyond $hQ/c = {row.limit:g}$" for row in SOLVERS.values() if row.limit}
    assert {name: tuple(rest) for name, *rest in rows} == {
        name: (str(row.stages), str(row.order), limit[row.limit], "always" if row.hull else "no")
        for name, row in SOLVERS.items()
    }


def arrays_of_traces():
    """{layer: names of its arrays} of the table of traces; those of layers around others are not named there."""
    text, found, kinds = section("trace.md", "What each layer has"), {}, []
    for first, names in re.findall(r"^\|(.*?)\|(.*?)\|.*\|$", text, re.MULTILINE):
        kinds = re.findall(r"`(\w+)`", first) or kinds
        for kind in kinds:
            found.setdefault(kind, set()).update(re.findall(r"`(\w+)`", names))
    return {kind: names | (found["CTRNN"] if "CTRNN" in names else set()) for kind, names in found.items()}


def test_the_table_of_traces_has_every_layer_and_its_arrays():
    table = arrays_of_traces()
    assert set(LAYERS) <= set(table)
    for layer in (layer for row in ROWS.values() for layer in row.examples):
        kind = type(layer).__name__
        if kind in ("Residual", "Looped", "Bidirectional", "Ensemble", "MixedMemory", "Hold"):
            continue
        (trace,) = ltc_np.Model(layer, seed=0, backend="numpy").trace(np.zeros((1, 2, layer.input_size))).layers
        assert set(trace.arrays) <= table[kind] | {f"backbone_{k}" for k in range(1, 9)}, layer


def test_losses_and_metrics_are_listed():
    """The table of accepted values says what their rows say, in the same order."""
    names = section("guides/arguments.md", "Accepted values")
    found = [f'`"{name}"`' + (f" ({kind.note})" if kind.note else "") for name, kind in losses.LOSSES.items()]
    assert f"\n| `loss` | {', '.join(found)}, or your own function |\n" in names
    found = [f'`"{name}"`' for name in metrics.METRICS]
    assert f"\n| `metrics` | {', '.join(found)}, or [your own]" in names


@pytest.mark.parametrize("name", [n for n in MODULES if not n.endswith("__main__")])
def test_examples_of_docstrings(name):
    for reason, folder in ((NO_KERNELS, "cpu"), (NO_CARD, "cuda")):
        if reason and re.search(rf"\.{folder}(\.|$)", name):
            pytest.skip(reason)
    skip_without(name)
    module = importlib.import_module(name)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        run(test)


@pytest.mark.parametrize("name", ltc_np.__all__)
def test_public_names_are_described(name):
    thing = getattr(ltc_np, name)
    text = thing.__doc__ or ""
    assert text.strip(), f"`{name}` has no docstring"
    assert not text.startswith(f"{name}("), f"`{name}` has only the docstring that dataclasses make"
    if inspect.ismodule(thing):
        return
    if inspect.isclass(thing):
        text += thing.__init__.__doc__ or ""
    missing = [p for p in inspect.signature(thing).parameters if not re.search(rf"(?<!\w){p}(?!\w)", text)]
    assert not missing, f"the docstring of `{name}` does not mention its parameters {missing}"


def pages_that(sources):
    """The pages that pages lead to, and themselves."""
    found = {(page.parent / link.partition("#")[0]).resolve() for page in sources for _, _, link in links(page)}
    return {*sources} | {page for page in found if page.suffix == ".md"}


def test_the_readme_leads_to_every_page_of_mathematics():
    """In two clicks, and in three to every other page."""
    two = pages_that(pages_that([ROOT / "README.md"]))
    mathematics = {*(ROOT / "docs/maths").glob("*.md")}
    assert mathematics and mathematics <= two
    assert {*PAGES} <= pages_that(two)


USERS_WORDS = (
    "CSV Excel overfitting imbalance rare categorical dates missing NaN deploy ESP32 Arduino serverless container "
    "checkpoint resume cite reproduce speed explain hyperparameters forecast scale normalise density control rewards "
    "GPU irregular"
)


def test_short_questions_have_short_answers():
    """Users' words are in questions, where the site's search finds them first; an answer is a few lines."""
    text = (ROOT / "docs/how_do_i.md").read_text(encoding="utf-8")
    first, *others = re.findall(r"^## (.*)$\n((?:(?!## ).*\n)*)", text, re.MULTILINE)
    questions = " ".join(title for title, _ in (first, *others)).lower()
    assert not [word for word in USERS_WORDS.split() if not re.search(rf"\b{word.lower()}\b", questions)]
    for title, answer in (first, *others):
        code = re.findall(r"^```python\n(.*?)^```", answer, re.MULTILINE | re.DOTALL)
        assert title.endswith("?") and sum(block.count("\n") for block in code) <= 5, title
        assert code or "](" in answer, title


def test_the_readme_is_one_screen():
    text = re.sub(r"^```.*?^```$", "", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.M | re.S)
    assert 200 < len(text.split()) <= 450
