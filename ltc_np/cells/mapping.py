"""Feature-wise mappings of a cell's inputs and outputs: x itself, x * w, or x * w + b."""

from ..base import checks

MAPPINGS = (None, "linear", "affine")


def check_mapping(name, mapping, *more):
    """``mapping`` if it is one of `MAPPINGS`, or of the words ``more``."""
    return checks.one_of(name, mapping, (*MAPPINGS, *more))


def mapping_shapes(mapping, side, size):
    """Shapes of a mapping's parameters by name; w starts at 1, b at 0."""
    names = {None: (), "linear": ("w",), "affine": ("w", "b")}[mapping]
    return {f"{side}_{name}": (size,) for name in names}
