"""A number that kernels have no branch for is refused by each of them: it must never be taken for another one."""

import ast
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ltc_np import (
    CTRNN,
    LRC,
    LTC,
    S4D,
    AutoNCP,
    CfC,
    FullyConnected,
    LiquidS4,
    LrcSSM,
    Model,
    NeuralODE,
    SpikingLIF,
)
from ltc_np.base.workspace import Fresh
from ltc_np.kernels import codes
from ltc_np.kernels.numpy import cfc, elastance, ltc_solvers, spiking_lif
from ltc_np.kernels.numpy.ssm import StateSpace

UNKNOWN = 99
TABLES = {
    "activation": "RELU SILU TANH GELU LECUN_TANH SIGMOID LINEAR ACTIVATIONS",
    "positivity": "FREE SOFTPLUS CLIP",
    "loss": "LOSSES MSE MAE HUBER BINARY_CROSS_ENTROPY CROSS_ENTROPY QUANTILE",
    "form": "GATE NO_GATE DECAY DECAY_OF_STATE",
    "discretization": "ZOH BILINEAR",
    "liquid": "PLAIN EXACT DISCRETE KB PB",
    "surrogate": "FAST_SIGMOID ARCTAN",
    "elastance": "ASYMMETRIC SYMMETRIC CONSTANT",
    "solver": "SEMI_IMPLICIT EULER EXPONENTIAL FIRST_TABLEAU TABLEAUS REACH WEIGHT MOST_STAGES",
}


@dataclasses.dataclass
class Case:
    """A call of kernels with one number changed: of which layer, and where its number stands."""

    table: str
    modules: str  # of the backend, that have branches for the number
    layer: object
    change: object  # (layer, prepared) -> prepared
    passes: tuple = ("forward", "backward")  # that read the number


def rule(layer, prepared):
    vars(layer)["rule"] = layer.rule._replace(
        solver=-1
    )  # below the first tableau, whose table would be asked otherwise
    return prepared._replace(rule=tuple(layer.rule)) if isinstance(layer, LrcSSM) else prepared


def of_lrc(layer, prepared):
    return prepared._replace(circuit=prepared.kernels.Circuit(layer.recurrent, layer.sensory, prepared.p, UNKNOWN))


def of_field(layer, prepared):
    *arrays, _ = prepared.field.packed
    prepared.field.packed = *arrays, UNKNOWN
    return prepared


def of_space(**changes):
    def change(layer, prepared):
        *arrays, _, limits = prepared.space.packed
        prepared.space.packed = *arrays, tuple(layer.rule._replace(**changes)), limits
        return prepared

    return change


def with_attribute(name):
    def change(layer, prepared):
        setattr(prepared, name, UNKNOWN)
        return prepared

    return change


def of_surrogate(layer, prepared):
    return prepared._replace(surrogate=(UNKNOWN, *prepared.surrogate[1:]))


SOLVED = {
    "LTC": (lambda: LTC(AutoNCP(6, 2), input_dim=2), "ltc_solvers"),
    "LTC, batch-major": (lambda: LTC(FullyConnected(12, 2), input_dim=2), "ltc_solvers"),
    "LRC": (lambda: LRC(AutoNCP(6, 2), input_dim=2), "ltc_solvers"),
    "LRC, batch-major": (lambda: LRC(FullyConnected(12, 2), input_dim=2), "ltc_solvers"),
    "CTRNN": (lambda: CTRNN(3, input_dim=2), "ltc_solvers"),
    "NeuralODE": (lambda: NeuralODE(3, input_dim=2), "ltc_solvers"),
    "LrcSSM": (lambda: LrcSSM(3, input_dim=2), "ltc_solvers"),
}
CASES = {f"solver of {name}": Case("solver", modules, make, rule) for name, (make, modules) in SOLVED.items()}
CASES |= {
    "elastance of LRC": Case("elastance", "elastance", SOLVED["LRC"][0], of_lrc),
    "elastance of LRC, batch-major": Case("elastance", "elastance", SOLVED["LRC, batch-major"][0], of_lrc),
    "elastance of LrcSSM": Case(
        "elastance", "elastance", SOLVED["LrcSSM"][0], lambda layer, prepared: prepared._replace(kind=UNKNOWN)
    ),
    "form of CfC": Case("form", "cfc", lambda: CfC(3, input_dim=2), with_attribute("form")),
    "squash of CfC": Case("activation", "cfc", lambda: CfC(3, input_dim=2), with_attribute("squash")),
    "activation of CfC": Case(
        "activation", "activations cfc", lambda: CfC(3, input_dim=2), with_attribute("activation")
    ),
    "surrogate of SpikingLIF": Case(
        "surrogate", "spiking_lif", lambda: SpikingLIF(3, input_dim=2), of_surrogate, ("backward",)
    ),
}
COMPILED = {
    "activation of CTRNN": Case("activation", "activations ode", SOLVED["CTRNN"][0], of_field),
    "discretization of S4D": Case(
        "discretization", "ssm ssm_steps", lambda: S4D(2, modes="lin"), of_space(kind=UNKNOWN)
    ),
    "liquid of LiquidS4": Case("liquid", "ssm", lambda: LiquidS4(2), of_space(liquid=UNKNOWN)),
}


