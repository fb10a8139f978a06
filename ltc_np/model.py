"""The facade: models, with everything that users do with them.

`Model` is a `Network` (layers, parameters, calls) with evaluation and files (`ModelBase`), to which `fit` is attached.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from . import io
from .base import checks, foreign_names
from .base.calls import with_signature_hints
from .base.types import Backend, DType, LiquidName, PathLike, PoolingKind, Seed, Topology
from .cells import LTC, S4D, CfC, LiquidS4, WiredCfC
from .cells.base import Layer, is_of_ncps
from .layers import GELU, GLU, BatchNorm, Dense, Dropout, LayerNorm, Pooling, Residual
from .layers.config import CellConfig
from .layers.mixed_memory import with_memory
from .layers.pooling import KINDS as POOLINGS
from .network.foreign_attributes import FOREIGN_ATTRIBUTES
from .optim.base import Optimizer
from .train.fit import fit
from .train.model_base import ModelBase
from .train.parts import GROUPS
from .wirings import Wiring

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .cells.liquid_s4 import LiquidS4Options
    from .cells.ltc import LTCOptions
    from .cells.wired_cfc import AnyCfCOptions

# What may be said for a norm.
NORMS: dict[str, Callable[[], Layer]] = {"layer": LayerNorm, "batch": BatchNorm}

# What decides about training: on a model it would have no effect.
YOURS = ("model", "x", "y")  # names that you may use on a model as you like, although `fit` has them too
OPTIONS = *inspect.signature(fit).parameters, *(name for group in GROUPS.values() for name in group.parts)
OF_FIT = {name: "it is an argument of `fit`" for name in OPTIONS if name not in YOURS}
OF_OPTIMIZERS = dict.fromkeys(
    ("lr", "learning_rate", "weight_decay", "momentum"), "it is an argument of the optimiser that `fit` is given"
)


class Model(ModelBase):
    """A stack of layers with its parameters.

    Parameters
    ----------
    *layers : Layer
        Applied in order; each takes as many features as the one before gives.
    input_dim : int, optional
        Features per step of the first layer, where that was made without them.
    seed : int or numpy.random.Generator, optional
        Of the initial parameters; None draws a new one, and one is drawn from a generator.
    dtype : "float32" or "float64"
    backend : "auto", "numpy", "cpu" or "cuda"
        ``"auto"`` is Numba's kernels where numba works, else NumPy; ``"cuda"`` is for large batches (docs/cuda.md).
    return_sequences : bool
        False: the output is that of each sequence's last step, (B, O).

    Attributes
    ----------
    theta : (P,) array
        All parameters, raw (`ltc_np.base.layout`).  Assigning copies into it.
    params : Mapping
        Named views of theta; plain names for one layer, ``"0.w"`` in stacks.
    layout, layers, dtype, backend : as given or resolved
    trainable : (P,) bool array or None
        None while everything is; see `freeze`.
    input_size, output_size, state_size : int
    best : Best or None
        What `fit` has kept, with validation data.
    trained : Trained or None
        How far `fit` has come, with which loss and which elapsed times; `fit` goes on from there with
        ``epochs=range(...)``.
    config : CellConfig or None
        What `from_config` made the model from.
    parallel_time : ParallelTime
        How long sequences are cut into chunks that run side by side, in calls that do not say it themselves; it may be
        set to what calls take: ``"auto"`` (so it begins), False, a number of chunks, or a `ParallelTime`.
    last_parallel : tuple of Report
        What the last call made of that, for each layer whose sequences were cut: ``layer``, ``chunks``, ``steps`` of a
        chunk, ``early``, ``repeated`` and ``repeated_backward``.
    notes : dict or None
        Plain data of your own that files keep: text, finite numbers, bools, None, and lists and dicts of these, with
        keys of text.  The command line keeps there which columns of a table a model reads.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, AutoNCP, Dense, Model
    >>> model = Model(LTC(AutoNCP(16, 4)), Dense(2), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3))).shape
    (5, 7, 2)
    """

    fit = fit
    _elsewhere = FOREIGN_ATTRIBUTES | OF_FIT | OF_OPTIMIZERS


class LTCRNN(Model):
    """The model of one LTC layer.

    Parameters
    ----------
    wiring : Wiring
    input_dim : int
    hidden_dim, output_dim : int, optional
        The tutorial's arguments; they must agree with the wiring.
    proj_size : int, optional
        Outputs of a `Dense` layer after the cell; default: none, the outputs are the cell's.
    mixed_memory : bool, "torch" or "keras"
        Put an LSTM of ``wiring.units`` units beside the cell, in this topology (True: ``"torch"``): `MixedMemory`.
    seed, dtype, backend, return_sequences
        As for `Model`.
    **options
        As for `LTC`: ode_unfolds, epsilon, positivity, solver, check_stability, input_mapping, output_mapping, init.

    Examples
    --------
    >>> from ltc_np import LTCRNN, RandomWiring
    >>> model = LTCRNN(RandomWiring(2, 2, 8, seed=0), 2, 8, 2, seed=0)  # the tutorial's call
    >>> model.layout.size
    344
    """

    @with_signature_hints
    def __init__(
        self,
        wiring: Wiring,
        input_dim: int | None = None,
        hidden_dim: int | None = None,
        output_dim: int | None = None,
        *,
        proj_size: int | None = None,
        mixed_memory: bool | Topology = False,
        seed: Seed = None,
        dtype: DType = "float32",
        backend: Backend = "auto",
        return_sequences: bool = True,
        **options: Unpack[LTCOptions],
    ) -> None:
        if isinstance(wiring, Wiring):
            for name, given, has in (
                ("hidden_dim", hidden_dim, wiring.units),
                ("output_dim", output_dim, wiring.output_dim),
            ):
                if given is not None and given != has:
                    raise ValueError(f"`{name}` must agree with the wiring's {has}, got {given!r}")
        layers = _one_cell(LTC, wiring, input_dim, mixed_memory, proj_size, options)
        super().__init__(*layers, seed=seed, dtype=dtype, backend=backend, return_sequences=return_sequences)


class CfCRNN(Model):
    """The model of one CfC layer, with a linear readout if one is wanted.

    Parameters
    ----------
    units_or_wiring : int or Wiring
        Size of the state, for a `CfC`; or the wiring of a `WiredCfC`.
    input_dim : int
        Features per step.
        May be left out if the wiring is built.
    proj_size : int, optional
        Outputs of a `Dense` layer after the cell; default: none, the outputs are the cell's.
    mixed_memory : bool, "torch" or "keras"
        Put an LSTM of as many units beside the cell, in this topology (True: ``"torch"``): `MixedMemory`.
    seed, dtype, backend, return_sequences
        As for `Model`.
    **options
        As for `CfC`: mode, variant, backbone_units, backbone_layers, backbone_activation, backbone_dropout, init; as
        for `WiredCfC`: mode, variant, strict, init.

    Examples
    --------
    >>> from ltc_np import CfCRNN
    >>> model = CfCRNN(32, input_dim=3, proj_size=2, seed=0)
    >>> model
    CfCRNN(CfC(32, input_dim=3), Dense(2, input_dim=32), dtype='float32')
    """

    @with_signature_hints
    def __init__(
        self,
        units_or_wiring: int | Wiring,
        *,
        input_dim: int | None = None,
        proj_size: int | None = None,
        mixed_memory: bool | Topology = False,
        seed: Seed = None,
        dtype: DType = "float32",
        backend: Backend = "auto",
        return_sequences: bool = True,
        **options: Unpack[AnyCfCOptions],
    ) -> None:
        cell = WiredCfC if isinstance(units_or_wiring, Wiring) or is_of_ncps(units_or_wiring) else CfC
        if cell is CfC:
            units_or_wiring = checks.integer("units_or_wiring", units_or_wiring)
        layers = _one_cell(cell, units_or_wiring, input_dim, mixed_memory, proj_size, options)
        super().__init__(*layers, seed=seed, dtype=dtype, backend=backend, return_sequences=return_sequences)


class LiquidS4RNN(Model):
    """A deep liquid state space: a readout in, blocks of `LiquidS4` with what mixes their channels, a readout out.

    A block is x + GLU(Dense(Dropout(GELU(LiquidS4(norm(x)))))), as published; ``model.layers`` shows it.

    Parameters
    ----------
    input_dim, output_dim : int >= 1
        Features per step, and numbers per answer.
    channels, states, blocks : int >= 1
        H, the width of the network; N, the states of each channel (even); how many blocks.
    liquid : "exact", "discrete", "kb", "pb" or None
        As for `LiquidS4`; None: none, blocks of `S4D`.
    norm : "layer", "batch" or None
        `LayerNorm`, `BatchNorm`, or none.
    prenorm : bool
        Whether it stands before the state space, inside the way around (and once more at the end), or after each block.
    dropout : float in [0, 1)
    pooling : "mean", "max", "last" or None
        None: an answer at every step.  Otherwise one for each sequence, of its features so pooled over time.
    seed, dtype, backend
        As for `Model`.
    **options
        As for `LiquidS4`: liquid_degree, liquid_bound, liquid_scale, modes, discretization, step_min, step_max, method,
        lr_scale, init.

    Notes
    -----
    Parameters, with a norm before: (I + 1) H + blocks (3 N H + 2 H**2 + 6 H) + 2 H + (H + 1) O.  Train with a learning
    rate of 1e-3 to 1e-2, `WarmUp` and `CosineDecay`; the state spaces learn ten times slower (``lr_scale``).

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LiquidS4RNN
    >>> model = LiquidS4RNN(3, 5, channels=16, states=8, blocks=2, pooling="mean", seed=0)
    >>> model(np.zeros((4, 100, 3))).shape
    (4, 5)
    """

    @with_signature_hints
    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        *,
        channels: int = 64,
        states: int = 64,
        blocks: int = 4,
        liquid: LiquidName = "exact",
        norm: Literal["layer", "batch"] | None = "layer",
        prenorm: bool = True,
        dropout: float = 0.0,
        pooling: PoolingKind | None = None,
        seed: Seed = None,
        dtype: DType = "float32",
        backend: Backend = "auto",
        **options: Unpack[LiquidS4Options],
    ) -> None:
        _known_options(options, liquid)
        H = checks.integer("channels", channels)
        checks.one_of("norm", norm, (*NORMS, None))
        checks.one_of("pooling", pooling, (*POOLINGS, None))
        rate = checks.number("dropout", dropout, high=1, high_open=True)
        prenorm = checks.boolean("prenorm", prenorm)

        def block() -> list[Layer]:
            own: dict[str, Any] = dict(options)
            space = S4D(states, **own) if liquid is None else LiquidS4(states, liquid=liquid, **own)
            around: list[Layer] = [space, GELU(), Dropout(rate), Dense(2 * H), GLU()]
            return [Residual(*normed(), *around)] if prenorm else [Residual(*around), *normed()]

        def normed() -> list[Layer]:
            return [] if norm is None else [NORMS[norm]()]

        stack = [layer for _ in range(checks.integer("blocks", blocks)) for layer in block()]
        end: list[Layer] = (normed() if prenorm else []) + ([] if pooling is None else [Pooling(pooling)])
        super().__init__(
            Dense(H), *stack, *end, Dense(checks.integer("output_dim", output_dim)), input_dim=input_dim,
            seed=seed, dtype=dtype, backend=backend, return_sequences=pooling is None,
        )  # fmt: skip


def _known_options(options: Mapping[str, Any], liquid: LiquidName) -> None:
    """Refuse what neither a `LiquidS4RNN` nor its state spaces take."""
    of_liquid = list(inspect.signature(LiquidS4).parameters)
    of_cell = of_liquid if liquid is not None else list(inspect.signature(S4D).parameters)
    own = list(inspect.signature(LiquidS4RNN).parameters)[:-1]  # without options
    known = [*own, *(name for name in of_cell if name not in own)]
    for name in options:
        if name not in known and name in of_liquid:
            raise TypeError(f"`{name}` is of the liquid term, and with liquid=None there is none: leave it out")
        if name not in known:
            raise TypeError(f"`LiquidS4RNN` has no argument `{name}`: {foreign_names.argument(name, known)}")


def _one_cell(
    cell: Callable[..., Layer],
    units_or_wiring: int | Wiring,
    input_dim: int | None,
    mixed_memory: bool | Topology,
    proj_size: int | None,
    options: Mapping[str, Any],
) -> list[Layer]:
    """The layers of a model of one cell, of class ``cell``."""
    _, _, *known = inspect.signature(cell).parameters
    for name in options:
        if name not in known:
            own = foreign_names.argument(name, known)
            raise TypeError(f"`{name}` is no option of the model or its {cell.__name__}: {own}")
    layer = with_memory(mixed_memory, lambda size: cell(units_or_wiring, input_dim=size, **options), input_dim)
    if proj_size is None:
        return [layer]
    return [layer, Dense(checks.integer("proj_size", proj_size))]


@with_signature_hints
def from_config(
    config: CellConfig | dict[str, Any],
    *,
    seed: Seed = None,
    dtype: DType = "float32",
    backend: Backend = "auto",
    return_sequences: bool = True,
) -> Model:
    """A model by its configuration.

    Parameters
    ----------
    config : CellConfig, or dict of its fields
        Of a file, ``json.load(open(path))``.
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
    Model(InputMapping(input_dim=17), LSTM(32, input_dim=17), Dense(17, input_dim=32), dtype='float32')
    >>> model.config.input_mapping
    'affine'
    """
    if not isinstance(config, CellConfig):
        config = CellConfig.from_dict(config)
    model = Model(*config.layers(), seed=seed, dtype=dtype, backend=backend, return_sequences=return_sequences)
    return model.described_by(config)


KINDS = (Model, LTCRNN, CfCRNN, LiquidS4RNN)  # what a file may name


def check_model(name: str, model: Any) -> Model:
    """``model`` if it is one."""
    if isinstance(model, Model):
        return model
    hint = ""
    if isinstance(model, (str, os.PathLike)):
        hint = ": `ltc_np.load` reads one from a file"
    elif hasattr(model, "get_params"):
        hint = ": of an estimator that is fitted give its `model_`"
    elif callable(getattr(model, "network", None)):
        hint = ": give what its `network()` returns"
    raise TypeError(f"`{name}` must be a Model, got {checks.brief(model)}{hint}")


@with_signature_hints
def load(path: PathLike, backend: Backend = "auto", optimizer: Optimizer | None = None) -> Model:
    """Read a model that `save` wrote.

    Parameters
    ----------
    path : str or Path
    backend : str
        As for `Model`; files do not fix it.
    optimizer : Optimizer, optional
        A new one of the saved kind; its moments and step count are restored from the file, its settings are its own.

    Returns
    -------
    Model

    Raises
    ------
    FileNotFoundError
    ValueError
        The file is damaged, of another program or of a newer format; it begins with the path.  The optimiser is as it
        was.  No more memory was taken than some times the file's size, and no code of the file was run.
    """
    return io.load(path, KINDS, backend, optimizer)
