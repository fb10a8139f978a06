"""Patch: some steps side by side become one step.

docs/maths/convolution.md#strides has the equations.
"""

from __future__ import annotations

import numpy as np

from ..base import checks
from ..base.types import Array, Arrays, Ints, Keep
from ..base.workspace import Workspace
from ..cells import Layer
from ..cells.base import input_features
from .pace import Thinning
from .recent import Recent, d_look_back, look_back, state_slices


class Patch(Layer):
    """Some steps side by side as one step: of n steps of I features it makes n // steps of steps * I.

    Parameters
    ----------
    steps : int >= 1
        Steps of a patch, which are its ``stride`` too.
    input_dim : int >= 1, optional
        Features per step; left out, those of the layer before.

    Notes
    -----
    The features of a patch's first step come first.  A patch belongs to its last step, and its elapsed time is the sum
    of theirs: where these differ, give them as a feature.  A last patch that is not full has no output.  It has no
    parameters.  State: ``past``, the last steps but one; ``phase``, steps since the last patch; ``elapsed``, the sum of
    their times.  Cost: a copy.

    Examples
    --------
    >>> from ltc_np import Model, Patch
    >>> Model(Patch(2), input_dim=1)([[1.0], [2.0], [3.0], [4.0], [5.0]]).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """

    steps: int

    causal = smooth = bitwise_batch = True
    keeps_outputs = False
    lowering = "conv1d.patch"

    def __init__(self, steps: int, *, input_dim: int | None = None) -> None:
        self.steps = self.stride = checks.integer("steps", steps)
        self.input_dim = input_features(input_dim)
        self.dt0_identity = self.hull = self.steps == 1  # of a state that is empty
        if self.input_dim is None:
            return self._defer()
        self.input_size, self.output_size, self.reach = self.input_dim, self.steps * self.input_dim, self.steps - 1
        self.state_slices = state_slices(self.reach * self.input_size, self.stride)
        self.state_size = sum(where.stop - where.start for where in self.state_slices.values())
        self._freeze()

    def forward(
        self,
        prepared: Arrays,
        x: Array,
        dt: Array,
        lengths: Ints,
        h0: Array,
        keep: Keep,
        workspace: Workspace,
        thin: Thinning | None = None,
    ) -> tuple[Array, Array, Recent | None]:
        recent = look_back(self, x, lengths, h0, thin)
        steps = np.ascontiguousarray(recent.seen.joined()[:, : recent.n * self.steps])  # as kernels read what comes
        return steps.reshape(len(x), recent.n, self.output_size), recent.h, recent if keep else None

    def backward(
        self,
        prepared: Arrays,
        saved: Recent,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        d_seen = None
        if saved.n:
            d_steps = d_y.reshape(len(d_y), saved.n * self.steps, self.input_size).copy()
            d_seen = d_steps[:, : self.reach], d_steps[:, self.reach :]
        return *d_look_back(self, saved, d_seen, d_h, want_x), None
