"""Properties that every `Case` must have, whatever its numbers are."""

import collections
import contextlib
import functools
import sys
import unittest.mock
import warnings

import numpy as np
from protocol.calls import parts as parts_of
from support.parallel import always_parallel

from ltc_np import LTC, S4D, SGD, LiquidS4, Model, set_num_threads
from ltc_np.network.host import HostEngine

# Adjoints and outputs up to this size can be multiplied by the other factors of a product, up to 1e9 each, without an
# overflow.
ROOM = {np.dtype("float32"): 1e15, np.dtype("float64"): 1e150}
MESSAGES = (  # how allowed errors begin: that of an unstable solver, and those of what overflows
    ("ValueError", "`dt` must keep"),
    ("FloatingPointError", "outputs and states must be finite"),
    ("FloatingPointError", "gradients must be finite"),
)
# How many cases there were, in how many each property was checked, how many were excused; the largest differences.
COUNTS = collections.Counter()
LARGEST = {}


# A learning rate so small that it changes no parameter.
TINY = {np.dtype("float32"): 1e-38, np.dtype("float64"): 1e-200}
TAME = 1e9  # of larger outputs and states only their bits are checked, and whether they are finite
ULPS = 8  # by how many a potential may leave its hull


def seen(what, count=1):
    COUNTS[what] += count


def at_most(what, value):
    LARGEST[what] = max(LARGEST.get(what, 0.0), value)


class Refused(Exception):
    """The model refuses the case, with an error that is documented."""


class Beyond(Exception):
    """The gradients of the case are larger than the largest number of the dtype."""


def attempt(function, *args, **kwargs):
    """The result of a call; `Refused` is raised for a documented error."""
    try:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)
    except (ValueError, FloatingPointError) as error:
        if not any(type(error).__name__ == kind and str(error).startswith(text) for kind, text in MESSAGES):
            raise
        raise Refused(str(error)) from None


def call(model, case, **changes):
    """(y, state) with some arguments changed."""
    some = case._replace(**changes)
    return attempt(model, some.x, dt=some.dt, lengths=some.lengths, h0=some.h0, return_state=True)


def everything(model, case, memory="full"):
    """Outputs, states and all gradients, from one forward and one backward pass."""
    engine, given = model.engine, (case.x, case.dt, case.lengths, case.h0)
    y, state, tape = attempt(lambda: engine.call(engine.read(*given, True, own=True), memory))
    g = backward(model, tape, case.d_y, case.d_state)
    found = {"y": y, "state": state, "d_x": g.x, "d_h0": g.h0, "d_dt": g.dt, "d_theta": g.theta}
    return {name: np.asarray(a) for name, a in found.items() if a is not None}


def backward(model, tape, d_y, d_state):
    """Gradients that may be infinite: `finite_gradients` asks whether they must be, which no model does."""
    with np.errstate(all="ignore"), unittest.mock.patch.object(HostEngine, "check_gradients"):
        return model.backward(tape, d_y, d_state)


def magnitude(array):
    return np.abs(array).max(initial=0)


def same_bits(found, wanted, what):
    for name, a in found.items():
        assert np.array_equal(a, wanted[name], equal_nan=True), (what, name)


def promises_bits(case, backend):
    """Whether a sequence has the same bits in every batch.

    NumPy may round products of complex numbers in another way at the end of an array, which does not fill a vector
    register.
    """
    layers = [part for layer in case.stack.layers for part in parts_of(layer)]
    return case.stack.bitwise_batch and not (backend == "numpy" and any(isinstance(p, (S4D, LiquidS4)) for p in layers))


def equal(case, bounds, found, wanted, name, what, backend):
    """Assert the same bits if all layers promise this, otherwise the same numbers up to rounding."""
    if promises_bits(case, backend):
        assert np.array_equal(found, wanted), (what, name)
    else:
        error = magnitude(found - wanted)
        assert bounds.near(name, error / 2), (what, name, error)


def again(model, dtype, backend):
    """The model in another dtype, or with another backend."""
    other = Model(*model.layers, input_dim=model.input_size, seed=0, dtype=dtype, backend=backend)
    other.theta, other.buffer_vector[:] = model.theta, model.buffer_vector
    return other


def definition(case, backend="numpy"):
    """The model in float64 and, unless another backend is given, with NumPy, which defines what it computes."""
    return again(case.model, "float64", backend)


