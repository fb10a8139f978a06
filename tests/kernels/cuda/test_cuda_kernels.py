"""All CUDA kernels without a GPU: accesses watched, barriers deleted, machine code read; the simulator; messages."""

import importlib.metadata
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("numba")

from support import ROOT, cuda_compile
from support.cuda_uses import SOLVERS, installed, kernel_names, use_everything
from support.emulator import AS_PYTHON, Emulator, Race, barriers
from support.processes import python

from ltc_np import LTC, FullyConnected, Model, kernels
from ltc_np.kernels.cuda import device, ltc, ltc_sweeps

pytestmark = pytest.mark.card

DTYPES = ("float32", "float64")
as_python = pytest.mark.skipif(not AS_PYTHON, reason="kernels run as Python need NumPy 2")


# ------------------------------------------------------------------------------------------------------ accesses


@as_python
@pytest.mark.parametrize(
    "many",
    [
        pytest.param(True, id="several sequences a thread"),
        pytest.param(False, id="one a block, a step a segment", marks=pytest.mark.slow),
    ],
)
def test_no_kernel_races_or_leaves_its_arrays(many, monkeypatch):
    """In Python: no two threads touch a number without a barrier between, none is read before it is written."""
    for name, value in {"ENOUGH_THREADS": 1}.items() if many else {"BLOCK": 1, "SEGMENT_NUMBERS": 1}.items():
        monkeypatch.setattr(ltc, name, value)
    machine = Emulator(compiled=False)
    with installed(machine):
        use_everything("float32", [(5, 3)])
    assert {k.py_func.__name__ for k in machine.launched} == set(kernel_names())


def sweep(solver, machine):
    """A forward and a backward through a small network."""
    with installed(machine):
        layer = LTC(FullyConnected(3, 2), input_dim=2, solver=solver, ode_unfolds=2, check_stability="off")
        model = Model(layer, seed=0, backend="cuda")
        y, tape = model.forward(np.ones((3, 2, 2), np.float32))
        model.backward(tape, np.ones_like(y))


@as_python
@pytest.mark.parametrize("enough", [1, 2**14], ids=["several sequences a thread", "one"])
def test_every_barrier_is_needed(enough, monkeypatch):
    monkeypatch.setattr(ltc, "ENOUGH_THREADS", enough)
    deleted = 0
    for solver in SOLVERS:
        whole = Emulator(compiled=False)
        sweep(solver, whole)
        for kernel in whole.launched:
            for line in barriers(kernel):
                with pytest.raises(Race):
                    sweep(solver, Emulator(compiled=False, without_barrier=(kernel, line)))
                deleted += 1
    assert deleted == len(SOLVERS) * 3  # two barriers of the forward sweep, one of the adjoint


def test_all_barriers_are_in_the_mutation_test():
    sources = "".join(p.read_text() for p in Path(device.__file__).parent.glob("*.py"))
    sweeps = ltc_sweeps.forward(1), ltc_sweeps.adjoint(1)
    assert sources.count("cuda.syncthreads()") == sum(len(barriers(k)) for k in sweeps) == 3


# -------------------------------------------------------------------------------------------------- machine code

