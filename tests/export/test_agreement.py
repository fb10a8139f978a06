"""Exports refuse a program that is not the model's, and what the lowering does not know."""

import pathlib
import re
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
from support.exported import LAYERS, features, made
from support.faulty_programs import Elsewhere, faulty_programs

from ltc_np import CTRNN, LTC, S4D, AutoNCP, Dense, FullyConnected, Line, Model, SpikingLIF, Standardize
from ltc_np.base import activations
from ltc_np.cells.cfc_sweep import Prepared
from ltc_np.export import agreement, c, fixed, onnx, web
from ltc_np.export import golden as vectors
from ltc_np.export.builder import Builder
from ltc_np.export.c.prepare import prepared
from ltc_np.export.lower import activations as activating
from ltc_np.export.lower import program, solvers
from ltc_np.export.lower.cfc import blend
from ltc_np.export.lower.elastance import elastance_of
from ltc_np.export.lower.mapping import mapped
from ltc_np.export.program import Linear, Vector
from ltc_np.export.run import Machine
from ltc_np.kernels import codes
from ltc_np.kernels.numpy import elastance, ltc, ltc_solvers
from ltc_np.kernels.numpy.mapping import map_features

I = 3
writing = import_module("ltc_np.export.c.write")  # whose name in the package is that of its function
REFUSED = "`model` must be computed by its export as by itself, but "


def network(*layers, dtype="float32"):
    return Model(*layers, input_dim=I, seed=1, dtype=dtype, backend="numpy")


def two_slopes(solver, stage, h, cm, P, Q, base, v, total):
    slope = (P - Q * v) * (h / cm)
    return (v + slope, slope) if stage == 0 else (base + (total + slope) / 2, None)


@pytest.fixture
def with_two_slopes(monkeypatch):
    """A model by a solver that somebody added to NumPy's kernels, and to nothing else."""
    row = codes.Solver("two_slopes", 9, 2, 2, False, None)
    monkeypatch.setitem(codes.SOLVERS, "two_slopes", row)
    monkeypatch.setattr(codes, "ROWS", (*codes.ROWS, row))
    monkeypatch.setattr(ltc, "advance", two_slopes)
    monkeypatch.setattr(LTC, "words", {"solver": tuple(codes.SOLVERS)})
    return lambda backend: Model(LTC(AutoNCP(9, 2), solver="two_slopes"), input_dim=I, seed=1, backend=backend)


