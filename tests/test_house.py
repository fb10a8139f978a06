"""The house: which way imports point, who knows what, and that each thing stands once; read from the sources."""

import functools
import re
import subprocess

import pytest
from support import ROOT, TESTS, source
from support.source import PACKAGE, parse

LOADER, CODES = f"{PACKAGE}.kernels", f"{PACKAGE}.kernels.codes"
# Underscore members of others that the package needs, with the reason.
FOREIGN = {
    (f"{PACKAGE}.base.blas", "_multiarray_umath"): "the extension of NumPy that is linked with its BLAS",
    (f"{PACKAGE}.base.checks", "_getframe"): "the standard library's way to the caller's line",
    (f"{PACKAGE}.kernels.aot.entry", "_getvalue"): "Numba has no public way to the value of a struct",
    (f"{PACKAGE}.kernels.cpu.compiler", "_cache"): "Numba has no public way to another index of its cache",
    (f"{PACKAGE}.kernels.cpu.pipeline", "_tm"): "Numba has no public way to what LLVM makes machine code for",
    (f"{PACKAGE}.kernels.cpu.simd", "_tm_features"): "Numba has no public list of the processor's features",
}
# Texts that are the name of a class by chance, with the reason.
OTHER_NAMES = {
    (f"{PACKAGE}.export.onnx", "Loop"): "an operator of ONNX",
    **{(f"{PACKAGE}.export.{name}", ".c"): "the suffix of files" for name in ("c.sizes", "c.write", "web")},
    (f"{PACKAGE}.export.command", ".onnx"): "the suffix of files",
    (f"{PACKAGE}.io", ".onnx"): "the suffix of files",
}
FOREIGN |= {
    (f"{PACKAGE}.interop.ncps.source", name): "ncps' modules keep their arguments nowhere else"
    for name in ("_implicit_param_constraints", "_ode_unfolds", "_epsilon", "_wiring")
}
# Modules that no test names, with the reason why they are tested nevertheless.
TESTED_THROUGH = {
    name: reason
    for reason, names in {
        "the battery runs every layer with every backend, and these are parts of them": """
            cells.mapping cells.ode cells.state_space cells.time_constants cells.whole
            layers.recent layers.stack
            kernels.cpu.batch_major kernels.cpu.linoss_flow kernels.cpu.lrc_neuron
            kernels.cpu.neuron_major kernels.cpu.ssm_steps kernels.cpu.vectors kernels.numpy.synaptic
        """,
        "tests/kernels/cuda runs it with the emulated card": """
            bench.cuda
        """,
        "tests/network/test_bound.py compares trainings with it with those in NumPy's pieces": """
            kernels.cpu.dense kernels.cpu.updates
        """,
        "tests/network/test_model.py calls all of it as `Model` does, and test_walk.py says by which way": """
            network.loss network.network network.parameters network.penalties network.predict
            network.step network.stream network.structure
        """,
        "tests/train/test_train.py and tests/train/loop/test_epochs.py go through `fit` and `evaluate`": """
            train.evaluate train.data.reader train.model_base train.resume.recorder
        """,
        "tests/optim and tests/losses take each by its name, or through what it is the base of": """
            losses.kind losses.shapes optim.base
        """,
        "tests/test_package.py reads it where users do": """
            base.version
        """,
        "tests/data goes through it by `windows`, `pad` and the others": """
            data.arrays
        """,
        "tests/export/test_lower.py lowers every layer: pairs with the state spaces, the past with convolutions": """
            export.lower.pair export.lower.recent
        """,
        "tests/export/fixed/test_write.py writes folders and runs the command": """
            export.fixed.write
        """,
        "tests/export/test_learning.py and tests/export/fixed/test_readout.py run what they write": """
            export.c.learning export.c.rules export.fixed.c_rule
        """,
        "tests/export/test_exact.py runs what they write": """
            export.whole export.c.exact.lrc_ssm export.c.exact.ltc export.c.exact.network
            export.c.exact.optimisers
        """,
        "tests/online/test_learner.py makes learners of models of all kinds": """
            online.readout
        """,
        "tests/export/fixed/test_quantise.py quantises every layer": """
            export.fixed.c_text export.fixed.quantised export.fixed.report
        """,
        "tests/export/test_c.py compiles what they write": """
            export.c.arithmetic export.c.build_files export.c.freestanding
            export.c.lines export.c.report export.c.self_test
            export.c.sizes export.c.tables export.c.templates
            export.c.writer base.polynomials
        """,
        "tests/command runs every command, in this process and in others": """
            command.evaluate command.gradcheck command.info
            command.outputs command.predict
        """,
        "tests/sklearn/test_streamed.py goes through it by `partial_fit`": """
            sklearn.streamed
        """,
        "tests/sklearn/test_forecaster.py calls `LiquidForecaster`, which is made of them": """
            sklearn.ahead
        """,
        "tests/online/test_learner.py and test_gradients.py go through them by `Learner`": """
            online.gradients online.part online.readouts online.waiting
        """,
        "tests/online/test_targets.py measures by it": """
            network.answer_loss
        """,
        "tests/online/test_synaptic.py follows layers with them": """
            kernels.cpu.synaptic_traces
        """,
        "tests/aeon and tests/sktime make classes by it": """
            sklearn.wrapped
        """,
        "in processes of their own: tests/bench": """
            bench.peers.check bench.peers.ncps bench.peers.torch
        """,
    }.items()
    for name in names.split()
}


