"""The windows of a convolution over time: which inputs each of them reads, and where these are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..base.types import Array


class Seen(NamedTuple):
    """Inputs of sequences, which need no copy of them.

    Attributes
    ----------
    before : (B, F, I) array
        Those before the first step.
    x : (B, X, I) array
        The others, of which there are those from step ``begin`` on.
    begin : int
    zeros : int
        How many zeros follow.
    """

    before: Array
    x: Array
    begin: int
    zeros: int = 0

    @classmethod
    def all_of(cls, x: Array) -> Seen:
        """The inputs x (B, X, I), with nothing before them."""
        return cls(x[:, :0], x, 0)

    @property
    def steps(self) -> int:
        """How many there are."""
        return self.before.shape[1] + self.x.shape[1] - self.begin + self.zeros

    def joined(self) -> Array:
        """One array of them, a new one (B, -, I)."""
        B, _, I = self.x.shape
        return np.concatenate(
            [self.before, self.x[:, self.begin :], np.zeros((B, self.zeros, I), self.x.dtype)], axis=1
        )


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

    def parts(self, seen: Array) -> tuple[Array, Array]:
        """Inputs (B, P, I) in two: those before the last one that the first window reads, and the others."""
        return seen[:, : self.more], seen[:, self.more :]
