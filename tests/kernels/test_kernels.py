"""The CPU kernels: the functions of simd, the machine code, the cache, loop orders and the fallbacks."""

import ast
import os
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support import ROOT
from support.files import copy_folder
from support.processes import python

# ------------------------------------------------------------------------------------------------------- simd


# (absolute error, relative error) allowed, float32 and float64; check_simd.py measures them on all float32 numbers.
ERRORS = {
    "exp2": ((np.inf, 3e-7), (np.inf, 2.3e-16)),
    "sigmoid2": ((1.2e-7, np.inf), (2.3e-16, np.inf)),
    "sigmoid": ((1.2e-7, np.inf), (2.3e-16, np.inf)),
    "exp": ((np.inf, 1e-7), (np.inf, 2.3e-16)),
    "tanh": ((1.2e-7, 2e-7), (2.3e-16, 4.5e-16)),
    "softplus": ((np.inf, 3e-7), (np.inf, 6.7e-16)),
    "expm1": ((np.inf, 1.5e-7), (np.inf, 3e-16)),
    "sin": ((7.5e-8, np.inf), (1.5e-16, np.inf)),
    "cos": ((7.5e-8, np.inf), (1.5e-16, np.inf)),
}


@pytest.mark.slow
@pytest.mark.numba
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_are_accurate_monotone_and_free_of_denormals(dtype):
    from support.check_simd import measure_all, sample

    for name, found in measure_all([sample(dtype)]).items():
        absolute, relative = ERRORS[name][dtype == np.float64]
        assert found["absolute"][0] <= absolute, (name, found)
        assert found["relative"][0] <= relative, (name, found)
        # One step of the function is far below the last place where it saturates or is even: only rounding may go back.
        assert found["drop"][0] <= 3, (name, found)
        assert found["nan"] == found["denormal"] == found["beyond"] == 0, (name, found)


@pytest.mark.numba
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_of_scalars_have_the_bits_of_vectors(dtype):
    from support.check_simd import sample
    from support.simd_probe import FUNCTIONS, scalars, vectors

    x = sample(dtype)
    x = np.concatenate([x[:16], x[16:-160:16], x[-160:]])
    x = x[x.size % 16 :]
    y, z = np.empty((2, len(FUNCTIONS), x.size), dtype)
    vectors(x, y.reshape(-1))
    scalars(x, z.reshape(-1))
    assert np.array_equal(y, z, equal_nan=True)
    assert np.array_equal(np.signbit(y[:, ~np.isnan(x)]), np.signbit(z[:, ~np.isnan(x)]))


@pytest.mark.numba
def test_functions_at_zero_and_infinity():
    from support.simd_probe import FUNCTIONS, vectors

    want = {  # of -inf, -0.0, 0.0, inf
        "exp": (0, 1, 1, np.inf),
        "tanh": (-1, -0.0, 0, 1),
        "softplus": (0, np.log(2), np.log(2), np.inf),
        "expm1": (-1, -0.0, 0, np.inf),
    }
    for dtype, limit, least in ((np.float32, 2.0**17, 2.0**-80), (np.float64, 2.0**46, 2.0**-600)):
        want |= {"sigmoid2": (1, 0.5, 0.5, least), "sigmoid": (least, 0.5, 0.5, 1)}
        want |= {"sin": (-np.sin(limit), 0, 0, np.sin(limit)), "cos": (np.cos(limit), 1, 1, np.cos(limit))}
        x = np.zeros(16, dtype)
        x[:4] = -np.inf, -0.0, 0, np.inf
        y = np.empty((len(FUNCTIONS), 16), dtype)
        vectors(x, y.reshape(-1))
        for name, row in zip(FUNCTIONS[1:], y[1:, :4], strict=True):
            tolerance = 0 if name in ("exp", "tanh", "expm1") else np.finfo(dtype).eps
            np.testing.assert_allclose(row, want[name], rtol=tolerance, err_msg=name)
            assert np.array_equal(np.signbit(row), np.signbit(want[name])), name


