"""Calls of kernels that come compiled: machine code that takes arguments of Python apart."""

import copy
import gc
import os
import sys
import threading
import time
import types

import numpy as np
import pytest
from support import libraries

from ltc_np.kernels import calls, library
from ltc_np.kernels.library import LEVELS


@pytest.fixture(scope="module")
def compiled(installed):
    """Kernels of the library by name."""
    from ltc_np.kernels.cpu import cfc, lrc, rate, sgd

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "FOLDER", installed)
        found = library._load(tuple(LEVELS)).functions
    functions = {"activate": cfc.activate, "pack": lrc._pack, "multiply": rate.multiply_add_chains, "sgd": sgd.change}
    made = {}
    for name, kernel in functions.items():
        function = libraries.body(kernel)
        symbol = library.symbol(function)
        made[name] = calls.function(symbol, found[symbol], function)
    return types.SimpleNamespace(**made)


def step(dtype=np.float64, size=5):
    """Arguments of `sgd.change` without momentum, and what delta becomes."""
    grad = np.arange(1, size + 1).astype(dtype)
    return [grad, np.zeros(size, dtype), np.full(size, np.nan, dtype), 0.5, 0.0, 0.0], grad * dtype(0.5)


def packed(dtype=np.float64):
    """Arguments of `lrc._pack` for 3 neurons, 4 synapses and 2 of inputs, each with an order."""
    rng = np.random.default_rng(0)
    groups = tuple(tuple(rng.normal(size=n).astype(dtype) for _ in range(k)) for n, k in ((3, 5), (4, 4), (2, 4)))
    orders = np.array([2, 0, 3, 1]), np.array([1, 0], np.longlong)  # the same type by two numbers of NumPy
    return [*groups, orders, *(np.full(shape, np.nan, dtype) for shape in ((3, 6), (2, 4, 5), (2, 2, 5)))]


slow = pytest.mark.slow  # a library is made, if there is none


@slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arguments_arrive_in_both_types(dtype, compiled):
    args, want = step(dtype)
    compiled.sgd(*args)
    assert np.array_equal(args[2], want)
    groups = packed(dtype)
    compiled.pack(*groups)
    (order, sensory_order), neuron, constants, sensory = groups[3:]
    assert np.array_equal(neuron[:, :5], np.array(groups[0]).T)
    assert np.array_equal(constants[0, :, 2:], np.array([groups[1][k] for k in (0, 1, 3)]).T)
    assert np.array_equal(sensory[0, :, 2:], np.array([groups[2][k] for k in (0, 1, 3)]).T)
    assert np.array_equal(constants[1], constants[0][order])
    assert np.array_equal(sensory[1], sensory[0][sensory_order])
    for mask in (np.zeros((0, 3), dtype), np.full((2, 3), 2, dtype)):
        for keep in (True, False):
            u, d_u = np.array([[-1, 0, 2], [1, 0.5, -3]], dtype), np.full((2, 3), np.nan, dtype)
            compiled.activate(0, u, np.array([0, 1, 2], dtype), mask, d_u, keep)
            assert np.isnan(d_u).all() == (not keep)
            assert np.isfinite(u).all()


@slow
@pytest.mark.parametrize("number", [int, np.int64, np.int32, np.uint8, bool], ids=lambda kind: kind.__name__)
def test_numbers_of_other_types_are_read(number, compiled):
    u = [np.array([[-1, 0, 2.0]]) for _ in range(2)]
    for array, activation in zip(u, (1, number(1)), strict=True):
        compiled.activate(activation, array, np.zeros(3), np.zeros((0, 3)), np.zeros((1, 3)), False)
    assert np.array_equal(*u)
    args, want = step()
    compiled.sgd(*args[:3], np.float32(0.5), number(0), 0)
    assert np.array_equal(args[2], want)


