"""Complex numbers as pairs of expressions: their real and their imaginary parts.

A product reads each part of its factors twice, so factors should be variables, or what the model knows.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...base.types import Complex
from ..builder import Builder
from ..program import Expr, Number, Vector, expression


@dataclass(frozen=True)
class Pair:
    """The real and the imaginary part."""

    re: Expr
    im: Expr

    @classmethod
    def of(cls, values: Complex) -> Pair:
        """Known numbers (n,)."""
        return cls(expression(values.real), expression(values.imag))

    @classmethod
    def halves(cls, v: Vector) -> Pair:
        """A variable that has all real parts before all imaginary ones."""
        n = v.size // 2
        return cls(v[:n], v[n:])

    def __add__(self, other: Pair) -> Pair:
        return Pair(self.re + other.re, self.im + other.im)

    def __mul__(self, other: Pair) -> Pair:
        re = _product(self.re, other.re) - _product(self.im, other.im)
        return Pair(re, _product(self.re, other.im) + _product(self.im, other.re))

    def store(self, b: Builder, name: str) -> Pair:
        """Both parts in variables."""
        return Pair(b.store(self.re, name), b.store(self.im, name))

    def assign(self, b: Builder, value: Pair) -> Pair:
        """Set these variables to ``value``.

        The real part is set first, so the imaginary part of ``value`` must not read it any more.
        """
        assert isinstance(self.re, Vector) and isinstance(self.im, Vector)
        return Pair(b.assign(self.re, value.re), b.assign(self.im, value.im))

    def increase(self, b: Builder, by: Pair) -> Pair:
        """Add ``by``, which must not read these variables, to them."""
        return self.assign(b, self + by)


def _product(u: Expr, v: Expr) -> Expr:
    """u v; 0, without a statement, if a factor is known to be 0."""
    is_zero = any(isinstance(factor, Number) and factor.value == 0 for factor in (u, v))
    return Number(0.0) if is_zero else u * v