@contextlib.contextmanager
def rounded(change):
    """Inside the block ``change`` is applied to the definitions' sigmoids, and to the potentials of each stage.

    A gradient has a factor s (1 - s) or 1 - u**2, in which the last bits of a number near 1 are much, and that of a
    capacity has the factor v - new, in which the last bits of potentials that hardly move are much.  A stage moves away
    from its first potential by a sum, so the last bits of a large one stay in a new one that is small.  Whether a
    factor is larger than its bound can be a question of the last bits, too.
    """

    def sigmoid(own, a):
        s = own(a)
        return np.maximum(s - np.abs(change(s) - s), 2.0**-64)  # the smallest one of the kernels

    def advance(own, solver, stage, h, cm, P, Q, base, *others):
        new, total = own(solver, stage, h, cm, P, Q, base, *others)
        return new + (change(base) - base), total

    def integrate(own, v, *others):
        *rest, new = own(v, *others)
        return *rest, new + (change(v) - v)

    def _shrink(own, rule, factor):
        return own(rule, change(factor))

    def factors(own, *arguments):
        return [change(a) for a in own(*arguments)]

    def tanh(a, own=np.tanh):
        u = own(a)
        return u - np.sign(u) * np.abs(change(u) - u)

    def d_advance(own, solver, stage, h, cm, P, Q, base, v, new, *adjoints):
        return own(solver, stage, h, cm, P, Q, change(base), change(v), change(new), *adjoints)

    with contextlib.ExitStack() as stack:
        stack.enter_context(unittest.mock.patch.object(np, "tanh", tanh))
        for name, module in list(sys.modules.items()):
            for function in (sigmoid, advance, d_advance, integrate, factors, _shrink):
                own = getattr(module, function.__name__, None)
                if "advance" in function.__name__ and not getattr(own, "__module__", "").endswith("ltc_solvers"):
                    continue  # a state space has another function of this name
                if name.startswith("ltc_np.kernels.numpy.") and own is not None:
                    other = functools.partial(function, own)
                    stack.enter_context(unittest.mock.patch.object(module, function.__name__, other))
        yield


def shaken(exact, case, eps, rng):
    """Outputs, states and gradients when every number that goes in, or is `rounded`, is changed in its last bits."""

    def shake(a):
        return a * (1 + eps * rng.standard_normal(a.shape))

    theta = exact.theta.copy()
    try:
        exact.theta = shake(theta)
        exact.project()
        with rounded(shake):
            return everything(exact, case._replace(x=shake(case.x), h0=shake(case.h0)))
    finally:
        exact.theta = theta


class Bounds:
    """How far results may lie from those of the definition: a few times as far as they move when all inputs are shaken.

    Rounded operations give the exact result for numbers that differ in their last bits; more cannot be asked of them.
    """

    def __init__(self, case, exact, results):
        self.case, self.exact, self.results, self.eps = case, exact, results, np.finfo(case.model.dtype).eps
        weight = sum(np.abs(d * results[name]).sum() for name, d in (("y", case.d_y), ("state", case.d_state)))
        # If a sigmoid s is nearly 1, most of 1 - s is rounding, so the error is one in terms of full size.
        self.floor = 16 * self.eps * weight * max(1.0, magnitude(exact.theta))

    @functools.cached_property
    def noise(self):
        return self.moved(4)

    @functools.cached_property
    def rare_noise(self):
        """Of a kink, such as that of a bound, few changes may happen to be on the other side."""
        return self.moved(64)

    def moved(self, times):
        """How far each result moves, at most, in so many changes."""
        rng, most = np.random.default_rng(0), dict.fromkeys(self.results, 0.0)
        for _ in range(times):
            other = shaken(self.exact, self.case, 4 * self.eps, rng)
            most = {name: max(most[name], magnitude(other[name] - a)) for name, a in self.results.items()}
        seen("shaken")
        return most

    def near(self, name, error):
        """Whether an error of a result is no larger than rounding explains."""
        floor = self.floor * name.startswith("d_")
        most = 256 * self.eps * magnitude(self.results[name]) + floor + 1e-30
        return (
            error <= most
            or error <= most + 16 * self.noise[name]  # which takes time
            or error <= most + 16 * self.rare_noise[name]
        )

    def check(self, found, what):
        for name, a in found.items():
            error, largest = magnitude(a - self.results[name]), magnitude(self.results[name])
            assert self.near(name, error), (what, name, error, largest)
            if "noise" not in vars(self) and name in ("y", "state") and self.eps * largest > 1e-30:
                at_most(f"{a.dtype} within", error / largest)


