"""A network without some of its neurons or synapses, and what it loses by that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike, Ints, Loss
from ..cells import CTRNN, GRU, LRC, LSTM, LTC, CfC, Layer, NeuralODE
from ..cells.cfc import heads
from ..layers import Dense
from ..model import Model

Kind: TypeAlias = Literal["neurons", "synapses", "sensory_synapses"]

# A raw value whose effective one is the least that there is by softplus, in float32 and in float64.
SILENT = -1000.0
# The strengths of a synapse, by the cell; a sensory one has the prefix.
STRENGTHS: dict[type[Layer], tuple[str, ...]] = {LTC: ("w",), LRC: ("w", "h", "elastance_w")}
RECURRENT = (CTRNN, NeuralODE, LSTM, GRU)  # whose neurons hear each other by ``w_h`` (N, ...)
KINDS = ("neurons", "synapses", "sensory_synapses")


@with_signature_hints
def lesion(
    model: Model,
    *,
    neurons: int | Sequence[int] = (),
    synapses: int | Sequence[int] = (),
    sensory_synapses: int | Sequence[int] = (),
    layer: int | None = None,
) -> Model:
    """A copy of a model in which some neurons or synapses of a layer are silent.

    A synapse is silent if its strengths are 0: it adds neither to the conductance nor to the current (``w``; of an
    `LRC` also ``h`` and ``elastance_w``).  Strengths that are positive by softplus become the least there is, 1e-19 in
    float32 and 1e-154 in float64.  A neuron is silent if nothing that leaves it is heard: all synapses from it
    are, also that to itself, and of one whose potential the layer gives out the ``output_w`` is 0, so that its output
    is the constant ``output_b``; without a mapping, what the `Dense` layer behind reads of it is 0.  It still hears the
    others, and is there in a `Model.trace`.

    Parameters
    ----------
    model : Model
        It stays as it is.
    neurons : int or sequence of int
        Of an `LTC`, `LRC`, `CfC`, `CTRNN`, `NeuralODE`, `LSTM` or `GRU`.
    synapses, sensory_synapses : int or sequence of int
        Of an `LTC` or `LRC`, by their place in ``wiring.pre`` and ``wiring.sensory_pre``.
    layer : int, optional
        Which of ``model.layers``; default: the only one of these.

    Returns
    -------
    Model
        Of the same form and backend, with parameters of its own.

    Raises
    ------
    ValueError, TypeError
        There is no such neuron, synapse or layer; or a neuron cannot be silent, since the layer gives out its
        potential without a mapping and no `Dense` follows.

    Notes
    -----
    The result is exactly that of a smaller network, without these synapses, but for the order of sums.  What is silent
    stays so in training where strengths are positive by softplus, whose derivative is 0 there.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP, analysis
    >>> model = LTCRNN(AutoNCP(16, 2), input_dim=3, seed=0)
    >>> without = analysis.lesion(model, neurons=[5, 7])
    >>> bool(np.abs(without(np.ones((4, 3))) - model(np.ones((4, 3)))).max() > 0)
    True
    """
    place, own = _layer(model, layer)
    prefix = model.layer_stack.prefixes[place]
    silent: dict[str, Ints] = {}
    chosen = _chosen("neurons", neurons, _width(own))
    if chosen.size:
        silent |= _heard(own, chosen, prefix)
        silent |= _given_out(model, place, chosen[chosen < own.output_size])
    for name, kind, given in (("synapses", "", synapses), ("sensory_synapses", "sensory_", sensory_synapses)):
        if not np.size(given):
            continue
        if type(own) not in STRENGTHS:
            raise ValueError(f"`{name}` must be left out for a layer without a list of synapses, got {own!r}")
        some = _chosen(name, given, len(getattr(own.wiring, f"{kind}pre")))  # type: ignore[attr-defined]
        for key, places in _strengths(own, kind, some, prefix).items():
            silent[key] = np.union1d(silent[key], places) if key in silent else places
    twin = model.restored(
        model.layer_stack, model.theta.copy(), model.buffer_vector.copy(), model.backend, model.return_sequences
    )
    twin.trainable = model.trainable
    entries = {entry.name: entry for entry in model.layout.entries}
    for name, places in silent.items():
        twin.params[name][places] = SILENT if entries[name].positivity == "softplus" else 0
    return twin


def _layer(model: Model, layer: int | None) -> tuple[int, Layer]:
    """The layer that is meant, and its place."""
    known = (*STRENGTHS, CfC, *RECURRENT)
    found = [k for k, own in enumerate(model.layers) if type(own) in known]
    names = ", ".join(kind.__name__ for kind in known)
    if layer is None and len(found) != 1:
        hint = "" if found else ": of a network beside a line take `ltc_np.shortcut.network(model)`"
        raise ValueError(f"`layer` must be given unless exactly one layer is one of {names}, got {model!r}{hint}")
    place = found[0] if layer is None else checks.integer("layer", layer, 0, len(model.layers) - 1)
    if place not in found:
        raise ValueError(f"`layer` must be the place of one of {names}, got {model.layers[place]!r}")
    return place, model.layers[place]


def _width(layer: Layer) -> int:
    """Neurons."""
    return layer.wiring.units if layer.reads_wiring else layer.units  # type: ignore[attr-defined]


def _chosen(name: str, given: int | Sequence[int], size: int) -> Ints:
    """Different places in 0..size-1."""
    each = [given] if np.ndim(given) == 0 else given
    return np.unique(np.array([checks.integer(name, one, 0, size - 1) for one in each], np.int64))  # type: ignore


def _strengths(layer: Layer, kind: str, places: Ints, prefix: str) -> dict[str, Ints]:
    """Where in the parameters the strengths of these synapses are."""
    names = (f"{kind}{name}" for name in STRENGTHS[type(layer)])
    return {prefix + name: places for name in names if name in layer.layout.slices}


def _heard(layer: Layer, neurons: Ints, prefix: str) -> dict[str, Ints]:
    """Where the weights are by which neurons of the layer hear these."""
    if type(layer) in STRENGTHS:
        return _strengths(layer, "", np.flatnonzero(np.isin(layer.wiring.pre, neurons)), prefix)  # type: ignore
    if isinstance(layer, CfC):
        readers = ["backbone_w0"] if layer.backbone_layers else [f"{k}_w" for k in heads(layer.mode, layer.variant)]
        return {prefix + name: layer.input_size + neurons for name in readers}
    return {prefix + "w_h": neurons} if "w_h" in layer.layout.slices else {}


def _given_out(model: Model, place: int, neurons: Ints) -> dict[str, Ints]:
    """Where the weights are by which outputs hear these neurons."""
    layer, prefixes = model.layers[place], model.layer_stack.prefixes
    if not neurons.size:
        return {}
    if getattr(layer, "output_mapping", None) is not None:
        return {prefixes[place] + "output_w": neurons}
    if place + 1 < len(model.layers) and isinstance(model.layers[place + 1], Dense):
        return {prefixes[place + 1] + "weight": neurons}
    raise ValueError(
        f"`neurons` must not be among those that the layer gives out, 0..{layer.output_size - 1}, unless it has an "
        f"output mapping or a Dense layer follows, got {neurons.tolist()} of {layer!r}"
    )


class LesionStudy(NamedTuple):
    """What a network loses without each of its neurons or synapses; result of `lesion_study`; ``print`` it.

    Attributes
    ----------
    of : "neurons", "synapses" or "sensory_synapses"
    intact : float
        The loss of the whole model.
    losses : (n,) float64 array
        The loss without neuron or synapse k alone.
    """

    of: Kind
    intact: float
    losses: Array

    def __repr__(self) -> str:
        order = np.argsort(-self.losses, kind="stable")
        rows = [f"{k:>17} {self.losses[k]:>12.4g} {self.losses[k] - self.intact:>+12.4g}" for k in order]
        return "\n".join([f"intact: {self.intact:.4g}", f"{'without ' + self.of:>17} {'loss':>12} {'more':>12}", *rows])


@with_signature_hints
def lesion_study(
    model: Model,
    x: ArrayLike,
    y: ArrayLike,
    *,
    of: Kind = "neurons",
    dt: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    loss: Loss | None = None,
    layer: int | None = None,
) -> LesionStudy:
    """The loss on data without each neuron, or synapse, alone.

    Parameters
    ----------
    model, layer
        As for `lesion`.
    x, y, dt, lengths, loss
        As for `Model.evaluate`.
    of : "neurons", "synapses" or "sensory_synapses"

    Returns
    -------
    LesionStudy

    Raises
    ------
    ValueError, TypeError
        As `lesion` and `Model.evaluate`.

    Notes
    -----
    A network may have two neurons for the same thing, so that it loses nothing without either and much without both:
    a small loss does not say that a neuron does nothing.  Cost: one evaluation for each.
    """
    checks.one_of("of", of, KINDS)
    _, own = _layer(model, layer)
    if of == "neurons":
        count = _width(own)
    elif type(own) in STRENGTHS:
        count = len(getattr(own.wiring, "pre" if of == "synapses" else "sensory_pre"))  # type: ignore[attr-defined]
    else:
        raise ValueError(f'`of` must be "neurons" for a layer without a list of synapses, got {of!r} for {own!r}')

    def measured(one: Model) -> float:
        return one.evaluate(x, y, dt=dt, lengths=lengths, loss=name)["loss"]

    name = loss if loss is not None else (model.trained.loss if model.trained is not None else "mse")
    found = [measured(lesion(model, layer=layer, **{of: k})) for k in range(count)]
    return LesionStudy(of, measured(model), np.array(found))
