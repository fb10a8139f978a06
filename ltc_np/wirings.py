"""Wirings: which neuron drives which, as lists of synapses.

A wiring is an immutable recipe.  `Wiring.build` gives it the number of inputs and returns a new, built
wiring, which holds two lists of synapses: recurrent ones (neuron to neuron) and sensory ones (input to
neuron).  Each list is sorted by (post, pre), so that the synapses of one postsynaptic neuron lie together,
and models keep one parameter per synapse, in that order: cost and memory follow the number of synapses, not
the square of the neurons.  Matrices, indexed [pre, post], are copies made for plots and exchange.

Neurons are numbered from 0; the first ``output_dim`` of them are the motor neurons, whose states are the
outputs.

`FullyConnected`, `Random`, `NCP` and `AutoNCP` give, for equal arguments, the graphs and polarities of ncps
1.0.1, bit for bit: they make the same random calls in the same order.  `NCP` and `AutoNCP` draw from numpy's
frozen ``RandomState``; the others from ``default_rng``, whose streams numpy may change between versions,
which is one reason why saved models store the synapses and not the seed alone.  `RandomWiring` is the
tutorial's dense wiring with random fixed gains.  Wirings of one's own come from `Wiring.from_edges` and
`Wiring.from_matrix`, or from a subclass.
"""

import json
import warnings
from collections import Counter
from functools import cached_property
from typing import NamedTuple

import numpy as np

__all__ = ["NCP", "AutoNCP", "FullyConnected", "NotBuiltError", "Random", "RandomWiring", "Wiring"]

_SAVED = ("pre", "post", "value", "erev")  # the columns of a list of synapses in `Wiring.state`
_FLOW = ("inter", "command", "motor")  # the order in which summaries name types


class NotBuiltError(AttributeError):
    """A wiring was asked for synapses that depend on the number of inputs, before `Wiring.build`."""


class _Synapses(NamedTuple):
    """One checked list of synapses, sorted by (post, pre); all arrays (S,) and read-only."""

    pre: np.ndarray
    post: np.ndarray
    polarity: np.ndarray
    gain: np.ndarray | None
    erev: np.ndarray

    @property
    def value(self):
        return self.polarity if self.gain is None else self.polarity * self.gain


def _integer(name, value, low, high=None):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"`{name}` must be an integer, got {value!r}")
    if value < low or (high is not None and value > high):
        rule = f">= {low}" if high is None else f"in {low}..{high}"
        raise ValueError(f"`{name}` must be an integer {rule}, got {value}")
    return int(value)


def _real(name, value):
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"`{name}` must be a real number, got {value!r}")
    return float(value)


def _seed(name, seed):
    # Drawn once and kept, so that a wiring without a given seed is as reproducible as any other.
    return int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else _integer(name, seed, 0)


def _array(name, values, kinds, size=None):
    """`values` as a new (S,) array of a dtype kind in `kinds`; an empty list has no kind and passes."""
    array = np.array(values)
    if array.ndim != 1 or (size is not None and array.size != size):
        raise ValueError(f"`{name}` must have shape ({'S' if size is None else size},), got {array.shape}")
    if array.size and array.dtype.kind not in kinds:
        rule = "integers" if kinds == "iu" else "real numbers"
        raise TypeError(f"`{name}` must hold {rule}, got dtype {array.dtype}")
    return array


def _synapses(kind, pre_count, units, pre, post, value, erev=None):
    """Check and sort one list of synapses; the only way to make one.

    kind: "" or "sensory_", for messages; pre, post: (S,) ids; value: (S,) polarity times gain; erev: (S,) or
    None, which means the polarity.
    """
    pre = _array(f"{kind}pre", pre, "iu")
    post = _array(f"{kind}post", post, "iu", pre.size)
    value = _array(f"{kind}polarity", value, "iuf", pre.size).astype(np.float64)
    erev = np.sign(value) if erev is None else _array(f"{kind}erev", erev, "iuf", pre.size).astype(np.float64)
    for name, ids, count in ((f"{kind}pre", pre, pre_count), (f"{kind}post", post, units)):
        wrong = ids[(ids < 0) | (ids >= count)]
        if wrong.size:
            raise ValueError(f"`{name}` must hold ids in 0..{count - 1}, got {wrong[0]}")
    wrong = np.flatnonzero(~np.isfinite(value) | (value == 0))
    if wrong.size:
        pair = int(pre[wrong[0]]), int(post[wrong[0]])
        raise ValueError(f"`{kind}polarity` must be finite and not 0, got {value[wrong[0]]} for {pair}")
    if not np.isfinite(erev).all():
        raise ValueError(f"`{kind}erev` must be finite, got {erev[~np.isfinite(erev)][0]}")
    pre, post = pre.astype(np.int64), post.astype(np.int64)
    order = np.lexsort((pre, post))
    pre, post, value, erev = pre[order], post[order], value[order], erev[order]
    twice = np.flatnonzero((pre[1:] == pre[:-1]) & (post[1:] == post[:-1]))
    if twice.size:
        pair = int(pre[twice[0]]), int(post[twice[0]])
        raise ValueError(f"each {kind}synapse (pre, post) may be given once, got {pair} twice")
    gain = np.abs(value)
    synapses = _Synapses(pre, post, np.sign(value), None if (gain == 1).all() else gain, erev)
    for array in synapses:
        if array is not None:
            array.setflags(write=False)
    return synapses


