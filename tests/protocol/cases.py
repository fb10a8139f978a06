"""Random models and sequences at the edge of what is allowed, drawn by hypothesis.

Hypothesis draws layers, wirings, sizes, the dtype, orders of magnitude, and the forms of dt and lengths, so that it can
make a failing case small.  The numbers themselves come from a seed, which it draws too.
"""

import warnings
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from support.exported import MAKERS, random_layers

from ltc_np import NCP, AutoNCP, Bidirectional, FullyConnected, MixedMemory, Model, Random, Wiring
from ltc_np.base.layout import raw
from ltc_np.cells import CELLS
from ltc_np.cells.synaptic import SynapticCell

# The powers of ten between which positive parameters (conductances, capacities, strengths) and dt lie.
POSITIVE, ELAPSED = (-6, 3), (-9, 6)
CHOICE_OF_B, CHOICE_OF_T = (1, 2, 3, 4, 5, 17), (1, 2, 3, 4, 6, 8)
SYNAPTIC = tuple(name for name, cell in CELLS.items() if issubclass(cell, SynapticCell))
FAMILIES = (*SYNAPTIC, "layer", "stack", "around")
AROUND = {"Bidirectional", "Ensemble"}  # layers that `_layers` puts around those that `MAKERS` make
# Answers jump where a convolution crosses its threshold, so that behind other layers rounding decides them; the battery
# and tests/layers have this layer by itself.
JUMPS = {"RandomConvolutions"}
FEWER = {"Patch", "Hold"}  # of fewer outputs than steps: tests/layers/test_strides.py and test_hold.py


class Drawn:
    """Has the methods of a random generator that functions which make layers need, but lets Hypothesis choose."""

    def __init__(self, draw):
        self._draw = draw

    def integers(self, low, high=None):
        low, high = (0, low) if high is None else (low, high)
        return self._draw(st.integers(low, high - 1))

    def pick(self, several):
        return self._draw(st.sampled_from(several))


class Case(NamedTuple):
    """A model in its dtype for each of the backends, and the arguments of a call.

    ``backend`` is the one that is checked more closely.  If ``cut``, sequences are cut in pieces and the results
    compared; otherwise the whole is computed in other ways.
    """

    models: dict
    x: np.ndarray
    dt: object
    lengths: np.ndarray
    h0: np.ndarray
    d_y: np.ndarray
    d_state: np.ndarray
    backend: str
    cut: bool
    about: str

    def __repr__(self):
        return self.about

    @property
    def model(self):
        """The model of the last backend, which is the fastest."""
        return list(self.models.values())[-1]

    def chosen(self):
        return [(self.backend, self.models[self.backend])]

    @property
    def stack(self):
        return self.model.layer_stack

    def elapsed(self):
        """dt as (B, T), or None."""
        return None if self.dt is None else np.broadcast_to(self.dt, self.x.shape[:2])


# ------------------------------------------------------------------------------------------------------- layers


def _edges(rng, n_pre, N):
    share, values = rng.pick((0.0, 0.2, 0.6, 1.0)), np.random.default_rng(rng.integers(1000))
    polarity = values.choice([-1.5, -1, 1, 2], (n_pre, N)) * (values.random((n_pre, N)) < share)
    return [(int(j), int(i), float(polarity[j, i])) for j, i in zip(*np.nonzero(polarity), strict=True)]


def _wiring(rng, n, N):
    """A wiring of about N neurons, of any kind."""
    O, seed = 1 + rng.integers(N), rng.integers(100)
    kind = rng.pick(("dense", "edges", "sparse", "NCP", "Random", "one way"))
    if kind == "edges":
        sensory = [(0, i, 1.0) for i in range(N)]  # every neuron hears the first input
        return Wiring.from_edges(N, _edges(rng, N, N), sensory, output_dim=O, input_dim=n)
    if kind == "one way":
        return Wiring.from_edges(N, [], [(0, i, 1.0) for i in range(N)], output_dim=O, input_dim=n)
    if kind == "sparse" and N > 3:
        return AutoNCP(N, min(O, N - 3), seed=seed)
    if kind == "NCP":
        return NCP(N, 2, 2, 1, 1, 2, 1, seed=seed)
    if kind == "Random":
        return Random(N, O, rng.pick((0.0, 0.5, 0.9)) if N > 3 else 0.0, random_seed=seed)
    return FullyConnected(N, O, self_connections=N == 1 or rng.pick((True, False)))


def _with(layer, **arguments):
    """The layer with other values for those of the arguments that it has."""
    own = layer.config()
    return type(layer).from_config(own | {name: value for name, value in arguments.items() if name in own})


def _one(name, rng, n):
    layer = MAKERS[name](rng, n, rng.pick).with_input(n)
    return _with(layer, check_stability=rng.pick(("off", "error")))


def _layers(family, rng, n, N):
    if family in SYNAPTIC:
        layer = _one(family, rng, n)
        return [_with(layer, wiring=_wiring(rng, n, N), input_dim=n) if rng.pick((True, False)) else layer]
    if family == "layer":
        return [_one(rng.pick(tuple(MAKERS)), rng, n)]
    if family == "stack":
        return random_layers(rng, n, most=3)
    cell = rng.pick((*SYNAPTIC, "CfC", "WiredCfC", "CTRNN", "NeuralODE", "CTGRU"))
    if rng.pick((True, False)):
        layer = MixedMemory(_one(cell, rng, n), "torch")
    else:
        layer = _one(rng.pick((cell, "LSTM", "GRU", "S4D", "LrcSSM", "MixedMemory")), rng, n)
    return [layer if rng.pick((True, False)) else Bidirectional(layer, rng.pick(("sum", "concat")))]


