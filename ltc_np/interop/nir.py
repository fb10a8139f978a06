"""Spiking networks as graphs of NIR, the exchange format of simulators and chips for spiking neurons.

A `SpikingLIF` is an ``Affine`` and a ``LIF`` of NIR, and a ``Linear`` from its spikes back where it is recurrent; a
`Dense` is an ``Affine``.  NIR's LIF is ::

    tau v' = (v_leak - v) + R I,    a spike where v > v_threshold, which sets v to v_reset

that of `SpikingLIF` with v_leak = 0 and R = 1, in continuous time; how time is cut into steps is the reader's affair.

Source: Pedersen et al., Nature Communications 15, 8122, 2024; the docstrings of the package nir 1.0.8.
"""

from __future__ import annotations

import io
import os
import pathlib
from itertools import pairwise
from typing import Any

import numpy as np

from ..base import checks, files
from ..base.calls import with_signature_hints
from ..base.layout import raw
from ..base.optional import need
from ..base.types import Arrays, Backend, DType, PathLike, SurrogateName
from ..cells import SpikingLIF
from ..cells.base import Layer
from ..layers import Dense, Dropout
from ..model import Model
from .functional import checked
from .nir_graph import Affine, Neurons, affine_of, chain_of, identity, neurons_of

nir: Any = need("nir", "nir", "`ltc_np.interop.nir`")

KNOWN = "NIR has a form for SpikingLIF and Dense, and Dropout is left out"


# --------------------------------------------------------------------------------------------------------------- out


@with_signature_hints
def to_nir(model: Model, path: PathLike | None = None, *, time_unit: float = 1.0) -> Any:
    """The graph of a spiking network, written to a file too if you like.

    Parameters
    ----------
    model : Model
        Of `SpikingLIF` and `Dense` layers; `Dropout`, which only training knows, is left out.
    path : str or Path, optional
        Of the file, in HDF5, written whole or not at all; ``.nir`` is customary.
    time_unit : float > 0
        Seconds in one unit of the model's ``dt``: time constants of NIR are in seconds.

    Returns
    -------
    nir.NIRGraph
        One chain from ``"input"`` to ``"output"``; a recurrent layer has an edge to its matrix and one back.

    Raises
    ------
    ImportError
        There is no nir; the extra ``nir`` brings it.
    ValueError
        A layer for which NIR has no form: another one, a refractory time, a reset by subtraction, an activation; or
        parameters that are not finite.
    OSError
        The file cannot be written.

    Notes
    -----
    Surrogate gradients and ``return_sequences`` are no part of the graph.  NIR says ``v > v_threshold`` where this
    library says ``>=``.  Spikes that come back through ``w_h`` are 1 during the next step, as simulators of NIR take
    them.

    Examples
    --------
    >>> from ltc_np import Dense, Model, SpikingLIF
    >>> from ltc_np.interop.nir import to_nir
    >>> list(to_nir(Model(SpikingLIF(8), Dense(2), input_dim=3, seed=0), time_unit=1e-3).nodes)
    ['input', '0_affine', '0_lif', '1_affine', 'output']
    """
    checks.finite("theta", checked(model).theta)
    unit = checks.number("time_unit", time_unit, low_open=True)
    effective, nodes, chain, loops = model.effective, {}, ["input"], []
    for k, (layer, prefix) in enumerate(zip(model.layers, model.layer_stack.prefixes, strict=True)):
        _check_form(k, layer)
        p = {name: effective[prefix + name] for name in layer.layout.slices}
        if type(layer) is SpikingLIF:
            nodes[f"{k}_affine"] = nir.Affine(p["w_x"].T.copy(), p["b"])
            nodes[f"{k}_lif"] = _lif(layer, p, unit)
            chain += [f"{k}_affine", f"{k}_lif"]
            if layer.recurrent:
                nodes[f"{k}_recurrent"] = nir.Linear(p["w_h"].T.copy())
                loops += [(f"{k}_lif", f"{k}_recurrent"), (f"{k}_recurrent", f"{k}_lif")]
        elif type(layer) is Dense:
            nodes[f"{k}_affine"] = nir.Affine(p["weight"].T.copy(), p["bias"])
            chain.append(f"{k}_affine")
    ends = {"input": nir.Input(np.array([model.input_size]))}, {"output": nir.Output(np.array([model.output_size]))}
    chain.append("output")
    graph = nir.NIRGraph(ends[0] | nodes | ends[1], [*pairwise(chain), *loops])
    if path is not None:
        where = pathlib.Path(path)
        files.check_path(where)
        content = io.BytesIO()  # HDF5 goes back and forth in what it writes
        nir.write(content, graph)
        files.write(where, lambda file: file.write(content.getbuffer()))
    return graph


def _check_form(k: int, layer: Layer) -> None:
    """Refuse what NIR cannot say."""
    reason = None
    if type(layer) is SpikingLIF:  # what is derived from one may compute otherwise
        if layer.refractory > 0:
            reason = f"a LIF of NIR has no refractory time, got {layer.refractory:g}"
        elif layer.reset == "subtract":
            reason = 'a spike of a LIF of NIR sets the potential to a value, got reset="subtract"'
        elif layer.relaxed:
            reason = "a LIF of NIR has no relaxed spikes"
    elif type(layer) is Dense:
        if layer.activation is not None:
            reason = f"an Affine of NIR has no activation, got {layer.activation!r}"
    elif type(layer) is not Dropout:
        reason = KNOWN
    if reason is not None:
        raise ValueError(f"`model` must have a form in NIR, but layers[{k}] has none, {layer!r}: {reason}")


