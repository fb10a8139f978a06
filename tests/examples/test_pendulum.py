"""The pendulum: its plant against Lagrange's equations, its expert against Riccati's, its loop in Python and in C."""

import re
import shutil

import numpy as np
import pytest
from support import ROOT

from ltc_np import load

COMPILER = pytest.mark.tools("cc")


@pytest.fixture
def plant(example):
    return example("cart_pole")


@pytest.fixture
def trained():
    """The network of docs/live, which examples/pendulum.py --write-docs has trained."""
    return load(ROOT / "docs" / "live" / "pendulum.npz")


def kinetic(plant, q, speed):
    """Kinetic energy, from the speed of the rod's middle and its turning: not the formula that `motion` is made of."""
    middle = np.array([speed[0] + plant.HALF * np.cos(q[1]) * speed[1], -plant.HALF * np.sin(q[1]) * speed[1]])
    inertia = plant.POLE * (2 * plant.HALF) ** 2 / 12
    return plant.CART * speed[0] ** 2 / 2 + plant.POLE * middle @ middle / 2 + inertia * speed[1] ** 2 / 2


def potential(plant, q):
    return plant.POLE * plant.GRAVITY * plant.HALF * np.cos(q[1])


def energy(plant, state):
    q, speed = state[[0, 2]], state[[1, 3]]
    return kinetic(plant, q, speed) + potential(plant, q)


def lagrange(plant, state, force, h=1e-4):
    """The state's derivative by Lagrange's equations, all derivatives of the energies by differences."""
    q, speed, unit = state[[0, 2]], state[[1, 3]], np.eye(2) * h
    mass = np.empty((2, 2))  # second derivatives by the speeds
    for i in range(2):
        for j in range(2):
            corners = [s * t * kinetic(plant, q, speed + s * unit[i] + t * unit[j]) for s in (1, -1) for t in (1, -1)]
            mass[i, j] = sum(corners) / (4 * h**2)
    right = np.array([force, 0.0])
    for i in range(2):
        ends = [kinetic(plant, q + s * unit[i], speed) - potential(plant, q + s * unit[i]) for s in (1, -1)]
        right[i] += (ends[0] - ends[1]) / (2 * h)
        momentum = [  # dT / d speed_i at places a little further on and back along the motion
            sum(s * kinetic(plant, q + t * h * speed, speed + s * unit[i]) for s in (1, -1)) / (2 * h) for t in (1, -1)
        ]
        right[i] -= (momentum[0] - momentum[1]) / (2 * h)
    acceleration = np.linalg.solve(mass, right)
    return np.array([speed[0], acceleration[0], speed[1], acceleration[1]])


def test_the_plant_follows_lagrange_s_equations(plant, rng):
    for _ in range(20):
        state, force = rng.normal(size=4) * [1, 1, 2, 3], rng.normal() * 5
        # Second differences with h = 1e-4 have errors of about 1e-16 / 1e-8 of the energies, a few joules.
        np.testing.assert_allclose(plant.motion(state, force), lagrange(plant, state, force), rtol=1e-5, atol=1e-5)


def test_energy_stays_without_a_force(plant):
    """Ten seconds of swinging freely, against Heun's method with small steps in the first half second."""
    state = np.array([0.0, 0.3, 2.5, -1.0])
    now, first, h = state, energy(plant, state), 2.5e-4
    for _ in range(500):
        now = plant.move(now, np.zeros(()), np.array(0.02))
        assert abs(energy(plant, now) - first) < 1e-6 * abs(first)
    own = state
    for _ in range(2000):
        slope = lagrange(plant, own, 0.0)
        own = own + h / 2 * (slope + lagrange(plant, own + h * slope, 0.0))
    for _ in range(25):
        state = plant.move(state, np.zeros(()), np.array(0.02))
    np.testing.assert_allclose(state, own, atol=2e-6)  # Heun's error: some (h * 5 / s)^2 = 1.6e-6


def test_the_linear_plant_is_the_derivative_of_the_plant(plant):
    A, B = plant.linear(0.03)
    h = 1e-5
    found = [
        (plant.move(h * e[:4], h * e[4], np.array(0.03)) - plant.move(-h * e[:4], -h * e[4], np.array(0.03))) / (2 * h)
        for e in np.eye(5)
    ]
    np.testing.assert_allclose(np.transpose(found), np.hstack([A, B]), atol=1e-6)  # Runge-Kutta's own error: 1e-8


