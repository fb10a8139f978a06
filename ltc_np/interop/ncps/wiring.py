"""Wirings of ncps networks: from the masks that a state dict holds, and from whatever object describes one.

A mask says where synapses are, and not their polarities; neither names nor ids of layers are saved.  What a wiring
object says of these is taken from it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...base import checks
from ...base.types import Array, Arrays
from ...cells.base import is_of_ncps
from ...wirings import Wiring
from .keys import layer_names
from .table import MASK, SENSORY_MASK


class Plan(NamedTuple):
    """What is known of a wiring.

    Attributes
    ----------
    recurrent, sensory : (N, N), (I, N) arrays
        [pre, post]: polarity times gain.
    output_dim : int
    layers : tuple of (str, tuple of int), or None
    wiring : Wiring or None
        One of this library that is all of this.
    """

    recurrent: Array
    sensory: Array
    output_dim: int
    layers: Any
    wiring: Wiring | None


def plan_of(given: Any, inputs: int) -> Plan:
    """The `Plan` of a wiring of this library, of ncps, or of the tutorial, for so many inputs."""
    if isinstance(given, Wiring):
        built = given.build(inputs)
        return Plan(built.adjacency_matrix, built.sensory_adjacency_matrix, built.output_dim, built.layers, built)
    if is_of_ncps(given) and getattr(given, "input_dim", 0) is None:
        given = copy.deepcopy(given)  # `build` changes a wiring of ncps
        given.build(inputs)
    try:
        recurrent, sensory = (
            np.array(getattr(given, name), np.float64) for name in ("adjacency_matrix", "sensory_adjacency_matrix")
        )
        output_dim = int(given.output_dim)
    except (AttributeError, TypeError, ValueError):
        raise TypeError(
            "`wiring` must be a wiring of ltc_np or of ncps, or an object with `adjacency_matrix`, "
            f"`sensory_adjacency_matrix` and `output_dim`, as the tutorial's, got {checks.brief(given)}"
        ) from None
    if sensory.ndim != 2 or sensory.shape[0] != inputs:
        raise ValueError(f"`wiring` must have the {inputs} inputs of the state dict, got matrices {sensory.shape}")
    return Plan(recurrent, sensory, output_dim, _layers(given), None)


def _layers(given: Any) -> Any:
    """Its layers by name, or None where it has one or does not say."""
    count = getattr(given, "num_layers", 1)
    if count == 1:
        return None
    ids = [tuple(map(int, given.get_neurons_of_layer(k))) for k in range(count)]
    names = [str(given.get_type_of_neuron(members[0])) for members in ids]
    return tuple(zip(names if len(set(names)) == count else layer_names(count), ids, strict=True))


def _check_mask(name: str, mask: Array, binary: bool) -> None:
    """Masks multiply conductances and weights: no polarity can stand in them."""
    if (mask < 0).any() or (binary and ((mask != 0) & (mask != 1)).any()):
        rule = "0 or 1" if binary else ">= 0"
        wrong = mask[(mask < 0) | (binary & (mask != 0) & (mask != 1))].flat[0]
        raise ValueError(f"`{name}` of source must hold numbers {rule}, got {wrong}")


def _check_agreement(plan: Plan, recurrent: Array, sensory: Array) -> None:
    """Whether a wiring that was given has the gains that the state dict shows, in its precision."""
    pairs = (plan.recurrent, recurrent), (plan.sensory, sensory)
    count = sum(int((np.abs(given).astype(mask.dtype) != mask).sum()) for given, mask in pairs)
    if count:
        raise ValueError(
            f"`wiring` must have the synapses of the state dict's masks, got {count} that differ: leave it out to take "
            "those of the masks"
        )


def _signed(masks: Array, known: Array | None, otherwise: Array) -> Array:
    """Gains with the polarities of ``known`` where it has some, else of ``otherwise``."""
    signs = np.where(otherwise < 0, -1.0, 1.0)
    return masks * (signs if known is None else np.where(known == 0, signs, np.sign(known)))


def _made(recurrent: Array, sensory: Array, output_dim: int, layers: Any, plan: Plan | None) -> Wiring:
    """The plan's own wiring, if it is this one; else a new one."""
    usual = (("recurrent", tuple(range(len(recurrent)))),)
    layers, own = layers or usual, None if plan is None else plan.wiring
    if own is not None and (own.output_dim, own.layers) == (output_dim, layers):
        assert plan is not None
        if (plan.recurrent == recurrent).all() and (plan.sensory == sensory).all():
            return own
    return Wiring.from_matrix(recurrent, sensory, output_dim, None if layers == usual else layers)


