"""Peers on a GPU, in this process."""

import os
import statistics
from functools import partial
from importlib import metadata, util

from ...base import checks
from ..rates import times
from .check import check
from .jax import FORMULATIONS, jax_step
from .ncps import ncps_step


def _torch_seconds(step, runs):
    import torch

    step()
    found = []
    for _ in range(runs):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        step()
        stop.record()
        stop.synchronize()
        found.append(start.elapsed_time(stop) / 1e3)
    return statistics.median(found)


def _jax_seconds(step, runs):
    return statistics.median(times(step, runs))  # a step waits for its result


def ncps_why_not():
    """None, or why ncps cannot be measured on the card."""
    if not (util.find_spec("torch") and util.find_spec("ncps")):
        return 'no torch, or no ncps; pip install ".[peers]"'
    import torch

    return None if torch.cuda.is_available() else "this torch finds no GPU"


def jax_why_not():
    """The same for JAX."""
    if not util.find_spec("jax"):
        return 'no jax; pip install "jax[cuda13]"'
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # else it takes most of the card at once
    import jax

    jax.config.update("jax_default_matmul_precision", "highest")  # else of some 10 bits, too rough for `check`
    return None if jax.default_backend() == "gpu" else 'this jax finds no GPU; pip install "jax[cuda13]"'


def compare(model, x, y, runs):
    """Training steps of ncps, eager and compiled, and of JAX in its formulations, on the same card.

    A peer that fails, in whatever way, is left out with its reason; the other figures stay.
    """
    rows, left_out = [], []

    def can(name, why_not):
        try:
            reason = why_not()
        except Exception as error:  # a package that cannot be imported
            reason = checks.one_line(error)[:200]
        if reason is not None:
            left_out.append(f"{name} is left out: {reason}")
        return reason is None

    makers = {}
    if can("ncps", ncps_why_not):
        for name, compiled in (("ncps", False), ("ncps, torch.compile", True)):
            makers[name] = partial(ncps_step, device="cuda", compiled=compiled), _torch_seconds
    if can("jax", jax_why_not):
        for formulation in FORMULATIONS:
            makers[f"jax ({formulation})"] = partial(jax_step, formulation=formulation), _jax_seconds
    for name, (make, seconds) in makers.items():
        try:
            step, loss_and_grad = make(model, x, y)
            check(name, model, x, y, *loss_and_grad())
            rows.append({"peer": name, "ms": 1e3 * seconds(step, runs)})
        except Exception as error:
            left_out.append(f"{name} is left out: {checks.one_line(error)[:200]}")
    versions = {name: metadata.version(name) for name in ("torch", "ncps", "jax") if util.find_spec(name)}
    return {"rows": rows, "left_out": left_out, "versions": versions}