def _edge_arrays(name, edges, pre_count, units):
    """(pre, post, polarity) lists of an iterable of triples."""
    try:
        triples = [tuple(edge) for edge in edges]
    except TypeError:
        raise TypeError(f"`{name}` must be an iterable of (pre, post, polarity), got {edges!r}") from None
    for i, edge in enumerate(triples):
        if len(edge) != 3:
            raise ValueError(f"`{name}[{i}]` must be (pre, post, polarity), got {edge!r}")
        pre = _integer(f"pre of {name}[{i}]", edge[0], 0, pre_count - 1)
        post = _integer(f"post of {name}[{i}]", edge[1], 0, units - 1)
        triples[i] = pre, post, _real(f"polarity of {name}[{i}]", edge[2])
    return [list(column) for column in zip(*triples, strict=True)] or [[], [], []]


def _matrix_arrays(name, matrix, shape):
    """(pre, post, value) of the non-zero entries of a signed matrix; NaN is not zero and is refused later."""
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[1] != shape[1] or shape[0] not in (None, matrix.shape[0]):
        rule = f"({'I' if shape[0] is None else shape[0]}, {shape[1]})"
        raise ValueError(f"`{name}` must have shape {rule} [pre, post], got {matrix.shape}")
    if matrix.dtype.kind not in "iuf":
        raise TypeError(f"`{name}` must hold real numbers, got dtype {matrix.dtype}")
    pre, post = np.nonzero(matrix)
    return pre, post, matrix[pre, post]


def _pairs(pre_count, units):
    """All (pre, post), pre slowest: the order of ncps' loops."""
    return np.repeat(np.arange(pre_count), units), np.tile(np.arange(units), pre_count)


def _subclasses(cls):
    return [cls] + [deeper for child in cls.__subclasses__() for deeper in _subclasses(child)]


