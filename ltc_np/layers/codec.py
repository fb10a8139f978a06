"""Layers and other plain values in a form for JSON, beside a list of arrays; and back, whatever a file may say.

A layer is its name in the registry and its arguments; a wiring is its `Wiring.state`, with all its synapses, so that
none is drawn again.  The form of a value is the value itself, or a dict of one item, whose key says of which kind it
is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .. import wirings
from ..base.archive import FileError
from ..base.types import Numbers
from ..cells import Layer
from ..wirings import Wiring
from .registry import LAYERS

# No model needs more: the text lists the neurons of wirings, and a layer in another one is six levels deeper.
MOST_TEXT, MOST_DEPTH = 2**24, 200
LEVEL = np.zeros(128, np.int8)
LEVEL[[ord("["), ord("{")]], LEVEL[[ord("]"), ord("}")]] = 1, -1
# A whole number among the arguments of a layer or a wiring may be so large in every file; see `check_counts`.
ALWAYS = 4096
COSTLESS = ("seed", "ode_unfolds")  # how arguments end for which no room is made


class Encoder:
    """Makes the form; ``arrays`` are those that it refers to, in order."""

    arrays: list[Numbers]

    def __init__(self) -> None:
        self.arrays = []

    def value(self, value: Any) -> Any:
        """The form of a layer's argument, or of the state of an optimiser or a callback."""
        if isinstance(value, np.ndarray):
            self.arrays.append(value)
            return {"array": len(self.arrays) - 1}
        if isinstance(value, Wiring):
            return {"wiring": self._values(value.state())}
        if isinstance(value, Layer):
            return {"layer": self.layer(value)}
        if isinstance(value, dict):
            if not all(isinstance(k, str) for k in value):
                raise TypeError(f"what is saved must be dicts with keys of text, got the keys {list(value)!r:.60}")
            return {"dict": self._values(value)}
        if isinstance(value, (tuple, list)):
            return {"tuple": [self.value(v) for v in value]}
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise TypeError(f"what is saved must be plain data (numbers, text, arrays, lists, dicts), got {value!r:.60}")

    def _values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {k: self.value(v) for k, v in values.items()}

    def layer(self, layer: Layer) -> list[Any]:
        """The form of a layer: name and arguments."""
        name = type(layer).__name__
        if layer.not_saved:
            raise ValueError(f"`model` must consist of layers that can be saved, got {name}: {layer.not_saved}")
        if LAYERS.get(name) is not type(layer):
            raise ValueError(
                f"`model` must consist of registered layers ({', '.join(LAYERS)}) to be saved, got {name}: for a layer "
                "of your own, call ltc_np.register with its class"
            )
        return [name, self.value(layer.config())]


def check_plain(name: str, value: Any) -> None:
    """Refuse a value that cannot be saved; the error calls it by ``name``."""
    try:
        Encoder().value(value)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None


class Decoder:
    """Inverse of `Encoder`.  Anything may be wrong with a form, and the errors may be of any kind; but nothing is built
    that the file has no numbers for.

    Parameters
    ----------
    arrays : list
    room : int
        Numbers that the file holds: no layer has more parameters.

    Attributes
    ----------
    used : set
        Which arrays there were references to.
    """

    arrays: list[Numbers]
    room: int
    used: set[int]

    def __init__(self, arrays: list[Numbers], room: int) -> None:
        self.arrays, self.room, self.used = arrays, room, set()

    def value(self, form: Any) -> Any:
        """The value that a form stands for."""
        check_counts(form, self.room)
        return self._value(form)

    def layer(self, form: Any) -> Layer:
        """The layer of a form that `Encoder.layer` made."""
        return self.value({"layer": form})

    def array(self, form: Any) -> Numbers:
        """The array that a form stands for; nothing else is taken."""
        kind, number = _kind(form)
        if kind != "array" or type(number) is not int or not 0 <= number < len(self.arrays):
            raise ValueError(f"there must be an array for {form!r:.40}, and there is none")
        self.used.add(number)
        return self.arrays[number]

    def _value(self, form: Any) -> Any:
        if not isinstance(form, dict):
            return form
        kind, inner = _kind(form)
        if kind == "array":
            return self.array(form)
        if kind == "wiring":
            return Wiring.from_state(self._values(inner))
        if kind == "layer":
            return self._layer(inner)
        if kind == "dict":
            return self._values(inner)
        return tuple(self._value(v) for v in inner)

    def _values(self, forms: Mapping[str, Any]) -> dict[str, Any]:
        return {k: self._value(form) for k, form in forms.items()}

    def _layer(self, form: Any) -> Layer:
        name, arguments = form
        if name not in LAYERS:
            raise FileError(
                f"has the layer {name!r:.40}, which is not known here: for a layer of your own, call ltc_np.register "
                "with its class before loading"
            )
        arguments = self._value(arguments)
        if is_ours(LAYERS[name]) and any(isinstance(a, Wiring) and not a.is_built for a in arguments.values()):
            raise ValueError(f"the wiring of {name} has no synapses")  # they would be drawn, however many
        names = LAYERS[name].former_names
        layer = LAYERS[name].from_config({names.get(key, key): argument for key, argument in arguments.items()})
        size = layer.layout.size + layer.buffers.size
        if size > self.room:
            raise ValueError(f"its {name} has {size} parameters, and the file holds {self.room} numbers")
        return layer


