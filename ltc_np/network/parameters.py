"""The parameters of a network: one flat vector and its named parts."""

from __future__ import annotations

import numpy as np

from ..base import checks
from ..base.layout import Layout, Views
from ..base.types import Array, ArrayLike, Bools, Float


class Parameters:
    """Base of `Network`: owns ``theta``, which layers share, and what is saved beside it but not trained.

    Attributes
    ----------
    layout : Layout
        Names, shapes and positivity of the parts of theta.
    trainable : (P,) bool array or None
        None while everything is; see `freeze`.  Assigning copies; what a layer never trains stays as it is.
    buffer_vector : (F,) array
        The flat vector behind `buffers`.
    """

    layout: Layout
    buffer_layout: Layout
    buffer_vector: Array
    _theta: Array

    def _draw(self, layout: Layout, buffers: Layout, dtype: Float, seed: int | None) -> None:
        """Make the vectors; initial values are drawn entry by entry, in order."""
        rng = np.random.default_rng(seed)
        self._hold(layout, buffers, layout.initial(rng, dtype), buffers.initial(rng, dtype))
        for name, values in self.params.items():
            checks.finite(f"init of {name}", values)

    def _hold(self, layout: Layout, buffer_layout: Layout, theta: Array, buffer_vector: Array) -> None:
        """Take these vectors, which become the network's own."""
        self.layout, self.buffer_layout = layout, buffer_layout
        self._theta, self.buffer_vector = theta, buffer_vector
        self.trainable = None

    def _copy_vectors(self) -> None:
        """Take copies, since the arrays could lie in a file that is mapped read-only.

        `joblib.load(path, mmap_mode="r")` makes such arrays.
        """
        self._theta, self.buffer_vector = np.array(self._theta), np.array(self.buffer_vector)

    @property
    def theta(self) -> Array:
        return self._theta

    @theta.setter
    def theta(self, values: ArrayLike) -> None:
        array = checks.real("theta", values, self._theta.dtype)
        if array.shape != self._theta.shape:
            raise ValueError(f"`theta` must have shape {self._theta.shape}, got {array.shape}")
        checks.finite("theta", array)
        self._theta[:] = array

    @property
    def trainable(self) -> Bools | None:
        return self._trainable

    @trainable.setter
    def trainable(self, mask: ArrayLike | None) -> None:
        P = self.layout.size
        if mask is not None:
            array = checks.plain("trainable", mask, f"None or bools of shape (P,) = ({P},)")
            if array.dtype != bool:
                got = checks.describe(array)
                raise TypeError(f"`trainable` must be None or bools of shape (P,) = ({P},), got {got}")
            if array.shape != (P,):
                raise ValueError(f"`trainable` must be None or bools of shape (P,) = ({P},), got shape {array.shape}")
        possible = self.layout.trainable
        chosen = possible.copy() if mask is None else array & possible
        self._trainable = None if chosen.all() else chosen

    @property
    def params(self) -> Views:
        return self.layout.views(self._theta)

    @property
    def effective(self) -> Views:
        """What layers compute with, by name: copies of `params`, positive where they must be (softplus or clipping)."""
        return self.layout.views(self.layout.effective(self._theta))

    @property
    def buffers(self) -> Views:
        """Named views of what is saved with the model but not trained, such as a wiring's fixed gains."""
        return self.buffer_layout.views(self.buffer_vector)

    def views(self, vector: ArrayLike) -> Views:
        """Named views of any flat vector of theta's length: a gradient, an optimiser's moments."""
        return self.layout.views(vector)

    def parameter_version(self) -> tuple[bytes, bytes]:
        """The parameters and the buffers as bytes, which tell whether any have changed since."""
        return self._theta.tobytes(), self.buffer_vector.tobytes()

    def _select(self, names: tuple[str, ...]) -> Bools:
        return self.layout.select("names", names or self.layout.slices)

    def freeze(self, *names: str) -> None:
        """Keep parameters as they are: their gradient is 0, and optimisers leave them.

        Parameters
        ----------
        *names : str
            Names of parameters, such as ``"w"``, in a stack ``"0.w"``; or ``"0"`` for all parameters of layer 0.
            Without names: everything.

        Raises
        ------
        TypeError, ValueError
            No text, or a name that the model does not have.

        Examples
        --------
        >>> from ltc_np import LTC, AutoNCP, Dense, Model
        >>> model = Model(LTC(AutoNCP(8, 2), input_dim=3), Dense(1, input_dim=2), seed=0)
        >>> model.freeze("0", "1.bias")  # all of the LTC, and the bias of the readout
        >>> int(model.trainable.sum()), model.layout.size
        (2, 93)
        """
        mask = self._select(names)
        self.trainable = ~mask if self.trainable is None else self.trainable & ~mask

    def unfreeze(self, *names: str) -> None:
        """Train parameters again, by names as for `freeze`; without names: everything that can be trained."""
        mask = self._select(names)
        if self.trainable is not None:
            self.trainable = self.trainable | mask

    def project(self) -> None:
        """Move clipped parameters that are not frozen back to their bound; `Optimizer.step` does it."""
        if self.trainable is None:
            self.layout.project(self._theta)
        else:
            projected = self._theta.copy()
            self.layout.project(projected)
            self._theta[self.trainable] = projected[self.trainable]
