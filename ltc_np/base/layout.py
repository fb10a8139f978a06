"""Layout: how named parameter arrays share one flat vector, and how raw values become effective ones.

The model owns one vector ``theta`` of raw values.  Layers see *effective* values: a positive parameter is
``softplus(raw)`` or ``max(raw, bound)``, all others are the raw value itself.  Positivity and its derivative stand
here and nowhere else, outside every time loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from . import checks
from .from_arguments import Immutable
from .once import once

if TYPE_CHECKING:
    from typing_extensions import Self

    from .types import A, Array, ArrayLike, Arrays, Bools, Float, Ints, Numbers, Positivity, Shape

POSITIVITIES = (None, "softplus", "clip")


class JointInit(Immutable):
    """Initial values that several entries draw in one go, because they depend on each other.

    Parameters
    ----------
    draw : callable
        ``draw(rng)`` returns a dict of raw values.  Entries belong together if they hold the same object.
    name : str
        This entry's key in the dict, whatever the entry is called in a larger layout.
    """

    draw: Callable[[np.random.Generator], Arrays]
    name: str

    def __init__(self, draw: Callable[[np.random.Generator], Arrays], name: str) -> None:
        self.draw, self.name = draw, name


if TYPE_CHECKING:
    InitialValues: TypeAlias = ArrayLike | JointInit | Callable[[np.random.Generator, Shape], Array]


class Entry(Immutable):
    """One named array of a layout.

    Parameters
    ----------
    name : str
    shape : tuple of int
    init : (low, high), number, array, callable or JointInit
        Uniform range, constant, the values, or ``init(rng, shape) -> array``; `JointInit` with other entries.
    positivity : None, "softplus" or "clip"
        ``"softplus"``: effective = log(1 + exp(raw)).  ``"clip"``: effective = max(raw, bound), gradient passed
        straight through, and `Layout.project` moves raw back to the bound after an optimiser step.
    bound : float
        Smallest effective value under ``"clip"``.
    trainable, decay : bool
        Whether optimisers may change it; whether weight decay applies (matrix weights only, by default).
    lr_scale : float
        Factor on the learning rate.
    """

    name: str
    shape: Shape
    init: InitialValues
    positivity: Positivity
    bound: float
    trainable: bool
    decay: bool
    lr_scale: float

    def __init__(
        self,
        name: str,
        shape: Shape,
        init: InitialValues = 0.0,
        positivity: Positivity = None,
        bound: float = 0.0,
        trainable: bool = True,
        decay: bool = False,
        lr_scale: float = 1.0,
    ) -> None:
        if any(n < 0 for n in shape):
            raise ValueError(f"`shape` of {name!r} must have sizes >= 0, got {shape}")
        if isinstance(init, tuple) and (len(init) != 2 or not init[0] <= init[1]):
            raise ValueError(f"`init` of {name!r} must be (low, high) with low <= high, got {init}")
        self.name, self.shape, self.init, self.positivity, self.bound = name, shape, init, positivity, bound
        self.trainable, self.decay, self.lr_scale = trainable, decay, lr_scale

    def replace(self, **changes: Any) -> Self:
        """An entry like this one, with other values of some arguments."""
        return type(self)(**{**self.config(), **changes})

    def but(self, **changes: Any) -> Self:
        """The former name of `replace`."""
        checks.warn("`Entry.but(...)` is called `Entry.replace(...)` now", FutureWarning)
        return self.replace(**changes)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def initial(self, rng: np.random.Generator) -> Array:
        """Initial raw values, float64, of `shape`."""
        if callable(self.init):
            values = self.init(rng, self.shape)
        elif isinstance(self.init, tuple):
            values = rng.uniform(*self.init, self.shape)
        else:
            values = np.broadcast_to(np.asarray(self.init, dtype=np.float64), self.shape)
        return values


class Views(Mapping[str, "Array"]):
    """Named views of a flat vector: reading gives the view, assigning copies into it."""

    def __init__(self, vector: Array, slices: Mapping[str, tuple[slice, Shape]]) -> None:
        self._vector, self._slices = vector, slices

    def __getitem__(self, name: str) -> Array:
        try:
            where, shape = self._slices[name]
        except KeyError:
            raise KeyError(f"no parameter {name!r}; there are {', '.join(self._slices)}") from None
        return self._vector[where].reshape(shape)

    def __setitem__(self, name: str, values: ArrayLike) -> None:
        view = self[name]
        values = checks.real(name, values, view.dtype)
        if values.shape not in ((), view.shape):
            raise ValueError(f"`{name}` must have shape {view.shape} (or be one number), got {values.shape}")
        checks.finite(name, values)
        view[...] = values

    def __iter__(self) -> Iterator[str]:
        return iter(self._slices)

    def __len__(self) -> int:
        return len(self._slices)

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{k}: {shape}" for k, (_, shape) in self._slices.items()) + "}"


# The smallest effective value under "softplus", by the size of a float.
LEAST = {np.dtype(t).itemsize: t(np.finfo(t).tiny ** 0.5) for t in (np.float32, np.float64)}


def softplus(raw: Array, out: Array) -> None:
    """out = log(1 + exp(raw)) without overflow, and never so small that its square is 0."""
    np.logaddexp(raw, raw.dtype.type(0), out=out)
    np.maximum(out, LEAST[raw.dtype.itemsize], out=out)


def d_softplus(value: Array) -> Array:
    """Derivative of `softplus`, the sigmoid of raw, from its value: 1 - exp(-value)."""
    return -np.expm1(-value)


def shrinkage(raw: Array) -> Array:
    """p / p', where p = softplus(raw): what raw loses for p to lose a share of itself, divided by that share."""
    p = np.empty_like(raw)
    softplus(raw, out=p)
    return p / d_softplus(p)


