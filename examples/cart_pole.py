"""A pole on a cart: the plant of examples/pendulum.py, an expert that balances it, and drives by networks.

A uniform rod turns without friction on a cart that a limited force pushes along a track.  With q = (p, a), the place of
the cart and the angle of the pole from upright, the energies are

    kinetic    (M + m) p'^2 / 2 + m l p' a' cos a + (2/3) m l^2 a'^2
    potential  m g l cos a

for a cart of mass M and a rod of mass m and length 2 l, and Lagrange's equations with a force f on p are `motion`.
States are arrays (..., 4) of p, p', a, a' in metres, radians and seconds; pendulum_c/cart_pole.c is the same in C.
"""

from typing import NamedTuple

import numpy as np

CART, POLE, HALF, GRAVITY = 1.0, 0.1, 0.5, 9.81  # kg, kg, m, m/s^2
FORCE = 10.0  # N, the most that the motor can do
TRACK = 2.4  # m to either end
SUBSTEPS = 4  # Runge-Kutta steps between two samples

START = np.array([1.0, 0.5, np.radians(10), 0.5])  # first states are uniform between minus and plus this
MEAN, LEAST, MOST = 0.02, 0.005, 0.1  # s between two samples: LEAST and an exponential part, cut at MOST
SCALE = np.array([1.0, 0.2])  # m and rad: what a network sees as 1
FALLEN = np.radians(35)
SAMPLES = 500  # of a test
UPRIGHT = np.radians(3)  # what counts as upright, all through the second half of a test


def motion(state, force, cart=CART):
    """The state's derivative (..., 4) under a force (...), for a cart of so many kg (...)."""
    _, v, a, w = np.moveaxis(state, -1, 0)
    sin, cos = np.sin(a), np.cos(a)
    total = cart + POLE
    push = (force + POLE * HALF * w**2 * sin) / total
    turn = (GRAVITY * sin - cos * push) / (HALF * (4 / 3 - POLE * cos**2 / total))
    return np.stack([v, push - POLE * HALF * turn * cos / total, w, turn], axis=-1)


def move(state, force, seconds, cart=CART):
    """The state (..., 4) after ``seconds`` (...) under a constant force (...)."""
    h = np.asarray(seconds)[..., None] / SUBSTEPS
    for _ in range(SUBSTEPS):
        k1 = motion(state, force, cart)
        k2 = motion(state + h / 2 * k1, force, cart)
        k3 = motion(state + h / 2 * k2, force, cart)
        k4 = motion(state + h * k3, force, cart)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state


def linear(seconds):
    """(A, B) of state' = A state + B force near upright, as it is sampled: (4, 4) and (4, 1).

    The force is constant between samples, so both are parts of one matrix exponential, here its Taylor series.
    """
    total = CART + POLE
    length = HALF * (4 / 3 - POLE / total)
    both = np.zeros((5, 5))
    both[0, 1] = both[2, 3] = 1
    both[3, 2], both[3, 4] = GRAVITY / length, -1 / (total * length)
    both[1] = -POLE * HALF / total * both[3]
    both[1, 4] += 1 / total
    term = exponential = np.eye(5)
    for k in range(1, 20):
        term = term @ both * (seconds / k)
        exponential = exponential + term
    return exponential[:4, :4], exponential[:4, 4:]


def riccati(A, B, Q, R):
    """P of the discrete algebraic Riccati equation and the gain K, by iteration from P = Q until nothing changes.

    The force -K state then has the least possible sum of state' Q state + force' R force over all times to come.
    """
    P = Q
    while np.abs(P).max() < 1e12 * np.abs(Q).max():
        K = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
        following = Q + A.T @ P @ (A - B @ K)
        following = (following + following.T) / 2
        if np.abs(following - P).max() <= 1e-13 * np.abs(P).max():
            return following, K
        P = following
    raise ValueError("`A` and `B` must be of a system that a controller can make stable; the cost grows without end")


def expert(seconds, place=1.0, angle=10.0, force=0.02):
    """Gains (4,) of the linear-quadratic regulator at a sample time: the expert's force is -gains @ state.

    ``place``, ``angle`` and ``force`` weigh their squares.
    """
    A, B = linear(seconds)
    return riccati(A, B, np.diag([place, 0.0, angle, 0.0]), np.array([[force]]))[1][0]


class Drive(NamedTuple):
    """n drives of T samples: what happened, and what the expert would have done."""

    x: np.ndarray  # (n, T, 2): what a network sees
    seconds: np.ndarray  # (n, T): time since the sample before
    dt: np.ndarray  # (n, T): the same in units of MEAN, as the network is told
    states: np.ndarray  # (n, T, 4)
    forces: np.ndarray  # (n, T), as parts of FORCE
    wanted: np.ndarray  # (n, T): the expert's forces, likewise
    lengths: np.ndarray  # (n,): samples before the pole or the cart was lost


def starts(n, rng):
    """States to start from (n, 4)."""
    return rng.uniform(-START, START, (n, 4))


def times(n, T, mean, rng):
    """Seconds before each sample (n, T), of the given mean, or means (n, 1), as long as few are cut."""
    return np.minimum(LEAST + rng.exponential(1, (n, T)) * (mean - LEAST), MOST)


def pushes(n, T, size, rng):
    """Forces (n, T) of a hand that pushes the cart now and then and lets go slowly."""
    force, current = np.zeros((n, T)), np.zeros(n)
    for t in range(T):
        current = np.where(rng.random(n) < 0.02, rng.normal(0, size, n), 0.9 * current)
        force[:, t] = current
    return force


def drive(model, state, seconds, pushed=0.0, told=True):
    """Drive from ``state`` (n, 4), with ``seconds`` (n, T) before each sample, by a network, or for None by the expert.

    ``pushed`` (n, T) is another force on the cart, beside the motor's.  Without ``told`` the network is told the
    same time every time.
    """
    n, T = seconds.shape
    pushed = np.broadcast_to(pushed, (n, T))
    gains = expert(MEAN)
    dt = seconds / MEAN if told else np.ones((n, T))
    x, states, lengths = np.empty((n, T, 2)), np.empty((n, T, 4)), np.full(n, T)
    found = Drive(x, seconds, dt, states, np.empty((n, T)), np.empty((n, T)), lengths)
    memory = None
    for t in range(T):
        found.states[:, t] = state
        found.x[:, t] = state[:, [0, 2]] / SCALE
        found.wanted[:, t] = force = np.clip(-state @ gains / FORCE, -1, 1)
        lost = (np.abs(state[:, 0]) > TRACK) | (np.abs(state[:, 2]) > FALLEN)
        found.lengths[lost] = np.minimum(found.lengths[lost], max(t, 1))
        if model is not None:
            y, memory = model.step(found.x[:, t], dt=dt[:, t], state=memory)
            force = np.clip(y[:, 0].astype(float), -1, 1)
        found.forces[:, t] = force
        moved = move(state, FORCE * force + pushed[:, t], seconds[:, min(t + 1, T - 1)])
        state = np.where(lost[:, None], state, moved)  # what is lost stays where it is
    return found


def upright(found):
    """Of each drive whether the pole never fell and was upright in all of the second half."""
    T = found.wanted.shape[1]
    tilt = np.abs(found.states[:, T // 2 :, 2]).max(axis=1)
    return (found.lengths == T) & (tilt < UPRIGHT)


def test_of(n, seed, mean=MEAN):
    """Starts and times of a test: (n, 4), (n, SAMPLES)."""
    rng = np.random.default_rng(seed)
    return starts(n, rng), times(n, SAMPLES, mean, rng)
