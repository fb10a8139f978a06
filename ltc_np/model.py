"""Models: a stack of layers and the one flat parameter vector that they share."""

import inspect
import threading
from dataclasses import dataclass

import numpy as np

from . import data, kernels, losses
from .base import checks
from .base.workspace import Fresh, Workspace
from .cells import LTC, CfC, WiredCfC
from .layers import Dense, Stack
from .layers.mixed_memory import with_memory
from .outputs import d_last_outputs, last_outputs, output_weight, target_shape, valid_outputs
from .penalties import Penalty
from .stream import Stream
from .wirings import Wiring

DTYPES = ("float32", "float64")
# `predict` takes as many sequences at once as keep its arrays about this many numbers large.
PREDICT_NUMBERS = 4_000_000
PREDICT_NUMBERS_CUDA = 64 * PREDICT_NUMBERS  # a card has work for many, and the memory


@dataclass(frozen=True)
class Tape:
    """What `Model.backward` needs of one `Model.forward`; it may be used more than once."""

    owner: object
    prepared: tuple
    saved: tuple
    lengths: np.ndarray
    valid: np.ndarray | None
    dt_shape: tuple
    y_shape: tuple
    return_sequences: bool
    single: bool


@dataclass(frozen=True)
class Gradients:
    """Result of `Model.backward`.

    Attributes
    ----------
    theta : (P,) array
        d(loss)/d(theta); 0 for frozen parameters.  ``model.views(g.theta)["w"]`` names a part.
    x, h0 : arrays of the shapes of x and h0
    dt : float or array of the shape of dt; None for models without elapsed time
    """

    theta: np.ndarray
    x: np.ndarray | None
    h0: np.ndarray | None
    dt: object


@dataclass(frozen=True)
class Best:
    """The best weights of a training so far; saved with the model, so that training resumes as if never stopped."""

    val_loss: float
    epoch: int
    loss: str
    theta: np.ndarray