def refused(case, backend):
    """Forward and backward with a number that nobody knows."""
    # A table of the definition that has no such place says so itself.
    words = "must be|index out of range" if backend == "numpy" else "must be"
    model = Model(case.layer(), input_dim=2, seed=0, dtype="float64", backend=backend)
    (layer,) = model.layers
    x, dt, lengths = np.ones((1, 3, 2)), np.full((1, 3), 0.1), np.array([3])
    h0, d_y = np.zeros((1, layer.state_size)), np.ones((1, 3, layer.output_size))
    p = {name: np.ascontiguousarray(values) for name, values in model.effective.items()}
    good, bad = (layer.prepare(p, dict(model.buffers), backend) for _ in range(2))
    g = {name: np.zeros(values.shape) for name, values in p.items()}
    _, _, saved = layer.forward(good, x, dt, lengths, h0, "full", Fresh())
    if "forward" in case.passes:
        with pytest.raises((ValueError, IndexError), match=words):
            layer.forward(case.change(layer, bad), x, dt, lengths, h0, "full", Fresh())
    if "backward" in case.passes:
        with pytest.raises((ValueError, IndexError), match=words):
            layer.backward(case.change(layer, bad), saved, d_y, h0, g, True, True, Fresh())


@pytest.mark.parametrize("name", CASES)
def test_numpy_refuses_a_number_that_it_does_not_know(name):
    refused(CASES[name], "numpy")


@pytest.mark.compiled
@pytest.mark.few(3)  # kernels of nearly all cells are compiled for the others
@pytest.mark.parametrize("name", CASES | COMPILED)
def test_compiled_kernels_refuse_a_number_that_they_do_not_know(name):
    refused((CASES | COMPILED)[name], "cpu")


@pytest.mark.compiled
@pytest.mark.slow
def test_traces_of_a_state_space_refuse_a_number_that_they_do_not_know():
    """Those in NumPy are given a `StateSpace`, which refuses it when it is made."""
    from ltc_np.kernels.cpu import ssm_traces

    model = Model(LiquidS4(2), input_dim=2, seed=0, backend="cpu")
    (layer,) = model.layers
    p = {name: np.ascontiguousarray(values) for name, values in model.effective.items()}
    M = layer.layout.slices["decay"][1][0]
    u, dt, h0 = np.ones((1, 2), np.float32), np.ones(1, np.float32), np.zeros((1, layer.state_size), np.float32)
    traces, slopes = np.zeros((5, 2, M, 2), np.float32), np.zeros((6 * M + 2, 2), np.float32)
    ssm_traces.carry(layer.prepare(p, {}, "cpu").space, u, dt, h0, traces, slopes)
    bad = of_space(liquid=UNKNOWN)(layer, layer.prepare(p, {}, "cpu"))
    with pytest.raises(ValueError, match="must be"):
        ssm_traces.carry(bad.space, u, dt, h0, traces, slopes)


@pytest.mark.compiled
def test_a_loss_that_has_no_kernel_is_refused():
    from ltc_np.kernels.cpu import losses

    with pytest.raises(
        ValueError, match=r"`loss` must be one of .*, which are all that ltc_np.kernels.cpu.losses knows"
    ):
        losses.call("hinge", (), np.dtype(np.float32))


