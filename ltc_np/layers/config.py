"""One configuration object for every cell: which, how large, solved how, and what stands before and behind it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from os import PathLike
from typing import TYPE_CHECKING, Any

from ..base import checks
from ..base.calls import with_signature_hints
from ..cells import CELLS
from ..cells.base import Layer
from ..kernels.codes import SOLVERS
from ..wirings import FullyConnected
from . import Dense, InputMapping, codec
from .config_words import INPUT_MAPPINGS, LINEAR, SETTINGS, read_word, spelling, words_of_setting

if TYPE_CHECKING:
    from typing_extensions import Self


# A configuration may come from a file, in which a number may be as large as it likes, while memory grows with its
# square.
MOST_WEIGHTS = 2**26  # of one matrix or wiring: 8,192 units
MOST_PARAMETERS = 2**28  # of the network, 1 GB in float32


class _FrozenDict(Mapping[str, Any]):
    """A dict of hashable values that cannot be changed, equal to one."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return repr(self._values)


@dataclass(frozen=True)
class CellConfig:
    """A recurrent network in plain words and numbers, checked when it is made.

    Parameters
    ----------
    cell : str
        The name of a class of `ltc_np.cells.CELLS`, such as ``"LTC"``, also of one of your own (`register`); ``"LIF"``
        stands for `SpikingLIF`, ``"NODE"`` for `NeuralODE`, ``"LRCU"`` for `LRC`.
    units : int >= 1
        At most about 8,000, so that no number in a file can ask for all memory.  Wired cells are fully connected; for
        other wirings use `LTCRNN` or `Model`.  For `S4D` and `LiquidS4` it is the number of states of a channel; their
        channels are the inputs.
    input_dim : int >= 1
    output_dim : int >= 1, optional
        Outputs of a linear readout (`Dense`); default: none, the outputs are the cell's.
    solver : str, optional
        For cells that have one, as the cell's class says; ``"explicit"`` stands for ``"euler"``, ``"runge_kutta"`` for
        ``"rk4"``.  Default: the cell's.
    ode_unfolds : int in 1..1,000,000, optional
        For cells that have a solver.
    input_mapping : "identity", "linear" or "affine"
        Feature by feature, before any cell.
    activation : str, optional
        For cells that have one: ``"tanh"``, ``"relu"``, ..., ``"linear"``; of a `CfC` that of the backbone.
    init : dict or str, optional
        Initial values, as the cell's class says, in plain data: a dict from names of parameters to a number, a list
        [low, high], which is a range, or ["orthogonal", gain] and ["glorot", gain] of a matrix;
        of an `LTC` also ``"time_constants"``, or a range by that name in the dict.
    options : dict, optional
        The cell's further arguments by name, written as its class does: str, numbers, bools, None.

    Notes
    -----
    Case, spaces, hyphens and underscores of words do not matter, outside of ``options`` and of names of parameters.
    Where None was given for what the cell has, the field holds the cell's default afterwards; names are the library's.
    `to_dict` gives plain data for JSON, `from_dict` reads it.  A configuration cannot be changed, ``options`` and
    ``init`` included, and is hashable; ``dataclasses.replace(config, units=16)`` makes another.  A model of
    `from_config` has the configuration as ``model.config``, which files keep.

    Examples
    --------
    >>> from ltc_np import CellConfig
    >>> config = CellConfig("ltc", units=8, input_dim=3, solver="explicit")
    >>> config.cell, config.solver, config.ode_unfolds
    ('LTC', 'euler', 6)
    >>> CellConfig.from_dict(config.to_dict()) == config
    True
    """

    cell: str
    units: int
    input_dim: int
    output_dim: int | None = None
    solver: str | None = None
    ode_unfolds: int | None = None
    input_mapping: str = "affine"
    activation: str | None = None
    init: Mapping[str, Any] | str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # In this order: the cell's class says which words and options there are, the size is limited before anything
        # is built, and the cell is built last, of all fields that have been put right by then.
        self._put("cell", read_word("cell", self.cell, CELLS))
        self._read_sizes()
        self._read_words()
        self._put("init", _plain_init(self.init))
        self._put("options", self._checked_options())
        self._read_defaults()

    def _put(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _read_sizes(self) -> None:
        self._put("units", checks.integer("units", self.units))
        self._put("input_dim", checks.integer("input_dim", self.input_dim))
        if self.output_dim is not None:
            self._put("output_dim", checks.integer("output_dim", self.output_dim))
        weights = self.units * (self.units + self.input_dim + (self.output_dim or 0))
        if weights > MOST_WEIGHTS:
            got = f"{weights}" if weights < 10**20 else "a number of many digits"
            raise ValueError(
                f"`units` * (`units` + `input_dim` + `output_dim`) must be <= {MOST_WEIGHTS} in a configuration, got "
                f"{got}: make larger networks of layers, as Model(GRU(units))"
            )

    def _read_words(self) -> None:
        self._put("input_mapping", read_word("input_mapping", self.input_mapping, INPUT_MAPPINGS))
        for name in ("solver", "activation"):
            value, known = getattr(self, name), words_of_setting(name, self.cell)
            if value is not None and known:
                # A solver of another cell is refused by this one, which may say why.
                self._put(name, read_word(name, value, known, SOLVERS if name == "solver" else ()))

    def _read_defaults(self) -> None:
        """Settings as the cell has them, which checks all its arguments; `layers` makes another for each model."""
        cell = self._cell()
        for name in SETTINGS:
            argument = self._argument_for(name)
            if argument is not None:
                value = getattr(cell, argument)
                self._put(name, LINEAR if name == "activation" and value is None else value)

    def _parameters_of_cell(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(CELLS[self.cell]).parameters

    def _argument_for(self, setting: str) -> str | None:
        """The cell's argument for one of `SETTINGS`, None if it has none."""
        return next((name for name in SETTINGS[setting] if name in self._parameters_of_cell()), None)

    def _checked_options(self) -> _FrozenDict:
        if not isinstance(self.options, Mapping):
            raise TypeError(f"`options` must be a dict of the cell's arguments, got {type(self.options).__name__}")
        fields_of_their_own = (*map(self._argument_for, SETTINGS), "input_dim", "input_mapping", "init")
        by_name = (name for name, p in self._parameters_of_cell().items() if p.kind is p.KEYWORD_ONLY)
        known = [name for name in by_name if name not in fields_of_their_own]
        for name, value in self.options.items():
            if name not in known:
                raise ValueError(f"`options` of {self.cell} may have {', '.join(known) or 'nothing'}, got {name!r:.60}")
            if value is not None and not isinstance(value, (bool, int, float, str)):
                got = checks.brief(value)
                raise TypeError(f"`options[{name!r}]` must be a str, a number, a bool or None, got {got}")
            # As for files.  In a cell of your own a number need not be a size.
            if type(value) is int and codec.is_ours(CELLS[self.cell]):
                codec.check_count("options", name, value, 0)
        return _FrozenDict(self.options)

    def _cell(self) -> Layer:
        """The cell that the fields describe, new; it checks its arguments itself."""
        known, given = self._parameters_of_cell(), dict(self.options)
        if "init" in known:
            given["init"] = dict(self.init) if isinstance(self.init, Mapping) else self.init
        elif self.init is not None:
            raise ValueError(f"`init` must be left out: {self.cell} has none, got {self.init!r}")
        for name in SETTINGS:
            value = getattr(self, name)
            if value is None:
                continue
            argument = self._argument_for(name)
            if argument is None:
                raise ValueError(f"`{name}` must be left out: {self.cell} has none, got {value!r}")
            given[argument] = None if name == "activation" and value == LINEAR else value
        if "input_mapping" in known:
            given["input_mapping"] = INPUT_MAPPINGS[self.input_mapping]
        size = FullyConnected(self.units) if "wiring" in known else self.units
        cell: Callable[..., Layer] = CELLS[self.cell]
        return cell(size, input_dim=self.input_dim, **given)

    def layers(self) -> list[Layer]:
        """The layers of the network, which has no more than `MOST_PARAMETERS`."""
        layers, mapping = [self._cell()], INPUT_MAPPINGS[self.input_mapping]
        if mapping is not None and "input_mapping" not in self._parameters_of_cell():
            layers.insert(0, InputMapping(mapping, input_dim=self.input_dim))
        if self.output_dim is not None:
            layers.append(Dense(self.output_dim, input_dim=layers[-1].output_size))
        count = sum(layer.layout.size for layer in layers)
        if count > MOST_PARAMETERS:
            raise ValueError(f"`config` must describe at most {MOST_PARAMETERS} parameters, got {count}")
        return layers

    def to_dict(self) -> dict[str, Any]:
        """The fields in a dict of plain data."""
        return {f.name: _to_plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Inverse of `to_dict`; fields that have a default may be left out."""
        if not isinstance(values, dict):
            hint = "; of a file, json.load(open(path))" if isinstance(values, (str, PathLike)) else ""
            raise TypeError(f"`config` must be a CellConfig or a dict of its fields, got {checks.brief(values)}{hint}")
        known, needed = [f.name for f in fields(cls)], ("cell", "units", "input_dim")
        for name in values:
            if name not in known:
                raise ValueError(
                    f"`config` has an unknown key {name!r:.60}; there are {', '.join(known)}; further arguments of "
                    "the cell belong in `options`"
                )
        for name in needed:
            if name not in values:
                raise ValueError(f"`config` must have {', '.join(needed)}, got no {name!r}")
        return cls(**values)


if not TYPE_CHECKING:  # for checkers the signature is that of the fields
    CellConfig.__init__ = with_signature_hints(CellConfig.__init__)


def _plain_init(init: Any) -> Any:
    """``init`` with ranges as tuples, as cells take them, and nothing that JSON lacks."""
    if init is None:
        return None
    if isinstance(init, str):
        word = "time_constants"
        return word if spelling(init) == spelling(word) else init  # cells refuse others
    if not isinstance(init, Mapping):
        raise TypeError(f'`init` must be a dict from names of parameters or "time_constants", got {checks.brief(init)}')
    return _FrozenDict({name: _plain_initial_value(f"init[{name!r}]", value) for name, value in init.items()})


def _plain_initial_value(name: str, value: Any) -> Any:
    """That of one parameter: a number, a range (low, high), or a word and a gain."""
    try:
        if isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], str):
            return value[0], checks.number(name, value[1], low_open=True)  # cells know the words
        if isinstance(value, (list, tuple)) and len(value) == 2:
            return tuple(checks.number(name, end, low=-float("inf")) for end in value)
        return checks.number(name, value, low=-float("inf"))
    except (TypeError, ValueError) as error:
        rule = 'a finite number, a range [low, high] of them, or a word and a gain, ["orthogonal", 0.5]'
        raise type(error)(f"`{name}` must be {rule}, got {checks.brief(value)}") from None


def _to_plain(value: Any) -> Any:
    """``value`` of a field as JSON has it."""
    if isinstance(value, Mapping):
        return {name: _to_plain(inner) for name, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value
