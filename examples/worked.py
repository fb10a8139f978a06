"""What the worked examples share: options that work in scripts and in notebooks, and pictures.

A script takes its options from the command line.  A notebook has no command line: its kernel takes them from the
environment variable LTC_NP_EXAMPLE, for instance LTC_NP_EXAMPLE="--quick", and without it has the defaults.
"""

import argparse
import contextlib
import os
import pathlib
import shlex
import sys

from comparison import SHORTENED, write

from ltc_np.base.optional import need

VARIABLE = "LTC_NP_EXAMPLE"


def in_notebook():
    """Whether a kernel of Jupyter runs this, whose command line is not ours."""
    return pathlib.Path(sys.argv[0]).stem.endswith("kernel_launcher")


class Parser(argparse.ArgumentParser):
    """In a notebook a wrong option is an error of the cell; in a script it is one line and exit code 2."""

    def error(self, message):
        if in_notebook():
            raise ValueError(message)
        super().error(message)


def options(description, *files):
    """The options of a worked example: ``quick``, ``output``, and the paths of its data ``files``, None by default.

    Parameters
    ----------
    description : str
        What ``--help`` says first.
    *files : pairs of str
        Name and help of each data file that the user may give.

    Returns
    -------
    argparse.Namespace
        ``files`` has the paths given; ``stop(text)`` ends the example with one line.
    """
    parser = Parser(description=description)
    for name, text in files:
        parser.add_argument(name.lower(), metavar=name, nargs="?", help=text)
    parser.add_argument("--quick", action="store_true", help="little training: shows that it runs, not how good it is")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(), metavar="DIR", help="folder of pictures")
    notebook = in_notebook()
    chosen = parser.parse_args(shlex.split(os.environ.get(VARIABLE, "")) if notebook else None)
    chosen.files = [getattr(chosen, name.lower()) for name, _ in files]
    chosen.stop = parser.error
    try:
        matplotlib = need("matplotlib", "examples", "a worked example")
        chosen.output.mkdir(parents=True, exist_ok=True)
    except (ImportError, OSError) as problem:
        parser.error(str(problem))
    if not notebook:
        matplotlib.use("Agg")
    if chosen.quick:
        print(SHORTENED, file=sys.stderr)
    return chosen


@contextlib.contextmanager
def one_line(options):
    """What is wrong with a file inside of this block ends the example with one line."""
    try:
        yield
    except (OSError, ValueError) as problem:
        options.stop(str(problem))


def picture(figure, options, name):
    """Save ``figure`` as NAME.png in the folder of ``--output``; a notebook shows it below the cell too."""
    write(options.output / f"{name}.png", lambda part: figure.savefig(part, dpi=110, format="png"))
    if not in_notebook():
        import matplotlib.pyplot as plt

        plt.close(figure)
