"""The attributes of a network: which may be set, and what is said of a name that it does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import checks, habits
from ..cells.base import TRAITS
from ..layers import parallel

if TYPE_CHECKING:
    from ..cells.base import Layer

# Attributes that users may set, and those that make a network what it is.
SETTABLE = ("theta", "trainable", "return_sequences", "parallel_time", "best", "trained", "notes")
STRUCTURE = (
    "layers", "layout", "dtype", "backend", "engine", "layer_stack", "buffer_vector", "buffer_layout", "input_size",
    "output_size", "state_size",
)  # fmt: skip


class Attributes:
    """Base of `Network`: once it is made, only some of its attributes can be set."""

    layers: tuple[Layer, ...]

    if not TYPE_CHECKING:  # for which a model with `__getattr__` would have every attribute

        def __getattr__(self, name: str) -> Any:
            if name in habits.ATTRIBUTES:
                raise AttributeError(f"`{name}` is nothing that a model has: {habits.ATTRIBUTES[name]}")
            return super().__getattribute__(name)  # again, for its error: it may be that of a property

    def __setattr__(self, name: str, value: Any) -> None:
        if "engine" in vars(self):
            self._check_settable(name)
        if name == "return_sequences":
            value = checks.boolean(name, value)
        if name == "parallel_time":
            value = parallel.read(value)
        super().__setattr__(name, value)

    def _check_settable(self, name: str) -> None:
        """Refuse to set what a model is made of, and what looks like another name: it would have no effect."""
        if name in STRUCTURE:
            raise AttributeError(
                f"`{name}` of a model cannot be set: make a new one, or `load` it with another backend"
            )
        if name in SETTABLE or name.startswith("_"):
            return
        if name == "config" or name in TRAITS or any(name in vars(layer) for layer in self.layers):
            raise AttributeError(
                f"`{name}` belongs to a layer and cannot be set: make a new model with it and copy the parameters "
                "(new.theta = model.theta)"
            )
        known = getattr(type(self), name, None)
        if isinstance(known, property) and known.fset is None:
            raise AttributeError(
                f"`{name}` of a model cannot be set: change what is in it, or all parameters by `theta`"
            )
        if name in habits.ATTRIBUTES and self.is_the_library_s():
            raise AttributeError(f"`{name}` is nothing that a model has: {habits.ATTRIBUTES[name]}")
        import difflib  # slow to import, and only errors need it

        close = difflib.get_close_matches(name, SETTABLE, 1, cutoff=0.8)
        if close and known is None and self.is_the_library_s():
            raise AttributeError(f"`{name}` is nothing that a model has, did you mean `{close[0]}`?")

    @classmethod
    def is_the_library_s(cls) -> bool:
        """False for a class that a user has derived, whose attributes are the user's own affair."""
        return cls.__module__.partition(".")[0] == __name__.partition(".")[0]
