"""Parts of pictures for docs/gallery.md, in which letters can be read where the whole picture is too small.

python docs/scripts/thumbnails.py    # after one of these pictures was drawn anew
"""

from pathlib import Path

from PIL import Image

IMAGES = Path(__file__).resolve().parents[1] / "images"
FOLDER = IMAGES / "gallery"
# Picture -> left, upper, right and lower end of the part, in pixels.
PARTS = {
    "examples/forecast_sunspots.png": (0, 36, 610, 440),
    "examples/recognise_speakers.png": (620, 0, 990, 418),
    "examples/use_elapsed_time.png": (655, 0, 1100, 440),
    "examples/cope_with_gaps.png": (608, 0, 1100, 462),
    "read_a_network.png": (0, 0, 680, 480),
    "event_xor.png": (0, 0, 605, 440),
    "half_cheetah.png": (650, 0, 1210, 440),
    "long_range_generated.png": (1412, 0, 1870, 440),
    "maths/step_graph.png": (0, 0, 905, 600),
    "maths/spiking_lif.png": (0, 0, 760, 375),
    "maths/optimiser_paths.png": (0, 45, 535, 511),
    "simplify.png": (595, 0, 1185, 433),
    "command_line/oven.png": (0, 510, 800, 1023),
}


def part(name):
    """That of a picture."""
    with Image.open(IMAGES / name) as picture:
        return picture.crop(PARTS[name])


def main():
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name in PARTS:
        own = part(name)
        own.save(FOLDER / Path(name).name, optimize=True, dpi=own.info.get("dpi"))


if __name__ == "__main__":
    main()