class Index:
    """It stands for a number, and says so as Python asks."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value


def _of(change):
    """The arguments of a step with one of them changed."""

    def make():
        args, _ = step()
        return change(args)

    return make


def _with(k, value):
    return _of(lambda args: [*args[:k], value, *args[k + 1 :]])


WRONG = {
    "no arguments": ("sgd", list),
    "one too few": ("sgd", _of(lambda args: args[:-1])),
    "one too many": ("sgd", _of(lambda args: [*args, 0.0])),
    "two types of floats": ("sgd", _with(0, np.ones(5, np.float32))),
    "integers": ("sgd", _with(0, np.ones(5, np.int64))),
    "half": ("sgd", _with(0, np.ones(5, np.float16))),
    "longdouble": ("sgd", _with(0, np.ones(5, np.longdouble))),
    "complex": ("sgd", _with(0, np.ones(5, np.complex128))),
    "booleans": ("sgd", _with(0, np.ones(5, bool))),
    "objects": ("sgd", _with(0, np.array([1.0] * 5, object))),
    "times": ("sgd", _with(0, np.ones(5, "m8[s]"))),
    "structured": ("sgd", _with(0, np.ones(5, [("a", float)]))),
    "big-endian": ("sgd", _with(0, np.ones(5, ">f8"))),
    "a number for an array": ("sgd", _with(0, 1.0)),
    "a list for an array": ("sgd", _with(0, [1.0] * 5)),
    "None for an array": ("sgd", _with(0, None)),
    "a class for an array": ("sgd", _with(0, np.ndarray)),
    "bytes for an array": ("sgd", _with(0, b"\0" * 40)),
    "no axes": ("sgd", _with(0, np.array(1.0))),
    "two axes": ("sgd", _with(0, np.ones((5, 1)))),
    "every second": ("sgd", _with(0, np.ones(10)[::2])),
    "backwards": ("sgd", _with(0, np.ones(5)[::-1])),
    "Fortran's order": ("pack", lambda: [*packed()[:4], np.ones((3, 6), order="F"), *packed()[5:]]),
    "an array for a number": ("sgd", _with(3, np.ones(2))),
    "a text for a number": ("sgd", _with(3, "0.5")),
    "None for a number": ("sgd", _with(3, None)),
    "complex for a number": ("sgd", _with(3, 0.5j)),
    "a tuple too short": ("pack", lambda: [packed()[0][:-1], *packed()[1:]]),
    "a tuple too long": ("pack", lambda: [(*packed()[0], np.ones(3)), *packed()[1:]]),
    "an empty tuple": ("pack", lambda: [(), *packed()[1:]]),
    "a list for a tuple": ("pack", lambda: [list(packed()[0]), *packed()[1:]]),
    "an array for a tuple": ("pack", lambda: [np.ones((5, 3)), *packed()[1:]]),
    "None for a tuple": ("pack", lambda: [None, *packed()[1:]]),
    "a tuple in a tuple": ("pack", lambda: [(packed()[0],) * 5, *packed()[1:]]),
    "None in a tuple": ("pack", lambda: [(None,) * 5, *packed()[1:]]),
    "a fraction for an integer": ("multiply", lambda: [np.ones(8), np.zeros(4), 1.0]),
    "None for an integer": ("multiply", lambda: [np.ones(8), np.zeros(4), None]),
    "a text for an integer": ("multiply", lambda: [np.ones(8), np.zeros(4), "1"]),
    "an index that is no number": ("multiply", lambda: [np.ones(8), np.zeros(4), Index("no")]),
}


@slow
@pytest.mark.parametrize("mistake", WRONG)
def test_arguments_that_no_code_is_for_are_a_type_error(mistake, compiled):
    name, make = WRONG[mistake]
    args = make()
    words = r"the compiled kernel `\S+` has no code for arguments of these types: \(.*please report it, and set LTC_NP"
    for _ in range(3):
        with pytest.raises(TypeError, match=words) as caught:
            getattr(compiled, name)(*args)
        assert caught.value.__context__ is None
    right, want = step()
    compiled.sgd(*right)  # and nothing is left of it
    assert np.array_equal(right[2], want)


RAISED = {
    "a number beyond floats": (OverflowError, "sgd", _with(3, 10**400)),
    "beyond int64": (OverflowError, "multiply", lambda: [np.ones(8), np.zeros(4), 2**63]),
    "far beyond int64": (OverflowError, "multiply", lambda: [np.ones(8), np.zeros(4), -(10**400)]),
    "an index that fails": (OSError, "multiply", lambda: [np.ones(8), np.zeros(4), Index(OSError("no"))]),
    "an index beyond int64": (OverflowError, "multiply", lambda: [np.ones(8), np.zeros(4), Index(2**80)]),
    "interrupted": (KeyboardInterrupt, "multiply", lambda: [np.ones(8), np.zeros(4), Index(KeyboardInterrupt())]),
}


@slow
@pytest.mark.parametrize("mistake", RAISED)
def test_what_goes_wrong_while_a_number_is_read_is_raised(mistake, compiled):
    error, name, make = RAISED[mistake]
    for _ in range(3):
        with pytest.raises(error):
            getattr(compiled, name)(*make())
    right, want = step()
    compiled.sgd(*right)
    assert np.array_equal(right[2], want)


@slow
def test_kernels_are_told_and_copied_like_functions(compiled):
    assert compiled.sgd.__name__ == "change"
    assert "Momentum b" in compiled.sgd.__doc__
    assert copy.deepcopy(compiled.sgd) is compiled.sgd
    with pytest.raises(TypeError, match="keyword"):
        compiled.sgd(grad=1)


@slow
def test_minus_one_is_a_number(compiled):
    """Python's functions return it for an error, too."""
    args, want = step()
    compiled.sgd(*args[:3], -1.0, 0.0, 0.0)
    assert np.array_equal(args[2], -2 * want)
    row = np.zeros(4)
    compiled.multiply(np.ones(8), row, Index(-1))
    assert not row.any()
    compiled.multiply(np.ones(8), row, Index(2))
    assert row.any()