def test_the_expert_solves_riccati_s_equation(plant, rng):
    A, B = plant.linear(0.02)
    Q, R = np.diag([1.0, 0.0, 10.0, 0.0]), np.array([[0.02]])
    P, K = plant.riccati(A, B, Q, R)
    residual = Q + A.T @ P @ A - A.T @ P @ B @ np.linalg.inv(R + B.T @ P @ B) @ B.T @ P @ A - P
    assert np.abs(residual).max() < 1e-10 * np.abs(P).max()
    assert np.abs(np.linalg.eigvals(A)).max() > 1
    assert np.abs(np.linalg.eigvals(A - B @ K)).max() < 1
    np.testing.assert_allclose(plant.expert(0.02), K[0])
    # P is the cost to come, and no other gain has less.
    first = rng.normal(size=4)

    def cost(K):
        state, total = first, 0.0
        for _ in range(3000):
            force = -K @ state
            total += state @ Q @ state + force @ R @ force
            state = A @ state + B @ force
        return total

    assert cost(K) == pytest.approx(first @ P @ first, rel=1e-9)
    assert all(cost(K * (1 + 0.02 * rng.normal(size=K.shape))) > cost(K) for _ in range(10))


def test_what_no_force_can_hold_is_refused(plant):
    """A grows by a factor that no control reaches."""
    with pytest.raises(ValueError, match="of a system that a controller can make stable"):
        plant.riccati(np.diag([1.5, 0.5]), np.array([[0.0], [1.0]]), np.eye(2), np.eye(1))


def test_times_between_samples(plant, rng):
    """Means of 100,000 exponential numbers are right to 1 %, and 0.2 % of these are cut."""
    seconds = plant.times(200, 500, 0.02, rng)
    assert seconds.min() >= plant.LEAST
    assert seconds.max() <= plant.MOST
    assert seconds.mean() == pytest.approx(0.02, rel=0.02)
    assert seconds.std() == pytest.approx(0.015, rel=0.05)


def test_the_expert_balances_from_every_start(plant):
    found = plant.drive(None, *plant.test_of(100, 3))
    assert plant.upright(found).all()
    np.testing.assert_array_equal(found.forces, found.wanted)
    assert np.abs(found.wanted).max() == 1  # the motor's limit matters


class Recorder:
    """A network that keeps what it is shown, and always says the same."""

    def __init__(self, says=0.0):
        self.says, self.seen, self.told = says, [], []

    def step(self, x, dt, state):
        assert state == (len(self.seen) or None)
        self.seen.append(x)
        self.told.append(dt)
        return np.full((len(x), 1), self.says), len(self.seen)


def test_a_network_sees_place_and_angle_and_is_told_the_time(plant):
    state, seconds = plant.test_of(3, 4)
    for told in (True, False):
        recorder = Recorder()
        found = plant.drive(recorder, state, seconds, told=told)
        x, dt = np.stack(recorder.seen, axis=1), np.stack(recorder.told, axis=1)
        np.testing.assert_array_equal(x, found.x)
        np.testing.assert_allclose(x, found.states[:, :, [0, 2]] / plant.SCALE)
        np.testing.assert_allclose(dt, seconds / plant.MEAN if told else np.ones_like(seconds))
        assert not plant.upright(found).any()  # nobody pushes
        for n, length in enumerate(found.lengths):
            kept = found.states[n, :length]
            assert (np.abs(kept[:, 2]) <= plant.FALLEN).all()
            assert (np.abs(kept[:, 0]) <= plant.TRACK).all()
            assert abs(found.states[n, length, 2]) > plant.FALLEN
            assert (found.states[n, length:] == found.states[n, length]).all()
        # Samples lie as far apart as the network is told.
        after = plant.move(found.states[:, 3], np.zeros(3), seconds[:, 4])
        np.testing.assert_array_equal(after, found.states[:, 4])


def test_the_motor_has_a_limit(plant):
    state, seconds = plant.test_of(3, 4)
    most, more, back = (plant.drive(Recorder(says), state, seconds) for says in (1.0, 100.0, -100.0))
    np.testing.assert_array_equal(most.states, more.states)
    assert (most.forces == 1).all()
    assert (back.forces == -1).all()
    np.testing.assert_array_equal(back.states[:, 1], plant.move(state, np.full(3, -plant.FORCE), seconds[:, 1]))


