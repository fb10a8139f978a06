"""What all wirings have in common: sizes, layers, two lists of synapses, equality, and a form for files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.once import once
from ..base.types import Array, ArrayLike, Ints, Numbers, Seed
from .synapses import SAVED, Edges, array_of, checked_edges, edge_lists, matrix_lists

if TYPE_CHECKING:
    from typing_extensions import Self


FLOW = ("inter", "command", "motor")  # the order in which a summary names types


class NotBuiltError(AttributeError):
    """A wiring was asked for synapses that depend on the number of inputs, before `Wiring.build`."""


def seed_of(name: str, seed: Seed) -> int:
    """``seed``, or one drawn now and kept: a wiring without a given seed is as reproducible as any other."""
    seed = checks.seed(name, seed)
    return int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed


def _subclasses(cls: type[Wiring]) -> list[type[Wiring]]:
    return [cls] + [deeper for child in cls.__subclasses__() for deeper in _subclasses(child)]


def _copy(wiring: Any, **changes: Any) -> Any:
    """A copy of an immutable wiring with some attributes changed."""
    copy = object.__new__(type(wiring))
    vars(copy).update(vars(wiring) | changes)
    return copy


def _checked(units: int, input_dim: Any, recurrent: Any, sensory: Any) -> tuple[Edges | None, Edges | None]:
    """Both lists of synapses as `Edges`; None stays None."""
    return (
        None if recurrent is None else checked_edges("", units, units, *recurrent),
        None if sensory is None else checked_edges("sensory_", input_dim, units, *sensory),
    )


def _with_edges(wiring: Any, input_dim: int | None, edges: Any) -> Any:
    """A built copy with these (recurrent, sensory) lists, not yet checked."""
    return _copy(wiring, input_dim=input_dim, _edges=_checked(wiring.units, input_dim, *edges))


def _warned(wiring: Any) -> Any:
    """The wiring, after a warning if inputs cannot influence some outputs."""
    reached = np.zeros(wiring.units, dtype=bool)
    reached[wiring.sensory_post] = True
    count: Any = -1
    while count != np.count_nonzero(reached):
        count = np.count_nonzero(reached)
        reached[wiring.post[reached[wiring.pre]]] = True
    lost = np.flatnonzero(~reached[: wiring.output_dim]).tolist()
    if lost:
        checks.warn(f"no input reaches the motor neurons {lost} of {wiring!r}", UserWarning)
    return wiring


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
        The neurons by layer, in order of flow, each neuron once.  Default one layer "recurrent".

    Attributes
    ----------
    units, output_dim : int
    input_dim : int or None
        Number of inputs I; None until built.
    is_built : bool
    class_name : str
        That of the class; or, where a file's class is not defined, the name that the file gives.
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
    recurrent and sensory, in any order (value: polarity times gain); None instead of what cannot be
    known, as the sensory ones for ``input_dim=None``.  It must start its random generator anew in every call
    and read nothing but `arguments` and what its constructor made of them.
    """

    units: int
    output_dim: int
    input_dim: int | None
    layers: tuple[tuple[str, tuple[int, ...]], ...]
    class_name: str
    _arguments: str

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if not TYPE_CHECKING and "__init__" in vars(cls):  # for checkers the signature stays as it stands
            cls.__init__ = with_signature_hints(cls.__init__)

    @with_signature_hints
    def __init__(
        self,
        units: int,
        output_dim: int | None = None,
        *,
        arguments: dict[str, Any] | None = None,
        layers: Iterable[tuple[str, Iterable[int]]] | None = None,
    ) -> None:
        units = checks.integer("units", units, 1)
        output_dim = units if output_dim is None else checks.integer("output_dim", output_dim, 1, units)
        own_layers = layers is not None
        if layers is None:
            layers = [("recurrent", range(units))]
        layers = tuple((str(name), tuple(checks.integer("id in layers", i, 0) for i in ids)) for name, ids in layers)
        if sorted(i for _, ids in layers for i in ids) != list(range(units)):
            raise ValueError(f"`layers` must hold each of the neurons 0..{units - 1} once, got {layers}")
        if arguments is None:
            arguments = {"units": units, "output_dim": output_dim} | ({"layers": layers} if own_layers else {})
        if not isinstance(arguments, dict):
            raise TypeError(f"`arguments` must be a dict, got {arguments!r}")
        try:
            recipe = json.dumps(arguments)
        except TypeError as error:
            raise TypeError(f"`arguments` must hold plain JSON values: {error}") from None
        self._set(units=units, output_dim=output_dim, input_dim=None, layers=layers)
        self._set(class_name=type(self).__name__, _arguments=recipe)

    def _set(self, **attributes: Any) -> None:
        vars(self).update(attributes)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Wiring is immutable, `{name}` cannot be set; make a new one instead")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Wiring is immutable, `{name}` cannot be deleted")

    def _draw(self, input_dim: int | None) -> tuple[Any, Any]:
        if input_dim is None:
            return None, None
        if self.is_built:
            raise ValueError(f"`input_dim` must be {self.input_dim}, as the synapses are given, got {input_dim}")
        raise ValueError(f"{self!r} cannot draw synapses; use Wiring.from_edges or Wiring.from_matrix")

    @once
    def _edges(self) -> tuple[Edges | None, Edges | None]:
        # Drawn at the first use: describing a wiring, or restoring one with its synapses, draws nothing.
        return _checked(self.units, self.input_dim, *self._draw(self.input_dim))

    @with_signature_hints
    def build(self, input_dim: int) -> Self:
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
        input_dim = checks.integer("input_dim", input_dim, 1)
        return self if input_dim == self.input_dim else _warned(_with_edges(self, input_dim, self._draw(input_dim)))

    @staticmethod
    @with_signature_hints
    def from_edges(
        units: int,
        edges: Iterable[tuple[int, int, float]],
        sensory_edges: Iterable[tuple[int, int, float]],
        output_dim: int | None = None,
        input_dim: int | None = None,
        layers: Iterable[tuple[str, Iterable[int]]] | None = None,
    ) -> Wiring:
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
        layers : sequence of (name, ids), optional
            The neurons by layer, in order of flow, each neuron once.  Default one layer "recurrent".

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
        wiring = Wiring(units, output_dim, layers=layers)
        recurrent = edge_lists("edges", edges, wiring.units, wiring.units)
        input_limit = 2**31 if input_dim is None else checks.integer("input_dim", input_dim, 1)
        sensory = edge_lists("sensory_edges", sensory_edges, input_limit, wiring.units)
        if input_dim is None and not sensory[0]:
            raise ValueError("`input_dim` must be given when `sensory_edges` is empty, got None")
        input_dim = max(sensory[0]) + 1 if input_dim is None else int(input_dim)
        return _warned(_with_edges(wiring, input_dim, (recurrent, sensory)))

    @staticmethod
    @with_signature_hints
    def from_matrix(
        adjacency: ArrayLike,
        sensory_adjacency: ArrayLike,
        output_dim: int | None = None,
        layers: Iterable[tuple[str, Iterable[int]]] | None = None,
    ) -> Wiring:
        """A built wiring with a synapse for each non-zero entry of two signed matrices.

        Parameters
        ----------
        adjacency : (N, N) array of real numbers, [pre, post]
            The sign of an entry is the polarity; a magnitude other than 1 is a fixed gain.
        sensory_adjacency : (I, N) array of real numbers, [input, post]
        output_dim : int, optional
            Number of motor neurons (the first ones); default N.
        layers : sequence of (name, ids), optional
            As for `from_edges`.

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
        recurrent = matrix_lists("adjacency", adjacency, (units, units))
        sensory = matrix_lists("sensory_adjacency", sensory_adjacency, (None, units))
        input_dim = checks.integer("rows of sensory_adjacency", sensory_adjacency.shape[0], 1)
        return _warned(_with_edges(Wiring(units, output_dim, layers=layers), input_dim, (recurrent, sensory)))

    def _list(self, which: int, attribute: str) -> Edges:
        synapses = self._edges[which]
        if synapses is None:
            raise NotBuiltError(f"`{attribute}` of {self!r} is not known before build(input_dim)")
        return synapses

    @property
    def pre(self) -> Ints:
        return self._list(0, "pre").pre

    @property
    def post(self) -> Ints:
        return self._list(0, "post").post

    @property
    def polarity(self) -> Array:
        return self._list(0, "polarity").polarity

    @property
    def gain(self) -> Array | None:
        return self._list(0, "gain").gain

    @property
    def erev(self) -> Array:
        return self._list(0, "erev").erev

    @property
    def sensory_pre(self) -> Ints:
        return self._list(1, "sensory_pre").pre

    @property
    def sensory_post(self) -> Ints:
        return self._list(1, "sensory_post").post

    @property
    def sensory_polarity(self) -> Array:
        return self._list(1, "sensory_polarity").polarity

    @property
    def sensory_gain(self) -> Array | None:
        return self._list(1, "sensory_gain").gain

    @property
    def sensory_erev(self) -> Array:
        return self._list(1, "sensory_erev").erev

    @property
    def synapse_count(self) -> int:
        return self._list(0, "synapse_count").pre.size

    @property
    def sensory_synapse_count(self) -> int:
        return self._list(1, "sensory_synapse_count").pre.size

    @property
    def is_built(self) -> bool:
        return self.input_dim is not None

    @property
    def arguments(self) -> dict[str, Any]:
        return json.loads(self._arguments)

    def dense(self, values: ArrayLike) -> Numbers:
        """New (N, N) matrix [pre, post]: `values` (S,) at the recurrent synapses, zeros elsewhere."""
        return self._dense(0, values)

    def sensory_dense(self, values: ArrayLike) -> Numbers:
        """New (I, N) matrix [input, post]: `values` (S,) at the sensory synapses, zeros elsewhere."""
        return self._dense(1, values)

    def _dense(self, which: int, values: ArrayLike) -> Numbers:
        synapses = self._list(which, ("dense", "sensory_dense")[which])
        values = array_of("values", values, "biuf", synapses.pre.size)
        rows: Any = (self.units, self.input_dim)[which]
        matrix = np.zeros((rows, self.units), dtype=values.dtype)
        matrix[synapses.pre, synapses.post] = values
        return matrix

    @property
    def adjacency_matrix(self) -> Array:
        """(N, N) float64 copy [pre, post]: polarity times gain, 0 where there is no synapse."""
        return self.dense(self._list(0, "adjacency_matrix").value)

    @property
    def sensory_adjacency_matrix(self) -> Array:
        """(I, N) float64 copy [input, post]: polarity times gain, 0 where there is no synapse."""
        return self.sensory_dense(self._list(1, "sensory_adjacency_matrix").value)

    def erev_initializer(self) -> Array:
        """(N, N) float64 copy [pre, post] of the initial reversal potentials."""
        return self.dense(self.erev)

    def sensory_erev_initializer(self) -> Array:
        """(I, N) float64 copy [input, post] of the initial sensory reversal potentials."""
        return self.sensory_dense(self.sensory_erev)

    @property
    def num_layers(self) -> int:
        """Number of layers: 3 for `NCP` and `AutoNCP`, else 1."""
        return len(self.layers)

    def get_neurons_of_layer(self, layer_id: int) -> list[int]:
        """List of the ids in layer `layer_id`, counted from 0 in order of flow (the list ncps gives)."""
        return list(self.layers[checks.integer("layer_id", layer_id, 0, self.num_layers - 1)][1])

    def get_type_of_neuron(self, neuron_id: int) -> str:
        """Type "inter", "command" or "motor": the neuron's layer; motor or inter in wirings of one layer."""
        neuron_id = checks.integer("neuron_id", neuron_id, 0, self.units - 1)
        if self.num_layers == 1:
            return "motor" if neuron_id < self.output_dim else "inter"
        return next(name for name, ids in self.layers if neuron_id in ids)

    def __repr__(self) -> str:
        if self.class_name == Wiring.__name__ and self.is_built:
            counts = f"edges=<{self.synapse_count}>, sensory_edges=<{self.sensory_synapse_count}>"
            sizes = f"output_dim={self.output_dim}, input_dim={self.input_dim}"
            return f"Wiring.from_edges(units={self.units}, {counts}, {sizes})"
        text = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        built = f".build({self.input_dim})" if self.is_built and "input_dim" not in self.arguments else ""
        return f"{self.class_name}({text}){built}"

    def summary(self, file: TextIO | None = None) -> None:
        """Print neurons by type, inputs, synapses and their share of dense, signs and fan-in.

        Parameters
        ----------
        file : text file, optional
            Where to, as for `print`; default: standard output. An `io.StringIO` keeps the text.

        Examples
        --------
        >>> from ltc_np import AutoNCP
        >>> AutoNCP(16, 4).build(3).summary()
        AutoNCP(units=16, output_size=4, sparsity_level=0.5, seed=22222).build(3)
        neurons   16: 8 inter, 4 command, 4 motor
        inputs    3
        synapses  28 recurrent (10.9% of dense), 13 sensory (27.1% of dense)
        polarity  22 excitatory, 19 inhibitory
        fan-in    1 to 7 synapses per neuron
        """
        N, types = self.units, Counter(self.get_type_of_neuron(i) for i in range(self.units))
        flow = [name for name in FLOW if name in types] + [name for name in types if name not in FLOW]
        lines = [repr(self), f"neurons   {N}: " + ", ".join(f"{types[name]} {name}" for name in flow)]
        inputs = self.input_dim
        if inputs is None:
            print(*lines, "inputs    not known before build(input_dim)", sep="\n", file=file)
            return
        S, S_in = self.synapse_count, self.sensory_synapse_count
        # What a synapse does is the sign of its reversal potential, which in RandomWiring is not the polarity's.
        positive = np.count_nonzero(self.erev > 0) + np.count_nonzero(self.sensory_erev > 0)
        fan_in = np.bincount(np.concatenate([self.post, self.sensory_post]), minlength=N)
        lines += [
            f"inputs    {inputs}",
            f"synapses  {S} recurrent ({S / N**2:.1%} of dense), {S_in} sensory ({S_in / (inputs * N):.1%} of dense)",
            f"polarity  {positive} excitatory, {S + S_in - positive} inhibitory",
            f"fan-in    {fan_in.min()} to {fan_in.max()} synapses per neuron",
        ]
        print(*lines, sep="\n", file=file)

    @property
    def recipe(self) -> tuple[Any, ...]:
        """The class, its arguments, sizes and layers: what makes the synapses, but not they themselves."""
        return self.class_name, self._arguments, self.units, self.output_dim, self.input_dim, self.layers

    @property
    def key(self) -> tuple[Any, ...]:
        """What equality and hash compare: `recipe` and, if built, the synapses' bytes."""
        if not self.is_built:
            return self.recipe
        return self.recipe + tuple(getattr(edges, name).tobytes() for edges in self._edges for name in SAVED)

    def __eq__(self, other: object) -> bool:
        """Equal recipe (class name and arguments), sizes, layers and, if built, synapses."""
        return self.key == other.key if isinstance(other, Wiring) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # numpy restores pickled arrays writable; the way through `from_state` checks and protects them again.
        return type(self).from_state, (self.state(),)

    def state(self) -> dict[str, Any]:
        """Everything that makes this wiring, for `from_state` and files.

        Returns
        -------
        dict
            ``class``, ``arguments`` and ``layers`` (JSON), ``repr`` (for readers only): str; ``units``,
            ``output_dim``, ``input_dim`` (0: not built): int.  If built also ``pre``, ``post``, ``value``
            (polarity times gain), ``erev`` and the same four with the prefix ``sensory_``: (S,) arrays.
        """
        state: dict[str, Any] = {"class": self.class_name, "arguments": self._arguments}
        state["layers"] = json.dumps(self.layers)
        state |= {"repr": repr(self), "units": self.units, "output_dim": self.output_dim}
        state["input_dim"] = self.input_dim or 0
        if self.is_built:
            for prefix, edges in zip(("", "sensory_"), self._edges, strict=True):
                state |= {prefix + name: getattr(edges, name).copy() for name in SAVED}
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
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
            state = dict(state)
            return cls._restored(state)
        except KeyError as error:
            raise ValueError(f"`state` must have the key {error}, got the keys {[*state]}") from None
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"`state` must describe a {cls.__name__}: {error}") from error

    @classmethod
    def _restored(cls, state: Mapping[str, Any]) -> Self:
        names = ("class", "arguments", "layers", "units", "output_dim", "input_dim")
        name, arguments, layers, units, output_dim, input_dim = (np.asarray(state[key]).item() for key in names)
        arguments, layers = json.loads(arguments), json.loads(layers)
        known: Any = next((c for c in [cls, *_subclasses(Wiring)] if c.__name__ == name), None)
        if known is not None:
            wiring: Any = known(**arguments)
        elif input_dim and isinstance(name, str):
            wiring = _copy(Wiring(units, output_dim, arguments=arguments, layers=layers), class_name=name)
        else:
            raise ValueError(f"the class {name!r} is not defined here and the wiring is not built")
        found = wiring.units, wiring.output_dim, json.loads(json.dumps(wiring.layers))
        fits = isinstance(wiring, cls) and wiring.input_dim in (None, input_dim)
        if not fits or found != (units, output_dim, layers):
            raise ValueError(f"the class, sizes or layers do not fit {name} with the arguments {arguments}")
        if input_dim == 0:
            return wiring
        edges = [[state[prefix + key] for key in SAVED] for prefix in ("", "sensory_")]
        return _with_edges(wiring, checks.integer("input_dim", input_dim, 1), edges)
