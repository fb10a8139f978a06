"""Ensemble: several networks side by side, and the mean of what they answer.

Source: Lakshminarayanan, Pritzel and Blundell, "Simple and Scalable Predictive Uncertainty Estimation using Deep
Ensembles", NeurIPS 2017 (arXiv 1612.01474), section 2.4.  docs/maths/around.md#ensemble has the gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np

from ..base import checks
from ..base.layout import Layout, part
from ..base.types import Array, Arrays, Backend, Float, Ints, Keep
from ..base.workspace import Workspace
from ..cells import Layer
from ..cells.base import Traced, combine
from ..cells.dropping import own_rng
from .mixture_density import MixtureDensity
from .pace import refuse_strides
from .residual import Residual
from .stack import Stack, connected

ANSWERS = ("numbers", "classes")


class Saved(NamedTuple):
    """What the adjoint needs: which steps are no padding (B, T), None for all; what each member saved; and of classes
    the logarithms of the members' probabilities (k, B, T, O) and of their mean (B, T, O)."""

    valid: np.ndarray | None
    members: list[Any]
    own: np.ndarray | None
    mean: np.ndarray | None


class Ensemble(Layer):
    """The mean of what several networks answer to the same inputs.

    Parameters
    ----------
    *members : Layer, or sequence of Layer
        At least two.  Each member is a layer or several in a row; all take as many features, and give as many.
    answers : "numbers" or "classes"
        "numbers": y is the mean of the members' outputs.  "classes": outputs are logits of classes, and y the logarithm
        of the mean of the members' probabilities, so that `predict_proba` gives that mean and `cross_entropy` is its
        loss.

    Notes
    -----
    Parameters, states and buffers are those of the members: the names of member k become ``"k.name"``, of its layer j
    ``"k.j.name"`` if it has several.  What is true of all layers is true of it.  `fit` of such a model trains the
    members together, to one common answer, which makes them alike; `ltc_np.ensemble` joins networks that were trained
    one by one, and takes them apart.  It cannot be exported: `ltc_np.ensemble.members` gives models that can, and
    `ltc_np.simplify.distil` makes one network of all.  Cost: the sum of the members'.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import GRU, LTC, AutoNCP, Dense, Ensemble, Model
    >>> model = Model(Ensemble(LTC(AutoNCP(16, 2)), (GRU(8), Dense(2))), input_dim=3, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    members: tuple[tuple[Layer, ...], ...]
    answers: Literal["numbers", "classes"]

    def __init__(self, *members: Layer | Sequence[Layer], answers: Literal["numbers", "classes"] = "numbers") -> None:
        self.answers = checks.one_of("answers", answers, ANSWERS)
        rows: Any = tuple(tuple(m) if isinstance(m, (tuple, list)) else (m,) for m in members)
        if len(rows) < 2:
            raise ValueError(f"`members` must be at least two networks, got {len(rows)}")
        if any(row and isinstance(row[0], Layer) and row[0].open for row in rows):
            return self._defer(members=rows)
        stacks = self._stacks = [Stack(row) for row in rows]
        refuse_strides(self, [layer for stack in stacks for layer in stack.layers])
        sizes = {(stack.input_size, stack.output_size) for stack in stacks}
        if len(sizes) > 1:
            told = ", ".join(f"{stack.input_size} in, {stack.output_size} out" for stack in stacks)
            raise ValueError(f"`members` must take as many features, and give as many, got {told}")
        ((self.input_size, self.output_size),) = sizes
        if answers == "classes" and self.output_size < 2:
            raise ValueError(
                '`answers` must be "numbers" for members with one output, got "classes": take a logit each'
            )
        self.members = tuple(stack.layers for stack in stacks)
        if any(isinstance(row[-1], MixtureDensity) for row in self.members):
            raise ValueError(
                "`members` must give numbers or logits, got MixtureDensity: means of a density's parameters are none; "
                "average the densities, np.exp(Mixture.of(y).log_likelihood(target)) of each"
            )
        self.layout, self.buffers = (
            Layout.join(getattr(stack, name) for stack in stacks) for name in ("layout", "buffers")
        )
        ends = np.cumsum([0, *(stack.state_size for stack in stacks)]).tolist()
        self._states, self.state_size = [slice(a, b) for a, b in pairwise(ends)], ends[-1]
        self.state_slices = {
            f"{k}.{name}": slice(ends[k] + where.start, ends[k] + where.stop)
            for k, stack in enumerate(stacks)
            for name, where in stack.state_slices.items()
        }
        self.reach = max(stack.reach for stack in stacks)
        vars(self).update(combine([layer for row in self.members for layer in row]))
        self._freeze()

    def with_input(self, features: int) -> Ensemble:
        rows = (connected(row, features) for row in self.members)
        return Ensemble(*rows, answers=self.answers) if self.open else self

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> list[Any]:
        return [
            stack.prepare(part(p, f"{k}."), part(buffers, f"{k}."), backend) for k, stack in enumerate(self._stacks)
        ]

    def check(self, prepared: Any, dt: Array) -> None:
        for stack, own in zip(self._stacks, prepared, strict=True):
            stack.check(own, dt)

    def forward(
        self,
        prepared: Any,
        x: Array,
        dt: Array,
        lengths: Ints,
        h0: Array,
        keep: Keep,
        workspace: Workspace,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Array, Saved | None]:
        B, T, _ = x.shape
        valid = None if (lengths == T).all() else checks.before_end(lengths, T)
        found = workspace.array("found", len(self.members) * B * T * self.output_size, x.dtype)
        found = found.reshape(-1, B, T, self.output_size)
        states, saved = [], []
        for k, (stack, columns) in enumerate(zip(self._stacks, self._states, strict=True)):
            start = np.ascontiguousarray(h0[:, columns])
            found[k], h, own = stack.forward(
                prepared[k], x, dt, lengths, valid, start, keep, workspace.child(k), lambda _: own_rng(rng)
            )
            states.append(h)
            saved.append(own)
        h = np.concatenate(states, axis=1)
        if self.answers == "numbers":
            return found.mean(axis=0), h, Saved(valid, saved, None, None) if keep else None
        y = log_mean_probabilities(found)
        return y, h, Saved(valid, saved, found, y) if keep else None

    def backward(
        self,
        prepared: Any,
        saved: Saved,
        d_y: Array,
        d_h: Array,
        g: Arrays,
        want_x: bool,
        want_dt: bool,
        workspace: Workspace,
    ) -> tuple[Array | None, Array, Array | None]:
        count = len(self.members)
        if saved.own is None:
            d_found = np.broadcast_to(d_y / d_y.dtype.type(count), (count, *d_y.shape))
        else:
            d_found = d_log_mean_probabilities(saved.own, saved.mean, d_y)
        d_x = d_dt = None
        d_h0 = []
        for k, (stack, columns) in enumerate(zip(self._stacks, self._states, strict=True)):
            d_state = np.ascontiguousarray(d_h[:, columns])
            of_x, of_h0, of_dt = stack.backward(
                prepared[k], saved.members[k], saved.valid, d_found[k].copy(), d_state, part(g, f"{k}."), want_x,
                want_dt, workspace.child(k),
            )  # fmt: skip
            d_h0.append(of_h0)
            d_x = _sum(d_x, of_x) if want_x else None
            d_dt = _sum(d_dt, of_dt)
        return d_x, np.concatenate(d_h0, axis=1), d_dt

    def trace(self, prepared: Any, x: Array, dt: Array, lengths: Ints, h0: Array) -> Traced:
        """The members', with the names that their parameters have: ``"0.tau"``, ``"0.1.tau"``."""
        outputs, states, arrays = [], [], {}
        for k, (stack, columns) in enumerate(zip(self._stacks, self._states, strict=True)):
            passed = [each.traced for each in stack.trace(prepared[k], x, dt, lengths, h0[:, columns])]
            outputs.append(passed[-1].y)
            states += [each.states for each in passed]
            for prefix, each in zip(stack.prefixes, passed, strict=True):
                arrays |= each.prefixed(f"{k}.{prefix}")
        found = np.array(outputs)
        y = found.mean(axis=0) if self.answers == "numbers" else log_mean_probabilities(found)
        y[~checks.before_end(lengths, x.shape[1])] = 0
        return Traced(y, np.concatenate(states, axis=2), arrays)

    observe = Residual.observe

    def new_buffers(self, buffers: Arrays, saved: Saved) -> Arrays:
        return {
            f"{k}.{name}": values
            for k, (stack, own) in enumerate(zip(self._stacks, saved.members, strict=True))
            for name, values in stack.new_buffers(part(buffers, f"{k}."), own).items()
        }

    def initial_state(self, B: int, dtype: Float) -> Array:
        return np.concatenate([stack.initial_state(B, dtype) for stack in self._stacks], axis=1)


def log_mean_probabilities(logits: Array) -> Array:
    """The logarithm of the mean of k probabilities: (B, T, O) of logits (k, B, T, O), in whose place the logarithms of
    the members' own probabilities are then."""
    logits -= logits.max(axis=-1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    most = logits.max(axis=0)
    return most + np.log(np.exp(logits - most).mean(axis=0))


def d_log_mean_probabilities(own: Array, mean: Array, d_mean: Array) -> Array:
    """Adjoint of `log_mean_probabilities`: that of the logits, from the logarithms that it has found."""
    d_own = np.exp(own - mean) * (d_mean / d_mean.dtype.type(len(own)))
    return d_own - np.exp(own) * d_own.sum(axis=-1, keepdims=True)


def _sum(a: Array | None, b: Array | None) -> Array | None:
    return b if a is None else a if b is None else a + b
