"""What the kernels of all backends know by number or by position, once."""

from typing import Any, NamedTuple

from ..base.layout import POSITIVITIES

LOG2E = 1.4426950408889634
# Of the kernels' vectors; `ltc_np.kernels.cpu.simd` says what a vector is.
VECTOR_BYTES = 64
# Rows of partial gradients that a call adds up in order, whatever the number of threads.
GRADIENT_ROWS = 16

# Activations of `ltc_np.base.activations` and their numbers.
ACTIVATIONS = ("relu", "silu", "tanh", "gelu", "lecun_tanh", "sigmoid", None)
RELU, SILU, TANH, GELU, LECUN_TANH, SIGMOID, LINEAR = range(7)

# Positivities of `ltc_np.base.layout` by number, their place there.
FREE, SOFTPLUS, CLIP = map(POSITIVITIES.index, (None, "softplus", "clip"))

# The losses that kernels compute, those whose row in `ltc_np.losses` says `on_card`, and their numbers.
LOSSES = ("mse", "mae", "huber", "binary_cross_entropy", "cross_entropy", "quantile")
MSE, MAE, HUBER, BINARY_CROSS_ENTROPY, CROSS_ENTROPY, QUANTILE = range(6)

# What a step of a CfC does with its heads: modes default, no_gate and pure, the last in two ways.
GATE, NO_GATE, DECAY, DECAY_OF_STATE = range(4)

# How a state space is brought into discrete time, what its liquid term is, and their numbers.
DISCRETIZATIONS = ("zoh", "bilinear")
ZOH, BILINEAR = range(2)
LIQUIDS = (None, "exact", "discrete", "kb", "pb")
PLAIN, EXACT, DISCRETE, KB, PB = range(5)


class Discretization(NamedTuple):
    """How one step of a state space is made.

    Attributes
    ----------
    kind, liquid : int
        ``ZOH`` or ``BILINEAR``; ``PLAIN`` (none), ``EXACT``, ``DISCRETE``, ``KB`` or ``PB``.
    degree : int
        The longest products of inputs, of KB and PB; else 1.
    bound : float
        The largest magnitude of the factor on a mode; 0 for none.
    """

    kind: int
    liquid: int
    degree: int
    bound: float


# What a step of a learner tells, by place: losses by the learnt and the deployed weights, how far these are apart, and
# whether it was made.
LEARNT_LOSS, DEPLOYED_LOSS, DISTANCE, MADE = range(4)

# What stands for the derivative of a spike, and its number.
SURROGATES = ("fast_sigmoid", "arctan")
FAST_SIGMOID, ARCTAN = range(2)


# The elastance of an LRC by number: of what a sigmoid, a difference of two, or nothing makes of its argument.
ELASTANCES = ("asymmetric", "symmetric", None)
ASYMMETRIC, SYMMETRIC, CONSTANT = range(3)

# Parameters of a unit of an LrcSSM, in the order in which kernels take them and their gradients.
LRC_SSM_UNIT = ("gleak", "vleak", "w", "h", "mu", "sigma", "elastance_v", "elastance_b", "elastance_shift")


class Oscillators(NamedTuple):
    """The rows of what kernels know of P oscillators, (7, M) with M >= P: whole vectors of them.

    A, G, step; of the exact one |A - G^2/4|^(1/2), the real part of the slower root r1, the magnitude of the faster
    one, and 1 where both are real, else 0; of the others m, l, g and psi.
    """

    stiffness: Any
    damping: Any
    step: Any
    turn: Any
    slow: Any
    fast: Any
    real: Any


# A call of Numba takes these two as plain tuples, whose fields they name: as NamedTuples it would last 0.5 us longer.
class SpikingNeuron(NamedTuple):
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


# Parameters of an LTC, in the order in which kernels take them and their gradients.  They stand here since the kernels
# of several backends read them; those of a cell that one backend alone needs stand there, as in `kernels.cpu.lrc`.
NEURON = ("cm", "gleak", "vleak")
SYNAPSE = ("w", "mu", "sigma", "erev")
SENSORY = tuple(f"sensory_{name}" for name in SYNAPSE)