NUMPY_ALONE = {
    "discretization": ("ssm ssm_fft", lambda: StateSpace({}, codes.Discretization(UNKNOWN, codes.PLAIN, 1, 0.0))),
    "liquid": ("ssm ssm_traces", lambda: StateSpace({}, codes.Discretization(codes.ZOH, UNKNOWN, 1, 0.0))),
    "surrogate": ("spiking_lif", lambda: spiking_lif.relaxed_spike((UNKNOWN, 1, 1), 0.5)),
    "solver": ("ltc_solvers", lambda: ltc_solvers.advance(UNKNOWN, *[None] * 8)),
    "elastance": ("elastance lrc", lambda: elastance.elastance_of(UNKNOWN, np.zeros(2), 1.0)),
    "form": ("cfc", lambda: cfc.blend(UNKNOWN, *[None] * 12)),
}


@pytest.mark.parametrize("table", NUMPY_ALONE)
def test_functions_of_the_definition_refuse_a_number_that_they_do_not_know(table):
    with pytest.raises(
        ValueError, match=rf"`{table}` must be one of .*, which are all that ltc_np.kernels.numpy.* knows"
    ):
        NUMPY_ALONE[table][1]()


def on_a_card(table):
    from ltc_np.kernels.cuda import dense, losses, ltc, optim

    bad = codes.Rule(UNKNOWN, 1, 1)
    return {
        "solver": (
            lambda: ltc.run_forward(None, None, None, bad, 1, None, None),
            lambda: ltc.run_backward(None, None, None, None, bad, True, True, None),
        ),
        "activation": (
            lambda: dense.forward(None, None, None, UNKNOWN, None),
            lambda: dense.backward(None, None, None, UNKNOWN, True, None, None, None),
        ),
        "positivity": (lambda: optim.must_know_positivity(UNKNOWN),),
        "loss": (lambda: losses.DeviceLoss("hinge", (), np.dtype(np.float32), False),),
    }[table]


CARD = {"solver": "ltc_solvers", "activation": "dense", "positivity": "optim", "loss": "losses"}


@pytest.mark.numba
@pytest.mark.parametrize("table", CARD)
def test_a_card_is_not_given_a_number_that_it_does_not_know(table):
    for call in on_a_card(table):
        with pytest.raises(
            ValueError, match=f"`{table}` must be one of .*, which are all that ltc_np.kernels.cuda.* knows"
        ):
            call()


@pytest.mark.numba
def test_kernels_have_a_branch_for_every_row_of_a_table():
    """A row without one would be refused only by whoever comes to use it."""
    from ltc_np.kernels import losses
    from ltc_np.kernels.cpu import elastance as cpu_elastance
    from ltc_np.kernels.cpu import ltc_solvers as cpu_solvers
    from ltc_np.kernels.cuda import dense
    from ltc_np.kernels.cuda import ltc_solvers as cuda_solvers

    solvers = {solver.number for solver in codes.SOLVERS.values()}
    assert set(ltc_solvers.KNOWN) == set(cpu_solvers.KNOWN) == set(cuda_solvers.KNOWN) == solvers
    assert set(cpu_elastance.KNOWN) == set(range(len(codes.ELASTANCES)))
    assert set(dense.KNOWN) == set(range(len(codes.ACTIVATIONS)))
    assert losses.KNOWN == codes.LOSSES


@pytest.mark.slow
def test_every_consumer_of_every_table_is_asked():
    """A module of kernels that imports a number of a table stands in the tables above, with its backend."""
    assert set(" ".join(TABLES.values()).split()) <= set(vars(codes))
    found = set()
    for path in Path(codes.__file__).parent.glob("*/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "codes" and node.level == 2:
                names, place = {alias.name for alias in node.names}, (path.parent.name, path.stem)
                found |= {(table, *place) for table, words in TABLES.items() if names & set(words.split())}
    assert len(found) > 20
    asked = {(case.table, "cpu", name) for case in (CASES | COMPILED).values() for name in case.modules.split()}
    asked |= {(case.table, "numpy", name) for case in CASES.values() for name in case.modules.split()}
    asked |= {(table, "numpy", name) for table, (names, _) in NUMPY_ALONE.items() for name in names.split()}
    asked |= {(table, "cuda", name) for table, name in CARD.items()}
    asked |= {("liquid", "cpu", "ssm_traces"), ("loss", "cpu", "losses")}  # by the tests of these
    assert found - asked == set()