def floors():
    """Rooms from the bottom, a list for each floor, as docs/architecture.md draws them."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```floors\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [line.split() for line in block.splitlines()]


RULES = {
    "imports point down": lambda trees: source.upward(trees, floors()),
    "no circles": source.circles,
    "no names as text": lambda trees: source.names_as_text(trees, LOADER, OTHER_NAMES),
    "no underscores of others": lambda trees: source.foreign_underscores(trees, FOREIGN),
    "no layer knows the backend": source.backend_lines,
    "kernels reshape nothing": source.reshapes,
    "siblings are alike": source.unlike_siblings,
    "tables stand once": lambda trees: source.second_tables(trees, CODES),
}


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_rule(rule):
    wrong = [f"{source.file_of(module)}:{line}: {what}" for module, line, what in RULES[rule](source.package())]
    assert not wrong, "\n".join(wrong)


# Sources that break the rules, by rule: {module: text}, and what is found in them, as (module, line).
SIBLINGS = {"cells.ltc": "def f(backend):\n    k = kernels.load(backend, 'ltc')\n    return k.forward, k.backward"}
TWO = "def forward(x, y=1): ...\ndef backward(d): ..."
BAD = [
    ("imports point down", {"cells.ltc": "import numpy\nfrom ..layers import stack"}, [("cells.ltc", 2)]),
    ("imports point down", {"base.checks": "def f():\n    from ..io import load"}, [("base.checks", 2)]),
    ("imports point down", {"kernels.cpu.ltc": "import ltc_np.cells.ltc"}, [("kernels.cpu.ltc", 1)]),
    ("imports point down", {"cells.ltc": "from ..base import checks", "base.checks": ""}, []),
    ("imports point down", {"unknown": ""}, [("unknown", 1)]),
    (
        "imports point down",
        {"cells.ltc": "if TYPE_CHECKING:\n    from ..model import Model", "model": ""},
        [("cells.ltc", 2)],
    ),
    (
        "imports point down",
        {"train.fit": "if TYPE_CHECKING:\n    from ..model import Model", "model": ""},
        [("train.fit", 2)],
    ),
    ("imports point down", {"train.fit": "from ..model import Model", "model": ""}, [("train.fit", 1)]),
    ("no circles", {"base.a": "from . import b", "base.b": "def f():\n    from .a import x"}, [("base.a", 1)]),
    ("no circles", {"base.a": "from .b import x", "base.b": "from .c import x", "base.c": ""}, []),
    ("no circles", {"base.a": "from . import b", "base.b": "if TYPE_CHECKING:\n    from .a import x"}, [("base.a", 1)]),
    (
        "no circles",
        {"cells.a": "from ..layers.b import x", "layers.b": "", "layers.c": "from ..cells.d import y", "cells.d": ""},
        [("cells", 1)],
    ),
    ("no names as text", {"cells.ltc": "class LTC:\n    pass", "network.x": "k = 'LTC'"}, [("network.x", 1)]),
    ("no names as text", {"cells.ltc": "", "network.x": "k = '.cells.ltc:LTC'"}, [("network.x", 1)]),
    ("no names as text", {"cells.ltc": "", "network.x": "f('ltc_np.cells.ltc')"}, [("network.x", 1)]),
    ("no names as text", {"cells.ltc": "class LTC:\n    'The LTC.'\n__all__ = ['LTC']", "x": "'ltc. LTC: 3'"}, []),
    ("no underscores of others", {"x": "def f(self, model):\n    self._a\n    model._b"}, [("x", 3)]),
    ("no underscores of others", {"x": "self.model._b = 3"}, [("x", 1)]),
    ("no underscores of others", {"x": "from .y import _z"}, [("x", 1)]),
    ("no underscores of others", {"x": "class A:\n    pass\nA._a\nB._a"}, [("x", 4)]),
    ("no underscores of others", {"x": "super()._a\ntype(self)._a\na._replace(b=3)\na.__dict__\ncls._a"}, []),
    ("no layer knows the backend", {"layers.x": "if kernels.backend == fast:\n    pass"}, [("layers.x", 1)]),
    ("no layer knows the backend", {"cells.x": "'''cpu'''\nname = 'cpu'"}, [("cells.x", 2)]),
    ("no layer knows the backend", {"cells.x": "from ..kernels.cpu import ltc"}, [("cells.x", 1)]),
    ("no layer knows the backend", {"network.x": "backend == 'cuda'", "cells.x": "f(backend)"}, []),
    ("kernels reshape nothing", {"kernels.cpu.a": "@kernel\ndef f(x):\n    x.reshape(-1)"}, [("kernels.cpu.a", 3)]),
    ("kernels reshape nothing", {"kernels.cpu.a": "def f(x):\n    x.reshape(-1)"}, []),
    ("siblings are alike", SIBLINGS, [("kernels.numpy.ltc", 1)]),
    (
        "siblings are alike",
        SIBLINGS | {"kernels.numpy.ltc": TWO, "kernels.cpu.ltc": TWO.replace("(d)", "(e)")},
        [("kernels.cpu.ltc", 2)],
    ),
    (
        "siblings are alike",
        SIBLINGS | {"kernels.numpy.ltc": TWO, "kernels.cuda.ltc": "def forward(x, y): ..."},
        [("kernels.cuda.ltc", 1), ("kernels.cuda.ltc", 1)],
    ),
    (
        "siblings are alike",
        SIBLINGS
        | {"kernels.numpy.ltc": TWO, "kernels.cpu.ltc": "from .l import *\nfrom .lanes import forward, backward"}
        | {"kernels.cpu.lanes": TWO.replace("x,", "x: int,") + "\ndef own(): ..."},
        [],
    ),
    (
        "siblings are alike",
        SIBLINGS | {"kernels.numpy.ltc": TWO.splitlines()[0], "kernels.cpu.ltc": TWO},
        [("kernels.cpu.ltc", 1)],
    ),
    (
        "siblings are alike",
        {"cells.ltc": f"{SIBLINGS['cells.ltc']}, np.exp(0)", "kernels.numpy.ltc": TWO}
        | {"kernels.cpu.ltc": f"from .simd import exp\n{TWO}", "kernels.cpu.simd": "def exp(x): ..."},
        [],
    ),
    ("tables stand once", {"cells.x": "A, B = range(2)"}, [("cells.x", 1)]),
    ("tables stand once", {"cells.x": "T = {'euler': 0, 'rk4': 1}"}, [("cells.x", 1)]),
    ("tables stand once", {"cells.x": "T = {name: k for k, name in enumerate(ALL)}"}, [("cells.x", 1)]),
    ("tables stand once", {"kernels.codes": "A, B = range(2)\nL = 1.4426950408889634", "x": "for a, b in c: d"}, []),
    ("tables stand once", {"kernels.codes": "GRADIENT_ROWS = 16", "x": "\nGRADIENT_ROWS = 16"}, [("x", 2)]),
    ("tables stand once", {"kernels.codes": "L = 1.4426950408889634", "x": "\n\nL = 1.44269504"}, [("x", 3)]),
]


@pytest.mark.parametrize(("rule", "texts", "wanted"), BAD, ids=[f"{rule} {k}" for k, (rule, _, _) in enumerate(BAD)])
def test_the_rule_sees(rule, texts, wanted):
    trees = parse({f"{PACKAGE}.{name}": text for name, text in texts.items()} | {PACKAGE: ""})
    found = [(module.removeprefix(f"{PACKAGE}."), line) for module, line, _ in RULES[rule](trees)]
    assert found == wanted


def test_every_rule_is_shown_to_see():
    assert {rule for rule, _, wanted in BAD if wanted} == set(RULES)


@pytest.mark.slow
def test_the_page_of_architecture_names_every_room_once():
    names = [name for floor in floors() for name in floor]
    assert len(names) == len(set(names))
    assert set(names) == {source.room(module) for module in source.package()}


def test_every_cell_has_a_definition():
    """A cell's file loads kernels, or a base of its kind does, and NumPy has them."""
    from ltc_np.cells import CELLS

    trees = source.package()
    by_module = {module: name for name, modules in source.loaded(trees).items() for module in modules}
    for name, cell in CELLS.items():
        chain = [base.__module__ for base in cell.__mro__ if base.__module__.startswith(f"{PACKAGE}.cells.")]
        chain += [other for module in chain for _, other, _ in source.imports(module, trees)]
        kernels = [by_module[module] for module in chain if module in by_module]
        assert kernels, f"{name} loads no kernels"
        assert f"{PACKAGE}.kernels.numpy.{kernels[0]}" in trees, name