class Wiring:
    """Immutable description of the synapses of a recurrent network.

    Make one with `from_edges`, `from_matrix` or a subclass (`FullyConnected`, `Random`, `NCP`, `AutoNCP`,
    `RandomWiring`).  Wirings with equal recipe and equal synapses are equal, hash equally and can be pickled.

    Parameters
    ----------
    units : int
        Number of neurons N, >= 1.
    output_dim : int, optional
        Number of motor neurons, in 1..N; default N.
    arguments : dict, optional
        For subclasses: the arguments of their constructor by name, plain JSON values.
    layers : sequence of (name, ids), optional
        For subclasses: the neurons by layer, in order of flow, each neuron once.  Default one layer
        "recurrent".

    Attributes
    ----------
    units, output_dim : int
    input_dim : int or None
        Number of inputs I; None until built.
    is_built : bool
    arguments : dict
        A copy of the constructor's arguments.
    layers : tuple of (str, tuple of int)
    pre, post : (S,) int64 arrays
        Presynaptic and postsynaptic neuron of each recurrent synapse, sorted by (post, pre).
    polarity : (S,) float64 array
        +1 excitatory, -1 inhibitory.
    gain : None or (S,) float64 array
        Fixed positive factors on the synapses; None means all 1.
    erev : (S,) float64 array
        Initial reversal potentials; the polarity, except in `RandomWiring`.
    sensory_pre, sensory_post, sensory_polarity, sensory_gain, sensory_erev
        The same for the synapses from inputs to neurons.
    synapse_count, sensory_synapse_count : int

    Raises
    ------
    NotBuiltError
        An AttributeError, from attributes that depend on the number of inputs before `build`: the sensory
        ones, and for `NCP` and `AutoNCP` the recurrent ones too (their random stream serves the inputs
        first).

    Notes
    -----
    A subclass calls ``super().__init__(units, output_dim, arguments=...)`` and defines
    ``_draw(input_dim)``, which returns two tuples ``(pre, post, value)`` or ``(pre, post, value, erev)``,
    recurrent and sensory, in any order (value: polarity times gain); None in the place of what cannot be
    known, as the sensory ones for ``input_dim=None``.  It must start its random generator anew in every call
    and read nothing but `arguments` and what its constructor made of them.
    """

    def __init__(self, units, output_dim=None, *, arguments=None, layers=None):
        units = _integer("units", units, 1)
        output_dim = units if output_dim is None else _integer("output_dim", output_dim, 1, units)
        if layers is None:
            layers = [("recurrent", range(units))]
        layers = tuple((str(name), tuple(_integer("id in layers", i, 0) for i in ids)) for name, ids in layers)
        if sorted(i for _, ids in layers for i in ids) != list(range(units)):
            raise ValueError(f"`layers` must hold each of the neurons 0..{units - 1} once, got {layers}")
        if arguments is None:
            arguments = {"units": units, "output_dim": output_dim}
        if not isinstance(arguments, dict):
            raise TypeError(f"`arguments` must be a dict, got {arguments!r}")
        try:
            recipe = json.dumps(arguments)
        except TypeError as error:
            raise TypeError(f"`arguments` must hold plain JSON values: {error}") from None
        self._set(units=units, output_dim=output_dim, input_dim=None, layers=layers)
        self._set(_class=type(self).__name__, _arguments=recipe)

    def _set(self, **attributes):
        vars(self).update(attributes)

    def __setattr__(self, name, value):
        raise AttributeError(f"a Wiring is immutable, `{name}` cannot be set; make a new one instead")

    def __delattr__(self, name):
        raise AttributeError(f"a Wiring is immutable, `{name}` cannot be deleted")

    def _draw(self, input_dim):
        if input_dim is None:
            return None, None
        if self.is_built:
            raise ValueError(f"`input_dim` must be {self.input_dim}, as the synapses are given, got {input_dim}")
        raise ValueError(f"{self!r} cannot draw synapses; use Wiring.from_edges or Wiring.from_matrix")

    @cached_property
    def _edges(self):
        # Drawn at the first use: describing a wiring, or restoring one with its synapses, draws nothing.
        return self._checked(*self._draw(self.input_dim))

    def _checked(self, recurrent, sensory):
        return (
            None if recurrent is None else _synapses("", self.units, self.units, *recurrent),
            None if sensory is None else _synapses("sensory_", self.input_dim, self.units, *sensory),
        )

    def _with(self, input_dim, edges=None):
        """A built copy, with the given (recurrent, sensory) synapses or those that `_draw` gives."""
        wiring = object.__new__(type(self))
        wiring._set(**vars(self))
        edges = self._draw(input_dim) if edges is None else edges
        wiring._set(input_dim=input_dim)
        wiring._set(_edges=wiring._checked(*edges))
        return wiring

    def _warned(self):
        """This wiring, after a warning if inputs cannot influence some outputs."""
        recurrent, sensory = self._edges
        reached = np.zeros(self.units, dtype=bool)
        reached[sensory.post] = True
        count = -1
        while count != np.count_nonzero(reached):
            count = np.count_nonzero(reached)
            reached[recurrent.post[reached[recurrent.pre]]] = True
        lost = np.flatnonzero(~reached[: self.output_dim]).tolist()
        if lost:
            warnings.warn(f"no input reaches the motor neurons {lost} of {self!r}", UserWarning, stacklevel=3)
        return self

    def build(self, input_dim):
        """Give the wiring its number of inputs.

        Parameters
        ----------
        input_dim : int
            Number of inputs I, >= 1.

        Returns
        -------
        Wiring
            A new built wiring, always the same for the same arguments; this one stays as it is.  A wiring
            that has this number of inputs already is returned itself.

        Raises
        ------
        ValueError
            If the number of inputs is fixed (`from_edges`, `from_matrix`, `RandomWiring`) and another one.

        Warns
        -----
        UserWarning
            If no path of synapses leads from any input to some motor neurons.
        """
        input_dim = _integer("input_dim", input_dim, 1)
        return self if input_dim == self.input_dim else self._with(input_dim)._warned()

    @staticmethod
    def from_edges(units, edges, sensory_edges, output_dim=None, input_dim=None):
        """A built wiring with the given synapses.

        Parameters
        ----------
        units : int
            Number of neurons N, >= 1.
        edges, sensory_edges : iterable of (pre, post, polarity)
            Recurrent synapses (pre in 0..N-1) and sensory ones (pre in 0..I-1); post in 0..N-1; each pair
            once.  The sign of ``polarity`` is the polarity; a magnitude other than 1 is a fixed gain.
        output_dim : int, optional
            Number of motor neurons (the first ones); default N.
        input_dim : int, optional
            Number of inputs I; default the largest sensory pre + 1.

        Returns
        -------
        Wiring

        Warns
        -----
        UserWarning
            If no path of synapses leads from any input to some motor neurons.

        Examples
        --------
        >>> wiring = Wiring.from_edges(3, [(2, 0, 1), (0, 2, -1)], [(0, 2, 1), (1, 1, 0.5)], output_dim=2)
        >>> wiring.pre, wiring.post, wiring.polarity
        (array([2, 0]), array([0, 2]), array([ 1., -1.]))
        >>> wiring.sensory_gain
        array([0.5, 1. ])
        """
        wiring = Wiring(units, output_dim)
        recurrent = _edge_arrays("edges", edges, wiring.units, wiring.units)
        input_limit = 2**31 if input_dim is None else _integer("input_dim", input_dim, 1)
        sensory = _edge_arrays("sensory_edges", sensory_edges, input_limit, wiring.units)
        if input_dim is None and not sensory[0]:
            raise ValueError("`input_dim` must be given when `sensory_edges` is empty, got None")
        input_dim = max(sensory[0]) + 1 if input_dim is None else int(input_dim)
        return wiring._with(input_dim, (recurrent, sensory))._warned()

    @staticmethod
    def from_matrix(adjacency, sensory_adjacency, output_dim=None):
        """A built wiring with a synapse for each non-zero entry of two signed matrices.

        Parameters
        ----------
        adjacency : (N, N) array of real numbers, [pre, post]
            The sign of an entry is the polarity; a magnitude other than 1 is a fixed gain.
        sensory_adjacency : (I, N) array of real numbers, [input, post]
        output_dim : int, optional
            Number of motor neurons (the first ones); default N.

        Returns
        -------
        Wiring

        Warns
        -----
        UserWarning
            If no path of synapses leads from any input to some motor neurons.
        """
        adjacency, sensory_adjacency = np.asarray(adjacency), np.asarray(sensory_adjacency)
        if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1] or not adjacency.size:
            raise ValueError(f"`adjacency` must have shape (N, N) with N >= 1, got {adjacency.shape}")
        units = adjacency.shape[0]
        recurrent = _matrix_arrays("adjacency", adjacency, (units, units))
        sensory = _matrix_arrays("sensory_adjacency", sensory_adjacency, (None, units))
        input_dim = _integer("rows of sensory_adjacency", sensory_adjacency.shape[0], 1)
        return Wiring(units, output_dim)._with(input_dim, (recurrent, sensory))._warned()

    def _list(self, which, attribute):
        synapses = self._edges[which]
        if synapses is None:
            raise NotBuiltError(f"`{attribute}` of {self!r} is not known before build(input_dim)")
        return synapses

    pre = property(lambda self: self._list(0, "pre").pre)
    post = property(lambda self: self._list(0, "post").post)
    polarity = property(lambda self: self._list(0, "polarity").polarity)
    gain = property(lambda self: self._list(0, "gain").gain)
    erev = property(lambda self: self._list(0, "erev").erev)
    sensory_pre = property(lambda self: self._list(1, "sensory_pre").pre)
    sensory_post = property(lambda self: self._list(1, "sensory_post").post)
    sensory_polarity = property(lambda self: self._list(1, "sensory_polarity").polarity)
    sensory_gain = property(lambda self: self._list(1, "sensory_gain").gain)
    sensory_erev = property(lambda self: self._list(1, "sensory_erev").erev)
    synapse_count = property(lambda self: self._list(0, "synapse_count").pre.size)
    sensory_synapse_count = property(lambda self: self._list(1, "sensory_synapse_count").pre.size)
    is_built = property(lambda self: self.input_dim is not None)
    arguments = property(lambda self: json.loads(self._arguments))

    def dense(self, values):
        """New (N, N) matrix [pre, post]: `values` (S,) at the recurrent synapses, zeros elsewhere."""
        return self._dense(0, values)

    def sensory_dense(self, values):
        """New (I, N) matrix [input, post]: `values` (S,) at the sensory synapses, zeros elsewhere."""
        return self._dense(1, values)

    def _dense(self, which, values):
        synapses = self._list(which, ("dense", "sensory_dense")[which])
        values = _array("values", values, "biuf", synapses.pre.size)
        matrix = np.zeros(((self.units, self.input_dim)[which], self.units), dtype=values.dtype)
        matrix[synapses.pre, synapses.post] = values
        return matrix

    @property
    def adjacency_matrix(self):
        """(N, N) float64 copy [pre, post]: polarity times gain, 0 where there is no synapse."""
        return self.dense(self._list(0, "adjacency_matrix").value)

    @property
    def sensory_adjacency_matrix(self):
        """(I, N) float64 copy [input, post]: polarity times gain, 0 where there is no synapse."""
        return self.sensory_dense(self._list(1, "sensory_adjacency_matrix").value)

    def erev_initializer(self):
        """(N, N) float64 copy [pre, post] of the initial reversal potentials."""
        return self.dense(self.erev)

    def sensory_erev_initializer(self):
        """(I, N) float64 copy [input, post] of the initial sensory reversal potentials."""
        return self.sensory_dense(self.sensory_erev)

    @property
    def num_layers(self):
        """Number of layers: 3 for `NCP` and `AutoNCP`, else 1."""
        return len(self.layers)

    def get_neurons_of_layer(self, layer_id):
        """List of the ids in layer `layer_id`, counted from 0 in order of flow (the list ncps gives)."""
        return list(self.layers[_integer("layer_id", layer_id, 0, self.num_layers - 1)][1])

    def get_type_of_neuron(self, neuron_id):
        """Type "inter", "command" or "motor": the neuron's layer; motor or inter in wirings of one layer."""
        neuron_id = _integer("neuron_id", neuron_id, 0, self.units - 1)
        if self.num_layers == 1:
            return "motor" if neuron_id < self.output_dim else "inter"
        return next(name for name, ids in self.layers if neuron_id in ids)

    def __repr__(self):
        if self._class == "Wiring" and self.is_built:
            counts = f"edges=<{self.synapse_count}>, sensory_edges=<{self.sensory_synapse_count}>"
            sizes = f"output_dim={self.output_dim}, input_dim={self.input_dim}"
            return f"Wiring.from_edges(units={self.units}, {counts}, {sizes})"
        text = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        built = f".build({self.input_dim})" if self.is_built and "input_dim" not in self.arguments else ""
        return f"{self._class}({text}){built}"

    def summary(self):
        """A few lines of text: neurons by type, inputs, synapses and their share of dense, signs and fan-in.

        Examples
        --------
        >>> print(AutoNCP(16, 4).build(3).summary())
        AutoNCP(units=16, output_size=4, sparsity_level=0.5, seed=22222).build(3)
        neurons   16: 8 inter, 4 command, 4 motor
        inputs    3
        synapses  28 recurrent (10.9% of dense), 13 sensory (27.1% of dense)
        polarity  22 excitatory, 19 inhibitory
        fan-in    1 to 7 synapses per neuron
        """
        N, inputs = self.units, self.input_dim
        types = Counter(self.get_type_of_neuron(i) for i in range(N))
        flow = [name for name in _FLOW if name in types] + [name for name in types if name not in _FLOW]
        lines = [repr(self), f"neurons   {N}: " + ", ".join(f"{types[name]} {name}" for name in flow)]
        if not self.is_built:
            return "\n".join([*lines, "inputs    not known before build(input_dim)"])
        recurrent, sensory = self._edges
        S, S_in = recurrent.pre.size, sensory.pre.size
        # What a synapse does is the sign of its reversal potential, which in RandomWiring is not the polarity's.
        positive = np.count_nonzero(recurrent.erev > 0) + np.count_nonzero(sensory.erev > 0)
        fan_in = np.bincount(np.concatenate([recurrent.post, sensory.post]), minlength=N)
        shares = f"{S} recurrent ({S / N**2:.1%} of dense), {S_in} sensory ({S_in / (inputs * N):.1%} of dense)"
        return "\n".join(
            [
                *lines,
                f"inputs    {inputs}",
                f"synapses  {shares}",
                f"polarity  {positive} excitatory, {S + S_in - positive} inhibitory",
                f"fan-in    {fan_in.min()} to {fan_in.max()} synapses per neuron",
            ]
        )

    def _key(self):
        recipe = self._class, self._arguments, self.units, self.output_dim, self.input_dim, self.layers
        if not self.is_built:
            return recipe
        return recipe + tuple(getattr(edges, name).tobytes() for edges in self._edges for name in _SAVED)

    def __eq__(self, other):
        """Equal recipe (class name and arguments), sizes, layers and, if built, synapses."""
        return self._key() == other._key() if isinstance(other, Wiring) else NotImplemented

    def __hash__(self):
        return hash(self._key())

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        # numpy restores pickled arrays writable; the way through `from_state` checks and protects them again.
        return type(self).from_state, (self.state(),)

    def state(self):
        """Everything that makes this wiring, for `from_state` and files.

        Returns
        -------
        dict
            ``class``, ``arguments`` and ``layers`` (JSON), ``repr`` (for readers only): str; ``units``,
            ``output_dim``, ``input_dim`` (0: not built): int.  If built also ``pre``, ``post``, ``value``
            (polarity times gain), ``erev`` and the same four with the prefix ``sensory_``: (S,) arrays.
        """
        state = {"class": self._class, "arguments": self._arguments, "layers": json.dumps(self.layers)}
        state |= {"repr": repr(self), "units": self.units, "output_dim": self.output_dim}
        state["input_dim"] = self.input_dim or 0
        if self.is_built:
            for prefix, edges in zip(("", "sensory_"), self._edges, strict=True):
                state |= {prefix + name: getattr(edges, name).copy() for name in _SAVED}
        return state

    @classmethod
    def from_state(cls, state):
        """The wiring that `state` describes, equal to the one it came from.

        The synapses of a built wiring are taken from `state`, never drawn again.  A built wiring of a class
        that is not defined here comes back as a plain `Wiring` with the same recipe, layers and synapses,
        which cannot be built anew for another number of inputs.

        Parameters
        ----------
        state : mapping
            From `state`; values may be 0-d arrays, as `numpy.load` gives them.

        Returns
        -------
        Wiring

        Raises
        ------
        ValueError
            If `state` is damaged or does not describe a `cls`.
        """
        try:
            names = ("class", "arguments", "layers", "units", "output_dim", "input_dim")
            state = dict(state)
            plain = (np.asarray(state[name]).item() for name in names)
            return cls._restored(state, *plain)
        except KeyError as error:
            raise ValueError(f"`state` must have the key {error}, got the keys {[*state]}") from None
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"`state` must describe a {cls.__name__}: {error}") from error

    @classmethod
    def _restored(cls, state, name, arguments, layers, units, output_dim, input_dim):
        arguments, layers = json.loads(arguments), json.loads(layers)
        known = next((c for c in [cls, *_subclasses(Wiring)] if c.__name__ == name), None)
        if known is not None:
            wiring = known(**arguments)
        elif input_dim and isinstance(name, str):
            wiring = Wiring(units, output_dim, arguments=arguments, layers=layers)
            wiring._set(_class=name)
        else:
            raise ValueError(f"the class {name!r} is not defined here and the wiring is not built")
        found = wiring.units, wiring.output_dim, json.loads(json.dumps(wiring.layers))
        fits = isinstance(wiring, cls) and wiring.input_dim in (None, input_dim)
        if not fits or found != (units, output_dim, layers):
            raise ValueError(f"the class, sizes or layers do not fit {name} with the arguments {arguments}")
        if input_dim == 0:
            return wiring
        edges = [[state[prefix + key] for key in _SAVED] for prefix in ("", "sensory_")]
        return wiring._with(_integer("input_dim", input_dim, 1), edges)