@pytest.mark.numba
def test_vector_arithmetic_sums_and_scalars_mix():
    from support.simd_probe import arithmetic, sums

    for dtype in (np.float32, np.float64):
        rng = np.random.default_rng(0)
        width = 64 // np.dtype(dtype).itemsize
        a, b = rng.normal(size=(2, width)).astype(dtype)
        out = np.empty((8, width), dtype)
        arithmetic(a, b, dtype(3), out.reshape(-1))
        fused = np.asarray(a, np.longdouble) * b + 3
        for k, want in enumerate((a + b, a - b, a * b, a / b, a + dtype(3), dtype(3) / a)):
            assert np.array_equal(out[k], want.astype(dtype)), k
        assert np.abs(out[6] - fused).max() <= np.finfo(dtype).eps * np.abs(fused).max()
        assert np.abs(out[7] - (3 - np.asarray(a, np.longdouble) * b)).max() <= np.finfo(dtype).eps * 10
        row = np.ones(9)
        total = sums(a, b, row)
        assert total == pytest.approx(a.sum(dtype=np.float64), rel=1e-5)
        want = [a.sum(), b.sum(), (a * a).sum(), (b * a).sum()]
        np.testing.assert_allclose(row[2:6], 1 + np.array(want, float), rtol=1e-5)
        assert (row[[0, 1, 6, 7, 8]] == 1).all()


# ----------------------------------------------------------------------------------------------- machine code

HASWELL = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"}


@pytest.fixture
def wider():
    """This processor compiles other kernels for itself than for AVX2."""
    host = pytest.importorskip("ltc_np.bench.host", exc_type=ImportError)
    if host.machine()["instruction_set"] != "avx512f":
        pytest.skip("this processor has no AVX-512: what it compiles for itself is AVX2")


ASSEMBLY = """
    import numpy as np, re
    from ltc_np import LRC, LTC, FullyConnected, Model, losses
    from ltc_np.kernels.cpu import lrc_batch_major, lrc_neuron_major, ltc_batch_major, ltc_neuron_major
    for B in (64, 2):
        for cell in (LTC, LRC):
            model = Model(cell(FullyConnected(32, 2)), input_dim=3, seed=0)
            model.loss_and_grad(np.ones((B, 3, 3)), np.ones((B, 3, 2)), dt=0.5)
            model.backward(model.forward(np.ones((B, 3, 3)), dt=0.5)[1], np.ones((B, 3, 2)))
    for module in (ltc_neuron_major, ltc_batch_major, lrc_neuron_major, lrc_batch_major):
        for kernel in (module.forward, module.backward):
            (text,) = kernel.inspect_asm().values()
            packed = len(re.findall(r"vfn?m(?:add|sub)\\d+ps", text)) + len(re.findall(r"vdivps", text))
            # the addresses that are called
            calls = re.findall(r"\\$(?:exp2?|expm1|fma|tanh|log|log1p|sin|cos)f?\\b", text)
            double = len(re.findall(r"v(?:mul|div|sub|fn?m(?:add|sub)\\d+)[ps]d\\b", text))
            print(module.__name__.split(".")[-1], kernel.__name__, packed, len(calls), double)
"""


@pytest.mark.numba
@pytest.mark.slow
def test_kernels_are_vectorised_and_pure_float32(tmp_path):
    are_vectorised_and_pure_float32(tmp_path)


@pytest.mark.numba
@pytest.mark.slow
@pytest.mark.sweep
def test_kernels_for_avx2_are_vectorised_and_pure_float32(wider, tmp_path):
    are_vectorised_and_pure_float32(tmp_path, **HASWELL)


def are_vectorised_and_pure_float32(cache, **environment):
    # An empty cache: a cached function shows no assembly.
    lines = python(ASSEMBLY, NUMBA_CACHE_DIR=str(cache), **environment).stdout.split("\n")[:8]
    assert len(lines) == 8
    for line in lines:
        _, _, packed, calls, double = line.split()
        assert int(packed) >= 10, line  # fused multiply-adds and divisions on whole vectors
        assert int(calls) == 0, line  # no libm
        assert int(double) == 0, line  # float64 only in the additions to gradient rows


BITS = """
    import hashlib, numpy as np
    from ltc_np import LTCRNN, FullyConnected, AutoNCP
    from ltc_np.kernels.codes import SOLVERS
    rng, digest = np.random.default_rng(0), hashlib.sha256()
    for wiring in (FullyConnected(24, 3), AutoNCP(24, 3)):
        for B in (3, 40):
            x, dt = rng.normal(size=(B, 9, 4)), rng.uniform(0, 2, (B, 9))
            for solver in SOLVERS:
                model = LTCRNN(wiring, 4, seed=0, solver=solver, ode_unfolds=40, check_stability="off")
                y, tape = model.forward(x, dt=dt)
                g = model.backward(tape, y)
                for array in (y, g.theta, g.dt):
                    digest.update(array.tobytes())
    print(digest.hexdigest())
"""


