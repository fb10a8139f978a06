"""Kernels of a library as functions of Python.

A library has one function for each kernel, in the form that Python itself calls (``METH_VARARGS``).  It takes the tuple
of a call's arguments, compares their types with those that it has code for, reads the addresses, sizes and numbers
itself, releases the GIL, and runs the code: less than a microsecond, where `ctypes` would need twenty to turn every
size and stride into a word.  What it has to know about Python is written into its table ``ltc_np_python`` when it is
loaded: the addresses of some functions of Python's stable interface, and where an array has its address and sizes,
which NumPy's binary interface fixes.  `ltc_np.kernels.aot.entry` writes these functions.
"""

import ctypes
import pickletools

import numpy as np

# What ``ltc_np_python`` has, in this order: addresses of functions, and then what Python and NumPy say at run time.
PYTHON_FUNCTIONS = (
    "PyTuple_Size",
    "PyTuple_GetItem",
    "PyLong_AsLongLong",
    "PyLong_FromLongLong",
    "PyFloat_AsDouble",
    "PyErr_Occurred",
    "PyErr_ExceptionMatches",
    "PyErr_Clear",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
    "PyObject_CallFunction",
    "Py_IncRef",
)
HEAD_SIZE, ARRAY_TYPE, NONE, UNFIT = "bytes of an object's head", "numpy.ndarray", "None", "_UNFIT"
TABLE = (*PYTHON_FUNCTIONS, HEAD_SIZE, ARRAY_TYPE, NONE, UNFIT)
# With what a function of a library calls a `_Remedy`: this, or the address of what Numba tells about an exception.
NO_CODE = 1

_UNFIT = TypeError, SystemError  # what Python's functions raise for a thing of another kind than they are for
_METH_VARARGS = 1


class _Definition(ctypes.Structure):
    """Python's ``PyMethodDef``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.POINTER(_Definition), ctypes.py_object, ctypes.c_void_p)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)
_definitions = []  # Python keeps their addresses for as long as it runs


def introduce(functions):
    """Fill in a library's table of what it has to know about Python; whether a call then finds what it is given."""
    words = {name: ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value for name in PYTHON_FUNCTIONS}
    words |= {HEAD_SIZE: object.__basicsize__, ARRAY_TYPE: id(np.ndarray), NONE: id(None), UNFIT: id(_UNFIT)}
    (ctypes.c_int64 * len(TABLE)).in_dll(functions, "ltc_np_python")[:] = [words[name] for name in TABLE]
    probe = functions.ltc_np_probe
    probe.restype, probe.argtypes = ctypes.c_int64, (ctypes.py_object, ctypes.py_object)
    array = np.arange(6, dtype=np.float64).reshape(2, 3)
    return probe(None, (array, (7, 0.5), None)) == array.ctypes.data + 2 + 3 + 7 and array[1, 2] == 0.5


def function(name, entry, of):
    """The kernel ``name`` of a library, called like the function of Python ``of`` that it was made of."""
    remedy = _Remedy(name, of)
    address = ctypes.cast(entry, ctypes.c_void_p).value
    doc = None if of.__doc__ is None else of.__doc__.encode()
    _definitions.append(_Definition(of.__name__.encode(), address, _METH_VARARGS, doc))
    remedy.kernel = _new(_definitions[-1], remedy, None)
    return remedy.kernel


class _Remedy:
    """What a kernel calls where it cannot go on, with `NO_CODE` or the address of an exception, and its arguments.

    It is the kernel's ``__self__``.
    """

    def __init__(self, name, of):
        self.name, self.py_func, self.kernel = name, of, None

    def __call__(self, told, args):
        if told != NO_CODE:
            raise ValueError(_message(told) or f"the kernel `{self.name}` refused its arguments")
        copies = []
        plain = _plain(args, copies)
        if all(a is b for a, b in zip(_arrays(plain), _arrays(args), strict=True)):
            raise TypeError(
                f"the compiled kernel `{self.name}` has no code for arguments of these types: {_types(args)}; please "
                "report it, and set LTC_NP_KERNELS=numba or LTC_NP_KERNELS=numpy meanwhile"
            )
        before = [copy.tobytes() for copy in copies]
        self.kernel(*plain)
        if before != [copy.tobytes() for copy in copies]:
            raise ValueError("a kernel cannot write to an array that is read-only or not aligned")


def _arrays(args):
    """All arrays among arguments."""
    for value in args:
        if isinstance(value, tuple):
            yield from _arrays(value)
        elif isinstance(value, np.ndarray):
            yield value


def _plain(args, copies):
    """Arguments with plain arrays: no `numpy.memmap` nor another class.

    Those that kernels cannot read and write where they are, because they are read-only or not aligned, are copied, and
    the copies added to the list.
    """
    return tuple(_plain(a, copies) if isinstance(a, tuple) else _plain_array(a, copies) for a in args)


def _plain_array(value, copies):
    if not isinstance(value, np.ndarray):
        return value
    if value.flags.writeable and value.flags.aligned:
        return np.asarray(value)
    copies.append(np.array(value))
    return copies[-1]


def _types(args):
    parts = (
        _types(a) if isinstance(a, tuple) else f"{a.dtype}{list(a.shape)}" if isinstance(a, np.ndarray) else repr(a)
        for a in args
    )
    return f"({', '.join(parts)})"


def _message(address):
    """The words of an exception, from what Numba keeps of it: an address and a size, of a pickle with a text inside.

    It is looked through and not loaded.
    """
    kept, size = ctypes.c_void_p.from_address(address).value, ctypes.c_int32.from_address(address + 8).value
    texts = [text for _, text, _ in pickletools.genops(ctypes.string_at(kept, size)) if isinstance(text, str)]
    return next((text for text in texts if "must be" in text), None)
