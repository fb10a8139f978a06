"""The figures of the mathematics: scripts, files and pages belong together, and what is written can be read."""

import json
import re
import runpy
import subprocess
import sys

import numpy as np
import pytest
from support import ROOT
from support.pictures import cut_off, overlaps, under_legend, written

matplotlib = pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image")

DOCS = ROOT / "docs"
GALLERY = (DOCS / "gallery.md").read_text(encoding="utf-8")
SCRIPTS = DOCS / "scripts" / "figures"
NAMES = sorted(file.stem for file in SCRIPTS.glob("*.py") if file.stem not in ("__main__", "book"))
EMBEDDED = re.compile(r"^!\[([^\]]*)\]\(([\w./]*images/maths/([\w.]+))\)$\n\n((?:.+\n)+)", re.MULTILINE)
SHOWN, LEAST = 700 * 72 / 96, 8  # points: the width at which a page shows a figure, and a letter's height


def embedded():
    """(page, alternative text, name of the file, caption) of every figure in a page."""
    for page in sorted(DOCS.glob("**/*.md")):
        for alt, path, name, caption in EMBEDDED.findall(page.read_text(encoding="utf-8")):
            assert (page.parent / path).resolve() == DOCS / "images" / "maths" / name, page
            yield page.name, alt, name, " ".join(caption.split())


def test_scripts_files_and_pages_belong_together():
    files = {f"{name}.png" for name in NAMES}
    assert len(files) > 10
    assert {file.name for file in (DOCS / "images" / "maths").iterdir()} == files
    found = list(embedded())
    assert {name for _, _, name, _ in found} == files
    everywhere = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("**/*.md"))
    shown = re.findall(r"images/maths/[\w.]+\)(?!\])", everywhere)  # but for those of the gallery, which are links
    assert len(shown) == len(found), "a figure without a caption"


@pytest.mark.parametrize("page, alt, name, caption", list(embedded()))
def test_figures_are_described(page, alt, name, caption):
    assert 20 < len(alt) < 200
    assert re.fullmatch(r"\*\w.*\.\*", caption) and caption[1].isupper(), "a caption is one or more whole sentences"
    assert f"`docs/scripts/figures/{name[:-4]}.py`" in caption


def test_thumbnails_are_parts_of_their_pictures():
    script = runpy.run_path(str(DOCS / "scripts/thumbnails.py"))
    files = {DOCS / "images/gallery" / name.rpartition("/")[2]: script["part"](name) for name in script["PARTS"]}
    assert set((DOCS / "images/gallery").iterdir()) == set(files)
    for file, wanted in files.items():
        with Image.open(file) as image:
            assert np.array_equal(np.asarray(image), np.asarray(wanted)), f"{file.name}: run docs/scripts/thumbnails.py"
        assert f"](images/gallery/{file.name})](" in GALLERY


@pytest.mark.parametrize("path", re.findall(r"\]\((images/.*\.png)\)\]", GALLERY))
def test_letters_of_the_gallery_can_be_read(path):
    """Those of 8 points, where a picture is 340 pixels wide or 240 high: at least 6 pixels."""
    with Image.open(DOCS / path) as image:
        dpi = image.info.get("dpi", (200,))[0]  # ours has 200, and does not say so
        assert 8 / 72 * dpi * min(340 / image.width, 240 / image.height) >= 6


def test_pictures_are_dark_ink_on_white():
    """So the style of the site can turn them round where its colours are dark."""
    pictures = [file for file in (DOCS / "images").glob("**/*") if file.suffix in (".png", ".gif")]
    assert len(pictures) > 60
    for file in pictures:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("RGBA"))
        assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all(), (
            f"{file.name}: a corner is not white, or see-through"
        )
        assert np.quantile(pixels[..., :3].max(axis=2), 0.002) <= 40, f"{file.name}: its ink is pale"


def faults(drawn):
    """What cannot be read in a figure."""
    drawn.canvas.draw()
    scale = SHOWN / (drawn.get_figwidth() * 72)
    for text, _ in written(drawn):
        if text.get_fontsize() * scale < LEAST:
            yield f"{text.get_text()!r}: {text.get_fontsize() * scale:.1f} points"
    yield from (f"{text.get_text()!r} is cut off" for text in cut_off(drawn))
    yield from (f"{one.get_text()!r} and {other.get_text()!r} lie over each other" for one, other in overlaps(drawn))
    yield from (f"{shape.get_label()!r} lies under a legend" for axes in drawn.axes for shape in under_legend(axes))


def stored(name):
    """The sample of the figure in docs/images/maths."""
    with Image.open(DOCS / "images" / "maths" / f"{name}.png") as image:
        return json.loads(image.text["sample"])


def agree(first, second):
    """Whether two samples say the same, but for rounding."""
    if first["texts"] != second["texts"] or len(first["lines"]) != len(second["lines"]):
        return False
    pairs = [(np.array(a), np.array(b)) for a, b in zip(first["lines"], second["lines"], strict=True)]
    return all(a.shape == b.shape and np.allclose(a, b, rtol=1e-3, atol=1e-9, equal_nan=True) for a, b in pairs)


# 300 steps of 32 outputs' gradients take NumPy's backend two minutes.
SLOW_IN_NUMPY = ("gradient_flow",)
EACH = [pytest.param(name, marks=pytest.mark.compiled if name in SLOW_IN_NUMPY else ()) for name in NAMES]


@pytest.mark.parametrize("name", EACH)
def test_every_script_draws_what_can_be_read_and_is_stored(figure, name):
    """After a change of the library or of a script: `python docs/scripts/figures`, and look at them."""
    book = figure("book")
    drawn = book.make(figure(name).draw)
    assert not list(faults(drawn))
    assert agree(book.sample(drawn), stored(name))


def test_what_cannot_be_read_is_found(figure):
    """A check that finds nothing is to be trusted only if it can find something."""

    def draw():
        drawn, axes = figure("book").panels(10, 5)
        axes.text(0.5, 0.5, "small", fontsize=4)
        axes.text(0.9, 0.5, "a long text that leaves the figure").set_in_layout(False)
        axes.text(0.2, 0.2, "one over")
        axes.text(0.2, 0.2, "the other")
        axes.plot([0, 1], [0, 1], label="line")
        axes.legend(loc="lower left")
        return drawn

    found = list(faults(figure("book").make(draw)))
    assert [fault.split("'")[1].split()[0] for fault in found] == ["small", "a", "one", "line"]


def test_another_figure_is_found(figure):
    wanted = stored("amplification")
    for change in (lambda own: own["lines"][3][2].__setitem__(1, 0.3), lambda own: own["texts"].pop()):
        other = stored("amplification")
        assert agree(other, wanted)
        change(other)
        assert not agree(other, wanted)


def test_the_commands(tmp_path):
    """One script by itself; and that the folder's command knows all."""
    command = [sys.executable, SCRIPTS / "amplification.py", "--output", tmp_path / "new"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["amplification.png"]
    done = subprocess.run([sys.executable, SCRIPTS, "--help"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
