"""One configuration object for every cell: which, how large, solved how, and what stands before and behind it."""

import inspect
from dataclasses import asdict, dataclass, field, fields

from . import checks
from .cells import CELLS
from .layers import Dense, InputMapping
from .model import Model
from .wirings import FullyConnected

# Names of the literature for what the library calls by another one.
CELL_NAMES = {"lif": "spikinglif", "node": "neuralode"}
SOLVER_NAMES = {"explicit": "euler", "runge_kutta": "rk4"}
INPUT_MAPPINGS = {"identity": None, "linear": "linear", "affine": "affine"}
# Fields of the configuration, and what cells that have one call the argument.
SETTINGS = {
    "solver": ("solver",),
    "ode_unfolds": ("ode_unfolds",),
    "activation": ("activation", "backbone_activation"),
}


@dataclass(frozen=True)
class CellConfig:
    """A recurrent network in plain words and numbers, checked when it is made.

    Parameters
    ----------
    cell : str
        ``"LTC"``, ``"CTRNN"``, ``"NeuralODE"``, ``"CTGRU"``, ``"SpikingLIF"``, ``"CfC"``, ``"LSTM"``, ``"GRU"``, or
        another cell of the registry.  Case and hyphens do not matter, and ``"lif"`` and ``"node"`` are known too.
    units : int >= 1
        Wired cells are fully connected; for other wirings use `LTCRNN` or `Model`.
    input_dim : int >= 1
    output_dim : int >= 1, optional
        Outputs of a linear readout (`Dense`); default: none, the outputs are the cell's.
    solver : str, optional
        For cells that have one: ``"semi_implicit"``, ``"euler"`` (or ``"explicit"``), ``"rk4"`` (or ``"runge_kutta"``),
        ``"exponential"``, as the cell's class says; default: the cell's.
    ode_unfolds : int >= 1, optional
        For cells that have a solver.
    input_mapping : "identity", "linear" or "affine"
        Feature by feature, before any cell.
    activation : str, optional
        For cells that have one: ``"tanh"``, ``"relu"``, ..., ``"linear"``; of a `CfC` that of the backbone.
    options : dict, optional
        The cell's further arguments by name: str, numbers, bools, None.

    Notes
    -----
    Where None was given for what the cell has, the field holds the cell's default afterwards; names are the library's.
    `to_dict` gives plain data for JSON, `from_dict` reads it.  A model of `from_config` has the configuration as
    ``model.config``, which files keep.

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
    options: dict = field(default_factory=dict)

    def __post_init__(self):
        def put(name, value):
            object.__setattr__(self, name, value)

        put("cell", _cell_name(self.cell))
        put("units", checks.positive_int("units", self.units))
        put("input_dim", checks.positive_int("input_dim", self.input_dim))
        if self.output_dim is not None:
            put("output_dim", checks.positive_int("output_dim", self.output_dim))
        checks.one_of("input_mapping", self.input_mapping, INPUT_MAPPINGS)
        if isinstance(self.solver, str):
            word = self.solver.lower().replace("-", "_")
            put("solver", SOLVER_NAMES.get(word, word))
        put("options", self._checked_options())
        cell = self._cell()
        for name in SETTINGS:
            argument = self._argument(name)
            if argument is not None:
                value = getattr(cell, argument)
                put(name, "linear" if name == "activation" and value is None else value)

    def _arguments(self):
        return inspect.signature(CELLS[self.cell]).parameters

    def _argument(self, setting):
        """The cell's argument for one of `SETTINGS`, None if it has none."""
        return next((name for name in SETTINGS[setting] if name in self._arguments()), None)

    def _checked_options(self):
        if not isinstance(self.options, dict):
            raise TypeError(f"`options` must be a dict of the cell's arguments, got {type(self.options).__name__}")
        elsewhere = (*map(self._argument, SETTINGS), "input_mapping", "init")
        known = [n for n, p in self._arguments().items() if p.kind is p.KEYWORD_ONLY and n not in elsewhere]
        for name, value in self.options.items():
            if name not in known:
                raise ValueError(f"`options` of {self.cell} may have {', '.join(known) or 'nothing'}, got {name!r}")
            if value is not None and not isinstance(value, (bool, int, float, str)):
                raise TypeError(f"`options[{name!r}]` must be a str, a number, a bool or None, got {value!r}")
        return dict(self.options)

    def _cell(self):
        known, given = self._arguments(), dict(self.options)
        for name in SETTINGS:
            value = getattr(self, name)
            if value is None:
                continue
            argument = self._argument(name)
            if argument is None:
                raise ValueError(f"`{name}` must be left out: {self.cell} has none, got {value!r}")
            given[argument] = None if name == "activation" and value == "linear" else value
        if "input_mapping" in known:
            given["input_mapping"] = INPUT_MAPPINGS[self.input_mapping]
        size = FullyConnected(self.units) if "wiring" in known else self.units
        return CELLS[self.cell](size, self.input_dim, **given)

    def layers(self):
        """The layers of the network."""
        layers, mapping = [self._cell()], INPUT_MAPPINGS[self.input_mapping]
        if mapping is not None and "input_mapping" not in self._arguments():
            layers.insert(0, InputMapping(self.input_dim, mapping))
        if self.output_dim is not None:
            layers.append(Dense(layers[-1].output_size, self.output_dim))
        return layers

    def to_dict(self):
        """The fields in a dict of plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        """Inverse of `to_dict`; fields that have a default may be left out."""
        if not isinstance(values, dict):
            raise TypeError(f"`config` must be a CellConfig or a dict of its fields, got {type(values).__name__}")
        known, needed = [f.name for f in fields(cls)], ("cell", "units", "input_dim")
        for name in values:
            if name not in known:
                raise ValueError(f"`config` has an unknown key {name!r}; there are {', '.join(known)}")
        for name in needed:
            if name not in values:
                raise ValueError(f"`config` must have {', '.join(needed)}, got no {name!r}")
        return cls(**values)


def _plain(name):
    return "".join(c for c in name.lower() if c.isalnum())


def _cell_name(cell):
    """The registry's name of a cell, as people write it."""
    known = {_plain(name): name for name in CELLS}
    key = _plain(cell) if isinstance(cell, str) else ""
    key = CELL_NAMES.get(key, key)
    if key not in known:
        raise ValueError(f"`cell` must be one of {', '.join(CELLS)}, got {cell!r}")
    return known[key]


def from_config(config, *, seed=None, dtype="float32", backend="auto", return_sequences=True):
    """A model by its configuration.

    Parameters
    ----------
    config : CellConfig, or dict of its fields
    seed, dtype, backend, return_sequences
        As for `Model`.

    Returns
    -------
    Model
        With the configuration as ``model.config``; `save` and `load` keep it.

    Examples
    --------
    >>> from ltc_np import from_config
    >>> model = from_config({"cell": "lstm", "units": 32, "input_dim": 17, "output_dim": 17}, seed=0)
    >>> model
    Model(InputMapping(17), LSTM(32, 17), Dense(32, 17), dtype='float32')
    >>> model.config.input_mapping
    'affine'
    """
    if not isinstance(config, CellConfig):
        config = CellConfig.from_dict(config)
    model = Model(*config.layers(), seed=seed, dtype=dtype, backend=backend, return_sequences=return_sequences)
    vars(model)["config"] = config  # users cannot set it
    return model