class FullyConnected(Wiring):
    """Every neuron and every input drives every neuron; two thirds of the synapses are excitatory.

    Parameters
    ----------
    units : int
        Number of neurons N, >= 1.
    output_dim : int, optional
        Number of motor neurons, in 1..N; default N.
    erev_init_seed : int or None
        Seed of the polarities, >= 0; None draws a seed once and keeps it.
    self_connections : bool
        Whether neurons drive themselves.

    Notes
    -----
    Equal to ncps 1.0.1 for equal arguments and numpy's same ``default_rng`` streams.  The recurrent
    synapses are known before `build`.

    Examples
    --------
    >>> FullyConnected(5, 2).build(3).synapse_count
    25
    """

    def __init__(self, units, output_dim=None, erev_init_seed=1111, self_connections=True):
        if not isinstance(self_connections, (bool, np.bool_)):
            raise TypeError(f"`self_connections` must be True or False, got {self_connections!r}")
        units = _integer("units", units, 1)
        arguments = {
            "units": units,
            "output_dim": units if output_dim is None else _integer("output_dim", output_dim, 1, units),
            "erev_init_seed": _seed("erev_init_seed", erev_init_seed),
            "self_connections": bool(self_connections),
        }
        super().__init__(units, output_dim, arguments=arguments)

    def _draw(self, input_dim):
        arguments = self.arguments
        rng = np.random.default_rng(arguments["erev_init_seed"])
        pre, post = _pairs(self.units, self.units)
        if not arguments["self_connections"]:
            pre, post = pre[pre != post], post[pre != post]
        recurrent = pre, post, rng.choice([-1, 1, 1], pre.size)
        if input_dim is None:
            return recurrent, None
        pre, post = _pairs(input_dim, self.units)
        return recurrent, (pre, post, rng.choice([-1, 1, 1], pre.size))


