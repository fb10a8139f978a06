"""Programs of `ltc_np.export` with one thing wrong: what a proof of an export must not accept."""

from dataclasses import replace

import numpy as np

from ltc_np.export.program import Apply, Linear, Map, Number, Repeat, Synapses, Total, Vector

SIZE = 1e-3  # of a wrong factor
ROWS = 3  # of an array, wrong alone: all have gone the same way
NOT_COMMUTATIVE = ("subtract", "divide", "select")
EXPRESSIONS = {
    Map: ("value",),
    Linear: ("source",),
    Total: ("value",),
    Synapses: ("source", "first_start", "second_start"),
}
ARRAYS = {Map: (), Linear: ("weights", "bias"), Total: (), Synapses: ("mu", "sigma", "first_weight", "second_weight")}


def faulty_programs(program):
    """(what is wrong, program) of every fault of every statement, and of a wrong state at the start."""
    sizes = program.variables
    if program.state_size:
        yield "start", program._replace(start=program.start + 1)
    for k, stage in enumerate(program.stages):
        for what, statements in _lists(stage.statements, sizes):
            stages = (*program.stages[:k], stage._replace(statements=statements), *program.stages[k + 1 :])
            yield f"{stage.name}, statement {what}", program._replace(stages=stages)


def _lists(of, sizes):
    """Lists of statements in which one is wrong, or missing."""
    for k, own in enumerate(of):
        for what, wrong in _statements(own, sizes):
            yield f"{k}: {type(own).__name__} {what}", (*of[:k], *wrong, *of[k + 1 :])


def _statements(own, sizes):
    """What takes the place of a statement."""
    if isinstance(own, Repeat):
        for what, count in (("once more", own.count + 1), ("once less", own.count - 1)):
            yield what, (replace(own, count=count),)
        for what, body in _lists(own.body, sizes):
            yield f"[{what}]", (replace(own, body=body),)
        return
    yield "left out", ()
    for field in EXPRESSIONS[type(own)]:
        for what, expr in _expressions(getattr(own, field), sizes):
            yield f"{field} {what}", (replace(own, **{field: expr}),)
    for field in ARRAYS[type(own)]:
        for what, values in _arrays(getattr(own, field)):
            yield f"{field} {what}", (replace(own, **{field: values}),)
    if isinstance(own, Linear):
        for what, values in _arrays(own.weights.T):
            yield f"columns {what}", (replace(own, weights=values.T),)
    if isinstance(own, Synapses):
        yield "weights exchanged", (replace(own, first_weight=own.second_weight, second_weight=own.first_weight),)
        yield "other sources", (replace(own, pre=(own.pre + 1) % own.source.size),)


def _arrays(values):
    """All numbers wrong, and some rows of them."""
    yield "scaled", values * (1 + SIZE)
    yield "negated", -values
    for k in range(0, len(values), max(1, len(values) // ROWS)):
        other = values.copy()
        other[k] *= 1 + SIZE
        yield f"{k} scaled", other


def _expressions(expr, sizes):
    """Expressions in which one part is wrong: scaled, negated, of other elements, exchanged or left out."""
    yield "scaled", Apply("multiply", (expr, Number(1 + SIZE)), expr.size)
    yield "negated", Apply("multiply", (expr, Number(-1.0)), expr.size)
    if isinstance(expr, Vector):
        for start in (expr.start - 1, expr.start + 1):
            if 0 <= start <= sizes[expr.name] - expr.size:
                yield f"from {start}", replace(expr, start=start)
    if isinstance(expr, Apply):
        arguments = expr.arguments
        if expr.operation in NOT_COMMUTATIVE:
            yield "exchanged", replace(expr, arguments=(*arguments[:-2], arguments[-1], arguments[-2]))
        for k, argument in enumerate(arguments):
            if argument.size == expr.size:
                yield f"only {k}", argument
            for what, wrong in _expressions(argument, sizes):
                changed = (*arguments[:k], wrong, *arguments[k + 1 :])
                yield f"{expr.operation}[{k}] {what}", replace(expr, arguments=changed)


class Elsewhere:
    """What a program does in other steps than those of the proof: 24 sequences of magnitudes from 0.01 to 30.

    Attributes
    ----------
    program : Program
        The right one, whose states all steps begin with.
    """

    SEQUENCES, STEPS = 24, 24

    def __init__(self, program, machine):
        rng, B, T = np.random.default_rng(7), self.SEQUENCES, self.STEPS
        self.make, first = machine, machine(program, B)
        self.x = rng.standard_normal((T, B, program.input_size)) * 10.0 ** rng.uniform(-2, 1.5, (B, 1))
        self.dt = rng.uniform(size=(T, B)) * 10.0 ** rng.uniform(-2, 1.5, B) * (rng.uniform(size=(T, B)) > 0.1)
        before, after = [], []
        with np.errstate(all="ignore"):
            for x, dt in zip(self.x, self.dt, strict=True):
                before.append(first.values["state"].copy())
                y = first.step(x, dt)
                after.append(np.concatenate([y, first.values["state"].T], axis=1))
        self.before, self.after = np.concatenate(before, axis=1), np.array(after)

    def change(self, program):
        """By how much it differs from the right one at most, in units of the largest number of each sequence."""
        T, B, _ = self.after.shape
        machine = self.make(program, T * B)
        machine.values["state"][:, B:] = self.before[:, B:]
        with np.errstate(all="ignore"):
            y = machine.step(self.x.reshape(T * B, -1), self.dt.ravel())
            found = np.concatenate([y, machine.values["state"].T], axis=1).reshape(T, B, -1)
            known = np.isfinite(self.after)
            if (np.isfinite(found) != known).any():
                return np.inf
            largest = np.where(known, np.abs(self.after), 0).max(0)
            return np.where(known, np.abs(found - self.after) / np.where(largest > 0, largest, 1), 0).max(initial=0)