def largest_adjoint(exact, case):
    """The largest adjoint of a state, over all steps; it explains why gradients overflow."""
    most, d_state = 0.0, case.d_state
    valid = np.arange(case.x.shape[1]) < case.lengths[:, None]
    state, tapes, dt = case.h0, [], case.elapsed()
    for t in range(case.x.shape[1]):
        now = {"lengths": valid[:, t].astype(int), "dt": None if dt is None else dt[:, t : t + 1]}
        x = case.x[:, t : t + 1]
        if valid[:, t].any():
            tapes.append((t, exact.forward(x, h0=state, **now)[1]))
            state = exact(x, h0=state, return_state=True, **now)[1]
    for t, tape in reversed(tapes):
        if not magnitude(d_state) < exact.dtype.type(1e150):
            return np.inf
        g = backward(exact, tape, case.d_y[:, t : t + 1], d_state)
        d_state, most = g.h0, max(most, magnitude(g.h0), magnitude(g.theta), magnitude(g.x))
    return most


# ----------------------------------------------------------------------------------------------------- properties


def finite(case, results):
    """Finite numbers give finite outputs and states."""
    for backend, found in results.items():
        for name in ("y", "state"):
            assert np.isfinite(found[name]).all(), (backend, name)


def finite_gradients(case, results, bounds):
    """Finite numbers give finite gradients, unless the gradients themselves are too large for the dtype."""
    for backend, found in results.items():
        wrong = [name for name, a in found.items() if not np.isfinite(a).all()]
        if wrong:
            assert case.stack.causal, (backend, wrong)
            with np.errstate(all="ignore"):
                adjoint = largest_adjoint(bounds.exact, case)
            assert not adjoint < ROOM[case.model.dtype], (backend, wrong, adjoint)
            raise Beyond


def hull(case, results):
    """A neuron's potential lies in the hull of its start, 0, and the potentials that pull at it, up to a few ulp."""
    layers = zip(case.stack.layers, case.stack.states, case.stack.prefixes, strict=True)
    for layer, columns, prefix in layers:
        if type(layer) is not LTC or not layer.hull:
            continue
        p = {name: case.model.params[prefix + name] for name in ("vleak", "erev", "sensory_erev")}
        low, high = np.minimum(case.h0[:, columns], 0), np.maximum(case.h0[:, columns], 0)
        for values, post in (
            (p["vleak"], np.arange(layer.state_size)),
            (p["erev"], layer.recurrent.post),
            (p["sensory_erev"], layer.sensory.post),
        ):
            np.minimum.at(low.T, post, values[:, None])
            np.maximum.at(high.T, post, values[:, None])
        ulp = np.finfo(case.model.dtype).eps * np.maximum(-low, high)
        for backend, found in results.items():
            beyond = np.maximum(low - found["state"][:, columns], found["state"][:, columns] - high)
            assert (beyond <= ULPS * ulp).all(), (backend, beyond.max())
            at_most("ulp beyond the hull", float((beyond[ulp > 0] / ulp[ulp > 0]).max(initial=0)))
        seen("hull")


def agreement(case, results, bounds):
    """All backends give what the definition gives in float64, up to rounding."""
    for backend, found in results.items():
        bounds.check(found, backend)
    seen("agreement")


def threads(case, results):
    """The bits are the same for every number of threads, even for little work, and outputs are those of any work."""
    if case.model.backend != "cpu":
        return
    with always_parallel():
        set_num_threads(1)
        alone = everything(case.model, case)
        set_num_threads(3)
        same_bits(everything(case.model, case), alone, "3 threads")
    # Gradients are not: long calls are cut into more tiles, over which they are summed in another order.
    same_bits({name: alone[name] for name in ("y", "state")}, results["cpu"], "as if there were much work")
    seen("threads")


def low_memory(case, results):
    """The bits are the same if the backward pass runs the steps again."""
    for backend, model in case.chosen():
        same_bits(everything(model, case, "low"), results[backend], f"low memory, {backend}")
    seen("low memory")


def no_time(case, results):
    """Steps with dt = 0 change nothing, and pass adjoints on unchanged."""
    if not (case.stack.dt0_identity and case.stack.takes_dt):
        return
    for backend, model in case.chosen():
        zero = case._replace(dt=np.zeros((), model.dtype), d_y=np.zeros_like(case.d_y))
        assert np.array_equal(call(model, zero)[1], case.h0), backend
        assert np.array_equal(everything(model, zero)["d_h0"], case.d_state), backend
    seen("no time")


