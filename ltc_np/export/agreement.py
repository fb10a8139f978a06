"""Whether a program computes what its model does: proved before anything is written.

Both run in float64, and each step of the program begins with the model's state, so that only the roundings of one step
lie between them, however long a sequence is and however much the network enlarges what is small.  How far they may be
apart is known without the model: it is made of the size of each number and of what rounding to float32 changes in the
program itself, so a wrong program is not excused by its error.

The steps on which they are compared are drawn here, whatever data a user gives: inputs and elapsed times of several
magnitudes, so that what is done with large numbers, at limits or after a long time is compared too.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Bools, Numbers
from ..base.workspace import Fresh
from ..model import Model
from ..network.sequences import check
from .lower import program as lowered
from .program import Apply, Program, expressions, nodes, statements
from .run import Machine

# Of a number's own size: a million roundings of float64, as thousands of unfolds may add up; a wrong digit is more.
OWN_SIZE = 2.0**-32
# Of what rounding to float32, of all numbers or of inputs and states, changes in the same step, which is much where
# terms cancel: rounding to float64 changes 2**-29 of it, and the series of a program, which are right to 8e-13 of their
# sums, less than 2**-16.
OF_ROUNDING = 2.0**-14

WRONG = "`model` must be computed by its export as by itself, but"
REPORT = (
    "nothing was written, since this is an error in how ltc_np.export.lower writes a layer; please report it with the "
    "model"
)

STEPS = 8  # of each drawn sequence, and as many more as fill the state with inputs
# There is one for each size of inputs and each longest elapsed time.
SIZES, LONGEST = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0), (0.01, 0.1, 1.0, 10.0)
ZERO_EVERY = 8  # steps: an elapsed time of 0 is always among them
HALVINGS_TO_AN_EDGE = 30  # of the way between two steps
MOST_HALVINGS = 40  # of what is drawn, until the model takes it


class Steps(NamedTuple):
    """T steps of B sequences of a model in float64, on NumPy's backend.

    Attributes
    ----------
    x : (T, B, I) array
    dt : (T, B) array
        Elapsed times; 1 where the model has no time.
    before : (S, K) array
        The states of the last S of the T B steps; those in front of them begin as a sequence does.
    y : (T, B, O) array
        NaN where none falls due.
    after : (T, B, K) array
        States.
    """

    x: Numbers
    dt: Numbers
    before: Numbers
    y: Numbers
    after: Numbers


def in_float64(model: Model) -> Model:
    """The same parameters in float64, on NumPy's backend."""
    theta, buffers = model.theta.astype(np.float64), model.buffer_vector.astype(np.float64)
    return type(model).restored(model.layer_stack, theta, buffers, "numpy", True)


def proved(model: Model, dt: float | None = None, form: Callable[[Program], Program] | None = None) -> Program:
    """The program of a model, as `ltc_np.export.lower.program`, in which it is written: the only one that may be.

    ``form`` is what a language makes of it before: it is compared in that form.
    """
    program = lowered(model, dt)
    if form is not None:
        program = form(program)
    try:
        prove(model, program, dt)
    except FloatingPointError as error:
        raise ValueError(f"`model` must have numbers with which its export can be compared: {error}") from None
    return program


def prove(model: Model, program: Program, dt: float | None = None) -> None:
    """Compare a program with its model on drawn steps.

    Parameters
    ----------
    model : Model
    program : Program
        Of the model.
    dt : float or None
        The one elapsed time that the program was made for.

    Raises
    ------
    ValueError
        The program computes something else: names the layer or the output, and says how far it is off.
    FloatingPointError
        The model overflows on all inputs, however small.
    """
    drawn = drawn_steps(model, program.takes_dt, dt)
    compare(model, program, drawn)
    for steps in edges(model, program, drawn):
        compare(model, program, steps)


