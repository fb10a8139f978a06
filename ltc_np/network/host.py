"""The engine of the host: the layers one after another, each with the kernels of the network's backend."""

import contextlib
import math
import threading
from typing import NamedTuple

import numpy as np

from .. import kernels, losses
from ..base import checks
from ..base.workspace import Fresh, Workspace
from ..cells.dropping import PartOfBatch
from ..layers.parallel import PROCESSOR, Parallel
from .bound import HostGradients, why_not
from .engine import Adjoints, Answer, Dropped, Engine, Gradients, Measured, Tape, Trainer
from .outputs import d_last_outputs, last_outputs
from .sequences import check_state, read
from .stream import Stream

# `predict` takes as many sequences at once as keep its arrays about this many numbers large.
PREDICT_NUMBERS = 4_000_000
# A thread keeps buffers for steps of several batch sizes, so many rows of these in all.
STREAM_ROWS = 1 << 15
# What overflows is looked for in the results, and said once.
QUIET = {"over": "ignore", "invalid": "ignore"}


class Prepared(NamedTuple):
    """Effective values of theta (P,), and what each layer made of them."""

    values: np.ndarray
    layers: list


class Remembered(NamedTuple):
    """What a thread keeps while parameters and buffers stay the same: their version; for `step`, streams by batch."""

    version: tuple
    prepared: Prepared
    streams: dict


