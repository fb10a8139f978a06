"""What a network is without what computes for it: its layers, their parameters, and what files keep beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from .. import kernels
from ..base import checks
from ..base.elsewhere import Elsewhere
from ..base.notebook import html_table
from ..base.types import Array, Backend, Float
from ..cells.base import TRAITS, Layer
from ..layers import Stack, parallel
from ..layers.config import CellConfig
from ..layers.pace import Pace
from ..layers.parallel import CutTime, ParallelTime, Report
from ..wirings import Wiring
from . import resting
from .best import Best
from .foreign_attributes import FOREIGN_ATTRIBUTES
from .parameters import Parameters
from .trained import Trained

if TYPE_CHECKING:
    from typing_extensions import Self


# Attributes that users may set, and those that make a network what it is.
SETTABLE = ("theta", "trainable", "return_sequences", "parallel_time", "best", "trained", "notes")
FIXED = (
    "layers", "layout", "dtype", "backend", "engine", "layer_stack", "buffer_vector", "buffer_layout", "input_size",
    "output_size", "state_size",
)  # fmt: skip


class Structure(Elsewhere, Parameters):
    """Base of `Network`; `Model` describes its attributes.  Once it is made, only some of them can be set."""

    layers: tuple[Layer, ...]
    layer_stack: Stack
    dtype: Float
    backend: Backend
    _automatic: bool  # whether the backend is the best that there is: also where a copy is made in another process
    return_sequences: bool
    takes_dt: bool
    input_size: int
    output_size: int
    state_size: int
    parallel_time: ParallelTime = parallel.read("auto")
    last_parallel: tuple[Report, ...] = ()
    best: Best | None = None
    trained: Trained | None = None
    config: CellConfig | None = None
    notes: dict[str, Any] | None = None
    _elsewhere = FOREIGN_ATTRIBUTES
    _in_words = "a model"

    def _describe(self, stack: Stack, dtype: Float, backend: Backend, return_sequences: bool) -> None:
        """What a network is besides its parameters; the backend is as a user gives it."""
        self.layers, self.dtype, self.return_sequences = stack.layers, dtype, return_sequences
        self.backend, self._automatic = kernels.resolve(backend), backend == "auto"
        self.layer_stack, self.takes_dt = stack, stack.takes_dt
        self.input_size, self.output_size, self.state_size = stack.input_size, stack.output_size, stack.state_size

    @property
    def wiring(self) -> Wiring:
        """The built wiring of the only layer that has one, with ``pre post sensory_pre sensory_post``."""
        return self.layer_stack.wiring

    @property
    def kernels(self) -> str:
        """What computes: ``"compiled, x86-64-v4"``, Numba and its version, or ``"NumPy"``."""
        return kernels.in_words(self.backend)

    def starting_state(self, B: int) -> Array:
        """The state that B sequences start from, (B, K)."""
        return self.layer_stack.initial_state(B, self.dtype)

    def pace(self, sequences: Any, saved: Any = None) -> Pace:
        """Which outputs there are of checked `ltc_np.network.sequences.Sequences`; sooner known of what a `forward` has
        ``saved``."""
        steps = Pace(sequences.dt.shape[1], sequences.lengths, sequences.valid)
        if self.layer_stack.stride == 1:
            return steps
        stack = self.layer_stack
        return stack.pace(steps, sequences.h0) if saved is None else stack.pace_of(saved, steps)

    def initial_state(self, batch_size: int | None = None) -> Array:
        """The state a sequence starts from: (B, K), or (K,) without ``batch_size``."""
        B = 1 if batch_size is None else checks.integer("batch_size", batch_size)
        state = self.starting_state(B)
        return state[0] if batch_size is None else state

    def cutting(self, override: CutTime) -> ParallelTime:
        """The checked ``parallel_time`` of a call, or the network's own for None."""
        return self.parallel_time if override is None else parallel.read(override)

    @contextmanager
    def cut_as(self, parallel_time: ParallelTime) -> Iterator[None]:
        """A context in which this is the network's ``parallel_time``."""
        before, self.parallel_time = self.parallel_time, parallel_time
        try:
            yield
        finally:
            self.parallel_time = before

    def note_parallel(self, reports: tuple[Report, ...]) -> None:
        """Keep what the last call made of its sequences; `Model.backward` will add to these very reports."""
        vars(self)["last_parallel"] = reports

    def described_by(self, config: CellConfig) -> Self:
        """This network, which remembers the configuration it was made from; users cannot set it."""
        vars(self)["config"] = config
        return self

    def summary(self, file: TextIO | None = None) -> None:
        """Print a table of layers, states and parameters.

        Parameters
        ----------
        file : text file, optional
            Where to, as for `print`; default: standard output. An `io.StringIO` keeps the text.
        """
        lines = [f"{'layer':<44} {'output':>7} {'state':>6} {'parameters':>10}"]
        for layer in self.layers:
            name = repr(layer)
            name = name if len(name) <= 44 else name[:41] + "..."
            lines.append(f"{name:<44} {layer.output_size:>7} {layer.state_size:>6} {layer.layout.size:>10,}")
        print(*lines, *self._totals(), *self._resting(), sep="\n", file=file)

    def _totals(self) -> list[str]:
        """What is said of all layers together."""
        count = self.layout.size if self.trainable is None else int(self.trainable.sum())
        total = f"{self.layout.size:,} parameters, {count:,} trainable, {self.dtype.name}, backend {self.backend}"
        if self.trainable is None:
            return [total]
        frozen = [name for name, (where, _) in self.layout.slices.items() if not self.trainable[where].any()]
        return [total, f"frozen: {', '.join(frozen)}"]

    def _resting(self) -> list[str]:
        """The range of time constants, where layers have some."""
        found = [
            f"{type(layer).__name__} {tau.min():.3g} to {tau.max():.3g}" for layer, tau in resting.time_constants(self)
        ]
        return [f"time constants at rest: {', '.join(found)}"] if found else []

    def _repr_html_(self) -> str:
        """The summary, as notebooks show it."""
        sizes = [(layer, layer.output_size, layer.state_size, f"{layer.layout.size:,}") for layer in self.layers]
        rows = [*sizes, *((line,) for line in [*self._totals(), *self._resting()])]
        return html_table(("layer", "output", "state", "parameters"), rows, type(self).__name__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.layers))}, dtype={self.dtype.name!r})"

    # ------------------------------------------------------------------------------ what may be set, and asked for

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
        if name in FIXED:
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
        if name in self._elsewhere and self.is_the_library_s():
            raise AttributeError(self._nothing(name))
        import difflib  # slow to import, and only errors need it

        close = difflib.get_close_matches(name, SETTABLE, 1, cutoff=0.8)
        if close and known is None and self.is_the_library_s():
            raise AttributeError(f"`{name}` is nothing that a model has, did you mean `{close[0]}`?")

    @classmethod
    def is_the_library_s(cls) -> bool:
        """False for a class that a user has derived, whose attributes are the user's own affair."""
        return cls.__module__.partition(".")[0] == __name__.partition(".")[0]