def _kind(form: Any) -> tuple[str, Any]:
    """(kind, inner) of a dict that stands for a value."""
    ((kind, inner),) = form.items()
    if kind not in ("array", "wiring", "layer", "dict", "tuple"):
        raise ValueError(f"it has a value of the unknown kind {kind!r:.20}")
    return kind, inner


# --------------------------------------------------------------------------------------- before anything is built


def check_counts(form: Any, room: int) -> None:
    """Refuse a layer for which more room would be made than so many stored numbers call for.

    Its units, inputs, dense layers and so on are never more than its parameters, so that a whole number larger than all
    that is stored stands in no sound file, but for seeds and small ones.  Layers and wirings of one's own may have any
    arguments: what they cost is not known here.

    Parameters
    ----------
    form : object
        As of `Encoder.value`.
    room : int
        Numbers that the file holds.

    Raises
    ------
    ValueError
    """
    for owner, argument, number in _counts(form, None, ""):
        check_count(owner, argument, number, room)


def check_count(owner: str, argument: str, number: int, room: int) -> None:
    """Refuse one such number."""
    most = max(room, ALWAYS)
    if abs(number) > most and not argument.endswith(COSTLESS):
        got = f"{number}" if abs(number) < 10**20 else "one of many digits"
        where = f" where {room} numbers are stored" if room else ""
        raise ValueError(f"`{argument:.40}` of {owner} must be <= {most}{where}, got {got}")


def _counts(form: Any, owner: str | None, argument: str) -> Iterator[tuple[str, str, int]]:
    """(class, argument, number) of the whole numbers in a form that belong to layers and wirings of this package."""
    if type(form) is int and owner is not None:
        yield owner, argument, form
    elif isinstance(form, dict):
        kind, inner = _kind(form)
        if kind == "layer":
            name, arguments = inner
            yield from _counts(arguments, name if is_ours(LAYERS.get(name)) else None, "")
        elif kind == "wiring":
            yield from _wiring_counts(inner)
        elif kind == "dict":
            for name, value in inner.items():
                yield from _counts(value, owner, name)
        elif kind == "tuple":
            for value in inner:
                yield from _counts(value, owner, argument)


def _wiring_counts(state: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    neurons = sum(len(ids) for _, ids in parse(state["layers"]))
    if neurons != state["units"]:
        raise ValueError(f"a wiring has {state['units']!r:.20} units, and layers of {neurons}")
    arguments, name = parse(state["arguments"]), state["class"]
    if is_ours(getattr(wirings, name, None)):
        yield from ((name, a, n) for a, n in [*arguments.items(), ("input_dim", state["input_dim"])] if type(n) is int)


def is_ours(cls: object) -> bool:
    """Whether a class is of this package."""
    return isinstance(cls, type) and cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def parse(text: str) -> Any:
    """What a JSON text says, if it is no longer and no deeper than that of any model."""
    import json  # slow to import, and only files need it

    check_text(text)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"its description is no JSON: {error}") from None


def check_text(text: str) -> None:
    """Refuse JSON that is longer than `MOST_TEXT` or deeper than `MOST_DEPTH`: a parser would use up its stack."""
    if len(text) > MOST_TEXT:
        raise ValueError(f"its description has {len(text)} characters, and may have {MOST_TEXT}")
    outside = re.sub(r'"[^"\\]*(?:\\.[^"\\]*)*"', "", text)  # of strings
    steps = LEVEL[np.frombuffer(outside.encode("ascii", "replace"), np.uint8)]
    depth = int(np.cumsum(steps, dtype=np.int32).max(initial=0))
    if depth > MOST_DEPTH:
        raise ValueError(f"its description is {depth} levels deep, and may be {MOST_DEPTH}")
