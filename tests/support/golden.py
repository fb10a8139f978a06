"""The reader of golden files: ``.npz`` of several cases, whose arrays are called ``case/array``."""

import json

import numpy as np

from support import GOLDEN


def cases(name):
    """The cases of ``golden/<name>.npz``, sorted."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        return sorted({key.split("/")[0] for key in file.files})


def read(name, case, settings=None):
    """Array by name of one case of ``golden/<name>.npz``.

    With ``settings``, the name of a text in the case: also the dict that this text is, as JSON.
    """
    with np.load(GOLDEN / f"{name}.npz") as file:
        found = {key.removeprefix(f"{case}/"): file[key] for key in file.files if key.startswith(f"{case}/")}
    return found if settings is None else (found, json.loads(str(found.pop(settings))))


def tolerances(dtype, exact=(1e-12, 1e-9)):
    """(of outputs, of gradients): files hold float64, so what is left in float64 is the order of sums."""
    return exact if dtype == "float64" else (1e-5, 1e-4)


def check(found, wanted, tolerance):
    """Every array of ``found`` is as wanted, relative to the largest number of the wanted one."""
    for name, value in found.items():
        want = wanted[name]
        assert np.abs(value - want).max(initial=0) <= tolerance * np.abs(want).max(initial=0), name