def drawn_steps(model: Model, takes_dt: bool, dt: float | None = None) -> Steps:
    """`Steps` of all magnitudes; what the model refuses, or what makes it overflow, is drawn smaller and shorter."""
    exact, rng = in_float64(model), np.random.default_rng(1)
    steps = (STEPS + model.layer_stack.reach) * model.layer_stack.stride
    longest, sizes = (grid.ravel() for grid in np.meshgrid(LONGEST if takes_dt else 1.0, SIZES))
    x = sizes[:, None] * rng.standard_normal((steps, sizes.size, model.input_size))
    drawn = longest * drawn_times(rng, steps)[:, None]
    scale = 1.0
    while True:
        times = shortened(exact, drawn * scale) if takes_dt else [dt] * steps
        try:
            return steps_of(exact, x * scale, times)
        except (FloatingPointError, ValueError):  # a state overflows in a step, or between two
            scale /= 2
            if scale < 2.0**-MOST_HALVINGS:
                raise


def drawn_times(rng: np.random.Generator, steps: int) -> Numbers:
    """Uniform from 0 to 1, every eighth 0."""
    return rng.uniform(size=steps) * (np.arange(steps) % ZERO_EVERY != ZERO_EVERY - 1)


def shortened(exact: Model, times: Numbers) -> Numbers:
    """Elapsed times so short that the model takes them: where an explicit solver refuses longer ones."""
    prepared, x = exact.engine.prepare(Fresh()), np.zeros((*np.atleast_2d(times.T).shape, exact.input_size))
    for halvings in range(MOST_HALVINGS):
        shorter = times * 2.0**-halvings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                exact.engine.check(prepared, check(exact, x, shorter.T, None, None)[0])
            except ValueError:
                continue
        return shorter
    return times  # the first step says what is wrong


def steps_of(exact: Model, x: Numbers, times: Sequence[float | None] | Numbers) -> Steps:
    """The `Steps` of a model in float64: x (T, B, I), and T elapsed times, each a number, (B,) or None."""
    state, states, outputs = None, [], []
    for now, dt in zip(x, times, strict=True):
        y, state = exact.step(now, dt=dt, state=state)
        states.append(state)
        outputs.append(y)
    dts = [np.broadcast_to(1.0 if dt is None else dt, x.shape[1]) for dt in times]
    return Steps(x, np.array(dts), np.concatenate([states[0][:0], *states[:-1]]), np.array(outputs), np.array(states))


def edges(model: Model, program: Program, steps: Steps) -> Iterator[Steps]:
    """Single steps on both sides of where a condition of the program, of a `select`, changes.

    A limit that is off by little has no other effect than there: each is found by halving the way between two steps.
    """
    S, K = steps.before.shape
    times = steps.dt.reshape(-1, 1)[-S:]
    before = _all_due(model, program, steps.before, times)
    points = np.concatenate([steps.x.reshape(-1, steps.x.shape[2])[-S:], times, before], 1)
    above = _conditions(program, points, K)
    both = np.flatnonzero(above.any(1) & ~above.all(1))
    if not both.size:
        return
    low, high = (points[side[both].argmax(1)] for side in (~above, above))
    for _ in range(HALVINGS_TO_AN_EDGE):
        middle = (low + high) / 2
        is_above = _conditions(program, middle, K)[both, np.arange(both.size)]
        low, high = np.where(is_above[:, None], low, middle), np.where(is_above[:, None], middle, high)
    x, dt, state = _parts(np.concatenate([low, high]), K)
    y, after = in_float64(model).step(x, dt=dt if model.takes_dt else None, state=state)
    yield Steps(x[:, None], dt[:, None], state, y[:, None], after[:, None])


def _all_due(model: Model, program: Program, states: Numbers, times: Numbers) -> Numbers:
    """The states (S, K), but for how long ago the last outputs of strides were: so long that the next ones fall due."""
    found, stack = states.copy(), model.layer_stack
    for layer, where in zip(stack.layers, stack.states, strict=True):
        if layer.stride > 1:
            own = found[:, where]
            own[:, layer.state_slices["phase"]] = layer.stride - 1
            if not program.takes_dt:  # all are the same, and so are their sums
                own[:, layer.state_slices["elapsed"]] = (layer.stride - 1) * times
                times = layer.stride * times
    return found


def _parts(points: Numbers, K: int) -> tuple[Numbers, Numbers, Numbers]:
    """Inputs, elapsed times and states of points (S, I + 1 + K)."""
    inputs = points.shape[1] - 1 - K
    return points[:, :inputs], points[:, inputs], points[:, inputs + 1 :]


