"""Names for the types of arguments and results, for type checkers and for annotations of your own.

Shapes are not part of the types; docstrings say them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, SupportsFloat, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

A = TypeVar("A")
F = TypeVar("F", bound=Callable[..., Any])  # a function that a decorator hands back with the same signature

# ----------------------------------------------------------------------------------------------------- arrays

Array: TypeAlias = npt.NDArray[np.floating[Any]]
Ints: TypeAlias = npt.NDArray[np.integer[Any]]
Bools: TypeAlias = npt.NDArray[np.bool_]
Complex: TypeAlias = npt.NDArray[np.complexfloating[Any, Any]]
Numbers: TypeAlias = npt.NDArray[Any]  # of any dtype: what was read, and not yet cast
ArrayLike: TypeAlias = npt.ArrayLike
Shape: TypeAlias = tuple[int, ...]
Float: TypeAlias = np.dtype[np.floating[Any]]  # the dtype of a model
Arrays: TypeAlias = dict[str, Array]  # named views of parameters, of a gradient


class HasArray(Protocol):
    """What NumPy reads as an array, and is no number: arrays, frames of pandas, tensors."""

    def __array__(self) -> Numbers: ...


# -------------------------------------------------------------------------------------- arguments of many calls

PathLike: TypeAlias = str | os.PathLike[str]
Seed: TypeAlias = int | np.random.Generator | None
DropoutSeed: TypeAlias = int | tuple[int, ...] | None
DType: TypeAlias = (
    Literal["float32", "float64"] | type[np.float32] | type[np.float64] | np.dtype[np.float32] | np.dtype[np.float64]
)
Backend: TypeAlias = Literal["auto", "numpy", "cpu", "cuda"]
Memory: TypeAlias = Literal["full", "low"]
Keep: TypeAlias = Literal["full", "low"] | None  # of `memory`, None where no backward pass will follow
Missing: TypeAlias = Literal["error", "ignore"]
ClassWeight: TypeAlias = ArrayLike | Mapping[int, float] | None
Penalties: TypeAlias = float | Mapping[str, float] | None

# ------------------------------------------------------------------------------------------ arguments of layers

Positivity: TypeAlias = Literal["softplus", "clip"] | None
MappingKind: TypeAlias = Literal["linear", "affine"] | None
Activation: TypeAlias = Literal["relu", "tanh", "sigmoid", "silu", "gelu", "lecun_tanh"] | None
Reaction: TypeAlias = Literal["error", "warn", "off"]
Topology: TypeAlias = Literal["torch", "keras"]
PoolingKind: TypeAlias = Literal["mean", "max", "last"]
LineReads: TypeAlias = int | Literal["summaries"]
ReadoutKind: TypeAlias = Literal["auto", "last", "mean", "max", "last+mean"]
ShortcutKind: TypeAlias = Literal["auto", "ridge", "convolutions"] | None
ShortcutReads: TypeAlias = LineReads | Literal["convolutions", "nothing"]
CfCMode: TypeAlias = Literal["default", "no_gate", "pure"]
CfCVariant: TypeAlias = Literal["torch", "keras", "tf", "paper"]
BackboneActivation: TypeAlias = Literal["relu", "silu", "tanh", "gelu", "lecun_tanh"]
ExplicitSolver: TypeAlias = Literal["euler", "rk4", "bogacki_shampine", "ralston"]
CTRNNSolver: TypeAlias = Literal["semi_implicit", ExplicitSolver]
LTCSolver: TypeAlias = Literal["exponential", CTRNNSolver]
Elastance: TypeAlias = Literal["asymmetric", "symmetric"] | None
ElastanceBy: TypeAlias = Literal["synapses", "state", "state_and_inputs"]
ModesName: TypeAlias = Literal["legs", "lin", "inv"]
DiscretizationName: TypeAlias = Literal["zoh", "bilinear"]
OscillatorName: TypeAlias = Literal["im", "imex", "damped", "exact"]
Method: TypeAlias = Literal["scan", "parallel", "fft"]
LiquidKind: TypeAlias = Literal["exact", "discrete", "kb", "pb"]
LiquidName: TypeAlias = LiquidKind | None
SurrogateName: TypeAlias = Literal["fast_sigmoid", "arctan"]
# Initial values by the name of a parameter: a range, a number or an array, or of a matrix a word and a gain.
Init: TypeAlias = dict[str, Any] | None

# ---------------------------------------------------------------------------------------- arguments of training

Rate: TypeAlias = float | Callable[[int], float]  # a learning rate, or a schedule
Logs: TypeAlias = dict[str, float]
Mode: TypeAlias = Literal["min", "max"]
MonitorMode: TypeAlias = Literal["auto", "min", "max"]
Measured: TypeAlias = Mapping[str, Mode | None]
State: TypeAlias = dict[str, Any]  # plain data, which files keep
# A loss of the library, and one of your own: functions of outputs and targets.
LibraryLoss: TypeAlias = Callable[..., tuple[float, float, Array]]
OwnLossFunction: TypeAlias = Callable[[Any, Any], tuple[SupportsFloat, npt.NDArray[Any]]]
Loss: TypeAlias = str | LibraryLoss | OwnLossFunction
OwnMetricFunction: TypeAlias = Callable[[Any, Any], SupportsFloat]
Targets: TypeAlias = ArrayLike | Sequence[ArrayLike]
# A batch of `fit`, and where batches come from.
OneBatch: TypeAlias = tuple[ArrayLike, ArrayLike] | Mapping[str, ArrayLike]
BatchSource: TypeAlias = Iterable[OneBatch] | Callable[[int], Iterable[OneBatch]]


class Communicator(Protocol):
    """What `fit` needs of ``comm``: methods of mpi4py's communicators, with their meaning."""

    def Get_rank(self) -> int: ...
    def Get_size(self) -> int: ...
    def Dup(self) -> Communicator: ...
    def Free(self) -> None: ...
    def Allreduce(self, send: Any, receive: Any, /) -> None: ...
    def bcast(self, value: Any, root: int, /) -> Any: ...
    def gather(self, value: Any, root: int, /) -> list[Any] | None: ...
    def allgather(self, value: Any, /) -> list[Any]: ...
    def Ibarrier(self) -> Any: ...
    def Abort(self, code: int, /) -> Any: ...
