"""What the kernels of all backends know by number or by position, once."""

from typing import NamedTuple

LOG2E = 1.4426950408889634
# Rows of partial gradients that a call adds up in order, whatever the number of threads.
GRADIENT_ROWS = 16

# Activations of `ltc_np.base.activations` and their numbers.
ACTIVATIONS = ("relu", "silu", "tanh", "gelu", "lecun_tanh", "sigmoid", None)
RELU, SILU, TANH, GELU, LECUN_TANH, SIGMOID, LINEAR = range(7)

# What a step of a CfC does with its heads: modes default, no_gate and pure, the last in two ways.
GATE, NO_GATE, DECAY, DECAY_OF_STATE = range(4)

# What stands for the derivative of a spike, and its number.
SURROGATES = ("fast_sigmoid", "arctan")
FAST_SIGMOID, ARCTAN = range(2)


# Kernels are given these as plain tuples, which a call of Numba takes 0.5 us sooner, and give them their names inside.
class Neuron(NamedTuple):
    """A leaky integrate-and-fire neuron: a spike turns the potential V into keep * V + offset.

    Attributes
    ----------
    b, rate : (N,) arrays
        ``rate`` is 1 / tau.
    threshold, keep, offset, refractory : numbers
    """

    b: object
    rate: object
    threshold: object
    keep: object
    offset: object
    refractory: object


class Surrogate(NamedTuple):
    """What stands for the derivative of a spike: its number, greatest value, and the factor on u = V - threshold."""

    kind: object
    peak: object
    sharpness: object


class NeuronState(NamedTuple):
    """Arrays of the state: potential, what is left of the refractory time, last spikes (empty where nobody reads them).

    Adjoints of a state are one too.
    """

    v: object
    rest: object
    spikes: object
