"""Networks: layers with their parameters, and the engine that computes for them, behind the calls that users make."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from .. import kernels, losses
from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import (
    Array,
    ArrayLike,
    Backend,
    ClassWeight,
    DropoutSeed,
    DType,
    LibraryLoss,
    Memory,
    Missing,
    Penalties,
    Seed,
)
from ..cells.base import Layer
from ..layers import Stack
from ..layers.parallel import CutTime
from .engine import Batch, Engine, Gradients, Objective, Tape
from .host import HostEngine
from .outputs import check_logits, output_weight, read_target, refuse_every_step, target_shape, too_short, valid_outputs
from .penalties import Penalty
from .sequences import Sequences, check_dropout_seed, check_memory
from .structure import Structure

if TYPE_CHECKING:
    from typing_extensions import Self


DTYPES = ("float32", "float64")


class Network(Structure):
    """A stack of layers with its parameters, and what computes for it: calls, and their gradients.

    `Model` describes the arguments and the attributes, and has more methods.  What a network has besides, such as
    ``engine`` and ``layer_stack``, is meant for other modules of this package.
    """

    engine: Engine

    @with_signature_hints
    def __init__(
        self,
        *layers: Layer,
        input_dim: int | None = None,
        seed: Seed = None,
        dtype: DType = "float32",
        backend: Backend = "auto",
        return_sequences: bool = True,
    ) -> None:
        stack = Stack(layers, input_dim)
        try:
            name = np.dtype(dtype).name if dtype is not None else None
        except TypeError:
            name = None
        if name not in DTYPES:
            raise ValueError(f'`dtype` must be "float32" or "float64", got {dtype!r}')
        return_sequences = checks.boolean("return_sequences", return_sequences)
        seed = checks.seed("seed", seed)
        dtype = np.dtype(name)  # of this machine's byte order
        self._describe(stack, dtype, backend, return_sequences)
        self._draw(stack.layout, stack.buffers, dtype, seed)
        self.engine = _engine_for(self)

    @classmethod
    def restored(cls, stack: Stack, theta: Array, buffers: Array, backend: Backend, return_sequences: bool) -> Self:
        """The network of a `Stack` with these parameters, of their dtype; no others are drawn first.

        Sizes must be those of the stack, which is not checked; the backend is as for `__init__`.
        """
        network = cls.__new__(cls)
        cls._describe(network, stack, theta.dtype, backend, return_sequences)
        cls._hold(network, stack.layout, stack.buffers, theta, buffers)
        network.engine = _engine_for(network)
        return network

    # ---------------------------------------------------------------------------------------------------- calls

    @overload
    def __call__(
        self,
        x: ArrayLike,
        *,
        dt: ArrayLike | None = None,
        lengths: ArrayLike | None = None,
        h0: ArrayLike | None = None,
        return_state: Literal[False] = False,
        return_sequences: bool | None = None,
        parallel_time: CutTime = None,
    ) -> Array: ...
    @overload
    def __call__(
        self,
        x: ArrayLike,
        *,
        dt: ArrayLike | None = None,
        lengths: ArrayLike | None = None,
        h0: ArrayLike | None = None,
        return_state: Literal[True],
        return_sequences: bool | None = None,
        parallel_time: CutTime = None,
    ) -> tuple[Array, Array]: ...
    @with_signature_hints
    def __call__(
        self,
        x: ArrayLike,
        *,
        dt: ArrayLike | None = None,
        lengths: ArrayLike | None = None,
        h0: ArrayLike | None = None,
        return_state: bool = False,
        return_sequences: bool | None = None,
        parallel_time: CutTime = None,
    ) -> Array | tuple[Array, Array]:
        """Outputs for whole sequences; keeps nothing for a backward pass.

        Parameters
        ----------
        x : (B, T, I) array, or (T, I) for one sequence
            Real numbers; cast to the model's dtype.  With ``backend="cuda"`` it may lie on the GPU (CuPy, PyTorch);
            outputs then do too, here and in `forward` and `backward` (docs/cuda.md).
        dt : number, (T,) or (B, T) array, optional
            Elapsed time before each step, >= 0, in the data's unit, during which x[t] acts; dt[0] lies between h0 and
            x[0].  Default 1.
        lengths : (B,) integers, optional
            Valid steps of padded sequences; what lies behind is never read, and gives 0.
        h0 : (B, K) or (K,) array, optional
            State to start from; default `initial_state`.
        return_state : bool
            Return ``(y, state)``: the state after each sequence's last valid step.
        return_sequences : bool, optional
            Override the model's own.
        parallel_time : "auto", False, int or ParallelTime, optional
            Override the model's own: whether a long sequence is cut into chunks that run side by side, and how many
            (docs/guides/long_sequences.md).  Outputs are the same; of layers with ``bitwise_batch`` to the bit.

        Returns
        -------
        y : (B, T, O), or (B, O) without sequences; (T, O) or (O,) for one sequence
            Without sequences NaN for one that is shorter than the model's stride, as in `step`.

        Raises
        ------
        ValueError, TypeError
            An argument that does not fit, or steps too long for an explicit solver.
        FloatingPointError
            Outputs or states overflow.  So do the other calls.
        """
        with_state = checks.boolean("return_state", return_state)
        calls = self.engine.calls_for(x)
        given = calls.read(x, dt, lengths, h0, self._sequences(return_sequences))
        y, state, _ = calls.call(given, parallel_time=self.cutting(parallel_time))
        return (y, state) if with_state else y

    def _sequences(self, override: bool | None) -> bool:
        return self.return_sequences if override is None else checks.boolean("return_sequences", override)

    @with_signature_hints
    def forward(
        self,
        x: ArrayLike,
        *,
        dt: ArrayLike | None = None,
        lengths: ArrayLike | None = None,
        h0: ArrayLike | None = None,
        return_sequences: bool | None = None,
        memory: Memory = "full",
        dropout_seed: DropoutSeed = None,
        parallel_time: CutTime = None,
    ) -> tuple[Array, Tape]:
        """`__call__` that keeps a tape: ``(y, tape)`` for `backward`.

        Parameters
        ----------
        x, dt, lengths, h0, return_sequences, parallel_time
            As for a call.
        memory : "full" or "low"
            What the tape of an LTC holds: 2*T*U*N numbers a sequence, times the stages of its solver, or T*N, from
            which `backward` runs every step again (about a third slower); of a CfC: everything, or its states.
        dropout_seed : int or tuple of ints >= 0, optional
            Drop what training drops, always the same for the same seed, and take the statistics of the batch, as a
            `BatchNorm` does in training; default: neither, as in calls.
        """
        keep, dropout_seed = check_memory(memory), check_dropout_seed(dropout_seed)
        calls = self.engine.calls_for(x)
        given = calls.read(x, dt, lengths, h0, self._sequences(return_sequences), own=True)
        y, _, tape = calls.call(given, keep, dropout_seed, self.cutting(parallel_time))
        return y, tape

    @with_signature_hints
    def backward(self, tape: Tape, d_y: ArrayLike, d_state: ArrayLike | None = None) -> Gradients:
        """Gradients of any loss, given its derivative with respect to the outputs.

        Parameters
        ----------
        tape : Tape
            From `forward`.
        d_y : array of y's shape
            d(loss)/d(y).  What it holds after a sequence's end is ignored.
        d_state : (B, K) or (K,) array, optional
            d(loss)/d(final state).

        Returns
        -------
        Gradients
            ``theta`` (P,), ``x``, ``h0`` and ``dt`` (a number for a scalar dt), each of its argument's shape.
        """
        if not isinstance(tape, Tape):
            raise TypeError(f"`tape` must come from `forward`, got {type(tape).__name__}")
        if tape.calls.network is not self:
            raise ValueError(f"`tape` must come from this model's own `forward`, got one of {tape.calls.network!r}")
        return tape.calls.differentiate(tape, d_y, d_state)

    # --------------------------------------------------------------------------- targets, and what is minimised

    def make_batch(
        self,
        sequences: Sequences,
        y: ArrayLike,
        loss: LibraryLoss,
        sample_weight: ArrayLike | None,
        missing: Missing = "error",
    ) -> Batch:
        """`Batch` of checked sequences and a user's targets and weights for them; the loss is from `losses.get`."""
        B, (T, lengths, valid) = len(sequences.x), self.pace(sequences)
        stride, steps = self.layer_stack.stride, sequences.dt.shape[1]
        if stride > 1:
            if not lengths.any():
                raise too_short(stride, int(sequences.lengths.max()))
            refuse_every_step(loss, stride, (B, T), steps, y)
        valid = valid_outputs(valid, lengths, self.return_sequences)
        shape = target_shape(self, B, T, y)
        target, valid = read_target(self.layers, loss, shape, y, self.dtype, valid, missing)
        weight = output_weight(loss, sample_weight, shape[:-1], valid, self.dtype)
        return Batch(sequences, target, weight, valid if weight is None else weight)

    def objective(
        self,
        batch: Batch,
        loss: LibraryLoss,
        class_weight: ClassWeight,
        l1: Penalties,
        l2: Penalties,
        of_all: Callable[[Array], Array] = lambda counts: counts,
    ) -> Objective:
        """`Objective` of what a user gave; ``batch`` is all data that it is for, or see `losses.read_class_weight`."""
        if losses.has_classes(loss):
            check_logits(self, f"the loss {losses.name_of(loss)}")
        weights = losses.read_class_weight(
            loss, class_weight, self.output_size, self.dtype, batch.target, batch.mask, of_all
        )
        return Objective(loss, weights, self.penalty(l1, l2))

    def penalty(self, l1: Penalties, l2: Penalties) -> Penalty | None:
        """Checked penalties, or None; see `loss_and_grad`."""
        return Penalty.read(self.layout, l1, l2)

    # ------------------------------------------------------------------------------------------- as an object

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["engine"]
        state.pop("last_parallel", None)  # it tells of a computation, so an answer would change what a model pickles to
        state["_theta"], state["buffer_vector"] = self._theta.copy(), self.buffer_vector.copy()  # also for copy.copy
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        try:
            backend = kernels.resolve("auto" if state.get("_automatic") else state["backend"])
        except ImportError:  # where this is unpickled numba or the GPU may be missing
            backend = kernels.resolve("auto")
        self.__dict__.update(state | {"backend": backend})
        self._copy_vectors()
        self.engine = _engine_for(self)


def _engine_for(network: Structure) -> Engine:
    """The engine for a network's backend."""
    if network.backend == "cuda":
        from .cuda.engine import CudaEngine  # loads Numba

        return CudaEngine(network)
    return HostEngine(network)
