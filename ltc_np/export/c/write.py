"""The way from a model to a folder of C."""

from __future__ import annotations

import pathlib
import textwrap
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from ...base import checks
from ...base.types import ArrayLike, Numbers, PathLike
from ...model import Model, check_model
from ...online import Rule
from ...optim import Clip, Optimizer
from ..agreement import proved
from ..golden import Golden, due, golden
from ..identity import identity
from ..learning import Readout, targets_for
from ..program import Program
from ..run import Machine
from ..whole import Whole
from . import folder
from .arithmetic import Arithmetic
from .build_files import build_files
from .exact.network import Network
from .floats import Floats
from .learning import Learns
from .names import identifier
from .prepare import prepared
from .report import report
from .rules import RULES
from .rules import learning as learning_of
from .self_test import self_test
from .sizes import measured
from .source import Source, source

if TYPE_CHECKING:
    from typing_extensions import Self

C_TYPES: dict[str, Literal["float", "double"]] = {"float32": "float", "float64": "double"}
NUMBERS: dict[str, type] = {"float32": np.float32, "float64": np.float64}
# How far outputs may be from the model's, in units of their largest: besides four times what rounding to the same type
# changes in NumPy, whose order of sums is another.
ALLOWED = {"float32": 1e-5, "float64": 1e-12}
APART = 0.01  # of the largest output: what rounding may change in an output that the self-test compares
FINER = {"float32": 1.0, "float64": 2.0**-29}  # a rounding, in units of those of float32

LONGEST = 600  # characters of a model's description


class Export(NamedTuple):
    """What was written.

    Attributes
    ----------
    folder : pathlib.Path
    table_bytes : int
        Of the weights and lists of synapses, in flash.
    state_bytes, stack_bytes : int
        Of the state, which the caller keeps, and of the temporary variables of a step.
    error : float
        The largest difference between the outputs in arithmetic of this type, by NumPy, and the model's in float64, on
        the golden vectors; of an export that learns, while it does.
    learnt_bytes, learn_stack_bytes : int
        Of what learns, which the caller keeps, and of the temporary variables of learning; else 0.
    """

    folder: pathlib.Path
    table_bytes: int
    state_bytes: int
    stack_bytes: int
    error: float
    learnt_bytes: int
    learn_stack_bytes: int

    @classmethod
    def of(cls, folder: pathlib.Path, text: Source, error: float) -> Self:
        """What is known of the text, with the folder and the error."""
        sizes = text.table_bytes, text.state_bytes, text.stack_bytes
        return cls(folder, *sizes, error, text.learnt_bytes, text.learn_stack_bytes)


def write(
    model: Model,
    directory: PathLike,
    name: str = "model",
    *,
    dtype: Literal["float32", "float64"] = "float32",
    libm: bool = True,
    unroll: bool = False,
    dt: float | None = None,
    x: ArrayLike | None = None,
    x_dt: ArrayLike | None = None,
    learn: Rule | Optimizer | None = None,
    clip_norm: float | Clip | None = None,
    pull: float = 0.0,
    measure: bool = True,
) -> Export:
    """Write one time step of a model as C99 to a folder, and how it learns, if it is to.

    Parameters
    ----------
    model : Model
        Causal, of layers that can be exported.
    directory : str or Path
        A new folder, an empty one, or a former export, which is replaced.
    name : str
        A C identifier, with which the files and all names in them begin.
    dtype : "float32" or "float64"
        Numbers are float or double.
    libm : bool
        False: functions such as exp are written into the file, and no library is needed; with float32 only.
    unroll : bool
        Each synapse and each weight is a line of its own: no tables, more code.
    dt : float, optional
        The elapsed time of every step, where it is always the same: NAME_step then takes none.
    x : (T, I) array_like, optional
        Inputs of the golden vectors; default: standard normal numbers.
    x_dt : (T,) array_like, optional
        Their elapsed times; default: uniform from 0 to 1, or to what an explicit solver takes, every eighth 0.
    learn : NLMS, RLS, Adam or SGD, optional
        There is NAME_learn then, which does what `Learner.learn` does.  By a rule of `ltc_np.online` the readout
        learns, the last Dense of the model.  By an optimiser whose rate is a number and which has taken no step all of
        the model learns, from the mean squared error, by exact gradients: of layers without parameters, an LTC or
        LrcSSM by the solver "semi_implicit" or "euler", and behind it a Dense without activation or nothing, and
        ``Standardize(inverse=True)`` or nothing.  From a target that comes after others have been learnt, C learns by
        the weights of then, `Learner` by those of its answer.
    clip_norm, pull
        As those of `Learner`, with an optimiser; clip_norm is of the whole gradient.
    measure : bool
        Whether cross compilers, if some are installed, say in report.md how large the code is.

    Returns
    -------
    Export

    Raises
    ------
    TypeError, ValueError
        Of arguments; nothing is written then.
    OSError
        The folder cannot be written, or holds what no export wrote.
    """
    check_model("model", model)
    arithmetic = Floats(C_TYPES[checks.one_of("dtype", dtype, C_TYPES)], checks.boolean("libm", libm))
    name, target = identifier(name), folder.check(directory)
    unroll, measure = checks.boolean("unroll", unroll), checks.boolean("measure", measure)
    if isinstance(learn, Optimizer):
        made = _all_learns(Whole.of(model, learn, clip_norm, pull), arithmetic, unroll, dt, x, x_dt)
    else:
        if learn is not None and type(learn) not in RULES:  # what is derived from these may compute something else
            known = ", ".join(rule.__name__ for rule in RULES)
            raise TypeError(
                f"`learn` must be an {known}, Adam or SGD, such as Adam(1e-3), or None, got {checks.brief(learn)}"
            )
        for argument, value in (("clip_norm", clip_norm), ("pull", pull or None)):
            if value is not None:
                raise ValueError(f"`{argument}` is for an optimiser such as Adam(1e-3), and not for {learn!r}")
        made = _frozen(model, dt, x, x_dt)
        if learn is not None:
            made = _readout_learns(Readout.of(model, learn), arithmetic, name, dt, x, x_dt)
    made = _promised(made)
    vectors = made.vectors
    error = _largest(made.outputs[dtype], vectors.y)
    about = _about(model, arithmetic.described + made.said, vectors, error)
    allowed = ALLOWED[dtype] * vectors.scale + 4 * FINER[dtype] * _rounding(**made.outputs)
    text = write_files(target, name, made.program, arithmetic, vectors, allowed, about, unroll, measure, made.learning)
    return Export.of(target, text, error)