def padding(case, results):
    """What lies after the end of a sequence is never read, and its outputs are 0."""
    behind = np.arange(case.x.shape[1]) >= case.lengths[:, None]
    x, dt = case.x.copy(), case.dt
    x[behind] = np.nan
    if dt is not None and dt.ndim == 2:
        dt = dt.copy()
        dt[behind] = np.nan
    for backend, model in case.chosen():
        found = everything(model, case._replace(x=x, dt=dt))
        same_bits(found, results[backend], f"padding, {backend}")
        for name in ("y", "d_x"):
            assert not found[name][behind].any(), (backend, name)
        none = case.lengths == 0
        assert np.array_equal(found["state"][none], case.h0[none]), backend
    seen("padding")


def alone(case, results, bounds):
    """A sequence alone gives the same as in the batch."""
    dt, (b, other) = case.elapsed(), (int(case.lengths.argmax()), int(np.argsort(case.lengths)[len(case.lengths) // 2]))
    for backend, model in case.chosen():
        for k in {b, other}:
            n = case.lengths[k]
            if n == 0:
                continue
            own = None if dt is None else dt[k, :n]
            y, state = attempt(model, case.x[k, :n], dt=own, h0=case.h0[k], return_state=True)
            equal(case, bounds, y, results[backend]["y"][k, :n], "y", "alone", backend)
            equal(case, bounds, state, results[backend]["state"][k], "state", "alone", backend)
    seen("alone")


def parts(case, results, bounds):
    """A sequence in two parts, with the state carried, gives the same as the whole, gradients included."""
    T, dt = case.x.shape[1], case.elapsed()
    if not case.stack.causal or T == 1:
        return
    cut = 1 + T // 3
    pieces = []
    for steps in (slice(0, cut), slice(cut, T)):
        lengths = np.clip(case.lengths - steps.start, 0, steps.stop - steps.start)
        own = None if dt is None else np.ascontiguousarray(dt[:, steps])
        pieces.append(case._replace(x=case.x[:, steps], dt=own, lengths=lengths, d_y=case.d_y[:, steps]))
    for backend, model in case.chosen():
        first, second = pieces
        y, middle = call(model, first)
        later, end = call(model, second._replace(h0=middle))
        what, whole = "parts", results[backend]
        equal(case, bounds, np.concatenate([y, later], axis=1), whole["y"], "y", what, backend)
        equal(case, bounds, end, whole["state"], "state", what, backend)
        g_second = everything(model, second._replace(h0=middle))
        if not all(magnitude(a) < ROOM[model.dtype] for a in g_second.values()):
            continue
        g_first = everything(model, first._replace(d_state=g_second["d_h0"]))
        found = {name: g_first[name] + g_second[name] for name in ("d_theta",)} | {"d_h0": g_first["d_h0"]}
        found["d_x"] = np.concatenate([g_first["d_x"], g_second["d_x"]], axis=1)
        bounds.check(found, what)
    seen("parts")


def steps(case, results, bounds):
    """Single steps, one after another, give the same as the sequence."""
    if not case.stack.causal:
        return
    dt = case.elapsed()
    for backend, model in case.chosen():
        state = case.h0
        for t in range(case.lengths.max()):
            now = None if dt is None else dt[:, t] * (case.lengths > t)
            y, after = attempt(model.step, case.x[:, t], dt=now, state=state)
            alive = case.lengths > t
            equal(case, bounds, y[alive], results[backend]["y"][alive, t], "y", "step", backend)
            state = np.where(alive[:, None], after, state)
        equal(case, bounds, state, results[backend]["state"], "state", "step", backend)
    seen("steps")


def truncated(case, results, bounds):
    """The loss over chunks, with the state carried from one to the next, is the loss of the whole."""
    if not case.stack.causal or case.stack.drops or case.stack.batch_statistics:
        return
    model, given = case.chosen()[0][1], {"dt": case.dt, "lengths": case.lengths}
    try:
        value, gradient = attempt(model.loss_and_grad, case.x, case.d_y, **given)
    except Refused:  # from the initial state of the layer, not that of the case, it may grow beyond all numbers
        return
    if not (magnitude(gradient) < ROOM[model.dtype] and value < ROOM[model.dtype]):
        return
    trained = again(model, model.dtype, model.backend)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of data far from unit scale
        history = trained.fit(
            case.x, case.d_y, **given, tbptt=1 + case.x.shape[1] // 3, batch_size=len(case.x), epochs=1,
            optimizer=SGD(TINY[model.dtype]), shuffle=False, keep_best=False, verbose=False,
        )  # fmt: skip
    assert np.isfinite(trained.theta).all()
    error = abs(history["loss"][0] - value) - 1e4 * bounds.eps * value
    slope = 2 * (magnitude(case.d_y) + magnitude(bounds.results["y"]))
    assert error <= 0 or bounds.near("y", error / slope), (history["loss"][0], value)
    seen("tbptt")


def _from_kinks(model):
    """Which parameters do not lie near the bound at which they are clipped."""
    away = np.ones(model.theta.size, bool)
    for entry in model.layout.entries:
        if entry.positivity == "clip":
            where = model.layout.slices[entry.name][0]
            away[where] = model.theta[where] > entry.bound + 1e-3 * np.abs(model.theta[where])
    return away


def direction(case, results, bounds):
    """The gradient along a random direction equals a quotient of differences, if several such quotients agree."""
    tame = all(magnitude(a) < 1e100 for a in bounds.results.values())
    if not tame or case.stack.surrogate_gradient:
        return
    exact = definition(case, case.model.backend)
    theta, rng = exact.theta.copy(), np.random.default_rng(1)
    ways = {"theta": theta * rng.standard_normal(theta.size) * _from_kinks(exact)} | {
        name: a * rng.standard_normal(a.shape) for name, a in (("x", case.x), ("h0", case.h0))
    }
    if case.dt is not None:
        ways["dt"] = case.elapsed() * rng.uniform(0.5, 1, case.x.shape[:2])
    valid = np.arange(case.x.shape[1]) < case.lengths[:, None]

    def value(h):
        exact.theta = theta + h * ways["theta"]
        dt = None if case.dt is None else case.elapsed() + h * ways["dt"]
        y, state = call(exact, case._replace(x=case.x + h * ways["x"], dt=dt, h0=case.h0 + h * ways["h0"]))
        return (case.d_y * y * valid[..., None]).sum(dtype=float) + (case.d_state * state).sum(dtype=float)

    g = everything(exact, case)
    if case.dt is not None:
        g["d_dt"] = everything(exact, case._replace(dt=case.elapsed()))["d_dt"]
    products = [np.ravel(g["d_" + name] * way) for name, way in ways.items()]
    analytic, scale = sum(a.sum() for a in products), sum(np.abs(a).sum() for a in products)
    size = np.abs(case.d_y * bounds.results["y"]).sum() + np.abs(case.d_state * bounds.results["state"]).sum()
    estimates = []
    try:
        for h in (1e-4, 3e-5, 1e-5):
            estimates.append((value(h) - value(-h)) / (2 * h))
            estimates[-1] = (4 * (value(h / 2) - value(-h / 2)) / h - estimates[-1]) / 3
    finally:
        exact.theta = theta
    spread = max(estimates) - min(estimates)
    rounding = 1e-15 * size / 1e-5
    # A saturated sigmoid stays 2**-64 above 0, and its derivative is as large, though nothing changes any more.
    paths = sum(np.abs(way).sum() for way in ways.values()) * (1 + magnitude(case.x)) * (1 + magnitude(theta))
    saturated = 2.0**-64 * paths * (magnitude(case.d_y) + magnitude(case.d_state))
    if not spread + rounding + saturated <= 1e-5 * scale:  # a kink, a fold, or nothing but rounding
        return
    if 1e-5 * scale > size:  # chaos: the shortest of the steps folds many times, so that the quotients are small
        return
    assert abs(analytic - estimates[1]) <= 4 * spread + rounding + 1e-7 * scale, (analytic, estimates, scale)
    seen("direction")


def check(case):
    """Check all properties of one case."""
    seen("cases")
    exact = definition(case)
    try:
        results = {backend: everything(model, case) for backend, model in case.models.items()}
        wanted = results.get("numpy") if exact.dtype == case.model.dtype else None
        wanted = wanted or everything(exact, case)
    except Refused:
        seen("refused by the documented error")
        return
    for rule in (finite, hull, padding, *(() if case.cut else (no_time, threads, low_memory))):
        rule(case, results)
    if any(magnitude(wanted[name]) > TAME for name in ("y", "state")):
        seen("beyond 1e9")  # an explicit solver whose steps are too long does this, or a power of inputs
        return
    bounds = Bounds(case, exact, wanted)
    try:
        for rule in (finite_gradients, agreement, *((alone, parts, steps, truncated) if case.cut else (direction,))):
            rule(case, results, bounds)
    except Beyond:
        seen("gradients beyond the largest number")
