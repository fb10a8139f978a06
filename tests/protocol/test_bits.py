"""Bits: the same whatever the batch, the threads, the workspace, the memory mode and the form of the input."""

import sys

import numpy as np
import pytest
from protocol.calls import given, results, same_bits, whole
from protocol.layers import ROWS
from support.parallel import always_parallel

import ltc_np
from ltc_np import CTRNN, GRU, LRC, LSTM, LTC, AutoNCP, FullyConnected, Model, NeuralODE, set_num_threads

both = pytest.mark.parametrize("dtype", ["float32", "float64"])


@both
def test_a_sequence_has_the_same_bits_in_every_batch(layer, backend, dtype):
    if not layer.bitwise_batch:
        return
    model = Model(layer, seed=0, dtype=dtype, backend=backend)
    B = 37 if backend != "cuda" else 5
    some = whole(layer, B, dtype=dtype)
    y, state = model(some.x, dt=some.dt, h0=some.h0, return_state=True)
    for b in (0, 1, B - 1):
        alone, end = model(**some.part(b), h0=some.h0[b], return_state=True)
        assert np.array_equal(alone, y[b])
        assert np.array_equal(end, state[b])
    for cut in (2, 11, 17):
        cuts = [slice(b, b + cut) for b in range(0, B, cut)]
        pieces = [model(some.x[c], dt=None if some.dt is None else some.dt[c], h0=some.h0[c]) for c in cuts]
        assert np.array_equal(np.concatenate(pieces), y)


@pytest.mark.few(14)
@both
@pytest.mark.host
def test_threads(layer, backend, dtype):
    """Outputs, states, gradients and losses; three tiles of the widest kind and a part of one."""
    model, some = Model(layer, seed=0, dtype=dtype, backend=backend), given(layer, 200, 6, dtype)
    found = []
    with always_parallel() as most:
        for n in (1, 2, 5):
            set_num_threads(n)
            loss, gradient = model.loss_and_grad(some.x, some.d_y, dt=some.dt, lengths=some.lengths)
            found.append(results(model, some) | {"loss": loss, "gradient": gradient})
    same_bits(found[0], found[1])
    same_bits(found[0], found[2])
    if backend == "cpu" and isinstance(layer, (LTC, LSTM, GRU, CTRNN, NeuralODE)):  # others cut batches in another way
        assert most() == 4


@pytest.mark.parametrize("seed", [None, 1])
def test_a_workspace_in_use_again_changes_nothing(layer, backend, seed):
    """Training calls with alternating shapes: no array of one call may leak into the next."""
    batches = [given(layer, B, T, "float64", seed=B) for B, T in ((3, 4), (7, 2), (3, 4), (18, 7))]

    def loss_and_grad(model, some):
        return model.loss_and_grad(some.x, some.d_y, dt=some.dt, lengths=some.lengths, dropout_seed=seed)

    if seed is not None and not (layer.drops or layer.batch_statistics):
        return
    batches = batches[: 4 if backend != "cuda" else 3]
    once = [loss_and_grad(Model(layer, seed=0, dtype="float64", backend=backend), some) for some in batches]
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    for _ in range(2):
        for some, (value, gradient) in zip(batches, once, strict=True):
            again = loss_and_grad(model, some)
            assert again[0] == value
            assert np.array_equal(again[1], gradient)


@pytest.mark.slow
def test_a_training_has_the_same_bits_twice(layer, backend):
    some = given(layer, 7, 4, "float64")
    found = []
    for _ in range(2):
        model = Model(layer, seed=0, dtype="float64", backend=backend)
        with np.errstate(all="ignore"):
            model.fit(some.x, some.d_y, dt=some.dt, lengths=some.lengths, epochs=2, batch_size=3, seed=0, verbose=False)
        found.append(model.theta.copy())
    assert np.array_equal(*found)
    assert layer.layout.size == 0 or not np.array_equal(found[0], Model(layer, seed=0, dtype="float64").theta)


@both
def test_low_memory_has_the_same_bits(layer, backend, dtype):
    model, some = Model(layer, seed=0, dtype=dtype, backend=backend), given(layer, 5, 20, dtype)
    full, low = (results(model, some, memory, 3) for memory in ("full", "low"))
    same_bits(full, low)