class Rule(NamedTuple):
    """How one time step is solved: the solver's number, its stages in an unfold, and the unfolds."""

    solver: int
    stages: int
    unfolds: int

    @property
    def evaluations(self) -> int:
        """K, stages in a time step."""
        return self.stages * self.unfolds


class Solver(NamedTuple):
    """What is true of a solver of cm v' = P(v) - Q(v) v.

    Attributes
    ----------
    name : str
    number : int
        By which kernels know it.
    stages : int
        Evaluations of P and Q in an unfold.
    order : int
        The error falls with the order-th power of h.
    hull : bool
        The state stays in the convex hull of its start, the potentials of leak and synapses, and 0, for every h.
    limit : float or None
        Largest h Q / cm at which errors do not grow; None where they never do.
    reach, weight : tuple of float
        The tableau of an explicit rule of Runge and Kutta: of each stage, how far the next one goes from the unfold's
        begin with its slope, in h, and the slope's weight in the unfold.  The last reach is 0, the others are not.
        Empty where a solver has functions of its own.
    """

    name: str
    number: int
    stages: int
    order: int
    hull: bool
    limit: float | None
    reach: tuple[float, ...] = ()
    weight: tuple[float, ...] = ()

    def rule(self, unfolds: int) -> Rule:
        """The `Rule` of this solver with so many unfolds; ValueError for a row that kernels have not."""
        if self not in ROWS:
            raise ValueError(
                f"`solver` must be a row of SOLVERS in ltc_np/kernels/codes.py, of which kernels are made, got "
                f"{self.name!r}, which was put there or changed later: write its row into that file, and start Python "
                "anew"
            )
        return Rule(self.number, self.stages, unfolds)


# The first three have functions of their own in `ltc_solvers` of every backend; from the last number on all solvers
# have a tableau.
SEMI_IMPLICIT, EULER, EXPONENTIAL, FIRST_TABLEAU = range(4)
SOLVERS = {
    solver.name: solver
    for solver in (
        Solver("semi_implicit", SEMI_IMPLICIT, 1, 1, True, None),
        Solver("euler", EULER, 1, 1, False, 2.0),
        # The limit is where the polynomial 1 - r + r**2/2 - r**3/6 + r**4/24 passes 1.
        Solver(
            "rk4", FIRST_TABLEAU, 4, 4, False, 2.785,
            reach=(1 / 2, 1 / 2, 1.0, 0.0), weight=(1 / 6, 1 / 3, 1 / 3, 1 / 6),
        ),
        Solver("exponential", EXPONENTIAL, 2, 2, True, None),
        Solver(
            "bogacki_shampine", FIRST_TABLEAU + 1, 3, 3, False, 2.512, reach=(1 / 2, 3 / 4, 0.0),
            weight=(2 / 9, 1 / 3, 4 / 9),
        ),
        Solver("ralston", FIRST_TABLEAU + 2, 2, 2, False, 2.0, reach=(2 / 3, 0.0), weight=(1 / 4, 3 / 4)),
    )
}  # fmt: skip
ROWS = tuple(SOLVERS.values())  # what kernels know, whatever is done to the table later
MOST_UNFOLDS = 10**6  # of a time step; kernels count the evaluations in 32 bits
# The tableaus, in the order of the solvers' numbers n, and all of them in a row, as compiled kernels read them: stage k
# stands at (n - FIRST_TABLEAU) MOST_STAGES + k.
TABLEAUS = {name: solver for name, solver in SOLVERS.items() if solver.reach}
MOST_STAGES = max(solver.stages for solver in TABLEAUS.values())
REACH = tuple(x for s in TABLEAUS.values() for x in s.reach + (0.0,) * (MOST_STAGES - s.stages))
WEIGHT = tuple(x for s in TABLEAUS.values() for x in s.weight + (0.0,) * (MOST_STAGES - s.stages))
# Of exponential: a stage's length in h, and the largest r of e**-r, which is 0 beyond, in float32 and float64.
EXPONENTIAL_PART = (0.5, 1.0)
LARGEST_DECAY = 1024

# Whether a stream is closed, open, or busy with a step, and what is wrong with a step of several streams.
CLOSED, OPEN, BUSY = range(3)
FINE, NO_STREAM, NOT_OPEN, IN_USE, BAD_INPUT, BAD_TIME, BAD_STATE, OVERFLOW = range(8)
