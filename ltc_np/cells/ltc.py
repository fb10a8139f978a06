"""Liquid time-constant networks: the definition in NumPy.

A neuron i with capacity cm, leak conductance gleak and leak potential vleak is driven by conductances: every
synapse from j opens with a = w * sigmoid(sigma * (v_j - mu)) and pulls towards its reversal potential erev::

    cm_i dv_i/dt = gleak_i (vleak_i - v_i) + sum_j a_ji (erev_ji - v_i) + (the same over the inputs)
                 = P_i - Q_i v_i
    P_i = gleak_i vleak_i + sum_j a_ji erev_ji + ...        Q_i = gleak_i + sum_j a_ji + ... + epsilon

One elapsed time dt is cut into U unfolds of h = dt/U, each solved by one of the rules of `ltc_np.cells.ltc_solvers`.
The usual one takes P and Q at the old v and v implicitly::

    v+ = v + h (P - Q v) / (cm + h Q)

which is exact at dt = 0, stable for every dt, and ncps' and the tutorial's "fused" step rearranged.

Source: Hasani et al., "Liquid Time-constant Networks", AAAI 2021 (arXiv 2006.04439), Algorithm 1, in the synaptic
form of its code.  docs/maths/ltc.md derives every line.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from .. import kernels
from ..base import checks
from ..base.activations import sigmoid
from ..base.layout import Entry, Layout, Together
from ..wirings import RandomWiring
from . import time_constants
from .base import Layer, built
from .ltc_solvers import SOLVERS, advance, check_step, d_advance
from .mapping import check_mapping, d_map_features, map_features, mapping_shapes

# Uniform ranges of the raw initial values (the paper's code, ncps and the tutorial agree on them).
INIT = {
    "gleak": (0.001, 1.0),
    "vleak": (-0.2, 0.2),
    "cm": (0.4, 0.6),
    "w": (0.001, 1.0),
    "mu": (0.3, 0.8),
    "sigma": (3.0, 8.0),
    "sensory_w": (0.001, 1.0),
    "sensory_mu": (0.3, 0.8),
    "sensory_sigma": (3.0, 8.0),
    "input_w": 1.0,
    "input_b": 0.0,
    "output_w": 1.0,
    "output_b": 0.0,
}
CM_MIN = 1e-6  # bound of cm under positivity "clip", as in the paper's code


class Synapses:
    """Index lists of one kind of synapse, sorted by (post, pre), and sums over them.

    Attributes
    ----------
    pre, post : (S,) int64
    start : (n_post + 1,) int64
        First synapse of each post.
    dense : bool
        Whether every pair has a synapse.
    """

    def __init__(self, pre, post, n_pre, n_post):
        # Copies: a wiring's arrays are read-only, for which Numba would compile its kernels again.
        self.pre, self.post = np.array(pre, np.int64), np.array(post, np.int64)
        self.start = np.searchsorted(self.post, np.arange(n_post + 1)).astype(np.int64)
        self.n_pre, self.n_post = n_pre, n_post
        self.dense = self.pre.size == n_pre * n_post
        self._by_pre = np.argsort(self.pre, kind="stable")

    @staticmethod
    def _sum(values, keys, n):
        # reduceat returns an element, not 0, for an empty segment: reduce over the keys that occur.
        total = np.zeros((values.shape[0], n), values.dtype)
        if keys.size:
            begins = np.flatnonzero(np.diff(keys, prepend=-1))
            total[:, keys[begins]] = np.add.reduceat(values, begins, axis=1)
        return total

    def sum_to_post(self, values):
        """(B, S) -> (B, n_post): each neuron's sum over its incoming synapses."""
        return self._sum(values, self.post, self.n_post)

    def sum_to_pre(self, values):
        """(B, S) -> (B, n_pre): each source's sum over its outgoing synapses."""
        return self._sum(values[:, self._by_pre], self.pre[self._by_pre], self.n_pre)


