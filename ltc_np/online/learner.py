"""A network that goes on learning while it is used, from the targets that come in."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import io, losses, optim
from ..base import checks
from ..base.calls import with_signature_hints
from ..base.elsewhere import Elsewhere
from ..base.types import Array, ArrayLike, Backend, LibraryLoss, Loss, OwnLossFunction, PathLike
from ..layers import MixtureDensity
from ..model import KINDS, Model, check_model
from ..network.elapsed import warn_of_none
from ..network.outputs import check_logits, warn_of_activation
from ..network.step import check_causal
from ..optim import Clip, Optimizer
from ..optim.base import counts_epochs
from ..optim.clip import read_clip
from . import settings as files
from .gradients import Gradients
from .guard import Guard
from .log import Log
from .methods import METHODS, Exact, Method
from .part import Part
from .readouts import Readouts
from .rule import Rule
from .targets import Targets, wrong_shape
from .waiting import Noting, Waiting

if TYPE_CHECKING:
    from typing_extensions import Self

# Arguments besides the model.
SETTINGS = "rule", "method", "loss", "clip_norm", "pull", "streams", "shared", "delay", "guard"


class Learner(Elsewhere):
    """A model in use on a stream, which goes on learning from the errors of its answers.

    With an optimiser all of the network learns, by gradients that go along with the stream (docs/online.md tells what
    each ``method`` costs).  With a `Rule` it is the readout alone: the last `Dense` of the model, without an
    activation, or that before ``Standardize(inverse=True)``.  Then the network's dynamics cannot become unstable: only
    how its activity is read changes, and `predict` and `learn` together cost 1.5 to 2.5 times as much as `Model.step`.

    Parameters
    ----------
    model : Model
        It is copied, and stays as it is.
    rule : Optimizer or Rule
        `Adam`, `SGD`, ... or their names; or `NLMS`, `RLS`, `LMS`.  It is copied.
    method : Method, optional
        How gradients are carried: `Exact` (the default), `SnAp`, `EProp` or `Immediate`.  Not for a rule.
    loss : str or callable
        As for `Model.fit`, one whose values are >= 0; the mean over the outputs that have a target.  For a rule "mse".
    clip_norm : float or Clip, optional
        Largest norm of a gradient.  Not for a rule.
    pull : float >= 0
        Adds pull * (theta - theta_0) to each gradient: the weights are pulled to the deployed ones.  Not for a rule.
    streams : int, optional
        So many streams of one model at the same time: inputs are (B, I), answers (B, O).  Default: one, (I,) and (O,).
    shared : bool
        Whether all streams have the same weights; False: each learns its own.  Shared readouts learn from each stream
        in turn, an optimiser from the mean of their losses.
    delay : int
        How many answers later than at once a target may come.
    guard : Guard, optional
        Limits, and the way back to the deployed weights.  None: there are none.

    Attributes
    ----------
    rule : Optimizer or Rule
        The learner's own.  ``learner.rule.lr = 1e-4`` changes the rate of an optimiser from the next target on; all
        other settings stay as they are.
    log : Log
        Errors of answers given before their targets were known, and what the guard has done.
    state : (K,) or (B, K) array
        Of the network with the learnt weights, after the last answer.
    deployed : array
        The weights at the beginning, in the form of `weights`.
    input_size, output_size : int

    Raises
    ------
    TypeError, ValueError
        For other arguments, and for a model that has no such readout.
    MemoryError
        Sensitivities for which there is no room.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTC, Adam, AutoNCP, Dense, Model
    >>> from ltc_np.online import NLMS, Learner
    >>> model = Model(LTC(AutoNCP(12, 4)), Dense(1), input_dim=1, seed=0)
    >>> for rule in NLMS(0.5), Adam(0.03):
    ...     learner = Learner(model, rule)
    ...     for t in range(200):
    ...         y = learner.predict([np.sin(0.1 * t)], dt=1.0)
    ...         error = learner.learn([np.sin(0.1 * (t + 1))])
    ...     print(bool(abs(error[0]) < 0.1))
    True
    True
    """

    _elsewhere: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("fit", "partial_fit"), "`predict`, then `learn`, take one observation after another"),
        **dict.fromkeys(("learn_one", "predict_one"), "ltc_np.online.river has learners of River"),
        **dict.fromkeys(("theta", "params"), "`weights` are what is learnt, `network()` is a model with all of it"),
        "model": "`network()` makes it",
    }
    _in_words = "a learner"

    rule: Rule | Optimizer
    method: Method | None
    loss: LibraryLoss
    clip_norm: Clip | None
    pull: float
    guard: Guard | None
    streams: int | None
    shared: bool
    delay: int
    log: Log
    input_size: int
    output_size: int

    @with_signature_hints
    def __init__(
        self,
        model: Model,
        rule: Rule | Optimizer | str,
        *,
        method: Method | None = None,
        loss: Loss = "mse",
        clip_norm: float | Clip | None = None,
        pull: float = 0.0,
        streams: int | None = None,
        shared: bool = True,
        delay: int = 0,
        guard: Guard | None = None,
    ) -> None:
        check_model("model", model)
        _check_kind("guard", guard, "a Guard such as Guard()", (Guard,))
        _check_kind("method", method, "a Method such as Exact()", METHODS.values())
        check_causal(model, "`model` needs", "train a model without it, since a stream has no later inputs yet")
        if model.layer_stack.stride > 1:
            raise ValueError(
                f"`model` must give an output at every step, since an answer is learnt at each, got {model!r}: let the "
                "layers up to the stride step on their own, and a Learner of those behind predict whenever there is an "
                "output (docs/online.md#behind-a-stride)"
            )
        self.rule, self.guard, self.method = _rule(rule), guard, method
        self.loss, self.clip_norm = losses.get(loss), read_clip("clip_norm", clip_norm)
        _check_kind("clip_norm", self.clip_norm, "a number or a Clip", (Clip,))
        if losses.is_joint(self.loss):  # a guard compares losses by their quotient
            raise ValueError(
                f"`loss` must be >= 0 for every answer, got {losses.name_of(self.loss)}: take 'quantile' for what is "
                "uncertain, or train by `Model.fit`"
            )
        if losses.name_of(self.loss) is not None and isinstance(model.layers[-1], MixtureDensity):
            raise ValueError(
                f"`model` must give numbers that are compared with answers, got {model.layers[-1]!r} at its end: take "
                "Dense, or train by `Model.fit`"
            )
        self.pull = checks.number("pull", pull)
        self.streams = None if streams is None else checks.integer("streams", streams)
        self.shared, self.delay = checks.boolean("shared", shared), checks.integer("delay", delay, least=0)
        self.input_size, self.output_size = model.input_size, model.output_size
        self._model = copy.deepcopy(model)
        self._targets = Targets(self.loss, self._model)
        self._part = self._begin()
        self._waiting = Waiting(self.delay, self.streams, self.output_size)
        self.log = Log()
        self.reset()

    def _begin(self) -> Part:
        """What learns."""
        B = self.streams or 1
        if isinstance(self.rule, Rule):
            settings = {"method": self.method, "clip_norm": self.clip_norm, "pull": self.pull or None}
            wrong = [name for name, value in settings.items() if value is not None]
            if losses.name_of(self.loss) != "mse":
                wrong.append("loss")
            if wrong:
                raise ValueError(f"`{wrong[0]}` is for an optimiser such as Adam(1e-3), and not for {self.rule!r}")
            return Readouts(self._model, self.rule, B, self.shared, self.guard)
        if losses.has_classes(self.loss):
            check_logits(self._model, f"the loss {losses.name_of(self.loss)}")
            warn_of_activation(self._model, self.loss)
        self.method = self.method or Exact()
        return Gradients(
            self._model,
            self.rule,
            self.method,
            self._targets,
            self.clip_norm,
            self.pull,
            B,
            self.shared,
            self.delay,
            self.guard,
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if name in SETTINGS and "_part" in vars(self):
            raise AttributeError(
                f"`{name}` must stay what a learner was made with, got {checks.brief(value)}: make another of "
                "`learner.network()`, or set `learner.rule.lr` where only the rate is to change"
            )
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        chosen = f"guard={self.guard!r}, streams={self.streams}, shared={self.shared}, delay={self.delay}"
        return f"Learner({self._model!r}, {self.rule!r}, {chosen})"

    @property
    def state(self) -> Array:
        state = self._part.state
        return state[0] if self.streams is None else state

    @property
    def deployed(self) -> Array:
        return self._part.deployed

    @property
    def weights(self) -> Array:
        """As learnt: theta (P,), raw; of a readout (O, F + 1) in the units of the targets, the bias last.  With an axis
        B before where none is shared.

        They are the learnt ones also while a guard lets others answer.
        """
        found = np.stack(self._part.weights)
        return found[0] if self.shared or self.streams is None else found

    @with_signature_hints
    def reset(self, *, stream: int | None = None) -> None:
        """Begin a new sequence: the state at the start, no answer that waits for its target.  What is learnt stays.

        Parameters
        ----------
        stream : int, optional
            Of this stream alone; a target of an answer of before is then as if it were missing.
        """
        if stream is None:
            self._part.reset(slice(None))
            self._waiting.clear()
            return
        k = self._stream(stream, self.streams or 1)
        self._part.reset(slice(k, k + 1))
        for answer in self._waiting.answers:
            answer.y[k] = np.nan

    @with_signature_hints
    def predict(self, x_t: ArrayLike, *, dt: ArrayLike | None = None) -> Array:
        """The answer to one observation, (O,) or (B, O); the state goes on.

        Parameters
        ----------
        x_t : (I,) array, or (B, I)
        dt : number, or (B,) array, optional
            Elapsed time since the observation before.  Default 1.

        Raises
        ------
        ValueError, TypeError
            An argument that does not fit, or steps that are too long for the weights.  Nothing has changed then.
        FloatingPointError
            The network overflows.  Nothing has changed then.
        """
        if dt is None and warn_of_none(self._model.trained):
            dt = 1.0
        answer = self._part.predict(self._inputs(x_t), dt, self._waiting)
        for event in answer.events:
            self.log.say(event)
        return answer.y[0].copy() if self.streams is None else answer.y.copy()

    @with_signature_hints
    def peek(self, x_t: ArrayLike, *, dt: ArrayLike | None = None) -> Array:
        """The answer that `predict` would give to the same arguments, up to rounding; nothing changes."""
        y = self._part.peek(self._inputs(x_t), dt)
        return y[0] if self.streams is None else y

    def _inputs(self, x_t: Any) -> Array:
        shape = (self.input_size,) if self.streams is None else (self.streams, self.input_size)
        x = x_t
        if type(x) is not np.ndarray:
            x = checks.real("x_t", x_t, None, f"shape {shape}", bools=True)
        if x.shape != shape:
            raise wrong_shape("x_t", x, shape, "input, of one observation")
        return x

    @with_signature_hints
    def learn(self, target: ArrayLike, *, ago: int = 0, weight: ArrayLike | None = None) -> Array:
        """Learn from the target of an answer; returns target - answer, as it was given then, NaN where none is known.

        Parameters
        ----------
        target : (O,) array, or (B, O)
            NaN where a target is missing; it may come later.  For a loss of classes as for `Model.loss_and_grad`; what
            is returned is then the target's probabilities - those of the answer.
        ago : int
            Which answer it belongs to: 0 is the last one, 1 the one before, up to ``delay``.
        weight : number >= 0, or (B,) array, optional
            How much it counts.  Default 1.

        Raises
        ------
        ValueError, TypeError
            An argument that does not fit, or a second target of an answer.  Nothing has changed then.
        FloatingPointError
            Errors, gradients or weights overflow.  Nothing was learnt.
        """
        if type(ago) is not int or ago != 0:
            ago = checks.integer("ago", ago, least=0)
        waits, single = self._waiting.find(ago), self.streams is None
        found = self._targets.observed(target, weight, waits.answer.y, single)
        noting = Noting(waits, self._waiting.had(waits, found), self.log)
        self._part.learn(waits.answer, found, noting)
        return found.error[0] if single else found.error

    def _stream(self, stream: int, count: int) -> int:
        """The number of a stream, or of weights, of which there are so many."""
        if count == 1 and isinstance(stream, int) and stream != 0:
            one = "there is one stream" if self.streams in (None, 1) else "all streams share their weights"
            raise ValueError(f"`stream` must be 0 here, since {one}, got {stream}")
        return checks.integer("stream", stream, least=0, most=count - 1)

    @with_signature_hints
    def network(self, stream: int = 0) -> Model:
        """An ordinary model with `weights`; those of a stream, where each has its own."""
        return self._part.network(self._stream(stream, len(self._part.weights)))

    # ------------------------------------------------------------------------------------------- copies and files

    def _settings(self) -> dict[str, Any]:
        """The arguments besides the model, by name."""
        return {name: getattr(self, name) for name in SETTINGS}

    def _changing(self) -> dict[str, Any]:
        """All else, as plain data and arrays."""
        return {"part": self._part.held(), "answers": self._waiting.held(self._part), "log": self.log.state()}

    def restore(self, found: Mapping[str, Any]) -> None:
        """Take what a file holds of the same learner; `load` calls it."""
        self._part.restore(found["part"])
        self._waiting.restore(self._part, found["answers"])
        self.log.restore(found["log"])

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self._model, "settings": self._settings(), **self._changing()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["model"], **state["settings"])  # type: ignore[misc]  # what is prepared is made anew
        self.restore(state)

    @with_signature_hints
    def save(self, path: PathLike) -> None:
        """Write the learner to a file, whole or not at all: `load` goes on with the same bits.

        It is the file of the deployed model, with the learner beside it, so `ltc_np.load` reads it too.  Of a rule, an
        optimiser, a schedule or a loss of your own it has a name, and no code: give them to `load`.
        """
        io.save_with(path, self._model, {"settings": files.settings_form(self._settings()), **self._changing()})

    @classmethod
    def load(
        cls,
        path: PathLike,
        backend: Backend = "auto",
        *,
        rule: Rule | Optimizer | None = None,
        loss: OwnLossFunction | None = None,
    ) -> Self:
        """The learner of a file that `save` wrote; the bits go on with the backend that it had then.

        Parameters
        ----------
        path : str or Path
        backend : str
        rule : Rule or Optimizer, optional
            That of the learner, if it is your own or has a schedule of your own: what it keeps comes from the file.
        loss : callable, optional
            That of the learner, if it is your own.

        Raises
        ------
        OSError, ValueError
            As `ltc_np.load`, for the file of a model without a learner, and for a rule or a loss that is missing, is
            called otherwise, or is not needed.
        """
        model, found = io.load_with(path, KINDS, backend)
        if "settings" not in found:
            raise ValueError(
                f"{path} must be a file of `Learner.save`, got one of a model: `Learner(ltc_np.load(path), ...)` begins"
            )
        try:
            learner = cls(model, **files.settings_of(found["settings"], rule, loss))
            learner.restore(found)
        except (TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
            raise ValueError(f"{path} has a damaged learner: {checks.one_line(error)}") from None
        return learner


def _check_kind(name: str, value: object, what: str, kinds: Collection[type[Any]]) -> None:
    """Refuse what is neither None nor of one of these classes, of which a file has the arguments alone."""
    if value is not None and type(value) not in kinds:
        derived = ", which is derived from it: its own class cannot be saved" if isinstance(value, (*kinds,)) else ""
        raise TypeError(f"`{name}` must be {what} or None, got {checks.brief(value)}{derived}")


def _rule(rule: Any) -> Rule | Optimizer:
    """A rule, or a copy of an optimiser, also of its name."""
    if isinstance(rule, Rule):
        return rule
    if isinstance(rule, Optimizer) or (isinstance(rule, str) and rule.lower() in optim.OPTIMIZERS):
        rule = optim.get(rule)
        if counts_epochs(rule.lr):
            raise ValueError(
                "`rule` must have a schedule that counts steps, since a stream has no epochs, got "
                f"{checks.brief(rule.lr)}: take what is within `PerEpoch`, in steps"
            )
        return copy.deepcopy(rule)
    name = rule if isinstance(rule, str) else getattr(rule, "__name__", "")
    meant = [kind for kind in files.KNOWN if kind.lower() == name.lower()]
    hint = f": write {meant[0]}()" if meant else ""
    raise TypeError(
        "`rule` must be an Optimizer such as Adam(1e-3), or a Rule such as NLMS() or RLS(), "
        f"got {checks.brief(rule)}{hint}"
    )
