"""Smaller networks from trained ones, each with its error on data; docs/simplify.md says when which is any good."""

from .closed_form import ClosedForm, closed_form
from .distil import distil
from .prune import prune
from .result import Error, Kept, Row, Simplified, Size
from .unfolds import fewer_unfolds

__all__ = [
    "ClosedForm",
    "Error",
    "Kept",
    "Row",
    "Simplified",
    "Size",
    "closed_form",
    "distil",
    "fewer_unfolds",
    "prune",
]
