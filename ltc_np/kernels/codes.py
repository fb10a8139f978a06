"""What the kernels of all backends know by number or by position, once."""

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