@pytest.mark.numba
@pytest.mark.slow
def test_avx2_gives_the_same_bits(wider, tmp_path):
    host = python(BITS, NUMBA_CACHE_DIR=str(tmp_path / "host")).stdout
    avx2 = python(BITS, NUMBA_CACHE_DIR=str(tmp_path / "avx2"), **HASWELL).stdout
    assert len(host) == 65
    assert host == avx2


FUNCTIONS = """
    import hashlib, numpy as np, re
    from support.check_simd import sample
    from support.simd_probe import FUNCTIONS, scalars, vectors
    for dtype in (np.float32, np.float64):
        x = sample(dtype)
        x = x[~np.isnan(x)]
        x = x[x.size % 16 :]
        for kernel in (vectors, scalars):
            y = np.empty(len(FUNCTIONS) * x.size, dtype)
            kernel(x, y)
            print(hashlib.sha256(y.tobytes()).hexdigest())
    for kernel, operands in ((vectors, "p"), (scalars, "[ps]")):  # a compiler may leave scalars as they are
        for text in kernel.inspect_asm().values():
            fused = len(re.findall(rf"vfn?m(?:add|sub)\\d+{operands}[sd]", text))
            print(fused >= 50, len(re.findall(r"\\$(?:exp2?|expm1|fma|tanh|log|log1p|sin|cos)f?\\b", text)))
"""


@pytest.mark.numba
@pytest.mark.slow
def test_functions_have_the_same_bits_on_avx2_and_call_nothing(tmp_path):
    host = python(FUNCTIONS, NUMBA_CACHE_DIR=str(tmp_path / "host")).stdout.split("\n")
    avx2 = python(FUNCTIONS, NUMBA_CACHE_DIR=str(tmp_path / "avx2"), **HASWELL).stdout.split("\n")
    assert len(set(host[:4])) == 2  # of the two types; scalars and vectors agree
    assert host[:4] == avx2[:4]
    assert host[4:8] == avx2[4:8] == ["True 0"] * 4  # multiply-adds, of vectors on whole ones, no libm


@pytest.mark.compiled
def test_loop_orders_and_tiles_follow_size_only():
    from ltc_np.kernels.cpu.tiles import is_batch_major, tile_width

    assert is_batch_major(32, True, 1)
    assert is_batch_major(32, True, 8)
    assert not is_batch_major(32, True, 16)
    assert not any(is_batch_major(32, False, B, W) for B in (1, 4, 12, 64) for W in (None, 16))
    padded = [B for B in range(1, 65) if is_batch_major(64, True, B, 16)]
    assert padded == [*range(1, 13), *range(17, 25)]
    assert [B for B in range(9, 65) if is_batch_major(64, True, B, 8)] == [9, 10, 11, 12, 17, 18]
    assert not any(is_batch_major(N, True, 24, W) for N, W in ((31, 16), (129, 16), (65, 8), (64, None)))
    assert {tile_width(N, B) for N in (2, 8, 64, 512) for B in (1, 16, 40, 1000)} == {16, 32, 64}
    # Calls that threads may share have several tiles.
    assert [B for B in range(1, 65) if is_batch_major(64, True, B, 16, True)] == [*range(1, 25)]
    assert not is_batch_major(64, False, 16, 16, True)
    assert {tile_width(N, B, True) for N in (2, 64) for B in (17, 32)} == {16}
    assert [tile_width(N, B, True) for N in (2, 64) for B in (33, 257)] == [32, 64, 32, 64]


# ---------------------------------------------------------------------------------------- cache and fallbacks

# Of a layer whose kernels compile quickly: a cache does not know what it holds.
RUN = """
    import sys, numpy as np
    from ltc_np import GRU, Model
    model = Model(GRU(8), input_dim=2, seed=0)
    print(model.backend, float(np.abs(model(np.ones((2, 3, 2)))).sum()))
"""


def copy_package(tmp_path):
    package = tmp_path / "copy"
    copy_folder(ROOT / "ltc_np", package / "ltc_np")
    return package


