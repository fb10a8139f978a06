"""The tutorial in two languages: the same examples, PyTorch of the original that computes the same, and notebooks."""

import doctest
import importlib.util
import re
import sys

import pytest
from support import ROOT

ENGLISH, RUSSIAN = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("tutorial.md", "tutorial.ru.md"))
ORIGINAL = ROOT / "docs" / "scripts" / "notebooks.py"


@pytest.fixture(scope="module")
def notebooks():
    """docs/scripts/notebooks.py as a module."""
    spec = importlib.util.spec_from_file_location("notebooks", ORIGINAL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def examples(text):
    """(code without comments, result) of every example."""
    found = doctest.DocTestParser().get_examples(text)
    return [(re.sub(r"[ \t]+#.*$", "", one.source, flags=re.MULTILINE), one.want) for one in found]


def blocks_of_pytorch(text):
    return [
        block for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL) if ">>>" not in block
    ]


def test_both_have_the_same_examples():
    english, russian = examples(ENGLISH), examples(RUSSIAN)
    assert len(english) > 80
    assert russian == english


def sections(text):
    """Levels of headings, figures, exercises, solutions, formulas and rows of tables, in their order."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    parts = r"^(?:#+ |!\[.*\]\(.*\)$|\*\*\d\.\*\*|<details|\$\$.*\$\$$|\| |\d\. )"
    return re.findall(parts, re.sub(r"!\[.*\]", "![]", prose), re.MULTILINE)


def test_both_have_the_same_sections():
    english, russian = sections(ENGLISH), sections(RUSSIAN)
    assert english.count("## ") > 8 and english.count("<details") == 5
    assert russian == [*english, "### "]  # the original's code, which is on one page only


ORDER = {
    "RandomWiring": "RandomWiring",
    "LIFNeuronLayer": "LIFNeuronLayer",
    "LIF neurons": "LIF-нейронов",
    "Initialisation": "Инициализация",
    "sigmoid": "Сигмоидная функция",
    "Reversal": "Реверсивная активация",
    "Forward pass": "Forward-проход",
    "Why random": "Зачем нужны маски",
    "LTCCell": "LTCCell",
    "LTCRNN": "LTCRNN",
    "Spiral data": "Генерация спиральных данных",
    "Training": "Обучение модели",
    "Conclusion": "Заключение",
}


@pytest.mark.parametrize("text, order", [(ENGLISH, ORDER), (RUSSIAN, ORDER.values())], ids=["english", "russian"])
def test_the_section_map_names_every_section_of_the_original(text, order):
    """In the original's order."""
    rows = re.findall(r"^\| (.*?) \| .* \| .* \|$", text.partition("| Imports |")[2], re.MULTILINE)
    assert len(rows) == len(order) == 13
    assert all(words in row for words, row in zip(order, rows, strict=True)), rows


def test_the_original_s_code_computes_the_same():
    """The blocks in PyTorch, in their order; the last of them compare outputs and gradients with this library's."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    names = {"__name__": "__main__"}
    blocks = blocks_of_pytorch(RUSSIAN)
    assert len(blocks) == 7
    for block in blocks:
        exec(compile(block, "tutorial.ru.md", "exec"), names)
    assert {"RandomWiring", "LIFNeuronLayer", "LTCCell", "LTCRNN", "train"} <= set(names)
    torch.manual_seed(0)
    model = names["LTCRNN"](names["RandomWiring"](2, 2, 8), 2, 8, 2)
    assert sum(value.numel() for value in model.parameters()) == 344
    x = torch.rand(4, 3, 2) * 0.1
    before = (model(x) - x).square().mean()
    names["train"](model, [(x, x)], epochs=20)
    assert (model(x) - x).square().mean() < before


def test_cells_of_a_page(notebooks):
    page = (
        "# Title\n\n```python\n>>> a = 1\n>>> b = 2\n>>> a\n1\n>>> c = 3\n\n```\n\n```python\nimport torch\n```\nend\n"
    )
    assert list(notebooks.cells(page)) == [
        ("markdown", "# Title", ""),
        ("code", "a = 1\nb = 2\na", "1\n"),
        ("code", "c = 3", ""),
        ("markdown", "```python\nimport torch\n```\nend", ""),
    ]


@pytest.mark.slow
def test_notebooks_show_the_results_of_the_pages(notebooks, tmp_path, monkeypatch, capsys):
    for package in ("nbformat", "nbconvert", "ipykernel"):
        pytest.importorskip(package, reason=f"there is no {package} here to run a notebook")
    import nbformat

    monkeypatch.chdir(tmp_path)  # a page saves a file
    monkeypatch.setenv("MPLBACKEND", "Agg")
    assert notebooks.main(["--execute", "--output", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("wrote ") == 2
    checker = doctest.OutputChecker()
    for page in notebooks.PAGES:
        made = nbformat.read(tmp_path / f"{page.stem}.ipynb", as_version=4)
        wanted = [want for _, _, want in notebooks.cells(page.read_text(encoding="utf-8"))]
        assert len(wanted) == len(made.cells)
        for cell, want in zip(made.cells, wanted, strict=True):
            # Not what is said meanwhile, as of kernels that are compiled.
            shown = [one for one in cell.get("outputs", []) if one.get("name") != "stderr"]
            outputs = [one.get("text") or one["data"]["text/plain"] for one in shown]
            got = "".join(outputs).rstrip("\n") + "\n"
            if want:
                flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
                assert checker.check_output(want, got, flags), (cell.source, want, got)


def test_missing_packages_are_named(notebooks, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "nbformat", None)
    with pytest.raises(SystemExit) as stopped:
        notebooks.main([])
    assert stopped.value.code == 2
    assert "ltc-np[examples]" in capsys.readouterr().err