class Random(Wiring):
    """A given share of all possible synapses, drawn at random; two thirds of them excitatory on average.

    Parameters
    ----------
    units : int
        Number of neurons N, >= 1.
    output_dim : int, optional
        Number of motor neurons, in 1..N; default N.
    sparsity_level : float
        Share of the possible synapses that is left out, in [0, 1); 1 would leave none.
    random_seed : int or None
        Seed, >= 0; None draws a seed once and keeps it.

    Notes
    -----
    round(N*N*(1 - sparsity_level)) recurrent and round(I*N*(1 - sparsity_level)) sensory synapses.
    Nothing ensures that inputs reach the motor neurons; `build` warns if they do not.  Equal to ncps 1.0.1
    for equal arguments and numpy's same ``default_rng`` streams.  The recurrent synapses are known before
    `build`.

    Examples
    --------
    >>> Random(10, 2, sparsity_level=0.75).build(4).synapse_count
    25
    """

    def __init__(self, units, output_dim=None, sparsity_level=0.0, random_seed=1111):
        units = _integer("units", units, 1)
        sparsity_level = _real("sparsity_level", sparsity_level)
        if not 0 <= sparsity_level < 1:
            raise ValueError(f"`sparsity_level` must be in [0, 1), got {sparsity_level}")
        arguments = {
            "units": units,
            "output_dim": units if output_dim is None else _integer("output_dim", output_dim, 1, units),
            "sparsity_level": sparsity_level,
            "random_seed": _seed("random_seed", random_seed),
        }
        super().__init__(units, output_dim, arguments=arguments)

    def _draw(self, input_dim):
        arguments = self.arguments
        rng = np.random.default_rng(arguments["random_seed"])

        def draw(pre_count, times):
            # ncps draws the polarity of each sensory synapse twice and keeps the second (`times` = 2).
            count = round(pre_count * self.units * (1 - arguments["sparsity_level"]))
            pre, post = np.divmod(rng.choice(pre_count * self.units, count, replace=False), self.units)
            return pre, post, rng.choice([-1, 1, 1], times * count)[times - 1 :: times]

        return draw(self.units, 1), None if input_dim is None else draw(input_dim, 2)


