"""What happens inside a network while it runs: the states after every step, and what each layer computes on its way.

The states before all steps are known once the sequences have run, so what happens inside of the steps is computed at
once, as B*T steps side by side.  Both are the work of the layers (`Layer.trace` and `Layer.observe`) and of the NumPy
definition, whatever the network's backend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ..base.calls import with_signature_hints
from ..base.notebook import html_table
from ..base.types import Array, ArrayLike, Ints, Numbers
from ..base.workspace import Fresh
from ..cells.base import Layer
from ..layers.stack import Passed
from .network import Network
from .outputs import too_short
from .sequences import read


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """What happened in one layer; of a single sequence all arrays are without the axis B.

    Attributes
    ----------
    layer : Layer
    name : str
        Its place in ``model.layers``, ``"0"`` and so on.
    inputs : (B, T, I) array
        T is the layer's own number of steps: behind a stride one for each of its outputs.
    dt : (B, T) array
        The elapsed times of these steps; 1 where the model takes none.
    lengths : (B,) integers
    outputs : (B, n, O) array
        Of each step, or with a stride of each output.
    state : (B, T, K) array
        After each step; ``layer.state_slices`` names its columns.  Of a `Bidirectional` the backward half is what the
        reversed sweep has become when it has read x[t].
    h0 : (B, K) array
        Before the first step.
    arrays : mapping name -> (B, n, ...) array
        What is special to the layer: docs/trace.md has the table.  Layers inside this one stand here too, with a
        prefix: ``"1.tau"`` of the second one in a `Residual`, ``"backward_tau"`` in a `Bidirectional`.
    """

    layer: Layer
    name: str
    inputs: Array
    dt: Array
    lengths: Ints
    outputs: Array
    state: Array
    h0: Array
    arrays: Mapping[str, Numbers]

    def __repr__(self) -> str:
        own = "".join(f"\n    {name} {array.shape}" for name, array in self.arrays.items())
        return f"{self.name}: {self.layer!r}, state {self.state.shape}{own}"


@dataclass(frozen=True, eq=False)
class Trace:
    """What happened in a network; result of `Model.trace`.

    All arrays are of the model's dtype (those of state spaces are complex numbers of it), fresh, and 0 after a
    sequence's end.  Of a single sequence they are without the axis B.

    Attributes
    ----------
    x : (B, T, I) array
    dt : (B, T) array, or None where no layer knows elapsed time
    lengths : (B,) integers
    y : (B, n, O) array
        All outputs: of each step, or of each stride.
    layers : tuple of LayerTrace
        In the order of ``model.layers``.
    """

    x: Array
    dt: Array | None
    lengths: Ints
    y: Array
    layers: tuple[LayerTrace, ...]

    def __getitem__(self, name: str) -> Numbers:
        """An array of a layer: ``trace["0.tau"]``, or ``trace["tau"]`` where one layer alone has this name.

        Raises
        ------
        KeyError
            There is none, or there are several.
        """
        known = {f"{layer.name}.{own}": array for layer in self.layers for own, array in layer.arrays.items()}
        if name in known:
            return known[name]
        found = [layer for layer in self.layers if name in layer.arrays]
        if len(found) == 1:
            return found[0].arrays[name]
        if found:
            raise KeyError(f"{name!r} is of several layers: {', '.join(f'{each.name}.{name}' for each in found)}")
        raise KeyError(f"no array {name!r}; there are {', '.join(known) or 'none'}")

    def _repr_html_(self) -> str:
        """What there is, as notebooks show it."""
        rows: list[tuple[object, ...]] = []
        for each in self.layers:
            rows.append((each.name, each.layer, "state", each.state.shape))
            rows += [(each.name, "", name, array.shape) for name, array in each.arrays.items()]
        return html_table(("layer", "", "array", "shape"), rows, f"Trace of {self.x.shape}")

    def __repr__(self) -> str:
        return f"Trace of {self.x.shape}\n" + "\n".join(f"  {layer!r}" for layer in self.layers)


@with_signature_hints
def trace(
    self: Network,
    x: ArrayLike,
    dt: ArrayLike | None = None,
    *,
    lengths: ArrayLike | None = None,
    h0: ArrayLike | None = None,
) -> Trace:
    """What happens inside the model: states at every step, and of each layer what is special to it.

    Of an LTC these are the potentials at every unfold, conductances, time constants and currents of all synapses; of
    gated cells the gates; of state spaces their complex modes; docs/trace.md has the table.

    Parameters
    ----------
    x, dt, lengths, h0
        As for a call.

    Returns
    -------
    Trace

    Raises
    ------
    ValueError, TypeError, FloatingPointError
        As for a call.

    Notes
    -----
    It is computed with the NumPy definition, in the model's dtype, whatever its backend: outputs and states are those
    of a call up to rounding, and nothing is dropped.  Cost: that of about three calls with ``backend="numpy"``, and
    memory for all that it gives: of an LTC B*T*((U + 6)*N + 2*(S + S_sensory)) numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, AutoNCP, Dense, Model
    >>> model = Model(LTC(AutoNCP(16, 4)), Dense(2), input_dim=3, seed=0)
    >>> trace = model.trace(np.zeros((5, 7, 3)), dt=0.5)
    >>> trace["tau"].shape, trace.layers[0].state.shape
    ((5, 7, 16), (5, 7, 16))
    """
    if hasattr(x, "__cuda_array_interface__"):
        raise TypeError("`x` must lie on the host for a trace, got an array on a GPU: copy it first")
    given = read(self, x, dt, lengths, h0, True)
    sequences = given.sequences
    if not self.pace(sequences).T:
        raise too_short(self.layer_stack.stride, int(sequences.lengths.max()))
    # The same parameters, with the definition's engine.
    twin = self.restored(self.layer_stack, self.theta, self.buffer_vector, "numpy", True)
    prepared = twin.engine.prepare(Fresh())
    twin.engine.check(prepared, sequences)
    x, dt, lengths, _, h0 = sequences
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is looked for below, and said once
        passed = self.layer_stack.trace(prepared.layers, x.copy(), dt, lengths, h0.copy())
    # Of layers with fewer steps the others are zeros.
    every = [np.pad(one.traced.states, ((0, 0), (0, dt.shape[1] - one.dt.shape[1]), (0, 0))) for one in passed]
    twin.engine.check_outputs(passed[-1].traced.y, np.concatenate(every, axis=-1), dt)
    own = given.state if given.single else lambda array: array
    return Trace(
        own(passed[0].inputs),
        own(dt.copy()) if self.takes_dt else None,
        own(lengths.copy()),
        own(passed[-1].traced.y),
        tuple(
            _of_layer(str(k), layer, one, own) for k, (layer, one) in enumerate(zip(self.layers, passed, strict=True))
        ),
    )


def _of_layer(name: str, layer: Layer, passed: Passed, own: Callable[[Any], Any]) -> LayerTrace:
    """What the user gets of a layer; ``own`` takes the axis of the batch away where there is none."""
    inputs, dt, lengths, h0, (y, states, arrays) = passed
    seen = MappingProxyType({key: own(array) for key, array in arrays.items()})
    steps = own(inputs), own(dt.copy()), own(lengths.copy())
    return LayerTrace(layer, name, *steps, own(y), own(states), own(h0), seen)