# ------------------------------------------------------------------------------------------------------- tests


@functools.cache
def named_by_tests():
    """Modules that a test names, or whose names it imports."""
    import importlib

    found, imported = set(), set()
    for path in TESTS.rglob("*.py"):
        if path.parent == TESTS / "typed" and not path.name.startswith("test_"):
            continue  # only type checkers read it
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(rf"{PACKAGE}(?:\.\w+)+", text))
        for module, names in re.findall(rf"from ({PACKAGE}[.\w]*) import (\([^)]*\)|[^\n(]*)", text):
            found.add(module)
            imported |= {(module, name) for name in re.findall(r"\w+", re.sub(r" as \w+", "", names))}
    for module, name in imported:
        found.add(f"{module}.{name}")
        try:
            thing = getattr(importlib.import_module(module), name, None)
        except ImportError:
            continue
        found.add(getattr(thing, "__module__", None))
    return found


def test_every_module_has_tests():
    """Or it stands in `TESTED_THROUGH`, with the reason.

    A module of kernels that cells load is run by the battery, what layers name as their lowering by the tests of
    exports, and the files of losses by tests/losses, which goes over the rows of all of them.
    """
    from ltc_np.layers import LAYERS
    from ltc_np.losses import LOSSES

    trees = source.package()
    battery = {f"{PACKAGE}.kernels.{b}.{name}" for name in source.loaded(trees) for b in source.BACKENDS}
    battery |= {f"{PACKAGE}.export.lower.{layer.lowering.partition('.')[0]}" for layer in LAYERS.values()}
    battery |= {kind.function.__module__ for kind in LOSSES.values()}
    modules = {m for m in trees if not source.is_folder(m, trees)}
    without = {m.removeprefix(f"{PACKAGE}.") for m in modules - named_by_tests() - battery}
    assert without - set(TESTED_THROUGH) == set()
    assert set(TESTED_THROUGH) - without == set(), "these have tests, or are gone"


@pytest.mark.slow
def test_no_test_imports_another():
    for path in TESTS.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) +test_", text, re.MULTILINE), path


def test_the_top_level_holds_only_what_is_fixed():
    fixed = {"pyproject.toml", "README.md", "LICENSE", "ltc_np", "tests", "examples", "docs"}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= fixed


@pytest.mark.xdist_group("group")
def test_tests_of_a_group_share_a_worker(request):
    """Where pytest-xdist cannot tell which tests are a group, nothing fails, but every worker makes what it shares."""
    if not request.config.getoption("loadgroup", False):
        pytest.skip("needs pytest-xdist and --dist loadgroup")
    assert request.node.nodeid.endswith("@group"), "this pytest-xdist does not fit this pytest: install another of them"
