"""Distilling: one model learns what another one says, at every step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike
from ..layers import MixtureDensity, Standardize
from ..model import Model, check_model
from ..recipe import Recipe, enough_epochs
from .result import Data, Row, Simplified, error_of, size_of

TOO_FAR = 0.5  # of the spread
OWN = {
    "validation": "`held_out`",
    "validation_data": "`held_out`",
    "validation_split": "`held_out`",
    "loss": "nothing: outputs are compared by mse",
}


@with_signature_hints
def distil(
    teacher: Model,
    student: Model,
    x: ArrayLike,
    *,
    dt: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    y: ArrayLike | None = None,
    held_out: float = 0.2,
    **options: Any,
) -> Simplified:
    """Train a model, in place, to give the outputs of another one at every step; any two models.

    Parameters
    ----------
    teacher, student : Model
        With as many inputs and outputs, as often (the same stride), and no `MixtureDensity` at the end.  The student
        may be of any kind, new or trained.
    x : (B, T, I) array
        What the student learns on: it needs no targets, so it may be more than the teacher was trained on.
    dt, lengths
        As for a call.  A model without elapsed time is not told them.
    y : (B, T, O) array, optional
        True targets of every step, only to compare both models with; NaN where there is none.
    held_out : float in [0, 1)
        This share of the sequences, the last ones and at least one, is not learned from: errors are measured on it, and
        the student keeps its weights of the epoch in which it was best there.  With 0 errors are those on all of ``x``,
        and the last weights stay.
    **options
        As for `Model.fit`: epochs, batch_size, optimizer, seed, ...  Its loss is the mean square.  What is not given is
        as in `Recipe`: AdamW at a rate that falls from 0.01, batches of 16, gradients of norm 1 at most, and 1,000
        steps, or 100 epochs if these are more.  The `Standardize` layers of a student that has never been trained take
        the scales of x and of the lessons.

    Returns
    -------
    Simplified
        ``result.model`` is the student, ``result.original`` the teacher.  The table has the student before and after,
        with its `Error.relative` to the teacher, and with ``y`` by the name ``to targets`` the root mean square error
        of the teacher and of the student against them.

    Warns
    -----
    RuntimeWarning
        The student is more than half of the spread of the teacher's outputs away from them.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import GRU, LTCRNN, AutoNCP, Dense, Model, Standardize
    >>> from ltc_np.simplify import distil
    >>> x = np.random.default_rng(0).normal(size=(64, 20, 3))
    >>> teacher = LTCRNN(AutoNCP(8, 2), 3, seed=0)
    >>> student = Model(GRU(8), Dense(2), Standardize(inverse=True), input_dim=3, seed=0)
    >>> result = distil(teacher, student, x, seed=0, verbose=False)
    >>> [row.what for row in result.table], result.error.relative < 0.3 < 1 < result.table[0].error
    (['student before', 'student after'], True)
    """
    for name, model in (("teacher", teacher), ("student", student)):
        check_model(name, model)
    for what in ("input_size", "output_size"):
        if getattr(student, what) != getattr(teacher, what):
            raise ValueError(
                f"`student` must have the teacher's {what}, {getattr(teacher, what)}, got {getattr(student, what)}"
            )
    strides = [model.layer_stack.stride for model in (teacher, student)]
    if strides[0] != strides[1]:
        raise ValueError(f"`student` must have the teacher's stride, {strides[0]}, got {strides[1]}")
    for name, model in (("teacher", teacher), ("student", student)):
        if isinstance(model.layers[-1], MixtureDensity):
            raise ValueError(
                f"`{name}` must give numbers, since outputs are compared by mse, got {model.layers[-1]!r} at its end: "
                "train the student with fit(..., loss='mixture_density')"
            )
    if student is teacher:
        raise ValueError("`student` must be another model than the `teacher`, got the same")
    for name, instead in OWN.items():
        if name in options:
            raise TypeError(f"`distil` has no argument `{name}`, use {instead}")
    share = checks.number("held_out", held_out, high=1.0, high_open=True)
    # From here on the arguments are checked by the calls of the teacher, which sees everything first.
    lessons = teacher(
        x, dt=dt if teacher.takes_dt or not student.takes_dt else None, lengths=lengths, return_sequences=True
    )
    if lessons.ndim == 2:
        raise ValueError(
            f"`x` must be (B, T, {teacher.input_size}), several sequences, got shape {np.shape(x)}: "
            "ltc_np.data.windows cuts a long one into several"
        )
    targets = None if y is None else _targets(y, lessons.shape)
    B = lessons.shape[0]
    held = max(round(share * B), 1) if share else 0
    if held >= B:
        raise ValueError(
            f"`held_out` must leave at least one of the {B} sequences to learn from, got {held_out}: give more "
            "sequences, or held_out=0, which measures errors on those that are learned from"
        )
    shown, other = (
        Data(x, dt, lengths).part(rows) for rows in (slice(0, B - held), slice(B - held if held else 0, None))
    )
    known = None if targets is None else other.valid(targets[B - held if held else 0 :])
    wanted = other.outputs(teacher, every=True)

    def row(what: str, model: Model) -> Row:
        found = other.outputs(model, every=True)
        to = {} if known is None else {"to targets": _rms(found, known)}
        return Row(what, size_of(model), error_of(found, wanted).relative, to)

    table = [] if targets is None else [row("teacher", teacher)]
    table.append(row("student before", student))
    every, student.return_sequences = student.return_sequences, True
    try:
        arguments: dict[str, Any] = shown.told(student) | {"y": lessons[: B - held], "loss": "mse"}
        if held:
            arguments["validation"] = other.told(student) | {"y": lessons[B - held :]}
        _recipe(student, B - held, options).fit(student, **arguments, sequences=B - held, **options)
        if student.trained is not None:  # its outputs mean what the teacher's mean, such as logits
            student.trained = student.trained._replace(loss=None if teacher.trained is None else teacher.trained.loss)
    finally:
        student.return_sequences = every
    table.append(row("student after", student))
    error = error_of(other.outputs(student, every=True), wanted)
    if error.relative > TOO_FAR:
        checks.warn(
            f"the student's outputs are {error.relative:.0%} of their spread away from the teacher's: train for more "
            "epochs or at another rate, put `Standardize` layers around a new student, or take a larger one"
        )
    return Simplified(student, teacher, error, size_of(teacher), size_of(student), tuple(table))


def _recipe(student: Model, sequences: int, options: dict[str, Any]) -> Recipe:
    """The `Recipe` of a training, as far as ``options`` do not say otherwise."""
    new = student.trained is None and any(isinstance(layer, Standardize) for layer in student.layers)
    whole = int, np.integer
    given = {name: options[name] for name in ("epochs", "batch_size") if isinstance(options.get(name), whole)}
    recipe = Recipe(standardize=new, **given)
    return recipe if "epochs" in given else replace(recipe, epochs=enough_epochs(sequences, recipe.batch_size))


def _targets(y: ArrayLike, shape: tuple[int, ...]) -> Array:
    targets = checks.real("y", y, np.dtype(np.float64), f"(B, T, O) = {shape}")
    if targets.shape != shape:
        raise ValueError(f"`y` must have the shape of the outputs at every step, {shape}, got {targets.shape}")
    return targets


def _rms(y: Array, targets: Array) -> float:
    """Root mean square of the differences (n, O) where there is a target; NaN without any."""
    difference = (y - targets)[np.isfinite(targets)]
    return float(np.sqrt((difference**2).mean())) if difference.size else float("nan")
