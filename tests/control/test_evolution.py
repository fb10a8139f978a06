"""Evolution strategies: the estimate against a loop, any number of processes and ranks, files, what is refused."""

import concurrent.futures
import functools
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
from support import ranks, toys

from ltc_np import LTC, AutoNCP, CfC, Dense, Model, io, load
from ltc_np.base import threads
from ltc_np.control import Evaluation, EvolutionStrategy, Gaussian, evaluate, evolution
from ltc_np.control import players as players_module
from ltc_np.control.players import Game, Result, players
from ltc_np.control.searches import Covariance, Gradient, Pairs, centred_ranks

METHODS = ["gradient", "cma", "diagonal"]


def echoes():
    """The action should be what is seen."""
    from ltc_np.control import Environments

    return Environments(toys.echo(2, 0))


def policy():
    model = Model(Dense(1), input_dim=1, seed=0, backend="numpy")
    model.theta[:] = -0.5, 0.2  # the right ones are 0.5 and 0
    return model


def started(method="gradient", **options):
    if method != "gradient":
        pytest.importorskip("cma", reason='cma is not installed: pip install "ltc-np[control]"')
    usual = {"population": 6, "sigma": 0.1, "episodes": 2, "trials": 4, "seed": 3}
    return EvolutionStrategy(policy(), echoes, method=method, **usual | options)


def told(strategy):
    """All that a search has found, but for the time."""
    history = {name: values for name, values in strategy.history.items() if name != "seconds"}
    return strategy.policy.theta.tobytes(), strategy.center.theta.tobytes(), strategy.best, strategy.done, history


def test_centred_ranks():
    """By counting: those below count 1, equal ones 1/2."""
    returns = np.array([3.0, -1.0, 3.0, 8.0, 0.0, 3.0])
    wanted = [(np.sum(returns < r) + (np.sum(returns == r) - 1) / 2) / 5 - 0.5 for r in returns]
    assert centred_ranks(returns) == pytest.approx(wanted, abs=1e-15)


def test_the_estimate_is_that_of_the_paper():
    """1 / (n sigma) times the sum of rank times step, over all members, and Adam's first step along it."""
    model = Model(CfC(3), Dense(1), input_dim=2, seed=0, dtype="float64", backend="numpy")
    model.freeze("1")
    free = np.flatnonzero(model.trainable)
    search = Gradient(model, free, 6, 0.1, 0.01, 0.0, seed=5)
    before = model.theta.copy()
    members = search.ask(2)
    returns = np.array([1.0, 4.0, -2.0, 0.5, 9.0, 3.0])
    wanted = np.zeros(before.size)
    for member, rank in enumerate(centred_ranks(returns)):
        wanted += rank * (members.theta(member) - before) / 0.1
    wanted /= 6 * 0.1
    assert search.ascent(members, returns) == pytest.approx(wanted[free], rel=1e-12)
    search.tell(members, returns)
    assert model.theta - before == pytest.approx(0.01 * wanted / (np.abs(wanted) + 1e-8), abs=1e-12)
    assert members.theta(0) + members.theta(1) == pytest.approx(2 * before, abs=1e-15)


def test_only_what_decays_is_drawn_to_0():
    """So strongly that Adam's first step has the sign of those; offsets follow the returns alone."""
    model = Model(CfC(3), Dense(1), input_dim=2, seed=0, dtype="float64", backend="numpy")
    model.theta[:] = np.random.default_rng(0).normal(size=model.theta.size)
    search = Gradient(model, np.arange(model.theta.size), 4, 0.1, 0.01, 1e6, seed=5)
    before, members, returns = model.theta.copy(), search.ask(0), np.array([1.0, 4.0, -2.0, 0.5])
    up, decays = search.ascent(members, returns), model.layout.decay
    search.tell(members, returns)
    assert np.array_equal(np.sign(model.theta - before), np.sign(np.where(decays, -before, up)))
    assert decays.any() and (np.sign(up) != -np.sign(before))[~decays].any()


def test_the_estimate_tends_to_the_gradient():
    """Of a linear function, with values in place of ranks the mean of many would be its slope: the direction is."""
    slope = np.array([3.0, -1.0, 0.5, 2.0])
    members = Pairs(np.zeros(4), np.arange(4), 0.1, (0, 0))
    model = Model(Dense(1), input_dim=3, seed=0, dtype="float64", backend="numpy")
    search = Gradient(model, np.arange(4), 4000, 0.1, 0.01, 0.0, seed=0)
    found = search.ascent(members, np.array([members.theta(k) @ slope for k in range(4000)]))
    cosine = found @ slope / np.linalg.norm(found) / np.linalg.norm(slope)
    assert cosine > 0.999  # 2,000 directions in 4 dimensions leave about 4 / 2 / 2000 of 1