def _conditions(program: Program, points: Numbers, K: int) -> Bools:
    """Which conditions hold in a step from each of S points, (conditions, S)."""
    found = [np.zeros((0, len(points)), bool)]
    wanted = {id(node.arguments[0]) for node in _selections(program)}

    def observe(node: object, values: Numbers) -> None:
        if id(node) in wanted:
            found.append(np.broadcast_to(values > 0, (len(values), len(points))))

    machine = Machine(program, len(points), observe=observe)
    x, dt, state = _parts(points, K)
    machine.values["state"][:] = program.from_model(state).T
    with np.errstate(all="ignore"):
        machine.step(x, dt)
    return np.concatenate(found)


def _selections(program: Program) -> Iterator[Apply]:
    for stage in program.stages:
        for statement, _ in statements(stage.statements):
            for expr in expressions(statement):
                for node in nodes(expr):
                    if isinstance(node, Apply) and node.operation == "select":
                        yield node


def compare(model: Model, program: Program, steps: Steps) -> None:
    """Refuse a program that computes something else in these steps, as `prove`."""
    wanted = np.concatenate([steps.y, steps.after], axis=2)
    due = ~np.isnan(steps.y).all(2)  # a model of no stride refuses NaN
    with np.errstate(all="ignore"):  # float32 may hold less, and what is not finite is looked at below
        (found, found_due), (rough, _) = (_run(program, steps, dtype) for dtype in (np.float64, np.float32))
        # Where a difference is exactly 0 float32 may find the same by chance, and what is the least of some numbers
        # changes to one side alone.
        rng, least = np.random.default_rng(2), float(np.spacing(np.float32(1)))
        by = [least * rng.uniform(-1, 1, size) for size in (steps.x.shape, steps.before.shape)]
        others = [
            steps._replace(x=steps.x * (1 + sign * by[0]), before=steps.before * (1 + sign * by[1])) for sign in (1, -1)
        ]
        shaken = [_run(program, other, np.float64)[0] for other in others]
        error, rounding = np.abs(found - wanted), np.fmax.reduce([np.abs(each - found) for each in (rough, *shaken)])
    size, known = np.isfinite(wanted), np.isfinite(rounding)
    # Of each number of each sequence.
    allowed = OWN_SIZE * np.abs(np.where(size, wanted, 0)).max(0)
    allowed += OF_ROUNDING * np.where(known, rounding, 0).max(0)
    # What is not finite has no error; it is refused where it is written.
    wrong = size & ~(error <= allowed)
    if (found_due != due).any():
        raise ValueError(f"{WRONG} outputs would fall due in other steps: {REPORT}")
    if wrong.any():
        # A state, if one is wrong: what is wrong in a layer is seen in its outputs too, and in all layers behind it.
        O = program.output_size
        column = min(np.flatnonzero(wrong.any((0, 1))).tolist(), key=lambda k: (k < O, k))
        sequence = int(np.argmax(wrong[..., column].any(0)))
        numbers = np.where(wrong, error, 0).max(0), np.abs(wanted).max(0), allowed
        _refuse(model, column, *(float(each[sequence, column]) for each in numbers))


def _run(program: Program, steps: Steps, dtype: type) -> tuple[Numbers, Bools]:
    """Outputs and states (T, B, O + K) of all steps at once, each from the model's state before it; and in which of
    them (T, B) there are outputs."""
    T, B, _ = steps.x.shape
    machine = Machine(program, T * B, dtype)
    machine.values["state"][:, T * B - len(steps.before) :] = program.from_model(steps.before).T
    y = machine.step(steps.x.reshape(T * B, -1), steps.dt.ravel())
    after = program.to_model(machine.values["state"].T)
    found = np.concatenate([y, after], axis=1).astype(np.float64)
    return found.reshape(T, B, -1), machine.due.reshape(T, B)


def _refuse(model: Model, column: int, error: float, size: float, allowed: float) -> None:
    """Say which number, of outputs and states, is wrong."""
    stack, at = model.layer_stack, column - model.output_size
    what = f"output {column}"
    for k, (layer, where) in enumerate(zip(stack.layers, stack.states, strict=True)):
        if where.start <= at < where.stop:
            what = f"the state of layers[{k}], {checks.brief(layer)},"
    raise ValueError(
        f"{WRONG} {what} would be off by {error:.1e} in a step, of numbers up to {size:.1e}, where roundings allow "
        f"{allowed:.1e}: {REPORT}"
    )