WAYS = {
    "c": lambda model, path: c.write(model, path),
    "fixed": lambda model, path: fixed.quantise(model, np.ones((2, 4, I), np.float32)),
    "onnx": lambda model, path: onnx.write(model, path),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_solver_that_the_lowering_does_not_know(way, with_two_slopes, tmp_path):
    if way == "onnx":
        pytest.importorskip("onnx")
    model = with_two_slopes("numpy")
    model.step(np.ones(I))
    known = "'semi_implicit', 'euler', 'exponential'.*, which are all that ltc_np.export.lower.solvers knows"
    with pytest.raises(
        ValueError, match=f"`solver` must be one of {known}, got 'two_slopes': use one of them, or write that"
    ):
        WAYS[way](model, tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_a_solver_that_kernels_do_not_know(with_two_slopes, monkeypatch):
    monkeypatch.setattr(ltc, "advance", ltc_solvers.advance)
    model = with_two_slopes("numpy")
    with pytest.raises(ValueError, match="`solver` must be one of .* ltc_np.kernels.numpy.ltc_solvers knows, got 9"):
        model.step(np.ones(I))


NOT_KNOWN = {
    "activation": lambda: activating.activate("softsign", Vector("x", 0, 2), Builder()),
    "mapping": lambda: mapped("cubic", "input", {}, None),
    "elastance": lambda: elastance_of("other", {}, None),
    "mode": lambda: blend(None, "other", "torch", {}, None, None, None),
    "variant": lambda: blend(None, "pure", "other", {}, None, None, None),
    "mode of the sweep": lambda: Prepared("other", "torch", "tanh", [], [], None, None, None),
    "variant of the sweep": lambda: Prepared("pure", "other", "tanh", [], [], None, None, None),
    "elastance in NumPy": lambda: elastance.elastance_of(7, np.zeros(2), 1.0),
    "mapping in NumPy": lambda: map_features("cubic", "input", None, {}, None),
    "solver backwards": lambda: ltc_solvers.d_advance(7, *([None] * 11)),
}


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_what_is_not_known_is_not_taken_for_the_last_one(name):
    with pytest.raises(
        ValueError, match=f"`{name.split()[0]}` must be one of .*, which are all that ltc_np.* knows, got"
    ):
        NOT_KNOWN[name]()


@pytest.mark.parametrize("attribute", ["kind", "liquid"])
def test_a_rule_of_a_state_space_that_nobody_knows(attribute, monkeypatch):
    model = network(S4D(4, modes="lin"))
    layer = model.layers[0]
    monkeypatch.setitem(vars(layer), "rule", layer.rule._replace(**{attribute: 7}))
    for use in (lambda: program(model), lambda: layer.prepare(model.effective, model.buffers, "cpu")):
        with pytest.raises(ValueError, match="must be one of .* knows, got 7"):
            use()


def test_the_activations_that_exports_know_are_those_of_the_library():
    assert set(codes.ACTIVATIONS) == set(activating.KNOWN)


def weighed_in(patch, size):
    """All products with matrices by 1 + size times their weights."""
    own = Builder.linear

    def linear(self, weights, *arguments, **named):
        return own(self, np.asarray(weights) * (1 + size), *arguments, **named)

    patch.setattr(Builder, "linear", linear)


FAULTS = {
    "exponential": (
        [LTC(AutoNCP(9, 2), solver="exponential")],
        lambda patch, size: patch.setattr(solvers, "EXPONENTIAL_PART", (0.5 * (1 + size), 1.0)),
    ),
    "rk4": (
        [LTC(AutoNCP(9, 2), solver="rk4"), Dense(2)],
        lambda patch, size: patch.setitem(
            solvers.TABLEAUS, "rk4", solvers.TABLEAUS["rk4"]._replace(weight=(1 / 6, 1 / 3, 1 / 3, (1 + size) / 6))
        ),
    ),
    "lecun_tanh": (
        [CTRNN(5, activation="lecun_tanh")],
        lambda patch, size: patch.setattr(
            activating,
            "activations",
            SimpleNamespace(LECUN_SCALE=activations.LECUN_SCALE, LECUN_SLOPE=activations.LECUN_SLOPE * (1 + size)),
        ),
    ),
    "matrices": ([Dense(4, "silu"), LTC(FullyConnected(5, 2))], weighed_in),
}


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("fault", "size"), [("matrices", 1e-1), ("lecun_tanh", 1e-8), *((fault, 1e-4) for fault in FAULTS)]
)
def test_a_wrong_lowering_is_refused_by_itself(fault, size, tmp_path, monkeypatch):
    """By every way out, however small: in float64 there is nothing but roundings."""
    layers, broken = FAULTS[fault]
    model, x = network(*layers), np.random.default_rng(0).standard_normal((2, 9, I)).astype(np.float32)
    c.write(model, tmp_path / "right", measure=False)
    broken(monkeypatch, size)
    for way in (
        lambda: c.write(model, tmp_path / "c"),
        lambda: c.write(model, tmp_path / "c", dtype="float64", dt=0.5 if model.takes_dt else None),
        lambda: fixed.quantise(model, x),
    ):
        with pytest.raises(ValueError, match=REFUSED):
            way()
    assert [path.name for path in tmp_path.iterdir()] == ["right"]


def test_onnx_compares_too(monkeypatch):
    pytest.importorskip("onnx")
    layers, broken = FAULTS["exponential"]
    model = network(*layers)
    broken(monkeypatch, 1e-4)
    with pytest.raises(ValueError, match=REFUSED + r"the state of layers\[0\], LTC"):
        onnx.to_onnx(model)


def changed(of, row):
    """A program whose last matrix has one row that is wrong by 1e-4."""
    *others, stage, outputs = of.stages
    found = []
    for statement in stage.statements:
        if isinstance(statement, Linear):
            weights = statement.weights.copy()
            weights[row] *= 1 + 1e-4
            statement = replace(statement, weights=weights)
        found.append(statement)
    return of._replace(stages=(*others, stage._replace(statements=tuple(found)), outputs))


def test_each_output_is_judged_by_its_own_size():
    """One of 1e-12 beside one of 1e12."""
    model = network(LTC(AutoNCP(9, 2)), Dense(2), dtype="float64")
    model.params["1.weight"][:] *= [1e-12, 1e12]
    model.params["1.bias"][:] = 0
    of = program(model)
    assert np.ptp(np.log10(np.abs(vectors.golden(model, of, None, None, None).y).max(0))) > 20
    for row in (0, 1):
        with pytest.raises(ValueError, match=f"{REFUSED}output {row} would be off by"):
            vectors.golden(model, changed(of, row), None, None, None)


def test_the_bound_of_the_own_test_does_not_grow_with_a_fault(tmp_path, monkeypatch):
    """Even if nothing had refused the program, its test would."""
    model = network(LTC(AutoNCP(9, 2)), Dense(2))
    of = program(model)

    def bound(dtype, now):
        monkeypatch.setattr(writing, "proved", lambda model, dt, form: form(now))
        folder = c.write(model, tmp_path / "c", dtype=dtype, measure=False).folder
        return float(re.search(r"bound = (\S+);", (folder / "model_test.c").read_text())[1])

    right = {dtype: bound(dtype, of) for dtype in ("float32", "float64")}
    monkeypatch.setattr(agreement, "OWN_SIZE", 1.0)
    for dtype, allowed in right.items():
        assert bound(dtype, changed(of, 0)) == pytest.approx(allowed, rel=0.02)
    assert right["float32"] < 2e-5 and right["float64"] < 2e-12


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_the_bound_of_the_own_test_is_that_of_the_outputs(size, tmp_path):
    """A step that returns nothing but 0 would pass otherwise, where outputs are small."""
    model = network(LTC(AutoNCP(9, 2)), Dense(2))
    model.params["1.weight"][:] *= size
    model.params["1.bias"][:] = 0
    y = vectors.golden(model, program(model), None, None, None).y
    folder = c.write(model, tmp_path / "c", measure=False).folder
    bound = float(re.search(r"bound = (\S+);", (folder / "model_test.c").read_text())[1])
    assert 1e-5 <= bound / np.abs(y).max() < 2e-5


LONG = "Looped"  # programs with ten thousand faults, which take twenty seconds


@pytest.mark.slow
@pytest.mark.few(10)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.sweep] if name.startswith(LONG) else []) for name in LAYERS]
)
def test_every_fault_of_a_program_is_refused(name, rng):
    """Or it changes nothing: no number by more than the proof's bound, in other steps than those of the proof."""
    model = made(LAYERS[name], rng, "float32")
    right = program(model)
    steps, elsewhere, faults = agreement.drawn_steps(model, right.takes_dt), Elsewhere(right, Machine), 0

    def accepted(of):
        try:
            agreement.compare(model, of, steps)
            for each in agreement.edges(model, of, steps):
                agreement.compare(model, of, each)
        except ValueError as error:
            assert str(error).startswith(REFUSED)
            return False
        return True

    assert accepted(right) and elsewhere.change(right) == 0
    for what, faulty in faulty_programs(right):
        faults += 1
        assert not accepted(faulty) or elsewhere.change(faulty) < 4 * agreement.OWN_SIZE, what
    assert faults


