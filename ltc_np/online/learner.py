"""A network that goes on learning while it is used: its readout follows the targets that come in."""

from __future__ import annotations

import contextlib
import copy
import math
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.sums import sum_of_squares
from ..base.types import Array, ArrayLike, Backend, Bools, PathLike
from ..layers import Dense, Stack, Standardize
from ..model import Model
from ..network.step import check_causal
from .guard import WORDS, Guard, Watched, within
from .lms import LMS, NLMS
from .log import Log
from .rls import RLS
from .rule import Rule

if TYPE_CHECKING:
    from typing_extensions import Self

RULES: dict[str, type[Rule]] = {rule.__name__: rule for rule in (LMS, NLMS, RLS)}
EXTREME = 1e12  # squared errors above may overflow in a rule
AS_IT_IS = contextlib.nullcontext()
NOTE = "learner"  # under which a learner stands in the notes of its file


class _Answer(NamedTuple):
    """What is kept of an answer until its target comes: features (B, F), the last of them 1, and outputs (B, O)."""

    f: Array
    y: Array
    by: list[Array | None]  # the weights that gave it, of each readout; None where that is not known any more


class _Told(NamedTuple):
    """Of one observation: the mean squared errors of its answer and of the deployed weights, the distance of the
    weights from these, and what the guard has done."""

    error: float
    deployed: float
    distance: float
    events: tuple[str, ...]