def test_nothing_given_is_changed_and_a_tape_may_be_used_twice(layer, backend):
    """With one sequence too, of which parts are contiguous and therefore easily taken for copies."""
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    for B, T in ((1, 4), (3, 1), (3, 4)):
        some = whole(layer, B, T)
        before = [None if a is None else a.copy() for a in some]
        _, tape = model.forward(some.x, dt=some.dt, lengths=some.lengths, h0=some.h0)
        first, second = model.backward(tape, some.d_y, some.d_state), model.backward(tape, some.d_y, some.d_state)
        for a, b in zip(some, before, strict=True):
            assert a is b is None or np.array_equal(a, b)
        for name in ("theta", "x", "h0", "dt"):
            a, b = getattr(first, name), getattr(second, name)
            assert a is b is None or np.array_equal(a, b)


@pytest.mark.compiled
@pytest.mark.parametrize(
    "layer",
    [
        LTC(AutoNCP(8, 3), input_dim=2),
        LTC(FullyConnected(4, 2), input_dim=2, solver="rk4", init={"cm": 5.0}),
        CTRNN(5, input_dim=2),
        NeuralODE(4, input_dim=2),
        LRC(AutoNCP(8, 3), input_dim=2),
    ],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("B", [300, 1100])
@both
def test_more_tiles_than_rows_of_gradients(layer, B, dtype):
    """300 sequences are more than 16 tiles of 16, 1,100 more than 16 of 64: sums go on where rows are used again."""
    from protocol.calls import close, pair

    definition, model = pair(layer, dtype, "cpu")
    some = whole(layer, B, 1, dtype=dtype)
    outputs, gradients = (1e-5, 1e-4) if dtype == "float32" else (1e-12, 1e-9)
    close(results(model, some), results(definition, some), outputs, gradients)


# ---------------------------------------------------------------------------------------------------- signatures


def entries():
    """The kernels of the CPU that the host code calls: {name: dispatcher}."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("ltc_np.kernels.cpu."):
            for key, value in vars(module).items():
                if hasattr(value, "signatures") and not isinstance(value, type) and value.py_func.__module__ == name:
                    found[f"{name.rpartition('.')[2]}.{key}"] = value
    return found


def forms(x, dtype):
    """The same numbers in every form that a caller may hold them in."""
    frozen = x.astype(dtype)
    frozen.setflags(write=False)
    offset = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)  # not aligned
    return x, frozen, np.asfortranarray(x), x[:, ::-1], x.astype(">f8"), (10 * x).astype(int), x.tolist(), offset


@pytest.mark.slow
@pytest.mark.numba
@pytest.mark.parametrize("name", ROWS)
def test_one_signature_for_each_dtype(name):
    """Read-only, strided, integer, big-endian and unaligned inputs must not compile kernels again."""
    for layer in ROWS[name].examples:
        compiled = []
        for form in range(8):
            for dtype in ("float32", "float64"):
                model, some = Model(layer, seed=0, dtype=dtype, backend="cpu"), whole(layer, 3, 4)
                x, lengths = forms(some.x, dtype)[form], np.full(3, 4, np.int32)
                dts = (1.0, np.broadcast_to(np.float32(0.5), (3, 4)), np.ones(4, int)) if layer.takes_dt else (None,)
                for dt in dts:
                    d_y = np.broadcast_to(np.float64(1), some.d_y.shape)
                    for memory in ("full", "low"):
                        model.loss_and_grad(x, d_y, dt=dt, lengths=lengths, memory=memory, dropout_seed=1)
                        _, tape = model.forward(x, dt=dt, h0=np.asfortranarray(some.h0), memory=memory)
                        model.backward(tape, d_y)
                    if layer.causal:
                        model.step(np.asarray(x)[:, 0], dt=None if dt is None else 0.5)
            compiled.append({key: len(kernel.signatures) for key, kernel in entries().items()})
        assert compiled[-1] == compiled[0]
        assert ltc_np.kernels.resolve("cpu") == "cpu"