WAYS_OUT = {
    **WAYS,
    "c in double": lambda model, path: c.write(model, path, dtype="float64", unroll=True),
    "c of one elapsed time": lambda model, path: c.write(model, path, dt=0.5 if model.takes_dt else None),
    "c of own data": lambda model, path: c.write(model, path, x=np.zeros((1, model.input_size))),
    "fixed of own data": lambda model, path: fixed.quantise(model, np.zeros((1, model.input_size), np.float32)),
    "graph": lambda model, path: onnx.to_onnx(model, kind="step"),
    "web": web.write,
}
ONE_OF_EACH_LAYER = {type(layers[-1]): name for name, layers in LAYERS.items()}.values()


@pytest.mark.parametrize("way", WAYS_OUT)
def test_every_way_out_refuses_faults(way, tmp_path, monkeypatch, rng):
    """Before anything is written, of every layer, and whatever data are given, even those that show nothing."""
    if way in ("onnx", "graph"):
        pytest.importorskip("onnx")
    for name in ONE_OF_EACH_LAYER:
        model = made(LAYERS[name], rng, "float32")

        def faulty(model, dt):
            *_, (_, last) = (pair for pair in faulty_programs(program(model, dt)) if pair[0].endswith("value scaled"))
            return last

        with monkeypatch.context() as patch:
            patch.setattr(agreement, "lowered", faulty)
            with pytest.raises(ValueError, match=REFUSED):
                WAYS_OUT[way](model, tmp_path / "new")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("way", ["c", "fixed"])
def test_data_of_the_user_are_compared_too(way, tmp_path, monkeypatch):
    """Even if the drawn steps showed nothing."""
    monkeypatch.setattr(agreement, "prove", lambda *arguments: None)
    model = network(LTC(AutoNCP(9, 2)), Dense(2))
    monkeypatch.setattr(agreement, "lowered", lambda model, dt: changed(program(model), 0))
    with pytest.raises(ValueError, match=REFUSED + "output 0"):
        WAYS[way](model, tmp_path / "new")