@pytest.mark.numba
@pytest.mark.slow
def test_editing_a_helper_in_another_file_changes_the_result(tmp_path):
    package = copy_package(tmp_path)
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "root": package}
    first, again = python(RUN, **cache).stdout, python(RUN, **cache).stdout
    assert first == again
    assert first.startswith("cpu ")
    helper = package / "ltc_np/kernels/cpu/simd.py"
    text = helper.read_text()
    changed = text.replace(
        "SATURATION_FLOAT32, SATURATION_FLOAT64 = 80.0, 600.0", "SATURATION_FLOAT32 = SATURATION_FLOAT64 = 0.1"
    )  # with AVX-512 it is only the largest argument
    assert changed != text
    helper.write_text(changed)
    assert python(RUN, **cache).stdout != first
    helper.write_text(text)
    assert python(RUN, **cache).stdout == first


@pytest.mark.slow
def test_the_cache_knows_every_number_that_kernels_take_from_elsewhere():
    """They stand in the machine code: a file that is left out could change, and old code would run on."""
    from ltc_np.kernels import cpu, sources

    found = set()
    for path in Path(cpu.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level > 1 and any(name.name.isupper() for name in node.names):
                found.add(path.parents[node.level - 1].joinpath(*node.module.split(".")).with_suffix(".py"))
    assert {path.name for path in found} >= {"codes.py", "activations.py", "ssm.py"}
    assert found <= set(sources.SOURCES)


COUNTED = (
    RUN
    + """
    from ltc_np.kernels.cpu import gru
    stats = gru._forward.stats
    print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
    """
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """(a cache of the kernels of RUN, what the run printed that filled it)."""
    folder = tmp_path_factory.mktemp("kernels")
    return folder, python(COUNTED, NUMBA_CACHE_DIR=str(folder)).stdout.splitlines()


@pytest.mark.numba
@pytest.mark.slow
def test_second_process_loads_the_cache(filled):
    folder, (first, counts) = filled
    again, counts_again = python(COUNTED, NUMBA_CACHE_DIR=str(folder)).stdout.splitlines()
    assert again == first
    assert (counts, counts_again) == ("0 1", "1 0")


@pytest.mark.slow
@pytest.mark.numba
def test_processes_that_compile_at_the_same_time_keep_what_they_compiled(tmp_path):
    """Two caches of one kernel, as of two processes: each saves a signature, file by file in step with the other."""
    (tmp_path / "doubling.py").write_text(
        "from ltc_np.kernels.cpu.jit import kernel\n\n\n"
        "@kernel\ndef double(a):\n    for i in range(len(a)):\n        a[i] *= 2\n"
    )
    environment = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]), "NUMBA_CACHE_DIR": str(tmp_path / "c")}
    save = """
        import contextlib, os, threading
        from numba import float32, float64
        from doubling import double, kernel
        compiled, barrier, replace = [], threading.Barrier(2), os.replace
        for dtype in (float32, float64):
            dispatcher = kernel(double.py_func)
            dispatcher._cache.save_overload = lambda *found: compiled.append(found)
            dispatcher.compile((dtype[::1],))
        def replace_in_step(*paths):
            with contextlib.suppress(threading.BrokenBarrierError):  # the other has written less, and is done
                barrier.wait(5)
            replace(*paths)
        os.replace = replace_in_step
        threads = [threading.Thread(target=kernel(double.py_func)._cache.save_overload, args=c) for c in compiled]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """
    use = """
        import numpy as np
        from doubling import double
        for dtype in ("float32", "float64"):
            a = np.arange(4, dtype=dtype)
            double(a)
            print(a, sum(double.stats.cache_hits.values()))
    """
    python(save, **environment)
    assert python(use, **environment).stdout.splitlines() == ["[0. 2. 4. 6.] 1", "[0. 2. 4. 6.] 2"]


@pytest.mark.numba
@pytest.mark.slow
def test_without_a_writable_cache_folder_it_compiles_and_warns_once(tmp_path):
    # No folder can be made where a file stands or below one, not even by root.
    package = copy_package(tmp_path)
    (package / "ltc_np/kernels/cpu/__pycache__").write_text("")
    no_folder = str(package / "ltc_np/io.py")
    done = python(RUN, root=package, HOME=no_folder, XDG_CACHE_HOME=no_folder, NUMBA_CACHE_DIR="")
    assert done.stdout.startswith("cpu ")
    assert done.stderr.count("no writable cache folder") == 1


@pytest.mark.numba
def test_without_sources_as_files_it_compiles_and_says_why(monkeypatch):
    """As in a zip file."""
    from ltc_np.kernels import sources
    from ltc_np.kernels.cpu import compiler

    def missing():
        raise sources.Missing("no files")

    monkeypatch.setattr(compiler, "source_hash", missing)
    monkeypatch.setattr(compiler, "_warned", False)
    with pytest.warns(RuntimeWarning, match="^ltc_np: kernels are compiled anew in every process: no files$"):
        assert compiler.cache_folder() is None


