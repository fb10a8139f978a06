"""Backends: one folder each, with the same file names; imported on first use only."""

import functools
import importlib
import importlib.util
import os
import threading

from ..base import checks, forks

BACKENDS = ("auto", "numpy", "cpu", "cuda")

# Held while modules are imported and warnings given: once, however many threads ask.
_lock = forks.wait_for(threading.RLock())


def _library():
    """`ltc_np.kernels.library`, imported when the first model is made: to import the package alone stays quick."""
    with _lock:
        return importlib.import_module("ltc_np.kernels.library")


def _numba_is_off():
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


@functools.cache
def _why_not_numba():
    """None if Numba works, else the reason in a few words."""
    if _numba_is_off():
        return "NUMBA_DISABLE_JIT is set"
    try:
        with _lock:
            importlib.import_module("ltc_np.kernels.cpu.compiler")
    except Exception as error:  # Numba fails in many ways, e.g. with a NumPy that is too new for it
        return checks.one_line(error)
    return None


@functools.cache
def _why_not_cpu():
    """None if there are kernels for the CPU, compiled or by Numba, else what is missing."""
    library = _library()
    found = library.chosen()
    if found is not None:
        if found.passed_over is not None:
            better = f"the compiled kernels for {found.passed_over} are not used"
            _warn_once(f"ltc_np: {better}; those for {found.level} are")
        return None
    word, reason = library.choice(), library.why_not()
    if word == "numpy":
        return reason
    if word not in ("auto", "numba"):
        return f"no compiled kernels ({reason})"
    without_numba = _why_not_numba()
    if without_numba is not None:
        return f"no working numba ({without_numba})" + (f", nor compiled kernels ({reason})" if word == "auto" else "")
    if word == "auto" and reason != library.ABSENT:
        _warn_once(f"ltc_np: the compiled kernels are not used ({reason}); Numba compiles them on first use")
    return None


def _why_not_cuda():
    """None if the kernels of a GPU can be used, else the reason, with the remedy."""
    reason = _why_not_numba()
    if reason is not None:
        return f"no working numba ({reason})"
    return importlib.import_module("ltc_np.kernels.cuda.device").why_not()


_warn = functools.cache(checks.warn)


def _warn_once(message):
    with _lock:
        _warn(message)


def resolve(backend):
    """The backend to use, ``"numpy"``, ``"cpu"`` or ``"cuda"``, for the name a user gave.

    ``"auto"`` is ``"cpu"`` where there are compiled kernels or Numba works, else ``"numpy"`` with one warning; never
    ``"cuda"``.  What is asked for by name, here or by the environment variable, and cannot be had is an error.
    """
    checks.one_of("backend", backend, BACKENDS)
    if backend == "numpy":
        return backend
    if backend == "cuda":
        reason = _why_not_cuda()
        if reason is not None:
            raise ImportError(f'`backend="cuda"` cannot be used: {reason}')
        return backend
    reason = _why_not_cpu()
    if reason is None:
        return "cpu"
    if backend == "cpu":
        raise ImportError(f'`backend="cpu"` cannot be used: {reason}; use backend="numpy"')
    if why_not_asked() is not None:
        raise ImportError(f"the environment variable {why_not_asked()}")
    if _library().choice() == "auto":
        remedy = "" if _numba_is_off() else ", `pip install -U numba` brings the faster one"
        _warn_once(f"ltc_np: {reason}; the slower numpy backend is used{remedy}")
    return "numpy"


def why_not_asked():
    """What the environment variable asks for and cannot be had, with the reason; None where there is no such thing."""
    library = _library()
    word, reason = library.choice(), _why_not_cpu()
    if reason is None or word in ("auto", "numpy"):
        return None
    return f"{library.VARIABLE} asks for {word}, which cannot be had: {reason}"


def in_words(backend):
    """What computes with this backend, in a few words for users and for reports of faults."""
    checks.one_of("backend", backend, BACKENDS)
    if backend in ("numpy", "cuda"):
        return {"numpy": "NumPy", "cuda": "numba.cuda"}[backend]
    library = _library()
    found = library.chosen()
    if found is not None:
        return f"compiled, {found.level}" + (f"; not used: {found.passed_over}" if found.passed_over else "")
    reason = _why_not_cpu()
    if reason is not None:
        asked = why_not_asked()
        return f"NumPy (slow): {reason}" if asked is None else f"none; {asked}"
    version = importlib.import_module("numba").__version__
    return f"Numba {version} compiles them on first use; kernels that come compiled are not used: {library.why_not()}"


def on_host(backend):
    """The backend of what a model leaves to the host: that of the CPU beside a card, else its own."""
    return "cpu" if backend == "cuda" else backend


@functools.cache
def load(backend, name):
    """The module of kernels called ``name``: that of the backend, or else of the next one that has it.

    The card's kernels are followed by those of the CPU, and these by NumPy, which has them all.  A warning names what
    is missing.
    """
    order = ("cuda", "cpu", "numpy")
    for found in order[order.index(backend) :]:
        module = f"{__name__}.{found}.{name}"
        if importlib.util.find_spec(module) is not None:
            if found != backend:
                _warn_once(f"ltc_np: no {backend} kernel for {name}; that of {found} is used")
            with _lock:
                return importlib.import_module(module)
    raise ModuleNotFoundError(f"no kernels called {name!r}")