def test_a_push_moves_the_cart(plant, rng):
    state, seconds = np.zeros((2, 4)), np.full((2, 30), 0.02)
    pushed = np.zeros((2, 30))
    pushed[1, 0] = 5.0
    found = plant.drive(None, state, seconds, pushed)
    assert not found.states[0].any()
    np.testing.assert_array_equal(found.states[1, 1], plant.move(np.zeros(4), np.array(5.0), np.array(0.02)))
    sizes = plant.pushes(300, 400, 5.0, rng)
    begun = np.abs(sizes[:, 1:] - 0.9 * sizes[:, :-1]) > 1e-9
    assert begun.mean() == pytest.approx(0.02, rel=0.1)  # 2,400 of 120,000: 5 standard deviations


def test_the_trained_network_balances_and_needs_the_time(plant, trained):
    """The weights in docs/live: from 100 other starts than those of the results, and with slow samples."""
    assert plant.upright(plant.drive(trained, *plant.test_of(100, 5))).sum() >= 99
    slow = plant.test_of(50, 6, mean=0.05)
    told, untold = (plant.upright(plant.drive(trained, *slow, told=told)).mean() for told in (True, False))
    assert told > 0.8 > untold + 0.4


@pytest.fixture
def loop(example):
    return example("pendulum_c")


@pytest.mark.parametrize(
    "name",
    [
        "float on this machine",
        "float on a Cortex-M3 (QEMU)",
        "fixed point on this machine",
        "fixed point on a Cortex-M3 (QEMU)",
    ],
)
def test_the_loop_in_c_is_that_in_python(plant, loop, trained, tmp_path, name):
    machine, tried = loop.MACHINES[name], 2
    if loop.missing(machine):
        pytest.skip(f"there is no {loop.missing(machine)} here")
    state, seconds = plant.test_of(tried, 7)
    state[-1, 3] = 3.0  # too fast: this one falls
    driven = plant.drive(trained, state, seconds)
    ended = loop.drive(trained, state, seconds, machine, tmp_path)
    np.testing.assert_array_equal(ended.lengths, driven.lengths)
    assert list(plant.upright(driven)) == list(loop.upright(ended, plant.SAMPLES)) == [True, False]
    # Outputs are within 1e-5, in fixed point 1e-3, of a force of 10 N, and a controlled loop does not add them up:
    # its gains are about 6 N for a metre. A falling pole grows what is off by exp(4 t), here some ten times.
    near = 2e-3 if machine.is_fixed else 2e-5
    np.testing.assert_allclose(ended.states[:-1], driven.states[:-1, -1], atol=near)
    np.testing.assert_allclose(ended.states[-1], driven.states[-1, -1], atol=10 * near)


@COMPILER
def test_c_reads_the_same_bits(plant, loop):
    state, seconds = plant.test_of(2, 8)
    header = loop.test_header(state, seconds)
    found = [float.fromhex(text) for text in re.findall(r"-?0x[0-9a-f.]+p[+-]\d+", header)]
    np.testing.assert_array_equal(found, np.r_[state.ravel(), seconds.ravel()])


@pytest.mark.slow
@pytest.mark.sweep
def test_the_example_trains_and_prints(run_example, tmp_path):
    done = run_example("pendulum", "--quick", "--no-plot", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\| the expert \| 5 \|", done.stdout, re.M)
    if shutil.which("cc"):
        assert re.search(
            r"^\| float on this machine \| \d+ of 5; last states within [\de.-]+ of Python's", done.stdout, re.M
        )
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.slow
def test_rounds_of_driving_teach_to_balance(plant, example):
    """Seven rounds in place of sixteen; imitation of the expert's drives alone balances nothing."""
    pendulum = example("pendulum")
    trained = pendulum.train("ltc", 0, 2, pendulum.QUICK_ROUNDS, pendulum.EPOCHS)
    assert trained.curve[0] < 20
    assert max(trained.curve) == trained.curve[trained.best] > 70
    found = plant.drive(pendulum.model_of(trained, 0), *plant.test_of(50, 9))
    assert plant.upright(found).mean() > 0.7


def test_the_example_refuses_nonsense(example, capsys):
    pendulum = example("pendulum")
    for args, words in (
        (["--models", "untold"], "--models must name ltc"),
        (["--rounds", "0"], "--rounds: must be at least 1, got 0"),
        (["--write-docs", "--quick"], "--write-docs excludes --quick"),
    ):
        with pytest.raises(SystemExit) as stop:
            pendulum.main(args)
        assert stop.value.code == 2
        assert words in capsys.readouterr().err.splitlines()[-1]