def _lif(layer: SpikingLIF, p: Arrays, unit: float) -> Any:
    """The neurons of a layer."""
    tau = p["tau"] * p["tau"].dtype.type(unit)
    threshold, reset = (np.full_like(tau, value) for value in (layer.threshold, layer.reset))
    return nir.LIF(tau=tau, r=np.ones_like(tau), v_leak=np.zeros_like(tau), v_threshold=threshold, v_reset=reset)


# ---------------------------------------------------------------------------------------------------------------- in


@with_signature_hints
def from_nir(
    graph: Any,
    *,
    time_unit: float = 1.0,
    surrogate: SurrogateName = "fast_sigmoid",
    slope: float | None = None,
    dtype: DType = "float32",
    backend: Backend = "auto",
    return_sequences: bool = True,
) -> Model:
    """The model of a graph of spiking neurons.

    Parameters
    ----------
    graph : nir.NIRGraph, str or Path
        A chain of ``Affine``, ``Linear`` and ``LIF`` nodes from one ``Input`` to one ``Output``; the spikes of a LIF
        may come back to it, through an ``Affine`` or a ``Linear`` or as they are.  Or the file of one.
    time_unit : float > 0
        Seconds in one unit of ``dt`` of the model.
    surrogate, slope
        As for `SpikingLIF`: NIR says nothing about training.
    dtype, backend, return_sequences
        As for `Model`.

    Returns
    -------
    Model
        An ``Affine`` before a ``LIF`` and the ``LIF`` become a `SpikingLIF`, every other one a `Dense`.

    Raises
    ------
    ImportError
        There is no nir; the extra ``nir`` brings it.
    ValueError, TypeError
        No file of NIR, or a graph that these layers cannot be: other nodes, branches, several resets in a layer.

    Notes
    -----
    ``r`` goes into the weights and ``v_leak`` out of all potentials; where thresholds differ within a layer, each
    neuron's potential is measured in its own threshold, which changes no spike.  Reading runs no code.

    Examples
    --------
    >>> from ltc_np import Model, SpikingLIF
    >>> from ltc_np.interop.nir import from_nir, to_nir
    >>> from_nir(to_nir(Model(SpikingLIF(8), input_dim=3, seed=0)))
    Model(SpikingLIF(8, input_dim=3), dtype='float32')
    """
    unit = checks.number("time_unit", time_unit, low_open=True)
    if isinstance(graph, (str, os.PathLike)):
        read = _read(pathlib.Path(graph))
        try:
            return from_nir(
                read, time_unit=unit, surrogate=surrogate, slope=slope, dtype=dtype, backend=backend,
                return_sequences=return_sequences,
            )  # fmt: skip
        except (ValueError, TypeError) as error:
            raise (ValueError if isinstance(error, ValueError) else TypeError)(f"{os.fspath(graph)}: {error}") from None
    if not isinstance(graph, nir.NIRGraph):
        raise TypeError(f"`graph` must be a nir.NIRGraph or the path of a file, got {checks.brief(graph)}")
    layers: list[Layer] = []
    values: list[Arrays] = []

    def dense(affine: Affine) -> None:
        layers.append(Dense(affine.bias.size, input_dim=affine.weight.shape[1]))
        values.append({"weight": affine.weight.T, "bias": affine.bias})

    waiting = None
    for name, back in chain_of(graph):
        node = graph.nodes[name]
        if isinstance(node, nir.LIF):
            neurons = neurons_of(name, node)
            before = waiting or identity(neurons.tau.size, name)
            layers.append(_spiking(neurons, before, back is not None, surrogate, slope))
            values.append(_parameters(neurons, before, back, unit))
            waiting = None
        else:
            if waiting is not None:
                dense(waiting)
            waiting = affine_of(name, node)
    if waiting is not None:
        dense(waiting)
    model = Model(*layers, seed=0, dtype=dtype, backend=backend, return_sequences=return_sequences)
    for prefix, own in zip(model.layer_stack.prefixes, values, strict=True):
        for name, array in own.items():
            model.params[prefix + name] = array
    return model


def _read(path: pathlib.Path) -> Any:
    """The graph of a file."""
    files.check_readable(path, "graph")
    if not path.is_file():
        raise FileNotFoundError(f"`graph` must be a file, there is none at {path}")
    try:
        return nir.read(path)
    except Exception as error:  # h5py and nir raise what they come upon, of any class
        raise ValueError(f"{path}: no file of NIR, or damaged: {checks.one_line(error)}") from None


def _spiking(
    neurons: Neurons, before: Affine, recurrent: bool, surrogate: SurrogateName, slope: float | None
) -> SpikingLIF:
    return SpikingLIF(
        neurons.tau.size,
        input_dim=before.weight.shape[1],
        recurrent=recurrent,
        threshold=neurons.threshold,
        reset=neurons.reset,
        surrogate=surrogate,
        slope=slope,
    )


def _parameters(neurons: Neurons, before: Affine, back: Affine | None, unit: float) -> Arrays:
    """Raw values of a `SpikingLIF` by name."""
    for affine in filter(None, (before, back)):
        if affine.bias.size != neurons.tau.size:
            got = f"{affine.name!r} gives {affine.bias.size} numbers to a LIF of {neurons.tau.size}"
            raise ValueError(f"`graph` must fit together, but {got}")
    gain, bias = neurons.gain, before.bias if back is None else before.bias + back.bias
    values: Arrays = {"w_x": (gain[:, None] * before.weight).T, "b": gain * bias}
    values["tau"] = raw(neurons.tau / unit, "softplus")
    if back is not None:
        values["w_h"] = (gain[:, None] * back.weight).T
    return values