class Subclass(np.ndarray):
    pass


@slow
def test_arrays_of_other_classes_are_used_in_place(compiled, tmp_path):
    args, want = step()
    args[2].tofile(tmp_path / "delta")
    args[2] = np.memmap(tmp_path / "delta", np.float64, "r+")
    args[0] = args[0].view(Subclass)
    compiled.sgd(*args)
    assert np.array_equal(args[2], want)
    args[2].flush()
    assert np.array_equal(np.fromfile(tmp_path / "delta"), want)


@slow
def test_what_is_read_only_is_read_and_never_written(compiled, tmp_path):
    args, want = step()
    args[0].flags.writeable = False
    compiled.sgd(*args)
    assert np.array_equal(args[2], want)
    compiled.sgd(np.broadcast_to(3.0, 5), *args[1:])
    assert np.array_equal(args[2], np.full(5, 1.5))
    args[2].fill(7)
    args[2].tofile(tmp_path / "delta")
    for delta in (
        args[2],
        np.memmap(tmp_path / "delta", np.float64, "r"),
    ):
        delta.flags.writeable = False
        with pytest.raises(ValueError, match="cannot write to an array that is read-only or not aligned"):
            compiled.sgd(*args[:2], delta, *args[3:])
        assert (delta == 7).all()
    groups = packed()
    groups[4].flags.writeable = groups[1][2].flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        compiled.pack(*groups)
    groups[4].flags.writeable = True
    compiled.pack(*groups)
    assert np.isfinite(groups[5]).all()


@slow
def test_arrays_that_are_empty_or_not_aligned(compiled):
    args, _ = step(size=0)
    compiled.sgd(*args)
    args, want = step()
    bytes_ = np.zeros(8 * 5 + 1, np.uint8)[1:]
    moved = bytes_.view(np.float64)
    moved[:] = args[0]
    assert not moved.flags.aligned
    compiled.sgd(moved, *args[1:])
    assert np.array_equal(args[2], want)
    with pytest.raises(ValueError, match="cannot write to an array that is read-only or not aligned"):
        compiled.sgd(args[0], args[1], moved, *args[3:])