@pytest.mark.numba
@pytest.mark.parametrize("table", ["REACH", "WEIGHT", "ROWS"])
def test_kernels_of_other_tables_are_others(table, monkeypatch):
    """Where the file of the tables was replaced after it was imported, kernels of the old ones have not its hash."""
    from ltc_np.kernels import codes
    from ltc_np.kernels.cpu import compiler

    cache, target = compiler._cache(compiler.cache_folder), SimpleNamespace(magic_tuple=lambda: ("target",))
    before = cache._index_key((), target)
    assert before == cache._index_key((), target)
    monkeypatch.setattr(codes, table, (*getattr(codes, table), 1.0))
    assert cache._index_key((), target) != before


DAMAGES = {
    "empty": lambda content: b"",
    "cut off": lambda content: content[:100],
    # Such machine code crashed the process.
    "zeros": lambda content: content[: len(content) // 2] + bytes(64) + content[len(content) // 2 + 64 :],
    "other key": lambda content: content[:3] + bytes([content[3] ^ 1]) + content[4:],
}


@pytest.mark.numba
@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_replaced_with_one_warning(damage, filled, tmp_path):
    folder, (want, _) = filled
    shutil.copytree(folder, tmp_path / "cache")
    files = list((tmp_path / "cache").rglob("*.nbc"))
    assert files
    for file in files:
        file.write_bytes(DAMAGES[damage](file.read_bytes()))
    damaged = python(RUN, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert damaged.stdout.strip() == want
    if damage == "other key":  # another version's, or of other sources
        assert damaged.stderr == ""
    else:
        assert damaged.stderr.count("RuntimeWarning") == 1
        assert "a damaged file in the kernel cache is replaced" in damaged.stderr
    mended = python(RUN, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert mended.stdout.strip() == want
    assert mended.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["disabled", "missing", "too old for this numpy"])
def test_without_a_working_numba_everything_works_with_one_warning(broken, tmp_path):
    environment, root = {"LTC_NP_KERNELS": "auto"}, ROOT
    if broken == "disabled":
        environment["NUMBA_DISABLE_JIT"] = "1"
    else:
        error = {
            "missing": "ModuleNotFoundError('No module named numba')",
            "too old for this numpy": "ImportError('Numba needs NumPy 2.0 or less')",
        }
        (tmp_path / "numba.py").write_text(f"raise {error[broken]}\n")
        environment["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{ROOT}"
    code = """
        import pathlib, numpy as np
        from ltc_np import LTCRNN, AutoNCP, LIFNeuronLayer, RandomWiring, load
        from ltc_np.kernels import library
        library.FOLDER = pathlib.Path("nowhere")  # nor are there compiled kernels
        model = LTCRNN(AutoNCP(8, 2), 2, seed=0)
        x, y = np.ones((4, 3, 2)), np.zeros((4, 3, 2))
        model.fit(x, y, epochs=2, verbose=False)
        model.step(x[0, 0]); model.predict(x); model.evaluate(x, y)
        LIFNeuronLayer(RandomWiring(2, 2, 8))(x[:, 0], np.zeros((4, 8)))
        print(model.backend)
        try:
            LTCRNN(AutoNCP(8, 2), 2, backend="cpu")
        except ImportError as error:
            print(error)
    """
    done = python(code, root=root, **environment)
    lines = done.stdout.splitlines()
    assert lines[0] == "numpy"
    assert lines[1].startswith('`backend="cpu"` cannot be used: no working numba (')
    assert lines[1].endswith('), nor compiled kernels (this installation has none); use backend="numpy"')
    assert done.stderr.count("RuntimeWarning") == 1
    assert done.stderr.count("no working numba") == 1
    assert "<string>:6" in done.stderr  # the user's line


@pytest.mark.slow
def test_a_model_pickled_with_kernels_is_used_without(tmp_path):
    from ltc_np import LTCRNN, AutoNCP

    model = LTCRNN(AutoNCP(8, 2), 2, seed=0)
    (tmp_path / "m.pickle").write_bytes(pickle.dumps(model))
    code = f"""
        import pathlib, pickle, numpy as np
        from ltc_np.kernels import library
        library.FOLDER = pathlib.Path("nowhere")
        model = pickle.loads(open({str(tmp_path / "m.pickle")!r}, "rb").read())
        print(model.backend, float(model(np.ones((2, 3, 2))).sum()))
    """
    backend, total = python(code, NUMBA_DISABLE_JIT="1", LTC_NP_KERNELS="auto").stdout.split()
    assert backend == "numpy"
    assert float(total) == pytest.approx(float(model(np.ones((2, 3, 2))).sum()), rel=1e-5)


@pytest.mark.parametrize("way", ["made", "loaded", "copied"])
@pytest.mark.parametrize("asked", ["auto", "numpy"])
def test_a_model_that_asked_for_the_best_takes_the_best_where_it_is_unpickled(asked, way, monkeypatch, tmp_path):
    """One that asked for NumPy stays there."""
    import ltc_np
    from ltc_np import kernels

    monkeypatch.setattr(kernels, "_why_not_cpu", lambda: "no kernels here")
    monkeypatch.setattr(kernels, "_warn_once", lambda message: None)
    monkeypatch.setattr("ltc_np.kernels.library.choice", lambda: "auto")
    model = ltc_np.LTCRNN(ltc_np.AutoNCP(8, 2), 2, seed=0, backend=asked)
    if way == "loaded":
        model.save(tmp_path / "m.npz")
        model = ltc_np.load(tmp_path / "m.npz", backend=asked)
    elif way == "copied":
        model = pickle.loads(pickle.dumps(model))
    assert model.backend == "numpy"
    content = pickle.dumps(model)
    monkeypatch.setattr(kernels, "_why_not_cpu", lambda: None)
    again = pickle.loads(content)
    assert again.backend == ("cpu" if asked == "auto" else "numpy")
    monkeypatch.setattr(kernels, "_why_not_cpu", lambda: "no kernels here")
    assert pickle.loads(pickle.dumps(again)).backend == "numpy"


def test_a_cell_without_a_fast_kernel_warns_once_and_uses_numpy(tmp_path, monkeypatch):
    import ltc_np.kernels.numpy as definitions
    from ltc_np import kernels

    (tmp_path / "hodgkin_huxley.py").write_text("answer = 42\n")
    monkeypatch.setattr(definitions, "__path__", [*definitions.__path__, str(tmp_path)])
    kernels.load.cache_clear()
    with pytest.warns(RuntimeWarning, match="no cpu kernel for hodgkin_huxley; that of numpy is used") as caught:
        assert kernels.load("cpu", "hodgkin_huxley").answer == 42
    assert len(caught) == 1
    assert kernels.load("cpu", "hodgkin_huxley").answer == 42


@pytest.mark.numba
@pytest.mark.slow
def test_compiling_is_announced_in_one_line(tmp_path):
    code = """
        import numpy as np
        from ltc_np import GRU, Dense, Model
        Model(GRU(8), Dense(2), input_dim=2, seed=0).fit(np.ones((4, 3, 2)), np.ones((4, 3, 2)), epochs=1)
    """
    cold = python(code, NUMBA_CACHE_DIR=str(tmp_path)).stderr
    warm = python(code, NUMBA_CACHE_DIR=str(tmp_path)).stderr
    assert cold.count("compiling kernels") == 1
    assert warm.count("compiling kernels") == 0


@pytest.mark.numba
def test_trainings_at_the_same_time_are_all_told_once_of_compiling():
    from ltc_np.kernels.cpu import compiler

    told = []
    with compiler.announce(lambda: told.append("first")):
        with compiler.announce(lambda: told.append("second")):
            pass  # one that is over is not told, and takes nothing from the others
        with compiler.announce(lambda: told.append("third")):
            compiler._say_compiling()
            compiler._say_compiling()
        compiler._say_compiling()
    compiler._say_compiling()
    assert told == ["first", "third"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_it_works_after_a_fork_and_beside_threads():
    code = """
        import os, threading, numpy as np
        from ltc_np import LTCRNN, FullyConnected, set_num_threads
        set_num_threads(2)
        model, x = LTCRNN(FullyConnected(32, 2), 2, seed=0), np.ones((200, 20, 2))
        want = model(x)
        pid = os.fork()
        same = np.array_equal(model(x), want)
        if pid == 0:
            os._exit(0 if same else 1)
        print(same, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    done = python(code, PYTHONWARNINGS="ignore::DeprecationWarning")
    assert done.stdout.split() == ["True", "0"]