def default_mapping(wiring):
    """The mapping of inputs and outputs unless another one is asked for."""
    return None if isinstance(wiring, RandomWiring) else "affine"


class LTC(Layer):
    """A layer of liquid time-constant neurons on a wiring.

    Parameters
    ----------
    wiring : Wiring
        Recipe or built; the layer keeps ``wiring.build(input_dim)``.
    input_dim : int, optional
        Features per step; may be left out if the wiring is built.
    ode_unfolds : int >= 1
        Solver steps per elapsed time.  It is part of the model: a network trained with 6 means 6.  `solver_error` says
        how many are enough on your data.
    epsilon : float in [0, 1]
        Added to every neuron's total conductance.
    positivity : "softplus" or "clip"
        How gleak, cm and the synaptic strengths stay positive (`ltc_np.base.layout`).
    solver : "semi_implicit", "euler", "rk4" or "exponential"
        The rule of an unfold; part of the model, like ``ode_unfolds``.  ``"exponential"`` with 3 unfolds costs what the
        default costs with 6 and has 4 to 5 times less error; both are stable for every dt.  An unfold of them evaluates
        the synapses once and twice, of ``"euler"`` once and of ``"rk4"`` four times; their orders are 1, 2, 1 and 4.
    check_stability : "error", "warn" or "off"
        What to do where an explicit solver (euler, rk4) may amplify its errors: where the largest
        h (gleak + sum w + sum sensory_w + epsilon) / cm of all neurons is not below 2 (rk4: 2.785).
    input_mapping, output_mapping : None, "linear" or "affine"
        Feature-wise ``x * input_w + input_b`` before the synapses and ``v * output_w + output_b`` after the first
        O neurons.  Default ``"affine"`` as in ncps, None for the tutorial's `RandomWiring`.
    init : dict or "time_constants", optional
        Overrides initial values by parameter name: a (low, high) range, a number or an array.  They are raw values, as
        in ``model.theta``: with softplus, ``{"cm": -1.0}`` is a capacity of log(1 + exp(-1)) = 0.31.
        ``{"time_constants": (low, high)}``, alone or with others, sets gleak, cm, w and sensory_w so that the neurons'
        time constants at rest, cm / Q with v = 0 and inputs of 0, cover this range evenly by their logarithms; 0 < low
        <= high, in the unit of ``dt``.  From one step to the length of the sequences is a good range; the word alone
        means (1, 100).  By default they are some tenths of 1 and less, and gradients vanish within a few steps.

    Notes
    -----
    Parameters: ``gleak vleak cm`` (N,), ``w mu sigma erev`` (S,), one per recurrent synapse in the order of
    ``wiring.pre, wiring.post``, ``sensory_*`` likewise, ``input_w input_b`` (I,), ``output_w output_b`` (O,).
    State: the N potentials v.  Cost: B*T*(U*S*stages + S_sensory) sigmoids; twice that with gradients, three times with
    that of dt.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, AutoNCP, Dense, Model
    >>> model = Model(LTC(AutoNCP(16, 4), 3, solver="exponential", ode_unfolds=3), Dense(4, 2), seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    takes_dt = dt0_identity = smooth = causal = reads_wiring = bitwise_batch = True
    reference_solver = "exponential"

    def __init__(
        self,
        wiring,
        input_dim=None,
        *,
        ode_unfolds=6,
        epsilon=1e-8,
        positivity="softplus",
        solver="semi_implicit",
        check_stability="error",
        input_mapping="default",
        output_mapping="default",
        init=None,
    ):
        wiring = built(wiring, input_dim)
        self.ode_unfolds = checks.integer("ode_unfolds", ode_unfolds)
        self.epsilon = checks.number("epsilon", epsilon, high=1.0)
        for name, value, known in (
            ("positivity", positivity, ("softplus", "clip")),
            ("solver", solver, tuple(SOLVERS)),
            ("check_stability", check_stability, ("error", "warn", "off")),
        ):
            checks.one_of(name, value, known)
        default = default_mapping(wiring)
        for name, mapping in (("input_mapping", input_mapping), ("output_mapping", output_mapping)):
            check_mapping(name, mapping, "default")
        self.wiring, self.input_dim = wiring, wiring.input_dim
        self.positivity, self.solver, self.check_stability = positivity, solver, check_stability
        self.method = SOLVERS[solver]
        self.hull = self.method.hull
        self.may_overflow = self.method.limit is not None and check_stability != "error"
        self.input_mapping = default if input_mapping == "default" else input_mapping
        self.output_mapping = default if output_mapping == "default" else output_mapping
        self.init = init
        self.input_size, self.output_size = self.wiring.input_dim, self.wiring.output_dim
        self.state_size = self.wiring.units
        self.state_slices = {"v": slice(0, self.wiring.units)}
        self._build()
        self._seal()

    def _build(self):
        wiring, N = self.wiring, self.wiring.units
        self.recurrent = Synapses(wiring.pre, wiring.post, N, N)
        self.sensory = Synapses(wiring.sensory_pre, wiring.sensory_post, wiring.input_dim, N)
        S, S_sensory = (wiring.synapse_count,), (wiring.sensory_synapse_count,)
        shapes = {"vleak": (N,), "gleak": (N,), "cm": (N,), "w": S, "sensory_w": S_sensory}
        shapes |= dict.fromkeys(("mu", "sigma", "erev"), S)
        shapes |= dict.fromkeys(("sensory_mu", "sensory_sigma", "sensory_erev"), S_sensory)
        for side, mapping, size in (
            ("input", self.input_mapping, self.input_size),
            ("output", self.output_mapping, self.output_size),
        ):
            shapes |= mapping_shapes(mapping, side, size)
        span, init = time_constants.read(self.init)
        init = checks.initial_values(init, shapes)
        self.init = init if span is None else {"time_constants": span, **init}
        initial = INIT | {"erev": wiring.erev, "sensory_erev": wiring.sensory_erev} | init
        positive = {"gleak": 0.0, "cm": CM_MIN, "w": 0.0, "sensory_w": 0.0}
        entries = {
            name: Entry(
                name,
                shape,
                initial[name],
                positivity=self.positivity if name in positive else None,
                bound=positive.get(name, 0.0),
            )
            for name, shape in shapes.items()
        }
        if span is not None:
            draw = partial(time_constants.draw, wiring, entries, span, self.epsilon)
            entries = entries | {k: replace(entries[k], init=Together(draw, k)) for k in time_constants.NAMES}
        self.layout = Layout(tuple(entries.values()))
        gains = {"gain": wiring.gain, "sensory_gain": wiring.sensory_gain}
        self.buffers = Layout(tuple(Entry(k, v.shape, v, trainable=False) for k, v in gains.items() if v is not None))

    def prepare(self, p, buffers, backend):
        none = np.zeros(0, p["cm"].dtype)
        gains = buffers.get("gain", none), buffers.get("sensory_gain", none)
        fast = kernels.load(backend, "ltc")
        network = fast.Network if fast else Network
        return network(self.recurrent, self.sensory, p, gains, self.epsilon), p, fast, self._fastest(p, gains)

    def _fastest(self, p, gains):
        """Largest Q / cm that any potentials and inputs can give, or None where nobody asks."""
        if self.method.limit is None or self.check_stability == "off":
            return None
        Q = p["gleak"].astype(np.float64) + self.epsilon
        for synapses, w, gain in ((self.recurrent, p["w"], gains[0]), (self.sensory, p["sensory_w"], gains[1])):
            Q += np.bincount(synapses.post, w * gain if gain.size else w, synapses.n_post)
        return float((Q / p["cm"]).max())

    def check(self, prepared, dt):
        if prepared[3] is not None:
            rule = "h*Q/cm", ", Q the sum of a neuron's conductances", prepared[3]
            remedy = 'solver="exponential"'
            check_step(self.method, *rule, dt, self.ode_unfolds, remedy, self.check_stability)

    def forward(self, prepared, x, dt, lengths, h0, keep, workspace):
        network, p, fast, _ = prepared
        mapped = map_features(self.input_mapping, "input", x, p, fast, workspace)
        run, rule = fast.forward if fast else forward, (self.method, self.ode_unfolds)
        motor, h, saved = run(network, mapped, dt, lengths, h0, *rule, self.output_size, keep, workspace)
        y = map_features(self.output_mapping, "output", motor, p, fast, workspace)
        return y, h, (x, motor, saved) if keep else None

    def backward(self, prepared, saved, d_y, d_h, g, want_x, want_dt, workspace):
        network, p, fast, _ = prepared
        x, motor, saved = saved
        d_motor = d_map_features(self.output_mapping, "output", motor, d_y, p, g, workspace)
        run, rule = fast.backward if fast else backward, (self.method, self.ode_unfolds)
        d_x, d_h0, d_dt = run(network, saved, d_motor, d_h, *rule, want_dt, g, workspace)
        return d_map_features(self.input_mapping, "input", x, d_x, p, g, workspace), d_h0, d_dt

    def defaults(self):
        mapping = default_mapping(self.wiring)
        follow = {"input_dim": self.wiring.input_dim, "input_mapping": mapping, "output_mapping": mapping}
        return super().defaults() | follow


# ------------------------------------------------------------------------------------------ NumPy backend


class Network:
    """Effective parameters as `forward` and `backward` read them; w includes the fixed gains."""

    def __init__(self, recurrent, sensory, p, gains, epsilon):
        self.recurrent, self.sensory, self.p, self.gains = recurrent, sensory, p, gains
        dtype = p["cm"].dtype
        self.w = p["w"] * gains[0] if gains[0].size else p["w"]
        self.sensory_w = p["sensory_w"] * gains[1] if gains[1].size else p["sensory_w"]
        self.leak_p, self.leak_q = p["gleak"] * p["vleak"], p["gleak"] + dtype.type(epsilon)


def forward(network, x, dt, lengths, h0, solver, unfolds, n_out, keep, workspace):
    """Run the sequences.

    Parameters
    ----------
    network : Network
    x (B, T, I), dt (B, T), lengths (B,), h0 (B, N)
        ``lengths`` need not be looked at: dt is 0 after a sequence's end, where the step is the identity.
    solver : Solver
    unfolds, n_out : int
    keep : None, "full" or "low"
        States to store for `backward`: none, those of every stage (T*U*stages*N values a sequence), or those before
        every step (T*N), from which it runs the unfolds again.

    Returns
    -------
    motor (B, T, n_out), h_last (B, N), saved
    """
    (B, T, _), v = x.shape, h0
    motor = np.empty((B, T, n_out), x.dtype)
    states = []
    for t in range(T):
        h, _, P_sensory, Q_sensory, _ = _read_step(network, network.p, x, dt, t, unfolds)
        *before, last = _step(network, network.p, solver, unfolds, v, h, P_sensory, Q_sensory)
        states += {None: [], "low": [v], "full": before}[keep]
        v = last
        motor[:, t] = v[:, :n_out]
    return motor, v, (x, dt, states, v, keep) if keep else None


def _read_step(net, p, x, dt, t, unfolds):
    """The step h of one unfold, the sensory s and w*s, and P and Q without the recurrent synapses, of time step t."""
    h = (dt[:, t] / x.dtype.type(unfolds))[:, None]
    s = sigmoid(p["sensory_sigma"] * (x[:, t, net.sensory.pre] - p["sensory_mu"]))
    b = net.sensory_w * s
    P = net.leak_p + net.sensory.sum_to_post(b * p["sensory_erev"])
    return h, s, P, net.leak_q + net.sensory.sum_to_post(b), b


def _conductances(net, p, v, P_sensory, Q_sensory):
    """The recurrent s and w*s, and P and Q, of the state v."""
    s = sigmoid(p["sigma"] * (v[:, net.recurrent.pre] - p["mu"]))
    a = net.w * s
    P = P_sensory + net.recurrent.sum_to_post(a * p["erev"])
    return s, a, P, Q_sensory + net.recurrent.sum_to_post(a)


def _step(net, p, solver, unfolds, v, h, P_sensory, Q_sensory):
    """All unfolds of one time step: the potentials from which each stage begins, and the last one."""
    history = [v]
    for k in range(unfolds * solver.stages):
        stage = k % solver.stages
        if stage == 0:
            base, total = v, None
        _, _, P, Q = _conductances(net, p, v, P_sensory, Q_sensory)
        v, total = advance(solver.name, stage, h, p["cm"], P, Q, base, v, total)
        history.append(v)
    return history


def backward(network, saved, d_motor, d_v, solver, unfolds, want_dt, g, workspace):
    """Adjoint of `forward`: d_x (B, T, I), d_h0 (B, N), d_dt (B, T); parameter gradients are added to ``g``."""
    net, p = network, network.p
    x, dt, states, v_last, keep = saved
    T, rows = x.shape[1], unfolds * solver.stages
    d_x = np.zeros_like(x)
    d_dt = np.zeros_like(dt)
    for t in range(T - 1, -1, -1):
        h, s_sensory, P_sensory, Q_sensory, b = _read_step(net, p, x, dt, t, unfolds)
        if keep == "full":
            after = states[(t + 1) * rows] if t + 1 < T else v_last
            history = [*states[t * rows : (t + 1) * rows], after]
        else:
            history = _step(net, p, solver, unfolds, states[t], h, P_sensory, Q_sensory)
        d_P_sensory = d_Q_sensory = 0
        d_v = d_v.copy()
        d_v[:, : d_motor.shape[2]] += d_motor[:, t]
        d_base = d_end = None
        for k in range(rows - 1, -1, -1):
            stage = k % solver.stages
            base, v, v_new = history[k - stage], history[k], history[k + 1]
            s, a, P, Q = _conductances(net, p, v, P_sensory, Q_sensory)
            d_P, d_Q, d_cm, d_h, d_v, d_base, d_end = d_advance(
                solver.name, stage, h, p["cm"], P, Q, base, v, v_new, d_v, d_base, d_end
            )
            g["cm"] += d_cm.sum(0)
            d_dt[:, t] += d_h.sum(1) / x.dtype.type(unfolds)
            d_v = d_v + _d_synapses(net.recurrent, net.gains[0], v, s, a, d_P, d_Q, p, g, "")
            d_P_sensory = d_P_sensory + d_P
            d_Q_sensory = d_Q_sensory + d_Q
        d_x[:, t] = _d_synapses(
            net.sensory, net.gains[1], x[:, t], s_sensory, b, d_P_sensory, d_Q_sensory, p, g, "sensory_"
        )
        g["gleak"] += (d_P_sensory * p["vleak"] + d_Q_sensory).sum(0)
        g["vleak"] += (d_P_sensory * p["gleak"]).sum(0)
    return d_x, d_v, d_dt


def _d_synapses(synapses, gain, source, s, a, d_P, d_Q, p, g, prefix):
    """Adjoint of P += sum a*erev, Q += sum a, with a = w*s, s = sigmoid(z), z = sigma*(source - mu): d_source."""
    sigma, mu, erev = p[prefix + "sigma"], p[prefix + "mu"], p[prefix + "erev"]
    d_P, d_Q = d_P[:, synapses.post], d_Q[:, synapses.post]
    d_a = d_P * erev + d_Q
    d_w = (d_a * s).sum(0)
    d_z = d_a * a * (1 - s)
    g[prefix + "erev"] += (d_P * a).sum(0)
    g[prefix + "w"] += d_w * gain if gain.size else d_w
    g[prefix + "sigma"] += (d_z * (source[:, synapses.pre] - mu)).sum(0)
    g[prefix + "mu"] -= d_z.sum(0) * sigma
    return synapses.sum_to_pre(d_z * sigma)