class Made(NamedTuple):
    """What is to be written.

    Attributes
    ----------
    program : Program
    vectors : Golden
    outputs : dict
        Those of the golden vectors' inputs (T, O), by arithmetic in float32 and float64.
    learning : Learns or None
        What goes on learning.
    said : str
        What the head of the files says about that, behind a sentence.
    """

    program: Program
    vectors: Golden
    outputs: dict[str, Numbers]
    learning: Learns | None = None
    said: str = ""


def _promised(made: Made) -> Made:
    """With the golden vectors up to where rounding moves the answers by more than `APART` of the largest one.

    Learning may enlarge each rounding, as a chaotic system does.  Behind that place two right programs differ by
    anything, and a test would pass whatever a program computes.
    """
    vectors, (rough, exact) = made.vectors, (made.outputs[name] for name in ("float32", "float64"))
    with np.errstate(invalid="ignore"):
        apart = ~(np.abs(rough - exact).max(axis=1) <= APART * vectors.scale)
    rows = max(1, int(apart.argmax())) if apart.any() else len(apart)
    if rows == len(apart) or made.learning is None:
        return made
    steps = rows * vectors.stride
    cut = vectors._replace(
        x=vectors.x[:steps], dt=None if vectors.dt is None else vectors.dt[:steps], y=vectors.y[:rows],
        target=None if vectors.target is None else vectors.target[:rows],
    )  # fmt: skip
    said = (
        f" It compares the first {steps} of {len(vectors.x)} steps: later ones differ by more than {APART:.0%} by "
        "rounding alone."
    )
    outputs = {name: found[:rows] for name, found in made.outputs.items()}
    return made._replace(vectors=cut, outputs=outputs, said=made.said + said)


def _frozen(model: Model, dt: float | None, x: ArrayLike | None, x_dt: ArrayLike | None) -> Made:
    """A model that does not learn."""
    program = proved(model, dt, prepared)
    vectors = golden(model, program, dt, x, x_dt)
    return Made(program, vectors, {kind: _outputs(program, vectors, number) for kind, number in NUMBERS.items()})


def _readout_learns(
    readout: Readout, arithmetic: Floats, name: str, dt: float | None, x: ArrayLike | None, x_dt: ArrayLike | None
) -> Made:
    """One whose readout learns: the program is that of all before it, and gives its features."""
    body = _frozen(readout.body, dt, x, x_dt)
    target = targets_for(readout.deployed(body.vectors.y), partly=True)
    outputs = {kind: readout.answers(body.outputs[kind], target, number) for kind, number in NUMBERS.items()}
    vectors = body.vectors._replace(y=readout.answers(body.vectors.y, target, np.float64), target=target)
    return Made(body.program, vectors, outputs, learning_of(readout, arithmetic, name), learns(readout.rule))


