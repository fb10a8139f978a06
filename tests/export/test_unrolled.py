"""The work of writing unrolled C, counted in calls and not in seconds."""

import sys

import numpy as np
import pytest

from ltc_np import LTC, Dense, FullyConnected, Model
from ltc_np.export import c, fixed
from ltc_np.export.c.floats import Floats
from ltc_np.export.c.prepare import prepared
from ltc_np.export.c.source import source
from ltc_np.export.fixed.c import Fixed
from ltc_np.export.lower import program

MODELS = {
    "Linear": lambda k: Model(Dense(5 * k), input_dim=7, seed=0, dtype="float64", backend="numpy"),
    "Synapses": lambda k: Model(LTC(FullyConnected(4 * k, 2)), input_dim=2, seed=0, dtype="float64", backend="numpy"),
}


def real(model):
    return prepared(program(model)), Floats("float", True)


def whole(model):
    found = fixed.quantise(model, np.random.default_rng(0).standard_normal((2, 5, model.input_size)))
    return found.program, Fixed("net", found.places)


def calls(function, *arguments):
    """How many functions of Python and C are called."""
    count = 0

    def seen(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        function(*arguments)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.few(1)
@pytest.mark.parametrize("numbers", [real, whole])
@pytest.mark.parametrize("name", MODELS)
def test_the_work_is_as_much_for_each_weight(name, numbers):
    """However many weights there are: a tenth is for what is done once, and for longer names of larger numbers."""
    work = []
    for k in (1, 2, 4):
        model = MODELS[name](k)
        of, arithmetic = numbers(model)
        work.append(calls(source, of, "net", arithmetic, True, "") / model.theta.size)
    assert max(work[1:]) <= 1.1 * work[0], work
    assert work[0] > 10  # so much is done for a weight at least: they were counted


@pytest.mark.slow
def test_the_whole_export_is_as_much_for_each_weight(tmp_path):
    """With the golden vectors and the files, too."""
    work = []
    for k in (1, 2, 4):
        model = MODELS["Synapses"](k)

        def write(model=model, folder=tmp_path / str(k)):
            c.write(model, folder, "net", unroll=True, measure=False)

        work.append(calls(write) / model.theta.size)
    assert max(work[1:]) <= 1.1 * work[0], work
