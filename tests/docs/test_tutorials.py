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


def test_the_russian_page_follows_the_original():
    """Its headings, in the original's order."""
    order = [
        *("Imports", "RandomWiring", "LIFNeuronLayer", "Понимание нейронного слоя LIF", "Математическая формулировка"),
        *("Инициализация", "Сигмоидная функция", "Реверсивная активация", "Forward-проход", "Зачем нужны маски"),
        *("LTCCell", "LTCRNN", "Генерация спиральных данных", "Обучение модели", "Заключение"),
    ]
    headings = iter(re.findall(r"^#+ (.*)$", RUSSIAN, re.MULTILINE))
    for words in order:
        assert any(words in heading for heading in headings), f"no section {words!r} in its place"


def test_the_section_map_names_every_section_of_the_original():
    rows = re.findall(r"^\| (.*?) \| .* \| .* \|$", ENGLISH.partition("| section of the original |")[2], re.MULTILINE)
    rows = rows[: rows.index("Conclusion") + 1]
    assert len(rows) == 13 and rows[0] == "Imports"


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

    monkeypatch.setenv("MPLBACKEND", "Agg")
    assert notebooks.main(["--execute", "--output", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("wrote ") == 2
    checker = doctest.OutputChecker()
    for page in notebooks.PAGES:
        made = nbformat.read(tmp_path / f"{page.stem}.ipynb", as_version=4)
        wanted = [want for _, _, want in notebooks.cells(page.read_text(encoding="utf-8"))]
        assert len(wanted) == len(made.cells)
        for cell, want in zip(made.cells, wanted, strict=True):
            outputs = [one.get("text") or one["data"]["text/plain"] for one in cell.get("outputs", [])]
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