def raw(values: Any, positivity: Positivity) -> Any:
    """Raw values, float64, whose effective ones are the positive ``values``."""
    return values + np.log(-np.expm1(-values)) if positivity == "softplus" else values


class Layout(Immutable):
    """Entries laid end to end in one flat vector.

    Parameters
    ----------
    entries : tuple of Entry

    Attributes
    ----------
    size : int
        Length of the vector.
    slices : dict
        name -> (slice of the vector, shape).
    trainable, decay : (size,) bool arrays
    lr_scale : (size,) float64 array, or None when all are 1
    softplus : tuple of slices
        Where the effective values of the vector are a softplus.

    Notes
    -----
    Making one costs no more than its number of entries, whatever their shapes: arrays are made when they are asked for.
    So a description can be compared with what a file holds before there is room for it.
    """

    entries: tuple[Entry, ...]
    size: int
    slices: dict[str, tuple[slice, Shape]]
    softplus: tuple[slice, ...]

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        slices, runs, start = {}, {"softplus": [], "clip": []}, 0
        for e in self.entries:
            checks.one_of("positivity", e.positivity, POSITIVITIES)
            if e.name in slices:
                raise ValueError(f"parameter names must differ, got {e.name!r} twice")
            slices[e.name] = slice(start, start + e.size), tuple(e.shape)
            if e.positivity is not None:
                key = None if e.positivity == "softplus" else e.bound
                run = runs[e.positivity]
                if run and run[-1][0].stop == start and run[-1][1] == key:  # one ufunc call for neighbours
                    run[-1] = slice(run[-1][0].start, start + e.size), key
                else:
                    run.append((slice(start, start + e.size), key))
            start += e.size
        self.size, self.slices = start, slices
        self.softplus, self._clip = tuple(where for where, _ in runs["softplus"]), tuple(runs["clip"])

    def _spread(self, attribute: str, dtype: type) -> Numbers:
        values = [getattr(e, attribute) for e in self.entries]
        return np.repeat(values, [e.size for e in self.entries]).astype(dtype)

    @once
    def trainable(self) -> Bools:
        return self._spread("trainable", bool)

    @once
    def decay(self) -> Bools:
        return self._spread("decay", bool)

    @once
    def lr_scale(self) -> Array | None:
        scales = self._spread("lr_scale", np.float64)
        return None if (scales == 1).all() else scales

    @once
    def softplus_bounds(self) -> Ints:
        """`softplus` as kernels take it: (R, 2) int64, from and to."""
        return np.array([(where.start, where.stop) for where in self.softplus], np.int64).reshape(-1, 2)

    @once
    def clip_bounds(self) -> tuple[Ints, Numbers]:
        """Clipped parameters in the same way, (C, 2), and the bounds of their values, (C,) float64."""
        places = np.array([(where.start, where.stop) for where, _ in self._clip], np.int64).reshape(-1, 2)
        return places, np.array([bound for _, bound in self._clip], np.float64)

    def __getstate__(self) -> dict[str, Any]:
        """Without what calls have found since; and an array for kernels must not come back read-only."""
        return {name: value for name, value in vars(self).items() if name not in ("softplus_bounds", "clip_bounds")}

    @classmethod
    def join(cls, layouts: Iterable[Layout]) -> Layout:
        """One layout for a stack: the names of layer k become ``"k.name"``; a single layer keeps plain names."""
        layouts = tuple(layouts)
        if len(layouts) == 1:
            return layouts[0]
        return cls(tuple(e for k, layout in enumerate(layouts) for e in layout.prefixed(f"{k}.")))

    def prefixed(self, prefix: str) -> tuple[Entry, ...]:
        """The entries with ``prefix`` before their names; `part` finds them again."""
        return tuple(e.replace(name=prefix + e.name) for e in self.entries)

    def initial(self, rng: np.random.Generator, dtype: Float) -> Array:
        """A new vector of initial raw values, drawn entry by entry in order."""
        values, joint = [], {}
        for e in self.entries:
            if isinstance(e.init, JointInit):
                left = joint.setdefault(e.init.draw, {})
                if e.init.name not in left:  # the first of them, or a layer that stands in a stack once more
                    left.update(e.init.draw(rng))
                values.append(np.ravel(left.pop(e.init.name)))
            else:
                values.append(np.ravel(e.initial(rng)))
        with np.errstate(over="ignore"):  # the model refuses what becomes infinite
            return np.concatenate([*values, np.empty(0)]).astype(dtype)

    def views(self, vector: ArrayLike) -> Views:
        """`Views` of any vector of this layout: parameters, a gradient, an optimiser's moments."""
        vector = checks.plain("vector", vector)
        if vector.shape != (self.size,):
            raise ValueError(f"`vector` must have shape {(self.size,)}, got {vector.shape}")
        return Views(vector, self.slices)

    def select(self, argument: str, names: Iterable[str]) -> Bools:
        """Mask (size,) of some parameters: by their names, or all of a layer of a stack by its number, as text.

        ``argument`` is what errors call the names.
        """
        chosen = np.zeros(self.size, bool)
        for name in names:
            if isinstance(name, (int, np.integer)) and not isinstance(name, bool):
                raise TypeError(f'`{argument}` must be text: "{name}" for all parameters of layer {name}, got {name!r}')
            if not isinstance(name, str):
                raise TypeError(
                    f"`{argument}` must be names of parameters, one after another, got {checks.brief(name)}"
                )
            found = [where for own, (where, _) in self.slices.items() if own == name or own.startswith(name + ".")]
            if not found:
                raise ValueError(self._no_such(argument, name))
            for where in found:
                chosen[where] = True
        return chosen

    def _no_such(self, argument: str, name: str) -> str:
        """The error's text for a name of which there is nothing."""
        import difflib  # slow to import, and only errors need it

        layers = dict.fromkeys(f"'{own.partition('.')[0]}'" for own in self.slices if own[0].isdigit())
        rule = f"parameters of the model, or layers that have some ({', '.join(layers)})" if layers else "parameters"
        if name.isdigit() and layers:
            return f"`{argument}` must be {rule}, got {name!r}"
        near = [own for own in self.slices if own.rpartition(".")[2] == name]
        near = near or [own for own in self.slices if own.lower() == name.lower()]
        near = near or difflib.get_close_matches(name, self.slices, 3)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {', '.join(self.slices)}"
        if name.isdigit():
            hint = f"names have no number in a model of one layer; {hint}"
        return f"`{argument}` must be {rule}, got {name!r}; {hint}"

    def arrays(self, vector: Array) -> Arrays:
        """The same views in a plain dict, for inner use."""
        return {name: vector[where].reshape(shape) for name, (where, shape) in self.slices.items()}

    def effective(self, theta: Array, out: Array | None = None) -> Array:
        """Effective values of raw ``theta``, a new vector unless ``out`` is given."""
        values = np.empty_like(theta) if out is None else out
        values[:] = theta
        for where in self.softplus:
            softplus(theta[where], out=values[where])
        for where, bound in self._clip:
            np.maximum(theta[where], theta.dtype.type(bound), out=values[where])
        return values

    def d_effective(self, values: Array, d_values: Array) -> Array:
        """Adjoint of `effective`, given what it returned: d(loss)/d(values) becomes d(loss)/d(theta), in place."""
        for where in self.softplus:
            d_values[where] *= d_softplus(values[where])
        return d_values

    def project(self, theta: Array) -> None:
        """Move clipped parameters back to their bound, in place."""
        for where, bound in self._clip:
            np.maximum(theta[where], theta.dtype.type(bound), out=theta[where])


def part(arrays: dict[str, A], prefix: str) -> dict[str, A]:
    """Those of some named arrays whose names begin with ``prefix``, by the rest of their names."""
    if not prefix:
        return arrays
    return {name[len(prefix) :]: a for name, a in arrays.items() if name.startswith(prefix)}
