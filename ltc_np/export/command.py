"""``python -m ltc_np export MODEL TARGET``: a saved model as C99, as a script for web pages, or as ONNX."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..base.command_line import DONE, Parser, report, run
from ..base.visible import visible
from ..model import Model
from ..online.stored import load_learnt
from ..optim import SGD, Adam
from . import c, fixed, onnx, web
from .c import Export
from .c.rules import RULES as EXPORTED
from .fixed.calibration import read

if TYPE_CHECKING:
    import argparse


ABOUT = """\
Write a saved model as C99, as a script for web pages, or as an ONNX graph.

examples:
    python -m ltc_np export model.npz controller --name controller     # a folder with C
    python -m ltc_np export model.npz model.onnx
    python -m ltc_np export model.npz model.js"""


class _Kind(NamedTuple):
    """A kind of export: how messages name it, the options that it has, and what writes it and says what came of it."""

    title: str
    options: tuple[str, ...]
    write: Callable[[Model, argparse.Namespace], str]


def main(argv: Sequence[str] | None = None) -> int:
    """Write an export, whose kind the name of the target says; the exit status."""
    parser = Parser("export", ABOUT)
    parser.add_argument("model", metavar="MODEL", help="a file of Model.save")
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="a new folder for C, or a former one, which is replaced; a script, FILE.js; or a graph, FILE.onnx",
    )
    any_c = parser.add_argument_group("C and scripts")
    any_c.add_argument("--name", help="what files and names begin with; default: model")
    any_c.add_argument(
        "--dt", type=float, metavar="T", help="C for one elapsed time of every step, if it never changes"
    )
    any_c.add_argument("--unroll", action="store_true", help="C with a line for each synapse and weight, not tables")
    any_c.add_argument(
        "--learn",
        choices=(*RULES, EXACT),
        help="C that goes on learning: its last layer, a Dense, by nlms or rls; or all of it, by exact gradients",
    )
    any_c.add_argument(
        "--rate",
        type=float,
        metavar="R",
        help="of --learn nlms, below 2, default: 0.1; or of the optimizer of --learn exact, default of adam: 0.001",
    )
    any_c.add_argument("--forgetting", type=float, metavar="F", help="of --learn rls, at most 1; default: 0.999")
    real = parser.add_argument_group("C in float and double")
    real.add_argument("--double", action="store_true", help="numbers are double; default: float")
    real.add_argument("--optimizer", choices=OPTIMIZERS, help="of --learn exact; default: adam")
    real.add_argument("--clip-norm", type=float, metavar="C", help="largest norm of a gradient of --learn exact")
    real.add_argument("--pull", type=float, metavar="P", help="to the deployed weights, of --learn exact; default: 0")
    real.add_argument("--no-libm", action="store_true", help="without math.h: its functions are written into the file")
    whole = parser.add_argument_group("C in fixed point")
    whole.add_argument("--fixed", action="store_true", help="numbers are integers of 32 bits; needs --calibration")
    whole.add_argument("--calibration", metavar="FILE", help="an .npz with x, and dt and lengths as for the model")
    whole.add_argument("--headroom", type=float, metavar="H", help="how much larger numbers may become; default: 2")
    whole.add_argument("--int16", action="store_true", help="weights have 16 bits")
    graph = parser.add_argument_group("ONNX")
    graph.add_argument("--step", action="store_true", help="the graph of one step; default: of a whole sequence")
    parser.add_output()
    return run(parser, _export, argv)


def _export(args: argparse.Namespace) -> int:
    as_json, _ = vars(args).pop("json"), vars(args).pop("quiet")  # of which there is no progress
    kind = _kind(args)
    _check(args, kind)
    said = kind.write(load_learnt(args.model, backend="numpy"), args)
    report({"model": args.model, "target": args.target, "report": said}, said.split("\n"), as_json)
    return DONE


def _kind(args: argparse.Namespace) -> _Kind:
    suffix = os.path.splitext(args.target)[1].lower()
    if suffix[1:] in FILES:
        raise ValueError(f"TARGET must be a folder for C, FILE.js or FILE.onnx, got {args.target}: {FILES[suffix[1:]]}")
    return KINDS.get(suffix, KINDS["fixed" if args.fixed else "real"])


def _check(args: argparse.Namespace, kind: _Kind) -> None:
    """Refuse options that would have no effect."""
    for name, value in vars(args).items():
        given = value is not None and value is not False  # 0.0 is given
        if given and name not in ("model", "target", *kind.options):
            options = ", ".join(map(_option, kind.options))
            raise ValueError(f"{_option(name)} has no effect on {kind.title}, which has the options {options}")
    for name, rules in OF_RULES.items():
        if vars(args)[name] is not None and args.learn not in rules:
            raise ValueError(f"{_option(name)} has an effect on --learn {' and '.join(rules)} only")
    if args.fixed and not args.calibration:
        raise ValueError("--fixed needs --calibration FILE, sequences like those that the model will see")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _name(args: argparse.Namespace) -> str:
    return "model" if args.name is None else args.name


def _rule(args: argparse.Namespace) -> Any:
    """The rule or the optimiser of --learn, or None; these say what is wrong with their numbers."""
    if args.learn is None:
        return None
    if args.learn == EXACT:
        return OPTIMIZERS[args.optimizer or "adam"](args.rate)
    names = [name for name, rules in OF_RULES.items() if args.learn in rules]
    return RULES[args.learn](**{name: vars(args)[name] for name in names if vars(args)[name] is not None})


def _real(model: Model, args: argparse.Namespace) -> str:
    export = c.write(
        model,
        args.target,
        _name(args),
        dtype="float64" if args.double else "float32",
        libm=not args.no_libm,
        unroll=args.unroll,
        dt=args.dt,
        learn=_rule(args),
        clip_norm=args.clip_norm,
        pull=args.pull or 0.0,
    )
    return _about(export)


def _fixed(model: Model, args: argparse.Namespace) -> str:
    found = fixed.quantise(
        model,
        **read(args.calibration),
        every_dt=args.dt,
        headroom=fixed.HEADROOM if args.headroom is None else args.headroom,
        weights="int16" if args.int16 else "int32",
        learn=_rule(args),
    )
    export = fixed.write(found, args.target, _name(args), unroll=args.unroll)
    return f"{found.report}\n{_about(export)}"


def _about(export: Export) -> str:
    readout = f"{export.learnt_bytes} of what learns, " if export.learnt_bytes else ""
    return (
        f"{visible(export.folder)}: {export.table_bytes} bytes of tables, {export.state_bytes} of state, {readout}"
        f"{export.stack_bytes} on the stack; error {export.error:.1e}"
    )


def _script(model: Model, args: argparse.Namespace) -> str:
    web.write(model, args.target, _name(args))
    return _size(args.target)


def _graph(model: Model, args: argparse.Namespace) -> str:
    onnx.write(model, args.target, kind="step" if args.step else "sequence")
    return _size(args.target)


def _size(path: str) -> str:
    return f"{visible(path)}: {os.path.getsize(path)} bytes"


# Rules by their names, and options of theirs.
RULES = {rule.__name__.lower(): rule for rule in EXPORTED}
EXACT = "exact"
OPTIMIZERS: dict[str, type[Adam] | type[SGD]] = {"adam": Adam, "sgd": SGD}


def _with(option: str) -> tuple[str, ...]:
    """Names of the rules that have such an argument."""
    return tuple(name for name, rule in RULES.items() if option in rule.arguments())


OF_RULES: dict[str, tuple[str, ...]] = {
    "rate": (*_with("rate"), EXACT),
    "forgetting": _with("forgetting"),
    "optimizer": (EXACT,),
    "clip_norm": (EXACT,),
    "pull": (EXACT,),
}
READOUT_LEARNS, ALL_LEARNS = ("learn", "rate", "forgetting"), ("optimizer", "clip_norm", "pull")
IN_A_FOLDER = "an export in C is a folder with a .c, a .h and more, and --name says what they are called"
# Targets that look like files of a kind that is not written here, and what to do instead.
FILES = {
    "c": IN_A_FOLDER,
    "h": IN_A_FOLDER,
    "nir": "`ltc_np.interop.nir.to_nir` writes NIR",
    "npz": "`Model.save` writes it",
    **dict.fromkeys(("pt", "pth", "safetensors"), "`python -m ltc_np convert` writes state dicts"),
    **dict.fromkeys(("html", "wasm"), "a script, FILE.js, is what a page needs"),
}
# By the suffix of the target, or, of a folder, by the kind of numbers.
KINDS = {
    ".js": _Kind("a script, FILE.js", ("name",), _script),
    ".onnx": _Kind("a graph, FILE.onnx", ("step",), _graph),
    "real": _Kind(
        "C in float or double", ("name", "unroll", "double", "no_libm", "dt", *READOUT_LEARNS, *ALL_LEARNS), _real
    ),
    "fixed": _Kind(
        "C in fixed point",
        ("name", "unroll", "dt", "fixed", "calibration", "headroom", "int16", *READOUT_LEARNS),
        _fixed,
    ),
}
