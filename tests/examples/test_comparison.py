"""What the examples share."""

import math

import pytest


@pytest.fixture
def comparison(example):
    return example("comparison")


def test_a_section_is_put_in_its_place(comparison):
    new = "## A title (1)\n\nnew\n"

    def put(page):
        return comparison.with_section(page, "A title (1)", new)

    assert put("# Results\n") == "# Results\n\n" + new
    assert put("# Results\n\n## A title (1)\n\nold\n### part\n\nold\n") == "# Results\n\n" + new
    page = "# Results\n\n## A\n\na\n\n## A title (1)\n\nold\n\n## B\n\nb\n"
    assert put(page) == "# Results\n\n## A\n\na\n\n## A title (1)\n\nnew\n\n## B\n\nb\n"


def test_files_are_written_whole_or_not_at_all(comparison, tmp_path):
    file = tmp_path / "page.md"
    comparison.write(file, lambda part: part.write_text("first"))

    def fail(part):
        part.write_text("half of the sec")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        comparison.write(file, fail)
    assert file.read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


def test_mean_and_standard_deviation(comparison):
    assert comparison.mean_sd([2.0], 3) == "2.000"
    assert comparison.mean_sd([1.0, 2.0, 4.0], 2) == f"2.33 ± {math.sqrt(7 / 3):.2f}"
