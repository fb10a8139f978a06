"""The way of a call through the files, as docs/architecture.md draws it."""

import contextlib
import importlib
import itertools
import pathlib
import re
import sys

import numpy as np
import pytest
from support import ROOT, libraries
from support.backends import NO_CARD, NO_KERNELS

import ltc_np
from ltc_np import LTCRNN, FullyConnected
from ltc_np.train.loop import epochs, run

PACKAGE = pathlib.Path(ltc_np.__file__).parent
MOST, MOST_IN_LOOP = 11, 45


def drawn():
    """Name of a walk -> its files, as the page has them."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    found = re.findall(r"^ *```walk (.*)\n((?:.*\n)*?) *```$", page, re.MULTILINE)
    return {name: files.split() for name, files in found}


def _body(function):
    """That of a function, or of the kernel that was made of it."""
    return function if hasattr(function, "__code__") else libraries.body(function)


class Walks:
    """Chains of the package's files from the outermost call to a kernel: one for each name of a kernel's module."""

    def __init__(self):
        self.found = {}

    def arrived(self, function):
        """Take the chain of those who are calling, and the file of the kernel."""
        files, frame = [pathlib.Path(_body(function).__code__.co_filename)], sys._getframe(1)
        while frame is not None:
            files.append(pathlib.Path(frame.f_code.co_filename))
            frame = frame.f_back
        own = [f.relative_to(PACKAGE).as_posix() for f in reversed(files) if f.is_relative_to(PACKAGE)]
        chain = tuple(file for file, _ in itertools.groupby(own))
        self.found.setdefault((chain[-1], function.__name__), set()).add(chain)

    @contextlib.contextmanager
    def watching(self, monkeypatch, *kernels):
        """Kernels, as module and name, tell when they are called."""
        with monkeypatch.context() as patch:
            for module, name in kernels:
                own = getattr(importlib.import_module(module), name)

                def kernel(*args, own=own, **options):
                    self.arrived(own)
                    return own(*args, **options)

                patch.setattr(f"{module}.{name}", kernel)
            yield

    def to(self, file, name=None):
        """The one way to a kernel of this file."""
        (chain,) = set().union(*(c for (f, n), c in self.found.items() if f == file and name in (None, n)))
        return chain


@pytest.fixture
def walks(monkeypatch, request):
    """Of calls and of a training with a backend."""
    backend = request.param
    reason = {"numpy": None, "cpu": NO_KERNELS, "cuda": NO_CARD}[backend]
    if reason:
        pytest.skip(reason)
    walks, x = Walks(), np.zeros((2, 1, 2), np.float32)
    if backend == "cuda":
        from support.emulator import AS_PYTHON

        machine = request.getfixturevalue("emulator")(compiled=not AS_PYTHON)
        launch = machine.launch

        def watched(function, *args):
            walks.arrived(function)
            launch(function, *args)

        machine.launch, watching = watched, contextlib.nullcontext()
    else:
        ltc = {"numpy": "ltc", "cpu": "ltc_neuron_major"}[backend]
        kernels = (ltc, "forward"), (ltc, "backward"), ("adam", "change")
        names = [(f"ltc_np.kernels.{backend}.{module}", name) for module, name in kernels]
        watching = walks.watching(monkeypatch, *names)
    model = LTCRNN(FullyConnected(3), 2, seed=0, backend=backend, ode_unfolds=1)
    with watching:
        yield walks, model, x


def check(name, chain):
    assert len(chain) <= MOST, (name, chain)
    assert len(chain) == len(set(chain)), (name, chain)

    assert list(chain) == drawn()[name], (name, chain)


ENDS = {
    "numpy": "kernels/numpy/synaptic.py",
    "cpu": "kernels/cpu/neuron_major.py",
    "cuda": "kernels/cuda/ltc_sweeps.py",
}
each = pytest.mark.parametrize(("walks", "name"), [(name, name) for name in ENDS], indirect=["walks"])


@each
def test_a_call(walks, name):
    walks, model, x = walks
    model(x)
    check(name, walks.to(ENDS[name]))


@pytest.mark.parametrize("walks", ["cuda"], indirect=True)
def test_a_call_with_arrays_on_the_card(walks):
    from ltc_np.kernels.cuda import device

    walks, model, x = walks
    x = device.upload(x.ravel()).reshape(x.shape)
    walks.found.clear()
    y, tape = model.forward(x)
    there = walks.to(ENDS["cuda"])
    check("cuda, device arrays", there)
    walks.found.clear()
    model.backward(tape, y)
    assert walks.to(ENDS["cuda"]) == there


@each
def test_the_way_back(walks, name):
    """The adjoint takes the files of the call."""
    walks, model, x = walks
    y, tape = model.forward(x)
    there = walks.to(ENDS[name])
    walks.found.clear()
    model.backward(tape, y)
    assert walks.to(ENDS[name]) == there


@pytest.mark.slow
@each
def test_a_training_step(walks, name):
    walks, model, x = walks
    model.fit(x, np.ones((2, 1, 3)), optimizer="adam", verbose=False)
    gradient = {chain for (f, _), chains in walks.found.items() if f == ENDS[name] for chain in chains}
    (gradient,) = {chain for chain in gradient if "network/host.py" in chain or "network/cuda/training.py" in chain}
    check(f"{name}, gradient", gradient)
    update = "kernels/cuda/optim.py" if name == "cuda" else f"kernels/{name}/adam.py"
    (chain,) = {c for (f, n), chains in walks.found.items() if f == update and n in ("adam", "change") for c in chains}
    check(f"{name}, update", chain)


@pytest.mark.slow
@pytest.mark.skipif(NO_KERNELS is not None, reason=str(NO_KERNELS))
def test_a_bound_training_step(monkeypatch):
    """Up to the kernel that makes steps, which calls the sweeps by their addresses."""
    walks, model = Walks(), LTCRNN(FullyConnected(3), 2, seed=0, backend="cpu", ode_unfolds=1)
    monkeypatch.setattr(run, "FEW_STEPS", 1)
    with walks.watching(monkeypatch, ("ltc_np.kernels.cpu.ltc_training", "steps")):
        assert model.fit(np.zeros((9, 1, 2)), np.ones((9, 1, 3)), optimizer="adam", verbose=False).steps == "bound"
    check("cpu, bound", walks.to("kernels/cpu/ltc_training.py"))


def test_the_loop_of_a_training_goes_through_few_files(monkeypatch):
    """From the first step to the end of the last epoch: where somebody looks for a fault of a training."""
    loop, found = epochs._epochs, set()

    def watched(*args):
        sys.setprofile(lambda frame, event, argument: found.add(frame.f_code.co_filename))
        try:
            return loop(*args)
        finally:
            sys.setprofile(None)

    monkeypatch.setattr(epochs, "_epochs", watched)
    model, x, y = LTCRNN(FullyConnected(3), 2, seed=0, backend="numpy"), np.zeros((5, 4, 2)), np.ones((5, 4, 3))
    model.fit(x, y, epochs=2, batch_size=3, validation=(x, y), optimizer="adam", verbose=False)
    files = {pathlib.Path(file).relative_to(PACKAGE).as_posix() for file in found if file.startswith(str(PACKAGE))}
    assert files >= {"train/loop/run.py", "kernels/numpy/adam.py", "kernels/numpy/synaptic.py", "train/evaluate.py"}
    assert len(files) <= MOST_IN_LOOP, sorted(files)


def test_the_page_draws_all_of_them():
    calls = [*ENDS, "cuda, device arrays", "cpu, bound"]
    assert set(drawn()) == {*calls, *(f"{name}, {step}" for name in ENDS for step in ("gradient", "update"))}


def test_a_walk_that_returns_is_seen():
    for chain in (("a", "b", "a"), tuple("abcdefghijkl")):
        with pytest.raises(AssertionError):
            check("cpu", chain)
