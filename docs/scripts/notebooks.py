"""Make notebooks of the tutorial's pages, in English and in Russian, from the pages themselves.

    pip install ".[examples]"
    python docs/scripts/notebooks.py                    # writes docs/tutorial.ipynb and docs/tutorial.ru.ipynb
    python docs/scripts/notebooks.py --execute          # the same with the results in them, in half a minute

The prose becomes cells of prose, the examples with ``>>>`` cells of code, each up to the next result.  Code without
``>>>`` (the PyTorch of the original) stays prose, since its classes have the names of this library's.
"""

import argparse
import doctest
import os
import re
import sys
import warnings
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
PAGES = DOCS / "tutorial.md", DOCS / "tutorial.ru.md"
BLOCK = re.compile(r"^```python\n(>>> .*?)^```$\n?", re.MULTILINE | re.DOTALL)


def cells(text):
    """(kind, source, expected result) of every cell of a page; prose has no result."""
    *parts, rest = BLOCK.split(text)
    for prose, block in zip(parts[::2], parts[1::2], strict=True):
        yield "markdown", prose.strip(), ""
        code = ""
        for example in doctest.DocTestParser().get_examples(block):
            code += example.source
            if example.want:
                yield "code", code.strip(), example.want
                code = ""
        if code:
            yield "code", code.strip(), ""
    yield "markdown", rest.strip(), ""


def notebook(page):
    """The notebook of a page, not executed."""
    import nbformat

    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, (kind, source, _) in enumerate(cells(page.read_text(encoding="utf-8"))):
        cell = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}[kind](source)
        cell["id"] = str(number)  # the same in every run
        made.cells.append(cell)
    return made


def execute(made):
    """Run a notebook's cells where this library is installed, or in its checkout."""
    from nbconvert.preprocessors import ExecutePreprocessor

    paths = [str(DOCS.parent), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the notebook's own libraries
        ExecutePreprocessor(timeout=300, kernel_name="python3").preprocess(made)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Make notebooks of the tutorial's pages.")
    parser.add_argument("--execute", action="store_true", help="run them and keep the results")
    parser.add_argument(
        "--output", type=Path, default=DOCS, metavar="FOLDER", help="default: docs, beside the pictures"
    )
    options = parser.parse_args(arguments)
    try:
        import nbconvert  # noqa: F401
        import nbformat
    except ImportError:
        parser.error('notebooks need nbformat and nbconvert: pip install "ltc-np[examples]"')
    options.output.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        made = notebook(page)
        if options.execute:
            execute(made)
        file = options.output / f"{page.stem}.ipynb"
        nbformat.write(made, file)
        print(f"wrote {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