@pytest.mark.parametrize("method", METHODS)
def test_learns_and_is_saved(method, tmp_path):
    """The action that is seen is found; learn, save, load and learn have the bits of learn and learn."""
    options = {"lr": 0.1} if method == "gradient" else {}
    one, two = started(method, **options), started(method, **options)
    one.learn(12)
    one.learn(3)
    two.learn(12)
    two.save(tmp_path / "search.npz")
    other = EvolutionStrategy.load(tmp_path / "search.npz", echoes, backend="numpy")
    assert told(other) == told(two)
    other.learn(3)
    assert told(other) == told(one)
    found = load(tmp_path / "search.npz", backend="numpy")
    assert np.array_equal(found.theta, two.policy.theta)
    assert one.best > 7.9 and one.history["center"][0] < 2  # of 8


@pytest.mark.parametrize("alike", [False, True])
def test_generations_one_by_one(alike, monkeypatch, capsys):
    """Who plays how often with which seed, what is told of it, and which centre is kept: of equal ones the last."""
    plays = []

    def played(model, environments, episodes, *, distribution, deterministic, seed):
        value = 1.5 if alike else -float(((model.theta - [0.5, 0.0]) ** 2).sum())
        plays.append((model.theta.copy(), value + 1, episodes, seed))
        assert not deterministic and distribution == Gaussian([-2.0], [2.0])
        return Evaluation(value + 2 * np.arange(episodes) / (episodes - 1), np.full(episodes, 5))

    monkeypatch.setattr(players_module, "evaluate", played)
    clock = iter(np.arange(100) / 4)  # read at the start, and twice in a generation
    monkeypatch.setattr(evolution, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    strategy = started(episodes=2, trials=3, deterministic=False, lr=1.0)  # so far that centres get worse again
    search, values, centers = started(lr=1.0).search, [], []
    history = strategy.learn(3, progress=True)
    assert history is strategy.history and history.epoch == [0, 1, 2] and history.stopped == ""
    assert len(capsys.readouterr().err.splitlines()) == 3 and len(plays) == 3 * 7 + 1
    for generation in range(4):
        centers.append(search.center.theta.copy())
        theta, value, episodes, seed = plays[7 * generation]
        assert np.array_equal(theta, centers[-1]) and (episodes, seed) == (3, 3)
        values.append(value)
        if generation < 3:
            members, one = search.ask(generation), plays[7 * generation + 1 : 7 * generation + 7]
            for member, (theta, *_) in enumerate(one):
                assert np.array_equal(theta, members.theta(member).astype(np.float32))
            wanted = int(np.random.SeedSequence(3, spawn_key=(generation,)).generate_state(1)[0] >> 1)
            assert {(episodes, seed) for *_, episodes, seed in one} == {(2, wanted)}
            returns = np.array([value for _, value, *_ in one])
            told_of = [history[name][generation] for name in ("return", "best", "center", "steps")]
            steps = 5 * (3 + 6 * 2) * (generation + 1)
            assert told_of == [pytest.approx(returns.mean()), pytest.approx(returns.max()), values[-1], steps]
            search.tell(members, returns)
    best = 3 if alike else int(np.argmax(values))
    assert best == 3 or not alike
    assert strategy.best == values[best] and np.array_equal(strategy.policy.theta, centers[best])
    assert strategy.judged == (3, values[3]) and strategy.done == 5 * (4 * 3 + 3 * 12)
    assert history["seconds"] == [0.25] * 3 and history.seconds == 0.75
    strategy.learn(1)
    assert len(plays) == 3 * 7 + 1 + 7 and strategy.generation == 4  # the centre was known


def test_every_argument_is_kept_as_it_is_given(tmp_path):
    """Also by a file; the usual ones are those of the documentation."""
    given = {
        "method": "gradient", "population": 8, "sigma": 0.3, "lr": 0.07, "weight_decay": 0.02, "episodes": 3,
        "trials": 5, "deterministic": False, "seed": 9,
    }  # fmt: skip
    strategy = started(**given)
    search = strategy.search
    assert strategy.settings() == given
    assert (search.population, search.sigma, search.optimizer.lr) == (8, 0.3, 0.07)
    assert (search.weight_decay, search.seed) == (0.02, 9)
    strategy.save(tmp_path / "search")
    comm = object()
    again = EvolutionStrategy.load(tmp_path / "search", echoes, jobs=2, comm=comm, backend="numpy")
    assert again.settings() == given and (again.jobs, again.comm, again.policy.backend) == (2, comm, "numpy")
    assert again.judged == strategy.judged == (-1, -np.inf) and again.best == -np.inf
    assert EvolutionStrategy(policy(), echoes).settings() == {
        "method": "gradient", "population": 64, "sigma": 0.02, "lr": 0.01, "weight_decay": 0.005, "episodes": 1,
        "trials": 8, "deterministic": True, "seed": 0,
    }  # fmt: skip


def test_processes_give_results_in_the_order_of_members(monkeypatch):
    """Each has environments of its own, one thread, and no ear for Ctrl-C; nine members make eight tasks of two."""
    given, made, tasks = [], [], []

    class Here(concurrent.futures.Executor):
        """Begins and plays in this process."""

        def __init__(self, jobs, context, begin, arguments):
            given.extend([jobs, context.get_start_method()])
            begin(*arguments)

        def submit(self, function, *arguments):
            tasks.append(arguments[1].tolist())
            future = concurrent.futures.Future()
            future.set_result(function(*arguments))
            return future

    def factory():
        made.append(echoes())
        return made[-1]

    monkeypatch.setattr(players_module, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(players_module, "_here", [])
    monkeypatch.setattr(threads, "set_num_threads", given.append)
    which, members = np.array([5, 3, 0, 1, 2, 7, 4, 6, 8]), Pairs(policy().theta, np.arange(2), 0.3, (1, 0))
    game, own = Game(policy(), Gaussian([-2.0], [2.0]), False), echoes()
    with players(game, own, factory, 1) as play:
        wanted = play(members, which, 2, 7)
        assert own.resets == 9 and not made
    with players(game, own, factory, 2) as play:
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert play(members, which, 2, 7) == wanted and len({result.value for result in wanted}) == 9
        assert play(members, which[:0], 2, 7) == [] and play(members, which[:1], 2, 7) == wanted[:1]
    assert given == [2, "spawn", 1] and len(made) == 1 and own.resets == 9 and made[0].resets == 10
    assert tasks == [[5, 3], [0], [1], [2], [7], [4], [6], [8], [], [5]]


@pytest.mark.parametrize("diagonal", [False, True])
def test_what_cma_is_asked_and_told(diagonal):
    """A generation that is played again has the same members; centres keep to bounds; its reasons end learning."""
    pytest.importorskip("cma", reason='cma is not installed: pip install "ltc-np[control]"')
    model = Model(LTC(AutoNCP(5, 2), positivity="clip"), input_dim=1, seed=0, dtype="float64", backend="numpy")
    model.theta[:] = -10
    model.project()  # some are weights of at least 0
    model.theta[model.theta < 0] = 1
    free = np.arange(0, model.theta.size, 2)
    before, search = model.theta.copy(), Covariance(model, free, 6, 0.3, diagonal, 5)
    assert search.population == 6 and search.search.opts["CMA_diagonal"] == diagonal
    members = search.ask(0)
    assert members.values.shape == (6, free.size) and np.array_equal(members.center, before)
    assert np.array_equal(search.ask(0).values, members.values)
    assert 0.2 < (members.values - before[free]).std() < 0.4
    kept = np.delete(members.theta(3), free)
    assert np.array_equal(kept, np.delete(before, free)) and np.array_equal(members.theta(3)[free], members.values[3])
    assert search.tell(members, -members.values.sum(axis=1)) == ""
    mean = search.search.mean
    assert mean.sum() < before[free].sum() and np.array_equal(np.delete(model.theta, free), np.delete(before, free))
    bounded = model.theta[free] != mean
    assert bounded.any() and (mean[bounded] < 1e-6).all() and (model.theta[free] >= 0)[bounded].all()
    assert not np.array_equal(search.ask(1).values - mean, members.values - before[free])
    search.search.stop = lambda: {"tolfun": 1e-11, "tolx": 1e-12}
    assert search.tell(search.ask(1), np.arange(6.0)) == "tolfun, tolx"


def test_cma_leaves_the_random_numbers_of_others_alone():
    legacy = np.random.get_state  # the one that cma would use
    strategy, before = started("cma"), legacy()
    strategy.learn(2)
    assert all(np.array_equal(now, then) for now, then in zip(legacy(), before, strict=True))


def test_any_number_of_ranks():
    alone = started()
    alone.learn(3)

    def learn(comm):
        strategy = started(comm=comm)
        strategy.learn(3)
        return told(strategy)

    for size in 2, 4:
        assert ranks.run(size, learn) == [told(alone)] * size


def test_ranks_must_be_alike():
    found = ranks.run(2, lambda comm: started(comm=comm, sigma=0.1 + comm.Get_rank()).learn(1))
    assert all(
        isinstance(error, ValueError) and "`sigma` must be the same on every rank" in str(error) for error in found
    )

    def other(what, comm):
        strategy = started(comm=comm, distribution=Gaussian([-2.0], [2.0], 0.1 * comm.Get_rank() * (what == 0)))
        strategy.generation += comm.Get_rank() * (what == 1)
        strategy.center.theta[0] += comm.Get_rank() * (what == 2)
        if comm.Get_rank() and what == 3:
            strategy.policy.freeze("bias")
        strategy.learn(1)

    for what, name in enumerate(("`distribution`", "`generation`", "the parameters of rank 1", "model.trainable")):
        found = ranks.run(2, functools.partial(other, what))
        assert all(isinstance(error, (ValueError, RuntimeError)) and name in str(error) for error in found), found


@toys.needs_gymnasium
@pytest.mark.slow
def test_any_number_of_processes():
    one, two = started(), started(jobs=2)
    one.learn(2)
    two.learn(2)
    assert told(one) == told(two)


def test_the_policy_is_the_best_centre():
    """Steps that are far too long: the centre is lost, and the policy is not."""
    strategy = started(lr=5.0)
    strategy.learn(4)
    assert strategy.best == max(*strategy.history["center"], strategy.judged[1])
    assert strategy.best > min(strategy.history["center"])
    at = strategy.policy.theta.copy()
    strategy.policy.theta[:] = strategy.center.theta
    assert not np.array_equal(at, strategy.center.theta)


def test_what_other_processes_cannot_call():
    """Before they are started: Python's message says no remedy."""
    with pytest.raises(TypeError, match=r"can be pickled with jobs=2, got .*: functools.partial"):
        EvolutionStrategy(policy(), (lambda: echoes()), jobs=2)
    with pytest.raises(TypeError, match="`callback` must be a function of the EvolutionStrategy, got 3"):
        started().learn(1, callback=3)


def test_a_callback_ends():
    strategy = started()
    history = strategy.learn(5, callback=lambda found: found.generation < 2)
    assert history.stopped == "by the callback" and strategy.generation == 2
    assert strategy.learn(1).stopped == "" and strategy.generation == 3


def test_a_search_ends_where_it_finds_no_more(monkeypatch):
    """The centre that it has come to is judged, as at any end."""
    strategy = started()
    tell = strategy.search.tell
    monkeypatch.setattr(strategy.search, "tell", lambda *given: tell(*given) or "no more")
    assert strategy.learn(5).stopped == "no more" and strategy.generation == 1 and strategy.judged[0] == 1


def test_ctrl_c_ends_after_the_generation():
    strategy = started()
    history = strategy.learn(5, callback=lambda found: os.kill(os.getpid(), signal.SIGINT))
    assert history.stopped == "interrupted" and strategy.generation == 1 and strategy.judged[0] == 1


def test_refusals():
    with pytest.raises(ValueError, match="`population` must be even"):
        started(population=5)
    for wrong in (1, 0):
        with pytest.raises(ValueError, match="`population` must be .*2"):
            started(population=wrong)
    for name in ("lr", "weight_decay"):
        with pytest.raises(ValueError, match=f"`{name}` must be None"):
            EvolutionStrategy(policy(), echoes, method="cma", **{name: 0.1})
    with pytest.raises(TypeError, match="must be a function that makes Environments"):
        EvolutionStrategy(policy(), "CartPole-v1")
    with pytest.raises(TypeError, match=r"`environments\(\)` must give Environments"):
        EvolutionStrategy(policy(), functools.partial(int))
    frozen = policy()
    frozen.freeze()
    with pytest.raises(ValueError, match="not frozen"):
        EvolutionStrategy(frozen, echoes)


def test_members_play_whole_episodes():
    """In the order asked for, each with its own parameters and the same seed."""
    environments, distribution = echoes(), Gaussian([-2.0], [2.0])
    members = Pairs(policy().theta, np.arange(2), 0.3, (1, 0))
    with players(Game(policy(), distribution, True), environments, echoes, 1) as play:
        found = play(members, np.array([3, 0]), 4, 7)
    for result, member in zip(found, (3, 0), strict=True):
        other = policy()
        other.theta[:] = members.theta(member)
        assert result == Result(evaluate(other, echoes(), 4, seed=7).mean, 4 * 8)


def test_files_that_are_none(tmp_path):
    started().save(tmp_path / "search.npz")
    model, found = io.load_with(tmp_path / "search.npz", (Model,), "numpy")
    for wrong in {"search": None}, {"generation": "a"}, {"best": None}, {"best": np.zeros(2)}, {"history": {}}:
        io.save_with(tmp_path / "search.npz", model, found | wrong)
        with pytest.raises(ValueError, match=r"damaged search|`generation` must be"):
            EvolutionStrategy.load(tmp_path / "search.npz", echoes)
    policy().save(tmp_path / "model.npz")
    with pytest.raises(ValueError, match=r"must be a file of `EvolutionStrategy\.save`"):
        EvolutionStrategy.load(tmp_path / "model.npz", echoes)
