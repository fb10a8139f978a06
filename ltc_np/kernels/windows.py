"""The windows of a convolution over time: which inputs each of them reads."""

from __future__ import annotations

from typing import NamedTuple

from ..base.types import Array


class Window(NamedTuple):
    """What moves along a sequence.

    Attributes
    ----------
    K : int
        Inputs that it reads.
    dilation : int
        Steps between them: it spans (K - 1) dilation + 1 steps.
    stride : int
        Steps between a window and the next one.
    """

    K: int
    dilation: int
    stride: int

    @property
    def more(self) -> int:
        """Steps between the first input that it reads and the last."""
        return (self.K - 1) * self.dilation

    def count(self, P: int) -> int:
        """Windows of P steps."""
        return (P - 1 - self.more) // self.stride + 1

    def spanned(self, n: int) -> int:
        """Steps that n windows span; of none those that one spans but for its last."""
        return self.more + max(0, (n - 1) * self.stride + 1)

    def taps(self, seen: Array, n: int) -> list[Array]:
        """K views (B, n, I), of which the k-th has what the first n windows of ``seen`` (B, P, I) read k-th."""
        steps = self.spanned(n) - self.more
        return [seen[:, k * self.dilation : k * self.dilation + steps : self.stride] for k in range(self.K)]