class NCP(Wiring):
    """Neural circuit policy: sparse layers, inputs -> inter -> command (recurrent) -> motor neurons.

    Neurons are numbered motor first, then command, then inter.  Half of the synapses are excitatory.

    Parameters
    ----------
    inter_neurons, command_neurons, motor_neurons : int
        Neurons per layer, each >= 1.
    sensory_fanout : int
        Synapses from each input to inter neurons, in 0..inter_neurons.
    inter_fanout : int
        Synapses from each inter neuron to command neurons, in 0..command_neurons.
    recurrent_command_synapses : int
        Draws of a synapse among the command neurons, >= 0; pairs drawn twice count once.
    motor_fanin : int
        Synapses from command neurons to each motor neuron, in 0..command_neurons.
    seed : int or None
        Seed, in 0..2**32 - 1; None draws a seed once and keeps it.

    Notes
    -----
    Neurons that the draws leave unconnected get the mean number of synapses of their kind, at least
    one.  All synapses depend on the number of inputs, since the inputs come first in the random stream.
    Equal to ncps 1.0.1 for equal arguments.  After Lechner et al., Neural circuit policies enabling auditable
    autonomy, Nature Machine Intelligence 2 (2020).
    """

    def __init__(
        self,
        inter_neurons,
        command_neurons,
        motor_neurons,
        sensory_fanout,
        inter_fanout,
        recurrent_command_synapses,
        motor_fanin,
        seed=22222,
    ):
        inter = _integer("inter_neurons", inter_neurons, 1)
        command = _integer("command_neurons", command_neurons, 1)
        recurrent = _integer("recurrent_command_synapses", recurrent_command_synapses, 0)
        arguments = {
            "inter_neurons": inter,
            "command_neurons": command,
            "motor_neurons": _integer("motor_neurons", motor_neurons, 1),
            "sensory_fanout": _integer("sensory_fanout", sensory_fanout, 0, inter),
            "inter_fanout": _integer("inter_fanout", inter_fanout, 0, command),
            "recurrent_command_synapses": recurrent,
            "motor_fanin": _integer("motor_fanin", motor_fanin, 0, command),
            "seed": _integer("seed", _seed("seed", seed), 0, 2**32 - 1),
        }
        self._plan(arguments, arguments)

    def _plan(self, plan, arguments):
        """Describe the layers; `plan`: the arguments of an NCP, `arguments`: those of the class itself."""
        M, C = plan["motor_neurons"], plan["command_neurons"]
        N = M + C + plan["inter_neurons"]
        layers = [("inter", range(M + C, N)), ("command", range(M, M + C)), ("motor", range(M))]
        Wiring.__init__(self, N, M, arguments=arguments, layers=layers)
        self._set(_ncp=plan)

    def _draw(self, input_dim):
        if input_dim is None:
            return None, None
        plan = self._ncp
        rng = np.random.RandomState(plan["seed"])
        inter, command, motor = (list(ids) for _, ids in self.layers)
        recurrent, sensory = {}, {}  # (pre, post): polarity; a pair drawn again takes the later polarity

        def fan(table, neuron, partners, count, outgoing):
            chosen = rng.choice(partners, size=count, replace=False).tolist()
            for partner in chosen:
                table[(neuron, partner) if outgoing else (partner, neuron)] = rng.choice([-1, 1])
            return chosen

        def connect(table, neurons, partners, count, outgoing, most):
            reached = set()
            for neuron in neurons:
                reached.update(fan(table, neuron, partners, count, outgoing))
            mean = min(max(len(neurons) * count // len(partners), 1), most)
            for partner in partners:
                if partner not in reached:
                    fan(table, partner, neurons, mean, not outgoing)

        connect(sensory, list(range(input_dim)), inter, plan["sensory_fanout"], True, input_dim)
        connect(recurrent, inter, command, plan["inter_fanout"], True, len(command))
        for _ in range(plan["recurrent_command_synapses"]):
            pair = int(rng.choice(command)), int(rng.choice(command))
            recurrent[pair] = rng.choice([-1, 1])
        connect(recurrent, motor, command, plan["motor_fanin"], False, len(motor))
        return tuple((*np.array(list(table)).T, list(table.values())) for table in (recurrent, sensory))


class AutoNCP(NCP):
    """`NCP` from the number of neurons, the number of outputs and a sparsity.

    Parameters
    ----------
    units : int
        Number of neurons N.
    output_size : int
        Number of motor neurons, in 1..N - 3, so that one command neuron and two inter neurons remain.
    sparsity_level : float
        In [0.1, 1].  0.1 is the densest that ncps takes, so that recipes can be exchanged with it (its
        documentation says 0.0 to 0.9); 1 is the sparsest: each neuron keeps one synapse to the next layer.
    seed : int or None
        Seed, in 0..2**32 - 1; None draws a seed once and keeps it.

    Notes
    -----
    40 % of the neurons that are not motor neurons are command neurons, the rest inter neurons; fan-outs
    and fan-ins are the share ``1 - sparsity_level`` of the next or previous layer, at least 1.

    Examples
    --------
    >>> AutoNCP(16, 4)
    AutoNCP(units=16, output_size=4, sparsity_level=0.5, seed=22222)
    >>> AutoNCP(16, 4).build(3).synapse_count
    28
    """

    def __init__(self, units, output_size, sparsity_level=0.5, seed=22222):
        units = _integer("units", units, 4)
        output_size = _integer("output_size", output_size, 1, units - 3)
        sparsity_level = _real("sparsity_level", sparsity_level)
        if not 0.1 <= sparsity_level <= 1:
            raise ValueError(f"`sparsity_level` must be in [0.1, 1], got {sparsity_level}")
        density = 1.0 - sparsity_level
        command = max(int(0.4 * (units - output_size)), 1)
        inter = units - output_size - command
        fan = max(int(command * density), 1)
        plan = NCP(
            inter,
            command,
            output_size,
            sensory_fanout=max(int(inter * density), 1),
            inter_fanout=fan,
            recurrent_command_synapses=max(int(command * density * 2), 1),
            motor_fanin=fan,
            seed=seed,
        ).arguments
        arguments = {"units": units, "output_size": output_size, "sparsity_level": sparsity_level}
        self._plan(plan, arguments | {"seed": plan["seed"]})


class RandomWiring(Wiring):
    """The tutorial's wiring: dense, with random fixed gains and random initial reversal potentials.

    Built from the start.  All polarities are +1; the sign of a synapse is that of its reversal potential,
    which the tutorial draws independently and trains.

    Parameters
    ----------
    input_dim : int
        Number of inputs I, >= 1.
    output_dim : int
        Number of motor neurons, in 1..neuron_count.
    neuron_count : int
        Number of neurons N, >= 1.
    seed : int or None
        Seed, >= 0; None draws a seed once and keeps it (the repr shows it).

    Attributes
    ----------
    neuron_count : int
        The same as `units`; the tutorial's name.

    Notes
    -----
    Drawn in this order, each as a matrix [pre, post]: gains U(0, 1) recurrent, then sensory; reversal
    potentials U(-0.2, 0.2) recurrent, then sensory.  The tutorial calls the gains adjacency matrices.
    """

    def __init__(self, input_dim, output_dim, neuron_count, seed=None):
        neuron_count = _integer("neuron_count", neuron_count, 1)
        arguments = {
            "input_dim": _integer("input_dim", input_dim, 1),
            "output_dim": _integer("output_dim", output_dim, 1, neuron_count),
            "neuron_count": neuron_count,
            "seed": _seed("seed", seed),
        }
        super().__init__(neuron_count, output_dim, arguments=arguments)
        self._set(input_dim=arguments["input_dim"])

    neuron_count = property(lambda self: self.units)

    def _draw(self, input_dim):
        N, rows = self.units, (self.units, self.input_dim)
        if input_dim != self.input_dim:
            raise ValueError(f"`input_dim` must be {self.input_dim}, as {self!r} is fixed, got {input_dim}")
        rng = np.random.default_rng(self.arguments["seed"])
        gains = [rng.uniform(0, 1, (pre_count, N)).ravel() for pre_count in rows]
        erevs = [rng.uniform(-0.2, 0.2, (pre_count, N)).ravel() for pre_count in rows]
        return tuple((*_pairs(rows[k], N), gains[k], erevs[k]) for k in range(2))
