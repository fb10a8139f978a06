"""The cell protocol: what a layer tells the model about itself, and the two calls the model makes.

A layer is an immutable description without arrays.  The model owns the parameters and hands the layer *effective*
values by name (see `ltc_np.base.layout`).  To add a cell: subclass `Layer`, declare sizes, layout and flags, write
`forward` and, directly below it, `backward`; `ltc_np.gradcheck` proves it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..base import checks
from ..base.from_arguments import Immutable, known
from ..base.layout import Layout
from ..base.types import Array, Arrays, Backend, Bools, Float, Ints, Keep, Numbers
from ..base.workspace import Fresh, Workspace
from ..wirings import Wiring


def built(wiring: Wiring, input_dim: int | None) -> Wiring:
    """The wiring of a layer with ``input_dim`` inputs, built; None: as it is, built or not."""
    if not isinstance(wiring, Wiring):
        whole = isinstance(wiring, (int, np.integer)) and not isinstance(wiring, bool)
        hint = f": {wiring} neurons, all connected, are FullyConnected({wiring}), and features are `input_dim`"
        got = f"{wiring}{hint}" if whole else _kind(wiring)
        raise TypeError(f"`wiring` must be a Wiring such as AutoNCP(16, 2), got {got}")
    if input_dim is None:
        return wiring
    if wiring.is_built and wiring.input_dim != input_dim:
        raise ValueError(f"`input_dim` must agree with the {wiring.input_dim} of the built wiring, got {input_dim!r}")
    return wiring.build(input_dim)


def cell_sizes(units: int, input_dim: int | None) -> tuple[int, int | None]:
    """``units`` and ``input_dim``, which may be None, of a cell without a wiring, checked."""
    if isinstance(units, Wiring):
        raise TypeError(f"`units` must be an int >= 1, got a wiring, {units!r}: wirings are for LTC, LRC and WiredCfC")
    if is_of_ncps(units):
        raise TypeError(f"`units` must be an int >= 1, got {_kind(units)}")
    return checks.integer("units", units), input_features(input_dim)


def is_of_ncps(value: object) -> bool:
    """Whether this is an object of the package ncps, whose wirings have the names of ours."""
    return type(value).__module__.split(".")[0] == "ncps"


def _kind(value: object) -> str:
    """The class of what is no wiring; of one of ncps with the remedy."""
    name = type(value).__name__
    if is_of_ncps(value):
        return f"ncps' {name}: make the one of ltc_np, with the same arguments (from ltc_np import {name})"
    return name


def input_features(input_dim: int | None) -> int | None:
    """The argument ``input_dim`` of a layer, checked; None where it is not known yet."""
    return None if input_dim is None else checks.integer("input_dim", input_dim)


# What a layer declares (`Layer` says what it means), and when it is true of several layers together: where it is true
# of all of them or of any.
TRAITS = {
    "takes_dt": any,
    "dt0_identity": all,
    "hull": all,
    "smooth": all,
    "causal": all,
    "reads_wiring": any,
    "bitwise_batch": all,
    "drops": any,
    "batch_statistics": any,
    "surrogate_gradient": any,
    "contracting": all,  # of those that have a state
}


def combine(layers: Sequence[Layer], **others: bool) -> dict[str, bool]:
    """The traits of what consists of ``layers``, by name; ``others`` are those that it has otherwise."""
    found = {name: rule(getattr(layer, name) for layer in layers) for name, rule in TRAITS.items()}
    states = [layer.contracting for layer in layers if layer.state_size]
    return found | {"contracting": bool(states) and all(states)} | others


class Traced(NamedTuple):
    """What `Layer.trace` gives: outputs (B, T, O), states after every step (B, T, K), arrays (B, T, ...) by name."""

    y: Array
    states: Array
    arrays: dict[str, Numbers]

    def prefixed(self, prefix: str) -> dict[str, Numbers]:
        """The named arrays with a prefix before their names."""
        return {prefix + name: array for name, array in self.arrays.items()}


def _by_sequence(array: Numbers, valid: Bools) -> Numbers:
    """(B, T, ...) of (B * T, ...), 0 where a step is not ``valid``."""
    array = array.reshape(*valid.shape, *array.shape[1:])
    return np.where(valid.reshape(*valid.shape, *[1] * (array.ndim - 2)), array, array.dtype.type(0))


class Declared:
    """Sizes, layouts and traits that a `Layer` declares, which says what each means, and a `Stack` of layers."""

    input_size: int = 0
    output_size: int = 0
    state_size: int = 0
    state_slices: Mapping[str, slice] = MappingProxyType({})
    reach: int = 0
    stride: int = 1
    layout: Layout = Layout(())
    buffers: Layout = layout
    takes_dt: bool = False
    dt0_identity: bool = False
    hull: bool = False
    smooth: bool = False
    causal: bool = False
    reads_wiring: bool = False
    bitwise_batch: bool = False
    drops: bool = False
    batch_statistics: bool = False
    surrogate_gradient: bool = False
    contracting: bool = False


class Layer(Declared, Immutable):
    """Base of everything a `Model` stacks.

    A layer keeps the arguments of its constructor under their names: `config`, the repr and equality go by them.

    Attributes
    ----------
    input_dim, init
        Those arguments of most constructors, with these names.
    input_size, output_size : int
        Features per step coming in and going out.
    state_size : int
        K; the state is one real (B, K) array, 0 for layers without memory.
    state_slices : dict
        Named parts of the state: name -> slice of its columns.
    reach : int
        How many steps back the state holds inputs one by one, as of a convolution: so many steps fill it.
    stride : int
        Steps for each of its outputs (docs/maths/convolution.md).
    layout, buffers : Layout
        Trained parameters, and what is saved but not trained.
    takes_dt : bool
        Uses the elapsed time.
    dt0_identity : bool
        A step with dt = 0 leaves the state unchanged, exactly.
    hull : bool
        The state stays in the convex hull of the initial state, 0 and the layer's potentials.
    smooth : bool
        Differentiable everywhere (finite differences need no care about kinks).
    causal : bool
        An output depends on no later input; without it there are neither `Model.step` nor ``fit(tbptt=...)``.
    reads_wiring : bool
        Built on a `Wiring`.
    open : bool
        It was made without ``input_dim``: it has its arguments, but neither sizes nor a layout.  A model infers them
        from the layer before (`with_input`).
    bitwise_batch : bool
        A sequence's output has the same bits whatever else is in the batch.  (For state spaces this holds with the
        kernels of the CPU only: in NumPy a product of complex numbers may be rounded in another way at another place in
        the array.)
    drops : bool
        Drops values in training: the model gives such a layer's `forward` the keyword ``rng``.
    batch_statistics : bool
        In training outputs depend on the statistics of the whole batch (`BatchNorm`), and each optimiser step takes
        them into the buffers (`new_buffers`).  Its `forward` is given ``rng`` too, which is None where nothing trains;
        what the other flags say is of calls.
    surrogate_gradient : bool
        `backward` takes another function instead of a derivative (`SpikingLIF`), so that its result is not the
        derivative of `forward`; `ltc_np.gradcheck` refuses such a layer.
    contracting : bool
        Two runs from different states come together, on ordinary inputs and within ordinary times: long sequences may
        be cut into chunks that run side by side (`ltc_np.layers.parallel`).
    cuts_inside : bool
        Not itself, but a layer in it may be cut: `forward` takes the keyword ``cut``, a function that is called with
        that layer and the arguments of its `forward`.
    keeps_outputs : bool
        What `forward` saves may hold its outputs, so that a caller of `Model.forward` gets a copy of them.
    reference_solver : str or None
        Of a layer with the arguments ``solver`` and ``ode_unfolds``: the solver that `ltc_np.solver_error` compares
        with, by many unfolds.  None: the layer is no differential equation.
    words : dict
        The words that an argument may be, by its name, where a configuration knows the argument too.
    also_called : tuple of str
        Other names of the literature, for configurations.
    former_names : dict
        What arguments were called in files of format 1: former name -> present one.
    not_saved : str
        Of a layer that no file holds: what to save in its place.
    lowering : str
        What writes a step of the layer for exports: a file of ``ltc_np/export/lower`` and a function in it, such as
        ``"gru.lower"``.  It is that of the class that says so, not of those derived from it, which may compute
        something else.  Empty: the layer cannot be exported.
    """

    input_dim: int | None
    init: dict[str, Any]
    open: bool = False
    cuts_inside: bool = False
    keeps_outputs: bool = True
    reference_solver: str | None = None
    words: Mapping[str, tuple[str | None, ...]] = MappingProxyType({})
    also_called: tuple[str, ...] = ()
    former_names: Mapping[str, str] = MappingProxyType({})
    not_saved: str = ""
    lowering: str = ""

    def __repr__(self) -> str:
        if known(self) is None:  # of one's own, that does not keep its arguments
            return f"{type(self).__name__}({self.input_size} -> {self.output_size})"
        return super().__repr__()

    def _defer(self, **arguments: Any) -> None:
        """Keep the last arguments and seal, without sizes: how many features come in is not known yet."""
        vars(self).update(arguments, open=True)
        self._freeze()

    def with_input(self, features: int) -> Layer:
        """This layer, if it is `open`, for so many features per step."""
        return self.from_config(self.config() | {"input_dim": features}) if self.open else self

    def _freeze(self) -> None:
        """Refuse changes from now on: models share layers, and what follows from the arguments is built once."""
        vars(self)["_sealed"] = True

    def __setattr__(self, name: str, value: Any) -> None:
        if "_sealed" in vars(self):
            raise AttributeError(
                f"{type(self).__name__} is immutable, `{name}` cannot be set; make a new layer instead"
            )
        super().__setattr__(name, value)

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> Any:
        """What `forward` and `backward` need of the parameters; the model keeps it while they do not change.

        Here: the parameters.

        Parameters
        ----------
        p, buffers : dict
            Effective values by name; they are this call's own and will not be written to.
        backend : "numpy", "cpu" or "cuda"
        """
        return p

    def readers(self) -> tuple[tuple[str, Layer], ...]:
        """The layers inside this one that read its inputs as they come, each with the prefix of its buffers' names.

        `Model.adapt` looks among them for `Standardize`.  Here: none.
        """
        return ()

    def check(self, prepared: Any, dt: Array) -> None:
        """Raise or warn where steps as long as the longest of ``dt`` (B, T) are not to be trusted.

        The model's public calls ask, `fit` once an epoch, so it should cost little.
        """

    def forward(
        self, prepared: Any, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, Any]:
        """Run whole sequences.

        Parameters
        ----------
        prepared : object
            From `prepare`.
        x : (B, T, I) array
            Contiguous; 0 after a sequence's end.
        dt : (B, T) array
            0 after a sequence's end.
        lengths : (B,) int64 array
        h0 : (B, K) array
        keep : None, "full" or "low"
            What to save for `backward`: nothing (it will not follow), what makes it fast, or what takes little memory.
        workspace : Workspace
        rng : numpy.random.Generator or None
            Only for layers with ``drops`` or ``batch_statistics``: where they draw what to drop; None where nothing is
            dropped, since nothing trains.
        thin : ltc_np.layers.pace.Thinning
            Only for layers with a stride: which outputs there are.

        Returns
        -------
        y : (B, T, O) array
            May lie in the workspace.  What it holds after a sequence's end does not matter: the model sets it to 0,
            in place.
        h_last : (B, K) array
            State after each sequence's last step; may lie in the workspace.
        saved : object
            For `backward`; None without ``keep``.
        """
        raise NotImplementedError

    def backward(
        self,
        prepared: Any,
        saved: Any,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        """Adjoint of `forward`.

        Parameters
        ----------
        d_y : (B, T, O) array
            0 after a sequence's end.
        d_h : (B, K) array
            Adjoint of ``h_last``.
        g : dict
            Zeroed float64 arrays by name; the gradients of the effective parameters are added to them.
        want_x, want_dt : bool
            Whether d_x and d_dt are asked for; None may be returned otherwise.

        Returns
        -------
        d_x (B, T, I), d_h0 (B, K), d_dt (B, T)
        """
        raise NotImplementedError

    @property
    def untrained(self) -> dict[str, Any]:
        """The keywords of `forward` where nothing trains."""
        return {"rng": None} if self.drops or self.batch_statistics else {}

    def stepper(
        self, prepared: Any, x: Array, dt: Array, h0: Array, workspace: Workspace
    ) -> Callable[[], tuple[Array, Array]]:
        """`forward` of single steps, for streams: a function without arguments that returns y (B, 1, O) and h_last.

        Parameters
        ----------
        x (B, 1, I), dt (B, 1), h0 (B, K) : arrays
            The function reads what they hold when it is called.
        """
        lengths, options = np.ones(len(x), np.int64), self.untrained

        def step() -> tuple[Array, Array]:
            y, h, _ = self.forward(prepared, x, dt, lengths, h0, None, workspace, **options)
            check_results(self, y, h, *dt.shape)
            return y, h

        return step

    def observe(self, prepared: Any, x: Array, dt: Array, state: Array) -> dict[str, Numbers]:
        """What happens inside one step, of n steps side by side: named arrays, for `Model.trace`.

        Here: nothing.  A cell computes them with the functions of its definition, so that no formula stands twice.

        Parameters
        ----------
        prepared : object
            From `prepare` with ``backend="numpy"``.
        x : (n, I) array
        dt : (n,) array
        state : (n, K) array
            Before each of the steps.

        Returns
        -------
        dict
            Name -> array with the axis of the n steps first.
        """
        return {}

    def trace(self, prepared: Any, x: Array, dt: Array, lengths: Ints, h0: Array) -> Traced:
        """`forward`, step by step, with the states after every step and what `observe` sees inside of them.

        Layers that hold others, or whose outputs depend on later inputs, have their own.

        Parameters
        ----------
        prepared, x, dt, lengths, h0
            As for `forward`, with ``backend="numpy"``.

        Returns
        -------
        Traced
            All of it is 0 after a sequence's end.
        """
        (B, T, I), K, options = x.shape, self.state_size, self.untrained
        y, states = np.zeros((B, T, self.output_size), x.dtype), np.zeros((B, T + 1, K), x.dtype)
        states[:, 0] = state = h0
        for t in range(T):
            alive = lengths > t
            now = np.ascontiguousarray(x[:, t : t + 1]), np.ascontiguousarray(dt[:, t : t + 1])
            out, state, _ = self.forward(prepared, *now, alive.astype(np.int64), state, None, Fresh(), **options)
            y[alive, t], states[alive, t + 1] = out[alive, 0], state[alive]
        before = np.ascontiguousarray(states[:, :T]).reshape(B * T, K)
        seen = self.observe(prepared, x.reshape(B * T, I), dt.reshape(B * T), before)
        valid = np.arange(T) < lengths[:, None]
        return Traced(y, states[:, 1:], {name: _by_sequence(a, valid) for name, a in seen.items()})

    def new_buffers(self, buffers: Arrays, saved: Any) -> Arrays:
        """What an optimiser step makes of the buffers, by name, after a `forward` in training that saved this.

        Only layers with ``batch_statistics`` are asked.  Buffers that stay as they are may be left out; those given are
        not to be written to.
        """
        return {}

    def defaults(self) -> dict[str, Any]:
        """See `FromArguments`: ``init=None`` is kept as a dict of nothing."""
        return {name: {} if name == "init" else value for name, value in super().defaults().items()}

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        name = type(self).__name__
        raise TypeError(f"{name} is a description without parameters, make a model of it to call: Model({self!r})")

    def initial_state(self, B: int, dtype: Float) -> Array:
        """(B, K) state at the start of a sequence."""
        return np.zeros((B, self.state_size), dtype)


def replaced(value: Any, change: Callable[[Layer], Layer | None]) -> Any:
    """The layer ``value``, in which each layer, itself or inside it, has become ``change(layer)`` unless that is None.

    ``value`` may also be a tuple of layers, or anything else that an argument of a layer may be, which stays.
    """
    if isinstance(value, tuple):
        return tuple(replaced(one, change) for one in value)
    if not isinstance(value, Layer):
        return value
    other = change(value)
    if other is not None:
        return other
    config = value.config()
    inside = {name: replaced(one, change) for name, one in config.items() if isinstance(one, (tuple, Layer))}
    if all(one == config[name] for name, one in inside.items()):
        return value
    return type(value).from_config(config | inside)


def check_results(layer: Layer, y: Array, h: Array, B: int, T: int) -> None:
    """Refuse outputs and last states of a `forward` that have not the shapes that were promised."""
    if y.shape != (B, T, layer.output_size) or h.shape != (B, layer.state_size):
        raise ValueError(
            f"forward of layer {layer!r} must return outputs {(B, T, layer.output_size)} and states "
            f"{(B, layer.state_size)}, got {y.shape} and {h.shape}"
        )