def _all_learns(
    whole: Whole, arithmetic: Floats, unroll: bool, dt: float | None, x: ArrayLike | None, x_dt: ArrayLike | None
) -> Made:
    """One all of which learns."""
    if unroll:
        raise ValueError("`unroll` must be False with exact gradients, since they are loops over tables, got True")
    settings = {"lr": whole.optimizer.learning_rate, "clip_norm": whole.clip_norm, "pull": whole.pull}
    for argument, value in settings.items():
        if value is not None and value > float(np.finfo(arithmetic.dtype).max):
            raise ValueError(f"`{argument}` must be a number that {arithmetic.c_type} can hold, got {value!r}")
    frozen = _frozen(whole.model, dt, x, x_dt)
    vectors = frozen.vectors
    target, times = targets_for(vectors.y), np.asarray(dt if vectors.dt is None else vectors.dt, np.float64)
    outputs = {kind: whole.answers(vectors.x, times, target, np.dtype(number)) for kind, number in NUMBERS.items()}
    front = None if whole.front is None else proved(whole.front, None, prepared)
    network = Network(whole, arithmetic, dt, front)
    vectors = vectors._replace(y=outputs["float64"], target=target)
    return Made(frozen.program, vectors, outputs, network, whole.said)


def write_files(
    target: pathlib.Path,
    name: str,
    program: Program,
    arithmetic: Arithmetic,
    vectors: Golden,
    allowed: float,
    about: str,
    unroll: bool,
    measure: bool,
    learning: Learns | None,
) -> Source:
    """Write a folder that was checked, and tell what is in it; the other arguments are checked, too.

    Parameters
    ----------
    vectors : Golden
        In the arithmetic's numbers.
    allowed : float
        By how much the outputs of the test may differ from theirs.
    about : str
        What the head of the files says.
    """
    text = source(program, name, arithmetic, unroll, about, learning)
    text = text._replace(table_bytes=text.table_bytes + arithmetic.table_bytes)
    files = {f"{name}.h": text.header, f"{name}.c": text.source}
    sizes = measured(name, files) if measure else {}
    word = None if learning is None else learning.word
    others = {
        f"{name}_test.c": self_test(name, arithmetic, vectors, allowed, word),
        "report.md": report(name, program, text, about, sizes, learning),
        **build_files(name, arithmetic, program.takes_dt, program.stride > 1, files, word),
    }
    folder.write(target, files | others)
    return text


def _outputs(program: Program, vectors: Golden, dtype: type) -> Numbers:
    """Those of the golden vectors' inputs (n, O) by arithmetic in ``dtype``."""
    machine = Machine(program, 1, dtype)
    times = np.ones(len(vectors.x)) if vectors.dt is None else vectors.dt
    with np.errstate(over="ignore", invalid="ignore"):  # numbers that are too large are refused where they are written
        outputs = [machine.step(x[None], dt)[0] for x, dt in zip(vectors.x, times, strict=True)]
    return due(np.array(outputs, np.float64), program.stride)


def _largest(some: Numbers, others: Numbers) -> float:
    """Difference of theirs."""
    with np.errstate(invalid="ignore"):
        return float(np.abs(some - others).max())


def _rounding(float32: Numbers, float64: Numbers) -> float:
    """What rounding to float32 changes at most in the program's outputs: it alone, so no error of it is excused."""
    both = np.isfinite(float32) & np.isfinite(float64)
    return _largest(np.where(both, float32, 0), np.where(both, float64, 0))


def origin(model: Model) -> str:
    """Which model an export was made of, in lines for the head of its files."""
    known = identity(model)
    layers = textwrap.shorten(known["layers"].replace("*/", "* /"), LONGEST, placeholder=" ...")
    return (
        f"Written by ltc_np {known['ltc_np']} from a model of {layers},\n"
        f"whose layers and parameters have the SHA-256 {known['sha256']}.\n"
    )


def learns(rule: Rule | None) -> str:
    """What the head of the files says about learning, behind a sentence."""
    return "" if rule is None else f" The readout learns by {rule!r}, in the test beside it too."


def _about(model: Model, numbers: str, vectors: Golden, error: float) -> str:
    """What the head of the files says."""
    return origin(model) + (
        f"{numbers} Over the {len(vectors.x)} steps of the test beside it the outputs, the largest of which is\n"
        f"{np.abs(vectors.y).max():.3g}, are within {error:.1e} of those that the model computes in float64."
    )