class Learner:
    """A model in use on a stream, whose readout goes on learning by the squared error of its answers.

    The readout is the last `Dense` of the model, without an activation, or that before ``Standardize(inverse=True)``;
    everything before it stays as it was deployed.  So the network's dynamics cannot become unstable: only how its
    activity is read changes.  `predict` and `learn` together cost about twice as much as `Model.step`.

    Parameters
    ----------
    model : Model
        It is copied, and stays as it is.
    rule : Rule
        `NLMS`, `RLS` or `LMS`.
    streams : int, optional
        So many streams of one model at the same time: inputs are (B, I), answers (B, O).  Default: one, (I,) and (O,).
    shared : bool
        Whether all streams have one readout, which learns from each in turn; False: each has its own.
    delay : int
        How many answers later than at once a target may come.
    guard : Guard, optional
        Limits, and the way back to the deployed weights.  None: there are none.

    Attributes
    ----------
    log : Log
        Errors of answers given before their targets were known, and what the guard has done.
    state : (K,) or (B, K) array
        Of the network, after the last answer.  The next answer writes into the same array.

    Raises
    ------
    TypeError, ValueError
        For other arguments, and for a model without such a readout.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, AutoNCP, Dense, Model
    >>> from ltc_np.online import NLMS, Learner
    >>> model = Model(LTC(AutoNCP(12, 4)), Dense(1), input_dim=1, seed=0)
    >>> learner = Learner(model, NLMS(0.5))
    >>> for t in range(200):
    ...     y = learner.predict([np.sin(0.1 * t)], dt=1.0)
    ...     error = learner.learn([np.sin(0.1 * (t + 1))])
    >>> bool(abs(error[0]) < 0.05)
    True
    """

    rule: Rule
    guard: Guard | None
    streams: int | None
    shared: bool
    delay: int
    deployed: Array
    state: Array
    log: Log

    @with_signature_hints
    def __init__(
        self,
        model: Model,
        rule: Rule,
        *,
        streams: int | None = None,
        shared: bool = True,
        delay: int = 0,
        guard: Guard | None = None,
    ) -> None:
        if not isinstance(model, Model):
            raise TypeError(f"`model` must be a Model, got {checks.brief(model)}")
        if not isinstance(rule, Rule):
            raise TypeError(f"`rule` must be a Rule such as NLMS() or RLS(), got {checks.brief(rule)}")
        if guard is not None and not isinstance(guard, Guard):
            raise TypeError(f"`guard` must be a Guard or None, got {checks.brief(guard)}")
        check_causal(model)
        self.rule, self.guard = rule, guard
        self.streams = None if streams is None else checks.integer("streams", streams)
        self.shared, self.delay = checks.boolean("shared", shared), checks.integer("delay", delay, least=0)
        self._model = copy.deepcopy(model)
        self._body, self._scale, self._mean, self.deployed = _apart(self._model)
        B = self.streams or 1
        self._readouts = [self._begin() for _ in range(1 if self.shared else B)]
        self._answers: deque[_Answer] = deque(maxlen=self.delay + 1)
        self.log = Log()
        self.reset()

    def __repr__(self) -> str:
        chosen = f"guard={self.guard!r}, streams={self.streams}, shared={self.shared}, delay={self.delay}"
        return f"Learner({self._model!r}, {self.rule!r}, {chosen})"

    @property
    def input_size(self) -> int:
        """Features of an observation."""
        return self._model.input_size

    @property
    def output_size(self) -> int:
        """Numbers of an answer."""
        return self._model.output_size

    def _begin(self) -> Watched:
        W = self.deployed
        kept = self.rule.begin(W.shape[1], W.shape[0], W.dtype)
        return Watched(W, kept, (W, kept))

    def reset(self) -> None:
        """Begin a new sequence: the state at the start, no answer that waits for its target.  What is learnt stays."""
        start = self._body.initial_state()
        self.state = start.copy() if self.streams is None else np.tile(start, (self.streams, 1))
        self._answers.clear()

    @property
    def weights(self) -> Array:
        """Learnt weights, (O, F + 1) in the units of the targets, the bias last; (B, O, F + 1) where none is shared.

        They are the learnt ones also while a guard lets others answer.
        """
        found = np.stack([readout.W for readout in self._readouts])
        return found[0] if self.shared else found

    @with_signature_hints
    def predict(self, x_t: ArrayLike, *, dt: ArrayLike | None = None) -> Array:
        """The answer to one observation, (O,) or (B, O); the state goes on.

        Parameters
        ----------
        x_t : (I,) array, or (B, I)
        dt : number, or (B,) array, optional
            Elapsed time since the observation before.  Default 1.
        """
        shape, F = self.state.shape[:-1], self.deployed.shape[1]
        f = np.ones((self.streams or 1, F), self.deployed.dtype)
        x = x_t
        if type(x) is not np.ndarray:
            x = checks.real("x_t", x_t, None, f"shape {(*shape, self._body.input_size)}", bools=True)
        if x.shape != (*shape, self._body.input_size):
            raise ValueError(f"`x_t` must have shape {(*shape, self._body.input_size)}, got {x.shape}")
        features = f[:, :-1] if shape else f[0, :-1]
        self._body.step(x, dt=dt, state=self.state, out=(features, self.state))
        by: list[Any] = [readout.weights(self.deployed) for readout in self._readouts]
        own = by * len(f) if self.shared else by
        y = np.stack([W @ row for W, row in zip(own, f, strict=True)]) if shape else (by[0] @ f[0])[None]
        self._answers.append(_Answer(f, y, by))
        return y.copy() if shape else y[0].copy()

    def peek(self, x_t: ArrayLike, *, dt: ArrayLike | None = None) -> Array:
        """The answer that `predict` would give now, of the same arguments; nothing changes."""
        state, answers = self.state.copy(), self._answers.copy()
        try:
            return self.predict(x_t, dt=dt)
        finally:
            self.state[...], self._answers = state, answers

    @with_signature_hints
    def learn(self, target: ArrayLike, *, ago: int = 0, weight: ArrayLike | None = None) -> Array:
        """Learn from the target of an answer; returns target - answer, as it was given then, NaN where none is known.

        Parameters
        ----------
        target : (O,) array, or (B, O)
            NaN where a target is missing.
        ago : int
            Which answer it belongs to: 0 is the last one, 1 the one before, up to ``delay``.
        weight : number >= 0, or (B,) array, optional
            How much it counts.  Default 1.
        """
        kept = len(self._answers)
        if type(ago) is not int or ago != 0:
            ago = checks.integer("ago", ago, least=0)
        if ago >= kept:
            raise ValueError(
                f"`ago` must be less than the {checks.counted(kept, 'answer')} kept, got {ago}: call `predict` first, "
                "and make the learner with a larger `delay` for targets that come later"
            )
        answer = self._answers[-1 - ago]
        shape = answer.y.shape if self.state.ndim == 2 else answer.y.shape[1:]
        given: Any = target
        if type(target) is not np.ndarray or target.dtype != answer.y.dtype:
            given = checks.real("target", target, answer.y.dtype, f"shape {shape}")
        if given.shape != shape:
            raise ValueError(f"`target` must have shape {shape}, got {given.shape}")
        targets = given.reshape(answer.y.shape)
        error = targets - answer.y
        known, weights = None, None
        if not math.isfinite(sum_of_squares(error)):
            known = ~np.isnan(targets)
            checks.finite("target", targets[known])
        if weight is not None:
            expected = f"a number or ({self.streams},)" if self.streams else "a number"
            weights = checks.real("weight", weight, np.dtype(float), expected)
            if weights.shape not in ((), shape[:-1]):
                raise ValueError(f"`weight` must be {expected}, got shape {weights.shape}")
            checks.finite("weight", weights)
            if (weights < 0).any():
                raise ValueError(f"`weight` must be >= 0, got {weights.min()}")
            weights = np.broadcast_to(weights, len(targets))
        after, told = self._readouts.copy(), list[_Told]()
        for b in range(len(targets)):
            of, counts = None if known is None or known[b].all() else known[b], 1.0
            if weights is not None:
                counts = float(weights[b])
            if counts > 0 and (of is None or of.any()):
                k = 0 if self.shared else b
                after[k], heard = self._learnt(after[k], answer, b, targets[b], of, counts)
                told.append(heard)
        self._readouts = after
        for heard in told:
            self.log.add(heard.error, heard.deployed, heard.distance)
            for event in heard.events:
                self.log.say(event)
        return error.reshape(shape)

    def _learnt(
        self, readout: Watched, answer: _Answer, b: int, target: Array, known: Bools | None, weight: float
    ) -> tuple[Watched, _Told]:
        """A readout after one observation, and what the log is told."""
        f, guard, deployed = answer.f[b], self.guard, self.deployed
        n = len(target) if known is None else int(known.sum())

        def apart(found: Array) -> Array:
            return target - found if known is None else np.where(known, target - found, 0).astype(f.dtype)

        then = error = apart(answer.y[b])
        if answer.by[0 if self.shared else b] is not readout.W:
            error = apart(readout.W @ f)
        told, old = sum_of_squares(then) / n, sum_of_squares(apart(deployed @ f)) / n
        # What overflows is looked for in the result; to say so to NumPy takes longer than a step of NLMS.
        extreme = max(told, old, weight) > EXTREME
        with np.errstate(over="ignore", invalid="ignore", divide="ignore") if extreme else AS_IT_IS:
            W, kept = self.rule.update(readout.W, readout.kept, f, error, known, weight)
            distance = math.sqrt(sum_of_squares(W - deployed))
        # An infinite error would stay in the guard's mean for ever.
        own = told if error is then else sum_of_squares(error) / n
        good = 0.0 if guard is None else sum_of_squares(apart(readout.good[0] @ f)) / n
        if not math.isfinite(told + old + own + good + distance + sum(map(sum_of_squares, kept.values()))):
            raise FloatingPointError(
                f"errors and weights must stay finite in {W.dtype}, but {self.rule!r} overflows for a target of "
                f"{target}, a weight of {weight:g} and features up to {np.abs(f).max():.3g}: nothing was learnt; take "
                "targets or weights of a smaller scale"
            )
        if guard is None:
            return Watched(W, kept, readout.good), _Told(told, old, distance, ())
        W, distance, events = within(W, deployed, distance, guard.distance)
        readout, more = readout._replace(W=W, kept=kept).judged(guard, (own, good, old))
        return readout, _Told(told, old, distance, events + more)

    def network(self, stream: int = 0) -> Model:
        """An ordinary model with `weights` as its readout; those of a stream, where each has its own."""
        k = checks.integer("stream", stream, least=0, most=len(self._readouts) - 1)
        model = copy.deepcopy(self._model)
        W = self._readouts[k].W.astype(np.float64)
        W[:, -1] -= self._mean
        W /= self._scale[:, None]
        prefix = model.layer_stack.prefixes[len(self._body.layers)]
        model.params[f"{prefix}weight"][...], model.params[f"{prefix}bias"][...] = W[:, :-1].T, W[:, -1]
        return model

    # ------------------------------------------------------------------------------------------------------- files

    def save(self, path: PathLike) -> None:
        """Write the learner to a file, whole or not at all: `load` goes on with the same bits.

        It is the file of the deployed model, with the learner in its notes, so `ltc_np.load` reads it too.  A rule of
        your own cannot be saved.
        """
        if RULES.get(type(self.rule).__name__) is not type(self.rule):
            raise TypeError(f"`rule` must be one of {', '.join(RULES)} to be saved, got {self.rule!r}")
        model = copy.deepcopy(self._model)
        model.notes = (self._model.notes or {}) | {
            NOTE: {
                "rule": [type(self.rule).__name__, self.rule.config()],
                "guard": None if self.guard is None else self.guard.config(),
                "streams": self.streams,
                "shared": self.shared,
                "delay": self.delay,
                "readouts": [_plain(readout) for readout in self._readouts],
                "answers": [[answer.f.tolist(), answer.y.tolist()] for answer in self._answers],
                "state": self.state.tolist(),
                "log": self.log.state(),
            }
        }
        model.save(path)

    @classmethod
    def load(cls, path: PathLike, backend: Backend = "auto") -> Self:
        """The learner of a file that `save` wrote; the bits go on with the backend that it had then.

        Raises
        ------
        OSError, ValueError
            As `ltc_np.load`, and for the file of a model without a learner.
        """
        from ..model import load

        model = load(path, backend=backend)
        notes = dict(model.notes or {})
        if NOTE not in notes:
            raise ValueError(f"{path} must be a file of `Learner.save`, got one of a model: make a learner of that")
        held = notes.pop(NOTE)
        model.notes = notes or None
        try:
            name, arguments = held["rule"]
            guard = None if held["guard"] is None else Guard(**held["guard"])
            settings = {key: held[key] for key in ("streams", "shared", "delay")}
            learner = cls(model, RULES[name](**arguments), guard=guard, **settings)
            learner.restore(held)
        except (TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
            raise ValueError(f"{path} has a damaged learner: {checks.one_line(error)}") from None
        return learner

    def restore(self, held: Mapping[str, Any]) -> None:
        """Take what a file holds of the same learner; `load` calls it."""
        dtype, shape = self.deployed.dtype, self.state.shape
        if len(held["readouts"]) != len(self._readouts):
            raise ValueError(f"`readouts` must be {len(self._readouts)}, got {len(held['readouts'])}")
        self._readouts = [_watched(form, dtype) for form in held["readouts"]]
        for f, y in held["answers"]:
            self._answers.append(_Answer(np.array(f, dtype), np.array(y, dtype), [None] * len(y)))
        self.state = np.array(held["state"], dtype).reshape(shape)
        self.log.restore(held["log"])


def _apart(model: Model) -> tuple[Model, Array, Array, Array]:
    """The model without its readout; scale and mean (O,) of outputs; the readout (O, F + 1) in the outputs' units."""
    layers, n = model.layers, len(model.layers) - 1
    last = layers[n]
    scaled = n > 0 and isinstance(last, Standardize) and last.inverse
    n -= scaled
    last = layers[n]
    if n < 1 or not isinstance(last, Dense) or last.activation is not None:
        raise ValueError(
            "`model` must end with a Dense without activation (before Standardize(inverse=True), if it has one) and "
            f"have a layer before it, got {', '.join(map(repr, layers))}: add Dense({model.output_size}); "
            "`ltc_np.shortcut.network` takes out a line beside the network"
        )
    stack, prefix = Stack(layers[:n], model.input_size), model.layer_stack.prefixes
    size, buffers = stack.layout.size, stack.buffers.size
    body = Model.restored(
        stack, model.theta[:size].copy(), model.buffer_vector[:buffers].copy(), model.backend, return_sequences=True
    )
    O = last.output_size
    scale, mean = np.ones(O), np.zeros(O)
    if scaled:
        scale, mean = (np.asarray(model.buffers[prefix[n + 1] + name], np.float64) for name in ("scale", "mean"))
    weight, bias = model.params[prefix[n] + "weight"], model.params[prefix[n] + "bias"]
    W = np.concatenate([weight.T, bias[:, None]], axis=1).astype(np.float64) * scale[:, None]
    W[:, -1] += mean
    return body, scale, mean, np.ascontiguousarray(W, model.dtype)


def _plain(readout: Watched) -> dict[str, Any]:
    """A readout as plain data."""
    W, kept = readout.good
    return readout._asdict() | {
        "W": readout.W.tolist(),
        "errors": list(readout.errors),
        "kept": {name: array.tolist() for name, array in readout.kept.items()},
        "good": None if W is readout.W else [W.tolist(), {name: array.tolist() for name, array in kept.items()}],
    }


def _watched(form: Mapping[str, Any], dtype: Any) -> Watched:
    """Inverse of `_plain`."""

    def both(W: Any, kept: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
        return np.array(W, dtype), {name: np.array(values, dtype) for name, values in kept.items()}

    now = both(form["W"], form["kept"])
    good = now if form["good"] is None else both(*form["good"])
    own, of_good, deployed = map(float, form["errors"])
    answering = checks.one_of("answering", form["answering"], WORDS)
    return Watched(*now, good, (own, of_good, deployed), answering, int(form["since"]))
