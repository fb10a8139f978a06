"""Which peers there are, what they need and can do, and how long they are known to take."""

from importlib import util

PACKAGES = {"ncps": ("torch", "ncps"), "jax": ("jax",), "lstm": ("torch",), "gru": ("torch",), "loop": ("torch",)}
# Which peers have what a case is made of.
PEERS_OF = dict.fromkeys(("tutorial", "small", "medium", "large"), ("ncps", "jax", "lstm"))
PEERS_OF |= {"cfc": ("ncps",)} | dict.fromkeys(("lstm32", "lstm64", "lstm128"), ("lstm",))
PEERS_OF |= {"gru": ("gru",)} | dict.fromkeys(("ctgru", "ctrnn", "neural_ode", "lif"), ("loop",))
# Cases in which everybody has one thread: what is asked is how good the kernels are.
ONE_THREAD = ("lstm32", "lstm64", "lstm128", "gru")

# Milliseconds of a step on a 2-core AVX-512 machine (Zen 4, 2.6 GHz) that did nothing else: medians, the faster of 1
# and 2 threads, and where several were seen the fastest.  Measured for the design of this project with Python 3.11,
# ncps 1.0.1 and `jit` + optax; runs spread by 30 %.  A peer that needs WEAK times as much was measured badly.
REFERENCE_MS = {
    "ncps": {"tutorial": 4.1, "small": 500, "medium": 690, "large": 1100, "cfc": 43},
    "jax": {"tutorial": 0.35, "small": 101, "medium": 272, "large": 257},
    "lstm": {
        **{"tutorial": 0.6, "small": 3.9, "medium": 8.8, "large": 5.9},
        **{"lstm32": 5.9, "lstm64": 9.7, "lstm128": 7.4},
    },
    "gru": {"gru": 14.8},
    "loop": {"ctgru": 104.0, "ctrnn": 45.0, "neural_ode": 154.0, "lif": 10.0},
}
WEAK = 1.3


def left_out(name):
    """The line that says why a peer cannot run and how to get it; "" if it can."""
    missing = [package for package in PACKAGES[name] if util.find_spec(package) is None]
    return f'{name} is left out: no {" and no ".join(missing)}; pip install ".[peers]"' if missing else ""


def is_weak(name, case, ms):
    """Whether a peer was more than `WEAK` times slower than it is known to be."""
    return ms > WEAK * REFERENCE_MS[name][case]