def refuse(compiled, activation=99):
    """A kernel's own refusal, in the middle of its work."""
    with pytest.raises(ValueError, match="^`activation` must be a number that ltc_np.kernels.cpu.activations knows$"):
        compiled.activate(activation, np.ones((1, 3)), np.zeros(3), np.zeros((0, 3)), np.zeros((1, 3)), False)


@slow
def test_a_kernel_refuses_a_number_that_it_does_not_know(compiled):
    for activation in (99, -1, 2**62, np.int64(-5)):
        refuse(compiled, activation)


@slow
@pytest.mark.numba
def test_a_kernel_refuses_in_the_words_of_numba(compiled):
    from ltc_np.kernels.cpu import cfc

    arguments = 99, np.ones((1, 3)), np.zeros(3), np.zeros((0, 3)), np.zeros((1, 3)), False
    said = []
    for kernel in (cfc.activate, compiled.activate):
        with pytest.raises(ValueError) as caught:
            kernel(*arguments)
        said.append(str(caught.value))
    assert said[0] == said[1]


@slow
def test_threads_call_the_same_kernel_at_once(compiled):
    """Right calls, refusals and wrong arguments, in eight threads that begin together."""
    barrier, right = threading.Barrier(8), []

    def work(size):
        barrier.wait()
        for _ in range(300):
            args, want = step(size=size)
            compiled.sgd(*args)
            refuse(compiled)
            with pytest.raises(TypeError, match="has no code"):
                compiled.sgd(*args[:2], None, *args[3:])
            right.append(np.array_equal(args[2], want))

    threads = [threading.Thread(target=work, args=(size,)) for size in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 2400


@slow
def test_the_gil_is_released_while_a_kernel_runs(compiled):
    """This thread goes on beside a kernel that runs for a long time, with a turn every millisecond."""
    x, row, repeats, seconds, turns = np.full(8, 0.5), np.zeros(4), 1_000_000, 0.0, 0
    while seconds < 0.3:
        repeats *= 2
        start = time.perf_counter()
        compiled.multiply(x, row, repeats)
        seconds = time.perf_counter() - start
    done = []
    thread = threading.Thread(target=lambda: (compiled.multiply(x, row, repeats), done.append(time.perf_counter())))
    thread.start()
    while not done:
        time.sleep(0.001)
        turns += 1
    thread.join()
    assert turns > 10


@slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_kernels_work_after_a_fork(compiled):
    child = os.fork()
    if child == 0:
        args, want = step()
        compiled.sgd(*args)
        os._exit(0 if np.array_equal(args[2], want) else 1)
    args, want = step()
    compiled.sgd(*args)
    assert np.array_equal(args[2], want)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@slow
def test_calls_keep_nothing(compiled):
    """Neither a right call, nor a refusal, nor one without code adds to an argument's references or to the memory."""
    args, _ = step()
    groups, activation, wrong = packed(), 12345, Index("no")
    arrays = [np.ones((1, 3)), np.zeros(3), np.zeros((0, 3)), np.zeros((1, 3))]
    kept = [*args, *groups, *groups[0], *arrays, activation, wrong]

    def call(rights, wrongs):
        for _ in range(rights):
            compiled.sgd(*args)
        for _ in range(wrongs):
            compiled.pack(*groups)
            for kernel, wanted, given in (
                (compiled.activate, ValueError, (activation, *arrays, False)),
                (compiled.multiply, TypeError, (arrays[1], arrays[1], wrong)),
            ):
                try:
                    kernel(*given)
                except wanted:
                    continue
                pytest.fail("it was not refused")
        gc.collect()
        return sys.getallocatedblocks(), [sys.getrefcount(value) for value in kept]

    blocks, held = call(10, 10)
    more, now = call(100_000, 5_000)
    assert now == held
    assert more - blocks < 2500  # one for every second call that was refused
