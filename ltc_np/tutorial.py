"""The tutorial's single-step classes with its signatures, on this library's models.

``LIFNeuronLayer`` is the tutorial's name for the LTC neuron: graded conductances, no threshold and no spike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .base.calls import with_signature_hints
from .base.layout import Views
from .base.types import Array, ArrayLike, Backend, DType, LTCSolver, Reaction, Seed
from .data import generate_spiral_data
from .model import LTCRNN
from .wirings import Wiring

if TYPE_CHECKING:
    from typing_extensions import TypedDict, Unpack

    class LIFOptions(TypedDict, total=False):
        """The arguments of a `LIFNeuronLayer` that an `LTCCell` hands on; a test compares the two."""

        solver: LTCSolver
        check_stability: Reaction
        seed: Seed
        dtype: DType
        backend: Backend


__all__ = ["LIFNeuronLayer", "LTCCell", "generate_spiral_data"]


class LIFNeuronLayer:
    """One elapsed time of a layer of LTC neurons.

    Parameters
    ----------
    wiring : built Wiring
        Such as ``RandomWiring(2, 2, 8)`` or ``AutoNCP(16, 2).build(3)``.
    ode_unfolds : int
        12 as in the tutorial, whose `LTCCell` and model use 6.
    epsilon : float
    solver, check_stability
        As for `LTC`; the tutorial's is the default, ``"semi_implicit"``.
    seed, dtype, backend
        As for `Model`.

    Attributes
    ----------
    model : LTCRNN
        The model that does the work, for gradients and training; the layer has no mappings.
    params : Mapping
        ``gleak vleak cm w mu sigma erev sensory_*``.
    """

    wiring: Wiring
    ode_unfolds: int
    epsilon: float
    model: LTCRNN
    params: Views

    @with_signature_hints
    def __init__(
        self,
        wiring: Wiring,
        ode_unfolds: int = 12,
        epsilon: float = 1e-8,
        *,
        solver: LTCSolver = "semi_implicit",
        check_stability: Reaction = "error",
        seed: Seed = None,
        dtype: DType = "float32",
        backend: Backend = "auto",
    ) -> None:
        if isinstance(wiring, Wiring) and not wiring.is_built:
            raise ValueError(f"`wiring` must be built, such as wiring.build(3) for 3 inputs, got {wiring!r}")
        self.wiring, self.ode_unfolds, self.epsilon = wiring, ode_unfolds, epsilon
        self.model = LTCRNN(
            wiring,
            ode_unfolds=ode_unfolds,
            epsilon=epsilon,
            solver=solver,
            check_stability=check_stability,
            input_mapping=None,
            output_mapping=None,
            seed=seed,
            dtype=dtype,
            backend=backend,
        )
        self.params = self.model.params

    def __repr__(self) -> str:
        return f"LIFNeuronLayer({self.wiring!r}, ode_unfolds={self.ode_unfolds})"

    def __call__(self, inputs: ArrayLike, state: ArrayLike, elapsed_time: ArrayLike = 1.0) -> Array:
        """The state after ``elapsed_time``.

        Parameters
        ----------
        inputs : (B, I) array
        state : (B, N) array
        elapsed_time : number, or (B,) or (B, 1) array

        Returns
        -------
        (B, N) array
        """
        if np.ndim(elapsed_time) == 2 and np.shape(elapsed_time)[1] == 1:
            elapsed_time = np.asarray(elapsed_time)[:, 0]
        return self.model.step(inputs, dt=elapsed_time, state=state)[1]


class LTCCell:
    """One step of an LTC: the new state, and its first O neurons as outputs.

    Parameters
    ----------
    wiring : built Wiring
    in_features : int, optional
        Builds a wiring that is not built; must agree with one that is.
    ode_unfolds, epsilon, **options
        As for `LIFNeuronLayer`: solver, check_stability, seed, dtype, backend.

    Attributes
    ----------
    neuron : LIFNeuronLayer
    """

    neuron: LIFNeuronLayer
    wiring: Wiring
    ode_unfolds: int
    epsilon: float

    @with_signature_hints
    def __init__(
        self,
        wiring: Wiring,
        in_features: int | None = None,
        ode_unfolds: int = 6,
        epsilon: float = 1e-8,
        **options: Unpack[LIFOptions],
    ) -> None:
        if in_features is not None and isinstance(wiring, Wiring) and not wiring.is_built:
            wiring = wiring.build(in_features)
        self.neuron = LIFNeuronLayer(wiring, ode_unfolds, epsilon, **options)
        if in_features is not None and in_features != wiring.input_dim:
            raise ValueError(f"`in_features` must agree with the wiring's {wiring.input_dim}, got {in_features!r}")
        self.wiring, self.ode_unfolds, self.epsilon = wiring, ode_unfolds, epsilon

    def __repr__(self) -> str:
        return f"LTCCell({self.wiring!r}, ode_unfolds={self.ode_unfolds})"

    def __call__(self, inputs: ArrayLike, states: ArrayLike, elapsed_time: ArrayLike = 1.0) -> tuple[Array, Array]:
        """(outputs (B, O), next_state (B, N)); arguments as for `LIFNeuronLayer`."""
        next_state = self.neuron(inputs, states, elapsed_time)
        return next_state[..., : self.wiring.output_dim].copy(), next_state