# Most instructions per sigmoid in the innermost loops, by kernel and sequences of a thread: in the best and in the
# worst of its loops.  About 5 % above what CUDA 13.0 and 13.5 make for the worst of the three.
PER_SIGMOID = {
    ("ltc_forward", 1): (24, 33),
    ("ltc_forward", 2): (17, 25.5),
    ("ltc_forward", 4): (13.5, 18.5),
    ("ltc_adjoint", 1): (31, 36),
    ("ltc_adjoint", 2): (21.5, 23),
    ("ltc_adjoint", 4): (17.5, 18.5),
    ("inputs_adjoint", 1): (31, 46),
    ("elapsed", 1): (25, 53),
    ("synapse_sums", 1): (23.5, 23.5),
}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_machine_code(dtype):
    """Of every kernel, on every architecture: no float64 by accident, nothing spilled, blocks that can start."""
    reason = cuda_compile.why_not()
    if reason is not None:
        pytest.skip(reason)
    wrong, seen = [], {}
    codes = cuda_compile.everything(dtype)
    for code in codes:
        registers = -(-code.registers // 8) * 8  # what the hardware hands out
        float64_by_accident = ".f64" in code.ptx and not any("float64" in t for t in code.types)
        for rule, broken in (
            ("uses float64", float64_by_accident),
            ("spills registers", code.spilled > 0 or code.stack > 0),
            ("has too large blocks", code.threads > code.bound or registers * code.bound > 65536),
            ("takes too much shared memory", code.shared > 48 * 1024),
            ("calls a function of its own", ".func" in code.ptx.split(".entry")[0].replace(".extern .func", "")),
        ):
            if broken:
                wrong.append(f"{code.kernel} of {code.types} for compute capability {code.cc} {rule}")
        seen[code.kernel, code.sequences, code.cc] = code.per_sigmoid
    assert not wrong, "\n".join(wrong)
    assert {(code.kernel, code.cc) for code in codes} == {
        (name, cc) for name in kernel_names() for cc in cuda_compile.ARCHITECTURES
    }
    for (*kernel, cc), found in seen.items():
        best, worst = PER_SIGMOID.get(tuple(kernel), (np.inf, np.inf))
        assert min(found, default=0) <= best and max(found, default=0) <= worst, (kernel, cc, found)
    if dtype == "float32":  # float64 has no instruction for 2**x
        assert all(seen[(*kernel, cc)] for kernel in PER_SIGMOID for cc in cuda_compile.ARCHITECTURES)


# ----------------------------------------------------------------------------------------------------- simulator

SIMULATED = """
    import numpy as np
    from ltc_np import LTC, Adam, AutoNCP, Dense, Model
    from ltc_np.kernels.cuda import device

    assert device.SIMULATED
    models = [
        Model(LTC(AutoNCP(6, 2)), Dense(1, "tanh"), input_dim=2, seed=0, dtype="float64", backend=backend)
        for backend in ("numpy", "cuda")
    ]
    rng = np.random.default_rng(0)
    x, dt, d_y = rng.normal(size=(3, 2, 2)), rng.uniform(0, 1, (3, 2)), rng.normal(size=(3, 2, 1))
    found = []
    for model in models:
        y, tape = model.forward(x, dt=dt, lengths=[2, 0, 1])
        g = model.backward(tape, d_y)
        model.fit(x, d_y, epochs=1, batch_size=3, optimizer=Adam(0.1), verbose=False)
        found.append((y, g.theta, g.x, g.h0, g.dt, model.theta))
    for got, want in zip(*found):
        assert np.abs(got - want).max() < 1e-9
    print("the simulator agrees")
"""


@as_python
def test_simulator():
    """Numba's own simulator runs the host code and the kernels, a thread of the host for each of a block."""
    if device.cuda is None:
        pytest.skip(device.broken)
    done = python(SIMULATED, warnings="error", check=False, NUMBA_ENABLE_CUDASIM="1")
    assert done.stdout == "the simulator agrees\n", done.stderr


# ------------------------------------------------------------------------------------------------------ messages


def refusal(**environment):
    code = """
        import ltc_np

        ltc_np.LTCRNN(ltc_np.FullyConnected(3), 2, backend="auto")
        try:
            ltc_np.LTCRNN(ltc_np.FullyConnected(3), 2, backend="cuda")
        except ImportError as error:
            print(error)
    """
    done = python(code, warnings="error", check=False, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_the_package(monkeypatch):
    def version(name):
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert device._import_cuda() == (None, 'numba-cuda is not installed: pip install "numba-cuda[cu13]>=0.30.4"')


def test_with_a_package_that_is_too_old(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.9.12")
    assert device._import_cuda() == (
        None,
        'numba-cuda 0.9.12 is older than 0.30.4: pip install "numba-cuda[cu13]>=0.30.4"',
    )
    assert device._numbers("0.30.4") < device._numbers("0.31.0rc1") < device._numbers("1.0")


def test_with_versions_that_do_not_fit(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.99.0")
    monkeypatch.setitem(sys.modules, "numba.cuda", None)  # importing it raises
    monkeypatch.delattr("numba.cuda", raising=False)
    found, reason = device._import_cuda()
    assert found is None
    assert reason.startswith("numba-cuda 0.99.0 does not work with numba ")
    assert reason.endswith('): pip install "numba-cuda[cu13]>=0.30.4"')
    assert "\n" not in reason


def test_without_a_driver():
    if device.cuda is None:
        pytest.skip(device.broken)
    if device.why_not() is None:
        pytest.skip("there is one")
    message = refusal()
    assert message.startswith('`backend="cuda"` cannot be used: no NVIDIA driver with a GPU was found (')
    assert message.endswith("); install one: nvidia.com/drivers\n")
    assert message.count("\n") == 1


def test_with_cuda_switched_off():
    if device.cuda is None:
        pytest.skip(device.broken)
    assert refusal(NUMBA_DISABLE_CUDA="1") == '`backend="cuda"` cannot be used: NUMBA_DISABLE_CUDA is set; unset it\n'


def test_a_process_uses_one_device(monkeypatch):
    gpu, current = device.Gpu(), SimpleNamespace(device=SimpleNamespace(id=1), synchronize=lambda: None)
    monkeypatch.setattr(device, "cuda", SimpleNamespace(current_context=lambda: current))
    gpu.wait()
    current.device.id = 0
    with pytest.raises(RuntimeError, match="the first call was on number 1 and number 0 is current"):
        gpu.wait()
    current.device.id = 1
    gpu.wait()


@pytest.mark.parametrize("simulated", [False, True])
def test_the_benchmark_says_why_it_cannot_run(simulated, monkeypatch, capsys):
    from ltc_np.bench import command

    monkeypatch.setattr(device, "why_not", lambda: None if simulated else "no such luck: buy one")
    monkeypatch.setattr(device, "SIMULATED", simulated)
    with pytest.raises(SystemExit):
        command.main(["--backend", "cuda"])
    wanted = "the simulator's times say nothing" if simulated else '`backend="cuda"` cannot be used: no such luck: buy'
    assert wanted in capsys.readouterr().err


class Launch:
    """A kernel whose launch does something."""

    def __init__(self, action):
        self.action = action

    def __getitem__(self, shape):
        return self.action


@pytest.mark.parametrize(
    ("available", "error", "launch", "reason"),
    [
        (True, None, lambda: None, None),
        (False, "no CUDA-capable device is detected (100)", None, "no NVIDIA driver with a GPU was found (no CUDA-c"),
        (False, None, None, 'CUDA\'s libraries are not complete: pip install "numba-cuda[cu13]>=0.30.4"'),
        (True, None, lambda: 1 / 0, "CUDA does not work (ZeroDivisionError: division by zero); update the driver, or "),
    ],
    ids=["works", "no GPU", "no NVVM", "no launch"],
)
def test_reasons_of_a_machine(available, error, launch, reason, monkeypatch):
    there = SimpleNamespace(is_available=lambda: available, cuda_error=lambda: error, synchronize=lambda: None)
    monkeypatch.setattr(device, "cuda", there)
    monkeypatch.setattr(device, "_nothing", Launch(launch))
    monkeypatch.setattr(device, "_works", False)
    found = device.why_not()
    assert found is reason is None or found.startswith(reason)
    there.is_available, there.cuda_error = lambda: True, lambda: None  # a driver has been installed, a GPU is free
    monkeypatch.setattr(device, "_nothing", Launch(lambda: None))
    assert device.why_not() is None


def test_the_reason_is_in_the_error_and_auto_never_picks_cuda(monkeypatch):
    monkeypatch.setattr(device, "why_not", lambda: "no such luck: buy one")
    with pytest.raises(ImportError, match='^`backend="cuda"` cannot be used: no such luck: buy one$'):
        Model(LTC(FullyConnected(3), input_dim=2), backend="cuda")
    monkeypatch.setattr(device, "why_not", lambda: None)
    assert kernels.resolve("cuda") == "cuda"
    assert kernels.resolve("auto") == "cpu"
    with pytest.raises(ValueError, match="`backend` must be one of 'auto', 'numpy', 'cpu', 'cuda', got 'gpu'"):
        Model(LTC(FullyConnected(3), input_dim=2), backend="gpu")


def test_nothing_imports_cuda_unasked():
    code = """
        import sys
        import ltc_np

        assert ltc_np.LTCRNN(ltc_np.FullyConnected(3), 2).backend == "cpu"
        print([m for m in sys.modules if "cuda" in m and m != "_numba_cuda_redirector"])
    """
    done = python(code, warnings="error", check=False)
    assert done.stdout == "[]\n", done.stdout + done.stderr


def test_the_remedy_is_the_extra():
    """What messages ask to install is what the extra does."""
    text = (ROOT / "pyproject.toml").read_text()
    (extra,) = re.findall(r'^cuda = \["(.*)"\]$', text, re.MULTILINE)
    assert f'pip install "{extra}"' == device.INSTALL