def test_no_program_is_taken_that_is_not_proved():
    """What writes takes programs from `proved`; nothing else in the library asks the lowering for one."""
    package = pathlib.Path(agreement.__file__).parents[1]
    asking = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"^\s*from \S*\blower import .*\bprogram\b", path.read_text("utf-8"), re.MULTILINE)
    }
    assert asking == {"export/agreement.py"}


def test_a_proof_draws_what_a_model_can_take():
    """Where inputs of usual sizes overflow, smaller ones are compared."""
    model = network(S4D(4, modes="lin"), Dense(2), dtype="float64")
    model.params["1.weight"][:] = 1e305
    steps = agreement.drawn_steps(model, True)
    assert np.isfinite(steps.y).all() and np.abs(steps.y).max() > 1e280
    with pytest.raises(ValueError, match=REFUSED + "output 0"):
        agreement.prove(model, changed(program(model), 0))
    model.params["1.bias"][:] = [1e308, 1.0]
    model.params["1.weight"][:] = 1.7e308
    assert np.isfinite(agreement.drawn_steps(model, True).y).all()


def test_limits_are_found_where_they_are():
    """A spike whose threshold is off by a millionth is refused: both sides of each limit are compared."""
    model = made([SpikingLIF(5)], np.random.default_rng(0))
    right = program(model)
    steps = agreement.drawn_steps(model, True)
    (edges,) = agreement.edges(model, right, steps)
    assert (edges.y == 0).any() and (edges.y == 1).any()
    model, other = (network(SpikingLIF(5, threshold=size, reset=0.0), dtype="float64") for size in (1.0, 1 + 1e-6))
    other.theta[:] = model.theta  # which is drawn in units of the threshold
    agreement.prove(model, program(model))
    with pytest.raises(ValueError, match=REFUSED):
        agreement.prove(model, program(other))


SAMPLE = [*list(LAYERS)[::40], "LiquidS4 bounded 0", "LiquidS4 14", "CTGRU 0"]


def agrees(name):
    rng = np.random.default_rng(0)
    models = [made(LAYERS[name], rng, dtype) for dtype in ("float32", "float64")]
    for model in (*models, Model(*LAYERS[name], input_dim=features(LAYERS[name]), seed=1, backend="numpy")):
        vectors.golden(model, agreement.proved(model), None, None, None)
        if model.takes_dt:
            agreement.proved(model, 0.1, prepared)
            agreement.proved(model, 0.0)


@pytest.mark.few(5)
@pytest.mark.parametrize("name", SAMPLE)
def test_programs_of_models_agree_with_them(name):
    agrees(name)


@pytest.mark.slow
def test_all_programs_agree():
    for name in LAYERS:
        agrees(name)


def test_large_means_and_exact_zeros():
    """Where terms cancel, roundings are large beside the result, and right programs are not refused."""
    mean, scale = np.full(I, 1e6), np.full(I, 1e-3)
    model = network(Standardize(mean=mean, scale=scale), Dense(4), Dense(2))
    model.params["2.weight"][2:] = -model.params["2.weight"][:2]
    model.params["1.weight"][:, 2:] = model.params["1.weight"][:, :2]
    model.params["2.bias"][:] = 0
    found = vectors.golden(model, program(model), None, 1e6 + np.random.default_rng(0).standard_normal((9, I)), None)
    assert np.abs(found.y).max() < 1


def test_differences_that_are_exactly_zero_by_chance():
    """Outputs of a step that are those of the one before; a program may find them other by a rounding."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        inputs, features, states = (int(rng.integers(*ends)) for ends in ((1, 4), (3, 6), (1, 4)))
        line = Line(2, reads="summaries", weight=rng.normal(size=(11 * features, 2)))
        agreement.proved(Model(Dense(features, activation="relu"), S4D(2 * states), line, input_dim=inputs, seed=seed))


def test_drawn_elapsed_times_are_those_that_an_explicit_solver_takes(tmp_path):
    model = network(CTRNN(4, solver="euler", ode_unfolds=1, tau=0.01))
    with pytest.raises(ValueError, match="`dt` must keep h/tau < 2"):
        model.step(np.ones(I), dt=0.5)
    drawn = vectors.golden(model, program(model), None, None, None).dt
    assert 0.005 < drawn.max() < 0.02 and (drawn == 0).sum() == 4
    steps = agreement.drawn_steps(model, True)
    assert 0.005 < steps.dt.max() < 0.02 and not steps.dt[-1].any()
    c.write(model, tmp_path / "c", measure=False)