class Model:
    """A stack of layers with its parameters.

    Parameters
    ----------
    *layers : Layer
        Applied in order; each takes as many features as the one before gives.
    seed : int, optional
        Of the initial parameters; None draws a new one.
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
    config : CellConfig or None
        What `from_config` made the model from.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, AutoNCP, Dense, Model
    >>> model = Model(LTC(AutoNCP(16, 4), 3), Dense(4, 2), seed=0)
    >>> model(np.zeros((5, 7, 3))).shape
    (5, 7, 2)
    """

    def __init__(self, *layers, seed=None, dtype="float32", backend="auto", return_sequences=True):
        stack = Stack(layers)
        try:
            name = np.dtype(dtype).name if dtype is not None else None
        except TypeError:
            name = None
        if name not in DTYPES:
            raise ValueError(f'`dtype` must be "float32" or "float64", got {dtype!r}')
        self.dtype = np.dtype(name)  # of this machine's byte order
        return_sequences = checks.boolean("return_sequences", return_sequences)
        if seed is not None:
            checks.integer("seed", seed, 0)
        self.layers, self.backend, self.return_sequences = layers, kernels.resolve(backend), return_sequences
        self._set_up(stack)
        rng = np.random.default_rng(seed)
        self._theta = self.layout.initial(rng, self.dtype)
        self._buffers = self._buffer_layout.initial(rng, self.dtype)
        for name, values in self.params.items():
            checks.finite(f"init of {name}", values)

    def _set_up(self, stack):
        """Everything that follows from the layers."""
        self._stack, self.layout, self._buffer_layout = stack, stack.layout, stack.buffers
        self.input_size, self.output_size, self.state_size = stack.input_size, stack.output_size, stack.state_size
        self.takes_dt = stack.takes_dt
        self.trainable = None if self.layout.trainable.all() else self.layout.trainable.copy()
        self.best = self.config = None
        self._local = threading.local()  # what each thread keeps: a workspace, and what `step` prepared

    # ------------------------------------------------------------------------------------------- parameters

    @property
    def theta(self):
        return self._theta

    @theta.setter
    def theta(self, values):
        array = checks.real("theta", values, self.dtype)
        if array.shape != self._theta.shape:
            raise ValueError(f"`theta` must have shape {self._theta.shape}, got {array.shape}")
        checks.finite("theta", array)
        self._theta[:] = array

    @property
    def params(self):
        return self.layout.views(self._theta)

    @property
    def effective(self):
        """What layers compute with, by name: copies of `params`, positive where they must be (softplus or clipping)."""
        return self.layout.views(self.layout.effective(self._theta))

    @property
    def buffers(self):
        """Named views of what is saved with the model but not trained, such as a wiring's fixed gains."""
        return self._buffer_layout.views(self._buffers)

    def views(self, vector):
        """Named views of any flat vector of theta's length: a gradient, an optimiser's moments."""
        return self.layout.views(vector)

    @property
    def wiring(self):
        """The built wiring of the only layer that has one, with ``pre post sensory_pre sensory_post``."""
        return self._stack.wiring

    def _select(self, names):
        chosen = np.zeros(self.layout.size, bool)
        for name in names or self.layout.slices:
            if not isinstance(name, str) or name not in self.layout.slices:
                known = ", ".join(self.layout.slices)
                raise ValueError(f"`names` must be parameters of the model ({known}), got {name!r}")
            chosen[self.layout.slices[name][0]] = True
        return chosen

    def freeze(self, *names):
        """Keep these parameters (all without names) as they are: their gradient is 0, optimisers leave them."""
        mask = self._select(names)
        self.trainable = ~mask if self.trainable is None else self.trainable & ~mask

    def unfreeze(self, *names):
        """Train these parameters (all without names) again."""
        mask = self._select(names)
        if self.trainable is not None:
            self.trainable = self.trainable | (mask & self.layout.trainable)
            self.trainable = None if self.trainable.all() else self.trainable

    def project(self):
        """Move clipped parameters that are not frozen back to their bound; `Optimizer.step` does it."""
        if self.trainable is None:
            self.layout.project(self._theta)
        else:
            projected = self._theta.copy()
            self.layout.project(projected)
            self._theta[self.trainable] = projected[self.trainable]

    # -------------------------------------------------------------------------------------------- inner calls

    def _prepare(self, workspace):
        """What every call needs of the parameters: their effective values, and each layer's own of them."""
        values, p = workspace.views("values", self.layout, self.dtype)
        self.layout.effective(self._theta, out=values)
        fixed, buffers = workspace.views("buffers", self._buffer_layout, self.dtype)
        fixed[:] = self._buffers
        return values, self._stack.prepare(p, buffers, self.backend)

    @property
    def _whole_on_gpu(self):
        """Whether all layers run on the GPU, one after the other; else each goes there and back, if it can."""
        return self.backend == "cuda" and kernels.load("cuda", "stack").missing(self) is None

    def _check_steps(self, prepared, dt):
        """Let every layer look at the elapsed times that are to come."""
        self._stack.check(prepared[1], dt)

    def _check_outputs(self, y, state, dt):
        """Refuse what has overflown, in models with a layer whose state may."""
        if not self._stack.may_overflow or (checks.surely_finite(y) and checks.surely_finite(state)):
            return
        if not (np.isfinite(y).all() and np.isfinite(state).all()):
            layer = next(layer for layer in self.layers if layer.may_overflow)
            raise FloatingPointError(
                f"outputs and states must be finite, but the state of {layer!r} overflows, for `dt` up to "
                f"{dt.max():.4g}: take shorter steps, inputs of a smaller scale, or smaller weights"
            )

    def _forward(self, prepared, x, dt, lengths, valid, h0, keep, workspace, dropout_seed=None):
        """All layers on checked arrays: y (B, T, O), 0 in padding; state (B, K); what backward needs."""
        if self._whole_on_gpu:
            return kernels.load("cuda", "stack").of(self).run(x, dt, lengths, valid, h0, keep, workspace)
        return self._stack.forward(
            prepared[1], x, dt, lengths, valid, h0, keep, workspace, lambda k: _dropout_rng(dropout_seed, k)
        )

    def _backward(self, prepared, saved, valid, d_y, d_h, want_x, want_dt, workspace):
        """Adjoint of `_forward`, on checked arrays: flat gradient in theta's dtype, d_x, d_h0, d_dt."""
        values, layers = prepared
        if self._whole_on_gpu:
            gradient, d_x, d_h0, d_dt = saved.stack.run_back(saved, d_y, d_h, want_x, want_dt, workspace)
        else:
            d_values, g = workspace.views("gradient", self.layout, np.float64)
            d_values[:] = 0
            d_x, d_h0, d_dt = self._stack.backward(layers, saved, valid, d_y, d_h, g, want_x, want_dt, workspace)
            gradient = self.layout.d_effective(values, d_values).astype(self.dtype)
        if self.trainable is not None:
            gradient[~self.trainable] = 0
        return gradient, d_x, d_h0, d_dt

    def _check(self, x, dt, lengths, h0, workspace=None):
        """Checked arrays (x, dt, lengths, valid, h0), and whether x was a single sequence."""
        x, dt, lengths, valid, single = self._check_inputs(x, dt, lengths, workspace or Fresh())
        return x, dt, lengths, valid, self._check_state("h0", h0, x.shape[0], single), single

    def _check_inputs(self, x, dt, lengths, workspace):
        I = self.input_size
        expected = f"(B, T, {I}) or (T, {I})"
        x = checks.real("x", x, self.dtype, expected)
        single = x.ndim == 2
        if x.ndim not in (2, 3) or x.shape[-1] != I:
            raise ValueError(f"`x` must be {expected}, got shape {x.shape}")
        if 0 in x.shape:
            raise ValueError(f"`x` must hold at least one sequence of at least one step, got shape {x.shape}")
        if single:
            x = x[None]
            if lengths is not None:
                raise ValueError(f"`lengths` needs a batch (B, T, {I}), got a single sequence (T, {I})")
        B, T, _ = x.shape
        if lengths is None:
            lengths, valid = workspace.kept("lengths", (B, T), lambda: checks.lengths(None, B, T))
        else:
            lengths, valid = checks.lengths(lengths, B, T)
        checks.finite("x", x, valid)
        if valid is not None:
            x = np.where(valid[:, :, None], x, self.dtype.type(0))
        if dt is not None and not self.takes_dt:
            raise ValueError(
                f"`dt` must be left out: no layer of this model has a notion of elapsed time, got {checks.brief(dt)}"
            )
        if dt is None and valid is None:
            dt = workspace.kept("dt", (B, T), lambda: checks.elapsed(None, B, T, self.dtype, None, single))
        else:
            dt = checks.elapsed(dt, B, T, self.dtype, valid, single)
        return x, dt, lengths, valid, single

    def _check_state(self, name, state, B, single):
        K = self.state_size
        if state is None:
            return self._initial_state(B)
        expected = f"({K},)" if single else f"(B, K) = ({B}, {K})"
        state = checks.real(name, state, self.dtype, expected)
        if state.shape != ((K,) if single else (B, K)):
            raise ValueError(f"`{name}` must have shape {expected}, got {state.shape}")
        checks.finite(name, state)
        return state.reshape(B, K)

    def _initial_state(self, B):
        return self._stack.initial_state(B, self.dtype)

    # ------------------------------------------------------------------------------------------ public calls

    def initial_state(self, batch_size=None):
        """The state a sequence starts from: (B, K), or (K,) without ``batch_size``."""
        B = 1 if batch_size is None else checks.integer("batch_size", batch_size)
        state = self._initial_state(B)
        return state[0] if batch_size is None else state

    def __call__(self, x, dt=None, *, lengths=None, h0=None, return_state=False, return_sequences=None):
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

        Returns
        -------
        y : (B, T, O), or (B, O) without sequences; (T, O) or (O,) for one sequence

        Raises
        ------
        ValueError, TypeError
            An argument that does not fit, or steps too long for an explicit solver.
        FloatingPointError
            The state of a layer that may (`NeuralODE` with relu) overflows.  So do the other calls.
        """
        on_device = self._on_device(x)
        if on_device:
            return on_device.call(self, x, dt, lengths, h0, return_state, self._sequences(return_sequences))
        x, dt, lengths, valid, h0, single = self._check(x, dt, lengths, h0)
        prepared = self._prepare(Fresh())
        self._check_steps(prepared, dt)
        y, state, _ = self._forward(prepared, x, dt, lengths, valid, h0, None, Fresh())
        self._check_outputs(y, state, dt)
        y = y if self._sequences(return_sequences) else last_outputs(y, lengths)
        if single:
            y, state = y[0], state[0]
        return (y, state) if return_state else y

    def _on_device(self, array):
        """What takes arrays on a GPU (CuPy's, PyTorch's, ...) if this is one, else None."""
        if not hasattr(array, "__cuda_array_interface__"):
            return None
        if self.backend != "cuda":
            raise TypeError(f'arrays on a GPU need a model with backend="cuda", got one with backend="{self.backend}"')
        return kernels.load("cuda", "calls")

    def _sequences(self, override):
        return self.return_sequences if override is None else checks.boolean("return_sequences", override)

    def forward(
        self, x, dt=None, *, lengths=None, h0=None, return_sequences=None, memory="full", dropout_seed=None
    ):  # fmt: skip
        """`__call__` that keeps a tape: ``(y, tape)`` for `backward`.

        Parameters
        ----------
        x, dt, lengths, h0, return_sequences
            As for a call.
        memory : "full" or "low"
            What the tape of an LTC holds: 2*T*U*N numbers a sequence, times the stages of its solver, or T*N, from
            which `backward` runs every step again (about a third slower); of a CfC: everything, or its states.
        dropout_seed : int or tuple of ints >= 0, optional
            Drop what training drops, always the same for the same seed; default: nothing is dropped, as in calls.
        """
        keep, dropout_seed = check_memory(memory), _check_dropout_seed(dropout_seed)
        on_device = self._on_device(x)
        if on_device:
            return on_device.forward(self, x, dt, lengths, h0, self._sequences(return_sequences), keep)
        x_given, h0_given = x, h0
        dt_shape = () if dt is None else checks.plain("dt", dt, "real numbers").shape
        x, dt, lengths, valid, h0, single = self._check(x, dt, lengths, h0)
        # The tape outlives the call: it must not hold arrays that the caller may change.
        x, h0 = (
            a.copy() if b is not None and np.may_share_memory(a, b) else a for a, b in ((x, x_given), (h0, h0_given))
        )
        prepared = self._prepare(Fresh())
        self._check_steps(prepared, dt)
        y, state, saved = self._forward(prepared, x, dt, lengths, valid, h0, keep, Fresh(), dropout_seed)
        self._check_outputs(y, state, dt)
        sequences = self._sequences(return_sequences)
        y = y.copy() if sequences else last_outputs(y, lengths)  # the tape may hold y, and this one is the caller's
        y = y[0] if single else y
        tape = Tape(self, prepared, saved, lengths, valid, dt_shape, y.shape, sequences, single)
        return y, tape

    def backward(self, tape, d_y, d_state=None):
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
        on_device = self._on_device(d_y)
        if on_device:
            return Gradients(*on_device.backward(self, tape, d_y, d_state))
        if hasattr(tape, "owner") and not isinstance(tape, Tape):
            raise TypeError("`d_y` must lie on the GPU, as the arrays of the tape's `forward` did, got one of the host")
        if not isinstance(tape, Tape):
            raise TypeError(f"`tape` must come from `forward`, got {type(tape).__name__}")
        if tape.owner is not self:
            raise ValueError(f"`tape` must come from this model's own `forward`, got one of {tape.owner!r}")
        d_y = checks.real("d_y", d_y, self.dtype, f"an array of shape {tape.y_shape}")
        if d_y.shape != tape.y_shape:
            raise ValueError(f"`d_y` must have y's shape {tape.y_shape}, got {d_y.shape}")
        d_y = d_y[None] if tape.single else d_y
        B = d_y.shape[0]
        if tape.return_sequences:
            if tape.valid is not None:
                d_y = np.where(tape.valid[:, :, None], d_y, self.dtype.type(0))
        else:
            T = tape.valid.shape[1] if tape.valid is not None else int(tape.lengths[0])
            d_y = d_last_outputs(d_y, tape.lengths, T)
        checks.finite("d_y", d_y)
        if d_state is None:
            d_h = np.zeros((B, self.state_size), self.dtype)
        else:
            d_h = self._check_state("d_state", d_state, B, tape.single)
        theta, d_x, d_h0, d_dt = self._backward(
            tape.prepared, tape.saved, tape.valid, d_y, d_h, True, self.takes_dt, Fresh()
        )
        if d_dt is not None:
            if tape.dt_shape == ():
                d_dt = self.dtype.type(d_dt.sum(dtype=np.float64))
            elif len(tape.dt_shape) == 1:
                d_dt = d_dt.sum(0, dtype=np.float64).astype(self.dtype)
        if tape.single:
            d_x, d_h0 = d_x[0], d_h0[0]
        return Gradients(theta, d_x, d_h0, d_dt)

    def loss_and_grad(
        self,
        x,
        y,
        dt=None,
        *,
        lengths=None,
        h0=None,
        loss="mse",
        sample_weight=None,
        class_weight=None,
        l1=None,
        l2=None,
        memory="full",
        dropout_seed=None,
    ):
        """Loss of a batch and its gradient with respect to theta.

        Parameters
        ----------
        x, dt, lengths, h0
            As for a call.
        y : array
            Targets: of the output's shape, or integers without its last axis for ``"cross_entropy"``.
        loss : str or callable
            A name from `ltc_np.losses`, or ``(y, target) -> (value, d_y)``.
        sample_weight : (B,) or (B, T) array, optional
            Weights >= 0; the loss is sum(w*l) / sum(w) over the valid elements.
        class_weight : (C,) array, optional
        l1, l2 : number or dict name -> number, optional
            Penalties l1*sum|p| + l2*sum p^2 on effective values; a number means every parameter.
        memory : "full" or "low"
            As for `forward`; the gradient is the same bits.
        dropout_seed : int or tuple of ints >= 0, optional
            As for `forward`; `fit` takes (its seed, the number of the optimiser step).

        Returns
        -------
        loss : float
            Penalties included.
        grad : (P,) array
            0 for frozen parameters.
        """
        keep, dropout_seed = check_memory(memory), _check_dropout_seed(dropout_seed)
        # A workspace of this thread, taken away while in use: a loss of the caller's may come back here.
        workspace = vars(self._local).pop("workspace", None) or Workspace()
        try:
            x, dt, lengths, valid, h0, single = self._check(x, dt, lengths, h0, workspace)
            B, T, _ = x.shape
            valid_y = valid_outputs(valid, lengths, self.return_sequences)
            if single:
                y = checks.plain("y", y)[None]
            shape = target_shape(self, B, T, y)
            target = losses.check_target(loss, shape, y, self.dtype, valid_y, "y")
            weight = output_weight(loss, sample_weight, shape[:-1], valid_y, self.dtype)
            value, _, gradient, _, _ = self._loss_and_grad(
                x,
                target,
                dt,
                lengths,
                valid,
                h0,
                losses.get(loss),
                weight,
                class_weight,
                self.penalty(l1, l2),
                keep,
                workspace,
                dropout_seed,
                check=True,
            )
        finally:
            self._local.workspace = workspace
        return value, gradient

    def _loss_and_grad(
        self, x, target, dt, lengths, valid, h0, loss, weight, class_weight, penalty, keep, workspace,
        dropout_seed=None, check=False,
    ):  # fmt: skip
        """(loss, sum of weights, gradient, outputs, last state) on checked arrays."""
        prepared = self._prepare(workspace)
        if check:
            self._check_steps(prepared, dt)
        y, state, saved = self._forward(prepared, x, dt, lengths, valid, h0, keep, workspace, dropout_seed)
        if check:
            self._check_outputs(y, state, dt)
        outputs = y if self.return_sequences else last_outputs(y, lengths)
        total, weight_sum, d_y = loss(outputs, target, weight, class_weight)
        value = losses.normalise(total, weight_sum)
        if weight_sum != 1:
            d_y *= self.dtype.type(1 / weight_sum)
        if not self.return_sequences:
            d_y = d_last_outputs(d_y, lengths, y.shape[1])
        elif valid is not None:
            d_y = np.where(valid[:, :, None], d_y, self.dtype.type(0))
        d_h = np.zeros_like(state)
        gradient, _, _, _ = self._backward(prepared, saved, valid, d_y, d_h, False, False, workspace)
        if penalty is not None:
            value += penalty.add(self, gradient)
        return value, weight_sum, gradient, outputs, state

    def penalty(self, l1, l2):
        """Checked penalties, or None; see `loss_and_grad`."""
        terms = []
        for name, spec in (("l1", l1), ("l2", l2)):
            if spec is None:
                continue
            if not isinstance(spec, dict):
                spec = dict.fromkeys(self.layout.slices, checks.number(name, spec))
            for key, factor in spec.items():
                if key not in self.layout.slices:
                    raise ValueError(f"`{name}` must name parameters ({', '.join(self.layout.slices)}), got {key!r}")
                terms.append((name, self.layout.slices[key][0], checks.number(f"{name}[{key!r}]", factor)))
        return Penalty(tuple(terms)) if terms else None

    def step(self, x_t, dt=None, state=None, out=None):
        """One time step, for streams: ``(y_t, state)``.

        The same as the sequence call: to the bit for layers with the flag ``bitwise_batch`` (`LTC`), else up to
        rounding.  While theta does not change its prepared form is kept.  An error for models whose outputs depend on
        later inputs (`Bidirectional`).

        Parameters
        ----------
        x_t : (I,) array, or (B, I)
        dt : number, or (B,) array for a batch, optional
            Elapsed time since the step before.  Default 1.
        state : (K,) or (B, K) array, optional
            From the step before; default `initial_state`.
        out : tuple of arrays (y_t, state), optional
            Where to put the result, and what is returned: (O,) or (B, O), and (K,) or (B, K), of the model's dtype.
            The state given may be the same array.  With it, and arrays of the model's dtype, nothing is allocated.
        """
        if not self._stack.causal:
            raise ValueError(
                "`step` needs layers whose outputs depend on no later input (flag `causal`), got "
                f"{next(layer for layer in self.layers if not layer.causal)!r}: call the model on whole sequences"
            )
        x = x_t
        if type(x) is not np.ndarray or x.dtype != self.dtype:
            x = checks.real("x_t", x_t, self.dtype, f"({self.input_size},) or (B, {self.input_size})")
        single = x.ndim == 1
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size or x.size == 0:
            raise ValueError(f"`x_t` must be ({self.input_size},) or (B, {self.input_size}), got shape {x.shape}")
        prepared, streams = self._kept()
        B = 1 if single else x.shape[0]
        stream = streams.get(B)
        if stream is None:
            streams.clear()  # those of other batch sizes
            stream = streams[B] = Stream(self, B)
        stream.read(x, dt, state, single)
        self._check_steps(prepared, stream.dt)
        y, state, _ = self._forward(
            prepared, stream.x, stream.dt, stream.lengths, None, stream.state, None, stream.workspace
        )
        self._check_outputs(y, state, stream.dt)
        return stream.write(y, state, out, single)

    def _kept(self):
        """`_prepare` and the streams of `step`, remembered by each thread while theta and buffers stay the same."""
        kept = getattr(self._local, "kept", None)
        if kept is None or kept[0] != self._theta.tobytes() or kept[1] != self._buffers.tobytes():
            prepared = self._prepare(Fresh())
            kept = self._local.kept = self._theta.tobytes(), self._buffers.tobytes(), (prepared, {})
        return kept[2]

    def predict(self, x, dt=None, *, lengths=None, h0=None, batch_size=None):
        """Outputs of many sequences, a bounded number at a time.

        Parameters
        ----------
        x : (B, T, I) array, or a list of (T_i, I) arrays
            For a list ``dt`` may be a number or a list of (T_i,), and a list of (T_i, O) comes back.
        dt, lengths, h0
            As for a call.
        batch_size : int, optional
            Sequences at a time; default as many as keep memory around 4 million numbers.
        """
        if data.is_list_of_sequences(x):
            if lengths is not None:
                raise ValueError("`lengths` must be left out for a list of sequences, got both")
            return self._predict_list(x, dt, h0, batch_size)
        x, dt, lengths, valid, h0, single = self._check(x, dt, lengths, h0)
        B, T, _ = x.shape
        n = self._predict_batch(T) if batch_size is None else checks.integer("batch_size", batch_size)
        workspace, parts = Workspace(), []
        prepared = self._prepare(workspace)
        self._check_steps(prepared, dt)
        for b in range(0, B, n):
            part = slice(b, b + n)
            y, state, _ = self._forward(
                prepared, x[part], dt[part], lengths[part], None if valid is None else valid[part], h0[part],
                None, workspace,
            )  # fmt: skip
            self._check_outputs(y, state, dt[part])
            # y may lie in the workspace, which the next part writes to.
            parts.append(y.copy() if self.return_sequences else last_outputs(y, lengths[part]))
        y = np.concatenate(parts)
        return y[0] if single else y

    def _predict_batch(self, T):
        """Sequences of T steps that `predict` takes at once."""
        numbers = T * max(self.input_size, *(layer.output_size + 2 * layer.state_size for layer in self.layers))
        if self.backend == "numpy":  # whose temporaries hold some numbers for each synapse and sequence
            numbers += 2 * self.layout.size
        most = PREDICT_NUMBERS_CUDA if self.backend == "cuda" else PREDICT_NUMBERS
        return max(1, most // numbers)

    def _predict_list(self, x, dt, h0, batch_size):
        """`predict` for a list of (T_i, I): padded in groups, so that one long sequence does not lengthen all."""
        for k, sequence in enumerate(x):
            sequence = checks.real(f"x[{k}]", sequence, self.dtype, f"(T, {self.input_size})")
            if sequence.shape[1] != self.input_size:
                raise ValueError(f"`x[{k}]` must be (T, {self.input_size}), got shape {sequence.shape}")
            checks.finite(f"x[{k}]", sequence)
        lengths = [len(sequence) for sequence in x]
        if isinstance(dt, (list, tuple)):
            data.check_same_lengths("dt", dt, lengths)
        elif np.ndim(dt) > 0:
            raise ValueError(f"`dt` must be a number or a list for a list of sequences, got shape {np.shape(dt)}")
        if batch_size is not None:
            checks.integer("batch_size", batch_size)
        B, first, outputs = len(x), 0, []
        if h0 is not None:
            h0 = self._check_state("h0", h0, B, False)
        while first < B:
            last, longest = first + 1, lengths[first]
            while last < B:
                longest = max(longest, lengths[last])
                fits = batch_size or self._predict_batch(max(longest, 1))
                if last - first >= fits:
                    break
                last += 1
            if not any(lengths[first:last]):
                empty = np.zeros((0, self.output_size) if self.return_sequences else self.output_size, self.dtype)
                outputs += [empty.copy() for _ in range(first, last)]
                first = last
                continue
            padded, own = data.pad(x[first:last], name="x")
            part_dt = data.pad(dt[first:last], name="dt")[0] if isinstance(dt, (list, tuple)) else dt
            start = None if h0 is None else h0[first:last]
            y = self.predict(padded, part_dt, lengths=own, h0=start, batch_size=batch_size)
            outputs += [y[b, :n].copy() for b, n in enumerate(own)] if self.return_sequences else list(y)
            first = last
        return outputs if self.return_sequences else np.stack(outputs)

    # ------------------------------------------------------------------------- training, files (loaded on use)

    def fit(self, x, y, **options):
        """Train; see `ltc_np.train.fit` for every option."""
        from .train import fit

        return fit(self, x, y, **options)

    def evaluate(self, x, y, **options):
        """Loss and metrics; see `ltc_np.train.evaluate`."""
        from .train import evaluate

        return evaluate(self, x, y, **options)

    def save(self, path, optimizer=None):
        """Write the model to one ``.npz`` file; see `ltc_np.io.save`."""
        from .io import save

        save(path, self, optimizer)

    def summary(self):
        """A table of layers, states and parameters as text."""
        lines = [f"{'layer':<44} {'output':>7} {'state':>6} {'parameters':>10}"]
        for layer in self.layers:
            name = repr(layer)
            name = name if len(name) <= 44 else name[:41] + "..."
            lines.append(f"{name:<44} {layer.output_size:>7} {layer.state_size:>6} {layer.layout.size:>10,}")
        count = self.layout.size if self.trainable is None else int(self.trainable.sum())
        lines.append(f"{self.layout.size:,} parameters, {count:,} trainable, {self.dtype.name}, backend {self.backend}")
        if self.trainable is not None:
            frozen = [name for name, (where, _) in self.layout.slices.items() if not self.trainable[where].any()]
            lines.append(f"frozen: {', '.join(frozen)}")
        return "\n".join(lines)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(map(repr, self.layers))}, dtype={self.dtype.name!r})"

    def __setattr__(self, name, value):
        if name in ("layers", "layout", "dtype", "backend") and "_local" in vars(self):
            raise AttributeError(
                f"`{name}` of a model cannot be set: make a new one, or `load` it with another backend"
            )
        if "_local" in vars(self) and any(hasattr(layer, name) for layer in self.layers):
            raise AttributeError(
                f"`{name}` belongs to a layer and cannot be set: make a new model with it and copy the parameters "
                "(new.theta = model.theta)"
            )
        super().__setattr__(name, value)

    def __getstate__(self):
        state = self.__dict__.copy()
        del state["_local"]
        state["_theta"], state["_buffers"] = self._theta.copy(), self._buffers.copy()  # also for copy.copy
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        try:
            kernels.resolve(self.backend)
        except ImportError:  # where this is unpickled numba or the GPU may be missing
            vars(self)["backend"] = kernels.resolve("auto")
        self._local = threading.local()


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

    def __init__(
        self,
        wiring,
        input_dim=None,
        hidden_dim=None,
        output_dim=None,
        *,
        proj_size=None,
        mixed_memory=False,
        seed=None,
        dtype="float32",
        backend="auto",
        return_sequences=True,
        **options,
    ):
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
    CfCRNN(CfC(32, 3), Dense(32, 2), dtype='float32')
    """

    def __init__(
        self,
        units_or_wiring,
        input_dim=None,
        *,
        proj_size=None,
        mixed_memory=False,
        seed=None,
        dtype="float32",
        backend="auto",
        return_sequences=True,
        **options,
    ):
        cell = WiredCfC if isinstance(units_or_wiring, Wiring) else CfC
        layers = _one_cell(cell, units_or_wiring, input_dim, mixed_memory, proj_size, options)
        super().__init__(*layers, seed=seed, dtype=dtype, backend=backend, return_sequences=return_sequences)