def of_ltc(arrays: Arrays, names: Mapping[str, str], plan: Plan | None, strict: bool, output_dim: int) -> Wiring:
    """The wiring of an LTC.

    Parameters
    ----------
    arrays : dict
        By key of the cell.
    names : dict
        key -> what errors call it.
    plan : Plan or None
        Needed where there are no masks.
    strict : bool
        Whether masks, if there are any, must agree with the plan; if not, they decide about synapses.
    output_dim : int
    """
    N = len(arrays["w"])
    if plan is not None and len(plan.recurrent) != N:
        raise ValueError(f"`wiring` must have the {N} neurons of the state dict, got {len(plan.recurrent)}")
    if MASK in arrays:
        masks = arrays[MASK], arrays[SENSORY_MASK]
        for key, mask in zip((MASK, SENSORY_MASK), masks, strict=True):
            _check_mask(names[key], mask, False)
        if plan is not None and strict:
            _check_agreement(plan, *masks)
    if plan is None:
        known: Any = None, None
    else:
        known = plan.recurrent, plan.sensory
        if strict:  # the same, and without the rounding of a state dict
            masks = np.abs(plan.recurrent), np.abs(plan.sensory)
    recurrent = _signed(masks[0], known[0], arrays["erev"])
    sensory = _signed(masks[1], known[1], arrays["sensory_erev"])
    return _made(recurrent, sensory, output_dim, None if plan is None else plan.layers, plan)


def of_wired_cfc(masks: Sequence[Array], names: Sequence[str], plan: Plan | None, strict: bool) -> Wiring:
    """The wiring of a wired CfC, from the masks (own, before + own) of its layers in order of flow.

    Without a plan ids are those of an `NCP`: the last layer has the first ones.  ncps gives all neurons of the last
    layer, whatever ``output_dim`` its wiring has.
    """
    counts = [len(mask) for mask in masks]
    N, inputs = sum(counts), masks[0].shape[1] - counts[0]
    layers = None if plan is None else plan.layers
    if layers is None:
        ends = np.cumsum(counts[::-1])[::-1]
        ids = [tuple(range(end - count, end)) for end, count in zip(ends.tolist(), counts, strict=True)]
        layers = tuple(zip(layer_names(len(counts)), ids, strict=True))
    if [len(ids) for _, ids in layers] != counts:
        sizes = [len(ids) for _, ids in layers]
        raise ValueError(f"`wiring` must have layers of {counts} neurons, as the state dict, got {sizes}")
    outputs = layers[-1][1]
    if outputs != tuple(range(len(outputs))):
        raise ValueError(
            f"`wiring` must have its neurons 0..{len(outputs) - 1} in this order in its last layer, got {outputs}"
        )
    recurrent: Array = np.zeros((N, N))
    sensory: Array = np.zeros((inputs, N))
    if plan is not None:
        recurrent, sensory = np.abs(plan.recurrent), np.abs(plan.sensory)
    whole, before = sensory, tuple(range(inputs))
    for mask, name, (_, ids) in zip(masks, names, layers, strict=True):
        own = mask[:, -len(ids) :]
        _check_mask(name, mask, True)
        if (own == 0).any():
            raise ValueError(f"`{name}` of source must be 1 where a layer reads its own state, got {own.min()}")
        whole[np.ix_(before, ids)] = mask[:, : -len(ids)].T
        whole, before = recurrent, ids
    if plan is not None and strict:
        _check_agreement(plan, recurrent, sensory)
    known = (None, None) if plan is None else (plan.recurrent, plan.sensory)
    recurrent, sensory = (_signed(m, k, np.ones_like(m)) for m, k in zip((recurrent, sensory), known, strict=True))
    return _made(recurrent, sensory, len(outputs), layers, plan)