# ------------------------------------------------------------------------------------------------------ numbers


def _between(rng, powers, shape):
    return 10 ** rng.uniform(*powers, shape)


def _parameters(model, rng, powers, steep, spread):
    """New parameters: positive ones lie between two powers of ten, and the slopes of sigmoids go up to ``steep``."""
    values = model.params
    for entry in model.layout.entries:
        name, shape = entry.name.rpartition(".")[2], entry.shape
        if entry.positivity is not None:
            positive = np.maximum(_between(rng, powers, shape), entry.bound)
            values[entry.name] = raw(positive, entry.positivity)
        elif name.endswith("sigma"):
            values[entry.name] = rng.choice([-1, 1], shape) * _between(rng, (-2, steep), shape)
        else:
            values[entry.name] += spread * rng.standard_normal(shape)
    for values in model.buffers.values():
        values *= rng.uniform(0.5, 2, values.shape)


def _elapsed(rng, kind, form, powers, B, T):
    """dt as a number, (T,) or (B, T); ``kind`` says whether all, some or none of it is 0."""
    shape = {"number": (), "steps": (T,), "sequences": (B, T)}[form]
    dt = _between(rng, powers, shape)
    return {"zeros": 0.0, "some": rng.random(shape) > 0.3, "none": 1.0}[kind] * dt


@st.composite
def cases(draw, family, backends, small=False):
    """A strategy for a `Case`; ``small``: with few sequences, steps and units, for checks that are slow."""
    rng = Drawn(draw)
    n, N = 1 + rng.integers(4), rng.pick((1, 2, 3, 5, 8) if small else (1, 2, 3, 4, 5, 8, 13, 20))
    B, T = rng.pick(CHOICE_OF_B[: 4 if small else None]), rng.pick(CHOICE_OF_T[: 3 if small else None])
    n, B, T = {"none": (n, B, T), "B == N": (n, N, T), "B == T": (n, T, T), "I == N": (N, B, T)}[
        rng.pick(("none", "none", "B == N", "B == T", "I == N"))
    ]
    T = 40 if not small and rng.integers(40) == 39 else T
    dtype = rng.pick(("float64", "float32"))
    low, width = rng.pick((-6, -3, -1, 0)), rng.pick((0, 1, 3, 9))
    powers = low, min(low + width, POSITIVE[1])
    shortest, longest = rng.pick(((-3, 0), (-1, 1), ELAPSED, (-9, -6), (3, 6), (0, 3)))
    kind, form = rng.pick(("some", "none", "zeros")), rng.pick(("sequences", "steps", "number"))
    steep, spread = rng.pick((1, 0, 4)), rng.pick((0.1, 1.0, 0.0, 3.0))
    scale_x, scale_h = 10.0 ** rng.pick((0, -3, 2, 4)), rng.pick((0.3, 0.0, 1.0, 100.0))
    closely, cut = backends[0 if rng.integers(5) == 4 else -1], rng.pick((True, False))
    seed = draw(st.integers(0, 2**32 - 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a random wiring may have a neuron that no input reaches
        layers = _layers(family, rng, n, N)
        used = [b for b in backends if b != "numpy" or "numpy" in (closely, backends[-1]) or dtype == "float64"]
        models = {b: Model(*layers, input_dim=n, seed=0, dtype=dtype, backend=b) for b in used}
    numbers = np.random.default_rng(seed)
    first = next(iter(models.values()))
    _parameters(first, numbers, powers, steep, spread)
    for model in models.values():
        model.theta, model.buffer_vector[:] = first.theta, first.buffer_vector
    dt = _elapsed(numbers, kind, form, (shortest, longest), B, T)
    x, h0 = scale_x * numbers.normal(size=(B, T, n)), scale_h * numbers.normal(size=(B, first.state_size))
    stack = first.layer_stack
    for layer, where in zip(stack.layers, stack.states, strict=True):
        for name, at in layer.state_slices.items():
            if name.endswith("count"):  # of steps: of fewer than none nothing is promised
                h0[:, where][:, at] = np.abs(h0[:, where][:, at])
    lengths = numbers.integers(0, T + 1, B)
    lengths[numbers.integers(B)] = T
    d_y, d_state = numbers.normal(size=(B, T, first.output_size)), numbers.normal(size=h0.shape)
    about = (
        f"{first!r} B={B} T={T} lengths={lengths.tolist()} positive 1e{powers[0]}..1e{powers[1]} dt {form} {kind} 0 "
        f"1e{shortest}..1e{longest} sigma to 1e{steep} spread {spread} x {scale_x:g} h0 {scale_h} seed {seed}"
    )
    x, dt, h0, d_y, d_state = (np.asarray(a, dtype) for a in (x, dt, h0, d_y, d_state))
    return Case(models, x, dt if first.takes_dt else None, lengths, h0, d_y, d_state, closely, cut, about)