def _one_cell(cell, units_or_wiring, input_dim, mixed_memory, proj_size, options):
    """The layers of a model of one cell, of class ``cell``."""
    known = [p.name for p in inspect.signature(cell).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            raise TypeError(f"`{name}` is no option of the model or its {cell.__name__}, which has {', '.join(known)}")
    units = getattr(units_or_wiring, "units", units_or_wiring)
    layer = with_memory(mixed_memory, lambda size: cell(units_or_wiring, size, **options), input_dim, units)
    if proj_size is None:
        return [layer]
    return [layer, Dense(layer.output_size, checks.integer("proj_size", proj_size))]


def check_memory(memory):
    """``memory`` if it is one of the two words."""
    if memory not in ("full", "low"):
        raise ValueError(f'`memory` must be "full" or "low", got {memory!r}')
    return memory


def _check_dropout_seed(seed):
    """``seed`` as a tuple of ints, or None."""
    if seed is None:
        return None
    return tuple(checks.integer("dropout_seed", s, 0) for s in (seed if isinstance(seed, tuple) else (seed,)))


def _dropout_rng(seed, layer):
    """The random numbers that layer number ``layer`` drops by, or None."""
    if seed is None:
        return None
    # NumPy takes a seed that ends in zeros for the shorter one, so the length goes before.
    sequence = np.random.SeedSequence((len(seed), *seed), spawn_key=(layer,))
    return np.random.Generator(np.random.Philox(sequence))