class HostEngine(Engine):
    """See `Engine`."""

    most_numbers, width = PREDICT_NUMBERS, PROCESSOR

    def __init__(self, network):
        super().__init__(network)
        self._local = threading.local()
        backend = kernels.on_host(network.backend)
        self._effective = kernels.load(backend, "effective")
        self._surely_finite = kernels.load(backend, "sums").surely_finite
        self._pieces = kernels.load("cpu", "losses").PIECES if backend == "cpu" else {}

    # ---------------------------------------------------------------------------------------- public calls

    def calls_for(self, x):
        self.refuse_device(x)
        return self

    def refuse_device(self, array):
        """An error for an array that lies on a card."""
        if hasattr(array, "__cuda_array_interface__"):
            backend = self.network.backend
            raise TypeError(f'arrays on a GPU need a model with backend="cuda", got one with backend="{backend}"')

    def read(self, x, dt, lengths, h0, return_sequences, own=False):
        shapes = getattr(self._local, "shapes", None)
        if shapes is None:
            shapes = self._local.shapes = Workspace()
        given = read(self.network, x, dt, lengths, h0, return_sequences, shapes, self._surely_finite)
        if not own:
            return given
        arrays = given.sequences
        x, h0 = (
            a.copy() if b is not None and np.may_share_memory(a, b) else a for a, b in ((arrays.x, x), (arrays.h0, h0))
        )
        return given._replace(sequences=arrays._replace(x=x, h0=h0))

    def call(self, given, keep=None, dropout_seed=None, parallel_time=None):
        prepared = self.remembered().prepared
        self.check(prepared, given.sequences)
        y, state, saved = self.forward(prepared, given.sequences, keep, Fresh(), dropout_seed, parallel_time)
        self.check_outputs(y, state, given.sequences.dt)
        pace = self.network.pace(given.sequences, saved)
        if keep is None:
            return Answer(given.outputs(y, pace), given.state(state), None)
        if given.return_sequences and self.network.layer_stack.layers[-1].keeps_outputs:
            y = y.copy()  # this one is the caller's
        y = given.outputs(y, pace)
        return Answer(y, given.state(state), Tape(self, given, prepared, saved, y.shape))

    def differentiate(self, tape, d_y, d_state, want_x=True, want_dt=True):
        self.refuse_device(d_y)
        network, given, dtype = self.network, tape.given, self.network.dtype
        d_y = checks.real("d_y", d_y, dtype, f"an array of shape {tape.y_shape}")
        if d_y.shape != tape.y_shape:
            raise ValueError(f"`d_y` must have y's shape {tape.y_shape}, got {d_y.shape}")
        d_y = given.d_outputs(d_y, network.pace(given.sequences, tape.saved))
        checks.finite("d_y", d_y, quick=self._surely_finite)
        if d_state is None:
            d_h = np.zeros((d_y.shape[0], network.state_size), dtype)
        else:
            d_h = check_state(network, "d_state", d_state, d_y.shape[0], given.single)
        want_dt = want_dt and network.takes_dt
        theta, d_x, d_h0, d_dt = self.backward(
            tape.prepared, tape.saved, given.sequences.valid, d_y, d_h, want_x, want_dt, Fresh()
        )
        d_x = given.state(d_x) if want_x else None  # layers may give what is not asked for
        found = Gradients(theta, d_x, given.state(d_h0), given.d_elapsed(d_dt) if want_dt else None)
        self.check_gradients(**found._asdict())
        return found

    # ----------------------------------------------------------------------------------------- inner calls

    def prepare(self, workspace):
        return self._prepared(workspace, self.network.theta, self.network.buffer_vector)

    def _prepared(self, workspace, theta, buffer_vector):
        network = self.network
        values, p = workspace.views("values", network.layout, network.dtype)
        network.layout.effective(theta, out=values)
        fixed, buffers = workspace.views("buffers", network.buffer_layout, network.dtype)
        if fixed.size:
            fixed[:] = buffer_vector
        return Prepared(values, network.layer_stack.prepare(p, buffers, network.backend))

    def check(self, prepared, sequences):
        _, dt, lengths, _, h0 = sequences
        self.network.layer_stack.check(prepared.layers, dt, lengths, h0)

    def check_outputs(self, y, state, dt):
        """Refuse what has overflown."""
        if self._surely_finite(y) and self._surely_finite(state):
            return
        ends = np.isfinite(state).all(axis=tuple(range(state.ndim - 1)))
        if ends.all() and np.isfinite(y).all():
            return
        stack = self.network.layer_stack
        found = [layer for layer, part in zip(stack.layers, stack.states, strict=True) if not ends[part].all()]
        what = f"the state of {found[0]!r} overflows" if found else f"an output of {stack.layers[-1]!r} overflows"
        steps, remedy = "", ""
        if self.network.takes_dt:
            steps, remedy = f", for `dt` up to {dt.max():.4g}", "shorter steps, "
        raise FloatingPointError(
            f"outputs and states must be finite in {self.network.dtype}, but {what}{steps}: take {remedy}inputs of a "
            "smaller scale, or smaller weights"
        )

    def check_gradients(self, **found):
        """Refuse gradients that have overflown, by name; they may where outputs do not."""
        for name, array in found.items():
            if not (array is None or self._surely_finite(array) or np.isfinite(array).all()):
                raise FloatingPointError(
                    f"gradients must be finite in {self.network.dtype}, but that of `{name}` overflows: take inputs "
                    "or `d_y` of a smaller scale, or smaller weights"
                )

    def forward(self, prepared, sequences, keep, workspace, dropout_seed=None, parallel_time=None):
        network, cutting = self.network, self.cutting(sequences, parallel_time)
        with np.errstate(**QUIET):
            found = network.layer_stack.forward(
                prepared.layers, *sequences, keep, workspace, lambda k: _dropout_rng(dropout_seed, k), cutting
            )
        network.note_parallel(() if cutting is None else tuple(cutting.reports))
        return found

    def cutting(self, sequences, parallel_time):
        """`Parallel` for a call with these `Sequences`, None where they stay whole in any case."""
        settings = parallel_time or self.network.parallel_time
        return Parallel(settings, self.width) if settings.concerns(sequences.dt.shape, self.width) else None

    def backward(self, prepared, saved, valid, d_y, d_h, want_x, want_dt, workspace):
        layout = self.network.layout
        d_values, g = workspace.views("gradient", layout, np.float64)
        d_values.fill(0)
        with np.errstate(**QUIET):
            d_x, d_h0, d_dt = self.network.layer_stack.backward(
                prepared.layers, saved, valid, d_y, d_h, g, want_x, want_dt, workspace
            )
            gradient = self._effective.d_effective(layout, prepared.values, d_values)
        return Adjoints(self.unfrozen(gradient), d_x, d_h0, d_dt)

    def unfrozen(self, gradient):
        """The gradient, 0 for frozen parameters; in place."""
        if self.network.trainable is not None:
            gradient[~self.network.trainable] = 0
        return gradient

    def loss_and_grad(self, batch, objective, keep, workspace, dropout_seed=None, check=False, parallel_time=None):
        network, (given, target, weight, _) = self.network, batch
        prepared = self.prepare(workspace)
        if check:
            self.check(prepared, given)
        y, state, saved = self.forward(prepared, given, keep, workspace, dropout_seed, parallel_time)
        buffers = None
        if network.layer_stack.batch_statistics and dropout_seed is not None:
            held = network.buffer_layout.arrays(network.buffer_vector)
            buffers = network.layer_stack.new_buffers(held, saved)
        if check:
            self.check_outputs(y, state, given.dt)
        pace = network.pace(given, saved)
        outputs = y if network.return_sequences else last_outputs(y, pace.lengths)
        loss = losses.trusted(objective.loss, self._pieces)
        total, weight_sum, d_y = loss(outputs, target, weight, objective.class_weight)
        value = losses.normalise(total, weight_sum)
        if weight_sum != objective.unit:
            d_y *= network.dtype.type(objective.unit / weight_sum)
        if not network.return_sequences:
            d_y = d_last_outputs(d_y, pace.lengths, y.shape[1])
        elif pace.valid is not None:
            d_y = np.where(pace.valid[:, :, None], d_y, network.dtype.type(0))
        d_h = np.zeros(state.shape, state.dtype)
        gradient = self.backward(prepared, saved, given.valid, d_y, d_h, False, False, workspace).theta
        if check:
            self.check_gradients(theta=gradient)
        if objective.penalty is not None:
            value += objective.penalty.add(network, gradient) / objective.unit
        return Measured(value, weight_sum, gradient, outputs, state, buffers=buffers)

    # ------------------------------------------------------------------------------- what a thread keeps

    def remembered(self):
        """`Remembered` of this thread, made anew when parameters or buffers have changed."""
        remembered, version = getattr(self._local, "remembered", None), self.network.parameter_version()
        if remembered is None or remembered.version != version:
            remembered = self._local.remembered = None  # given back before its successor is made
            prepared = self._prepared(Fresh(), *self.arrays_of(version))
            remembered = self._local.remembered = Remembered(version, prepared, {})
        return remembered

    def arrays_of(self, version):
        """Parameters and buffers of this version: those of the network may be changed by another thread meanwhile."""
        return tuple(np.frombuffer(held, self.network.dtype) for held in version)

    def stream(self, B):
        """(`Prepared`, `Stream` of B sequences) for `step`."""
        remembered = self.remembered()
        stream = remembered.streams.get(B)
        if stream is None:
            while remembered.streams and B + sum(remembered.streams) > STREAM_ROWS:
                remembered.streams.pop(next(iter(remembered.streams)))
            stream = Stream(self.network, B)
            stream.run = self.stepper(remembered.prepared, stream.sequences, stream.workspace)
            remembered.streams[B] = stream
        return remembered.prepared, stream

    def stepper(self, prepared, sequences, workspace):
        """A function that computes one step of `Sequences` whose arrays stay the same; see `Layer.stepper`."""
        x, dt, _, _, h0 = sequences
        run = self.network.layer_stack.stepper(prepared.layers, x, dt, h0, workspace)
        return np.errstate(**QUIET)(run) if self.network.backend == "numpy" else run

    def take_workspace(self):
        """This thread's workspace, its own until it is put back: a loss of the caller's may come here again."""
        return vars(self._local).pop("workspace", None) or Workspace()

    def put_back(self, workspace):
        """Keep it for the thread's next call."""
        self._local.workspace = workspace

    # ------------------------------------------------------------------------------------------- the rest

    def sequences_at_once(self, T):
        network = self.network
        numbers = T * max(network.input_size, *(layer.output_size + 2 * layer.state_size for layer in network.layers))
        if network.backend == "numpy":  # whose temporaries hold some numbers for each synapse and sequence
            numbers += 2 * network.layout.size
        return max(1, self.most_numbers // numbers)

    def trainer(self, objective, optimizer, clip, keep, workspace):
        return HostTrainer(self, objective, optimizer, clip, keep, workspace)

    def announced(self, announce):
        if self.network.backend != "cpu":
            return contextlib.nullcontext()
        return kernels.load("cpu", "jit").announce(announce)


class HostTrainer(Trainer):
    """See `Trainer`: parameters and moments are where they belong, so `load` and `store` have nothing to do."""

    def __init__(self, engine, objective, optimizer, clip, keep, workspace):
        self.engine, self.objective, self.optimizer, self.clip = engine, objective, optimizer, clip
        self.keep, self.workspace = keep, workspace
        self.before, self.buffers_before = engine.network.theta.copy(), engine.network.buffer_vector.copy()
        self._gradient = self._buffers = None
        self._clipped = False

    @property
    def size(self):
        return self.engine.network.layout.size

    def load(self):
        pass

    def store(self):
        pass

    def gradient(self, batch, dropout_seed, want_outputs, want_state):
        found = self.engine.loss_and_grad(batch, self.objective, self.keep, self.workspace, dropout_seed)
        self.take(found.gradient, found.buffers)
        # The sum of squares is quick and may overflow.
        finite = math.isfinite(found.value) and checks.surely_finite(found.gradient)
        return found._replace(gradient=None, finite=finite)

    def bind(self, whole):
        reason = why_not(self.engine.network, self.objective, whole)
        return None if reason else HostGradients(self, whole), reason

    def flat(self):
        return self._gradient

    def take(self, gradient, buffers=None, clipped=False):
        """Keep a gradient (P,), and the buffers that it changes, for `update`; it may be ``clipped`` already."""
        self._gradient, self._buffers, self._clipped = gradient, buffers, clipped

    def replace(self, gradient):
        self._gradient = np.array(gradient, self.engine.network.dtype)

    def update(self):
        network = self.engine.network
        if self.clip is not None and not self._clipped:
            self.clip(self._gradient, network.layout)
        self.before[:] = network.theta
        if self.buffers_before.size:
            self.buffers_before[:] = network.buffer_vector
        self.optimizer.step(network, self._gradient)
        if self._buffers:
            for name, values in self._buffers.items():
                network.buffers[name] = values

    def restore(self):
        network = self.engine.network
        network.theta[:], network.buffer_vector[:] = self.before, self.buffers_before


def _dropout_rng(seed, layer):
    """The random numbers that layer number ``layer`` drops by, or None."""
    if seed is None:
        return None
    part = seed if isinstance(seed, Dropped) else None
    seed = part.seed if part else seed
    # NumPy takes a seed that ends in zeros for the shorter one, so the length goes before.
    numbers = np.random.Philox(np.random.SeedSequence((len(seed), *seed), spawn_key=(layer,)))
    return PartOfBatch(numbers, part.first, part.count) if part else np.random.Generator(numbers)
