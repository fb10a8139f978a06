"""What an expression of a fixed-point program may do with integers: each operation by its name, as NumPy computes it.

An operation takes arrays of numbers of 32 bits and then its constants, which are known when the program is made: by
how many places something is shifted, or how many binary places an argument or the result has.  It gives a wide number,
which is then limited to 32 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...base import checks
from ...base.types import Numbers
from ..program import Apply, Expr
from . import functions
from .arithmetic import divided, rescaled, rooted


class Primitive(NamedTuple):
    """An operation on integers: how many arrays and how many constants it takes, and its definition."""

    arguments: int
    constants: int
    compute: Callable[..., Numbers]


def _add(a: Numbers, b: Numbers, n_a: int, n_b: int, n: int) -> Numbers:
    return rescaled(rescaled(a, n_a) + rescaled(b, n_b), n)


def _subtract(a: Numbers, b: Numbers, n_a: int, n_b: int, n: int) -> Numbers:
    return rescaled(rescaled(a, n_a) - rescaled(b, n_b), n)


def _multiply(a: Numbers, b: Numbers, n: int) -> Numbers:
    return rescaled(a * b, n)


def _minimum(a: Numbers, b: Numbers, n_a: int, n_b: int) -> Numbers:
    return np.minimum(rescaled(a, n_a), rescaled(b, n_b))


def _maximum(a: Numbers, b: Numbers, n_a: int, n_b: int) -> Numbers:
    return np.maximum(rescaled(a, n_a), rescaled(b, n_b))


def _select(c: Numbers, a: Numbers, b: Numbers, n_a: int, n_b: int) -> Numbers:
    return np.where(c > 0, rescaled(a, n_a), rescaled(b, n_b))


PRIMITIVES = {
    "rescale": Primitive(1, 1, rescaled),
    "add": Primitive(2, 3, _add),
    "subtract": Primitive(2, 3, _subtract),
    "multiply": Primitive(2, 1, _multiply),
    "divide": Primitive(2, 1, divided),
    "negative": Primitive(1, 1, lambda a, n: rescaled(-a, n)),
    "absolute": Primitive(1, 1, lambda a, n: rescaled(np.abs(a), n)),
    "minimum": Primitive(2, 2, _minimum),
    "maximum": Primitive(2, 2, _maximum),
    "select": Primitive(3, 2, _select),
    "sqrt": Primitive(1, 1, rooted),
    "sigmoid": Primitive(1, 0, functions.sigmoid),
    "tanh": Primitive(1, 0, functions.tanh),
    "normal_cdf": Primitive(1, 0, functions.normal_cdf),
    "exp": Primitive(1, 1, functions.exp),
    "relaxed": Primitive(1, 2, functions.relaxed),
    "sin": Primitive(1, 1, functions.sin),
    "cos": Primitive(1, 1, functions.cos),
}


@dataclass(frozen=True, eq=False)
class Integer(Apply):
    """An operation of `PRIMITIVES` on integer expressions.

    Attributes
    ----------
    constants : tuple of int
    places : int
        Binary places of the result.
    limits : bool
        Whether reaching the limits of 32 bits is meant: what reads the result has reached its own limit there.
    """

    constants: tuple[int, ...] = ()
    places: int = 0
    limits: bool = False


def integer(
    operation: str, arguments: tuple[Expr, ...], constants: tuple[int, ...], places: int, limits: bool = False
) -> Integer:
    """An `Integer` whose numbers of arguments and constants are right."""
    checks.must_know(__name__, "operation", operation, PRIMITIVES)
    wanted = PRIMITIVES[operation]
    if (len(arguments), len(constants)) != (wanted.arguments, wanted.constants):
        raise ValueError(f"`{operation}` must have {wanted.arguments} arguments and {wanted.constants} constants")
    size = max(argument.size for argument in arguments)
    return Integer(operation, arguments, size, constants, places, limits)
