"""What ranks say to each other, with threads in the place of ranks; and the parts of a batch."""

import re
import threading

import numpy as np
import pytest
from support import ranks as fake
from support.trainings import Cut, Cuts

import ltc_np
from ltc_np import L1L2, LSTM, LTC, Adam, AutoNCP, Batching, BatchNorm, Callback, Checkpoints, Dense, Model, ShardedData
from ltc_np.base import threads
from ltc_np.cells.dropping import PartOfBatch, dropout_mask
from ltc_np.metrics import METRICS, OwnMetric, regression
from ltc_np.network.best import Best
from ltc_np.network.trained import Trained
from ltc_np.train.data.scales import merged as merged_scales
from ltc_np.train.data.scales import moments, statistics
from ltc_np.train.fit import OPTIONS
from ltc_np.train.loop.interrupt import BY_SIGINT, BY_SIGTERM
from ltc_np.train.options import Options
from ltc_np.train.ranks import agreement
from ltc_np.train.ranks.communication import ALONE, GlobalResult, LocalResult, of_communicator
from ltc_np.train.ranks.division import Division, Place, cut, merged


def test_parts_of_a_batch_cover_it():
    for count in range(9):
        ends = [cut(count, rank, 4) for rank in range(4)]
        assert [first for first, _ in ends] == [0] + [last for _, last in ends[:-1]]
        assert ends[-1][1] == count
        assert {last - first for first, last in ends} <= {count // 4, -(-count // 4)}


@pytest.mark.parametrize("counts", [[1], [5, 8], [1, 30, 3, 9], [7, 7, 7]])
def test_shares_are_taken_in_proportion(counts):
    """Every batch is full, takes each sequence once, and no rank is far from its share."""
    total = sum(counts)
    found = merged(counts, np.arange(total + 1))
    assert (found.sum(0) == np.arange(total + 1)).all()
    assert set(np.diff(found, axis=1).ravel()) <= {0, 1}
    assert (found[:, -1] == counts).all()
    due = np.outer(counts, np.arange(total + 1)) / total
    assert np.abs(found - due).max() <= (1 + len(counts)) / 2  # every rank may be half a sequence off


def test_what_a_rank_has_stands_in_the_middle_of_its_share():
    """By hand: one sequence stands at 1/2; of three those at 1/6, 1/2 and 5/6; the first rank before the second."""
    assert merged([1, 3], np.arange(5)).tolist() == [[0, 0, 1, 1, 1], [0, 1, 1, 2, 3]]


def test_divisions_of_ranks_make_whole_batches():
    def divided(comm):
        ranks = of_communicator(ShardedData(comm))
        with ranks.together():
            division = Division(ranks, [4, 9, 1][ranks.rank], 4, False)
            return [division.of_batch(batch) for batch in range(division.batches)]

    found = fake.run(3, divided)
    assert len(found[0]) == 4
    for batch in zip(*found, strict=True):
        sizes = [rows.stop - rows.start for rows, _ in batch]
        assert [place for _, place in batch] == [Place(sum(sizes[:k]), sum(sizes)) for k in range(3)]
    assert [sum(place.whole for _, place in found[0])] == [14]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_part_drops_what_the_whole_batch_would(dtype, rng):
    for _ in range(30):
        T, N, F = (int(n) for n in rng.integers(1, 9, 3))
        first = int(rng.integers(0, N))
        B = int(rng.integers(1, N - first + 1))
        whole, part = (np.random.Philox(7) for _ in range(2))
        mask = dropout_mask(np.random.Generator(whole), 0.4, (T + 1, N, F), np.dtype(dtype))
        own = dropout_mask(PartOfBatch(part, first, N), 0.4, (T, B, F), np.dtype(dtype))
        np.testing.assert_array_equal(own, mask[:T, first : first + B])


@pytest.mark.parametrize("name", [*METRICS, "own"])
def test_merged_metrics_are_those_of_all(name, rng):
    def made():
        return METRICS[name]() if name in METRICS else OwnMetric(lambda y, target: float(np.abs(y - target).mean()))

    real = name == "own" or METRICS[name].__module__ == regression.__name__
    y = rng.normal(size=(30, 2))
    target = 1e6 + rng.normal(size=(30, 2)) if real else rng.integers(0, 2, 30)
    weight = np.ones(30) if name == "own" else rng.integers(0, 3, 30).astype(float)
    whole, parts = made(), [made() for _ in range(4)]
    whole.update(y, target, weight)
    for part, rows in zip(parts, (slice(0, 5), slice(5, 5), slice(5, 29), slice(29, 30)), strict=True):
        if rows.stop > rows.start:
            part.update(y[rows], target[rows], weight[rows])
    for other in parts[1:]:
        parts[0].merge(other.state())
    np.testing.assert_allclose(parts[0].result(), whole.result(), rtol=1e-12)  # sums in another order


def test_scales_of_parts_are_those_of_all(rng):
    values = rng.normal(size=(50, 3)) * [1, 1e-3, 0] + [0, 1e5, 7]
    counted = (rng.random((50, 1)) < 0.6).astype(float)
    parts = [moments(values[rows], counted[rows]) for rows in (slice(0, 3), slice(3, 40), slice(40, 50))]
    mean, spread = merged_scales(parts, np.finfo(float).eps)
    wanted = statistics(values, counted)
    np.testing.assert_allclose(mean, wanted[0], rtol=1e-14)
    np.testing.assert_allclose(spread, wanted[1], rtol=1e-9)  # 1e5 and 1e-3 leave 8 digits fewer
    assert spread[2] == 0


def test_threads_are_the_cores_of_a_rank():
    a = frozenset(range(8))
    assert threads.part_of_cores([("one", a)] * 4, 2) == 2
    assert threads.part_of_cores([("one", a)] * 3 + [("two", a)], 3) == 8
    assert threads.part_of_cores([("one", frozenset({0, 1})), ("one", frozenset({2, 3, 4}))], 1) == 3
    assert threads.part_of_cores([("one", a)] * 20, 0) == 1
    assert threads.part_of_cores([threads.cores()], 0) >= 1
    before = threads.get_num_threads()
    with threads.at_most(1):
        assert threads.get_num_threads() == 1
    assert threads.get_num_threads() == before


class Null(fake.Threads):
    """Like MPI.COMM_NULL, which has all methods of a communicator, and is false."""

    def __init__(self):
        pass

    def __bool__(self):
        return False

    def Get_size(self):
        raise RuntimeError("MPI_Comm_size: Null communicator")


def test_what_is_no_communicator_is_refused():
    with pytest.raises(TypeError, match=r"`comm` must be a communicator of mpi4py.* got 3 without Get_rank, Get_size"):
        of_communicator(3)
    with pytest.raises(TypeError, match="`comm` must be a communicator, such as MPI.COMM_WORLD, got the class Thr"):
        of_communicator(fake.Threads)
    with pytest.raises(
        ValueError, match="`comm` must be .* that this process belongs to, got MPI.COMM_NULL: call this"
    ):
        of_communicator(Null())
    with pytest.raises(TypeError, match="`comm` must be a communicator of mpi4py, .*, got None without Get_rank"):
        ShardedData(None)
    assert of_communicator(None) is ALONE
    assert fake.run(1, lambda comm: of_communicator(comm)) == [ALONE]
    assert fake.run(1, lambda comm: of_communicator(ShardedData(comm))) == [ALONE]


def of_ranks(size, function, shares=False):
    """What ``function(ranks)`` gives, or raises, on each of them."""

    def call(comm):
        ranks = of_communicator(ShardedData(comm) if shares else comm)
        with ranks.together():
            return function(ranks)

    return fake.run(size, call)


def small(**options):
    layers = LTC(AutoNCP(6, 3, seed=1), input_dim=2, ode_unfolds=2), Dense(2, input_dim=3)
    return Model(*layers, dtype="float64", **options)


@pytest.mark.slow
def test_an_error_of_one_rank_ends_all(rng, capsys):
    """No rank is left waiting, and the rank that failed says why."""
    x, y = rng.normal(size=(5, 4, 2)), rng.normal(size=(5, 4, 2))

    def trained(comm):
        def fail(epoch, logs):
            if comm.Get_rank() == 1:
                raise KeyError("lost")

        small(backend="numpy").fit(x, y, comm=comm, epochs=3, callbacks=fail, verbose=False)

    found = fake.run(3, trained)
    assert [type(error) for error in found] == [fake.Aborted] * 3
    printed = capsys.readouterr().err
    assert "ltc_np: rank 1 of 3 ends the training of all" in printed
    assert "KeyError: 'lost'" in printed


def test_an_error_of_rank_0_alone_is_one_of_all(rng):
    def told(comm):
        ranks = of_communicator(comm)
        with ranks.together():
            ranks.run_on_first(lambda: 1 / 0)

    assert [type(error) for error in fake.run(2, told)] == [ZeroDivisionError] * 2


def test_an_error_that_cannot_be_sent_is_told(rng):
    """One that holds what belongs to its process, such as a lock."""

    class Own(Exception):
        def __init__(self, text):
            super().__init__(text)
            self.lock = threading.Lock()

    def fail():
        raise Own("the disk is full")

    for error in of_ranks(2, lambda ranks: ranks.run_on_first(fail)):
        assert type(error) is RuntimeError and str(error) == "Own: the disk is full"


def test_a_rank_may_have_nothing_of_a_batch(rng):
    """Neither a sequence of it, nor one that has a step; the second batch is smaller than there are ranks."""
    x, y = rng.normal(size=(2, 6, 4, 2))
    lengths = np.array([4, 0, 2, 3, 0, 1])

    def trained(comm=None):
        def batches(epoch):
            for rows in (slice(0, 4), slice(4, 6)):
                own = slice(None) if comm is None else slice(comm.Get_rank(), None, 3)
                yield {"x": x[rows][own], "y": y[rows][own], "lengths": lengths[rows][own]}

        model = Model(LTC(AutoNCP(8, 2), input_dim=2), dtype="float64", backend="numpy", seed=0)
        history = model.fit(
            batches, batch_size=Batching(steps_per_epoch=2), epochs=3, metrics=["mae"], comm=comm, verbose=0
        )
        return model.theta, history

    theta, history = trained()
    for found, told in fake.run(3, trained):
        # Sums of three parts and of one differ by rounding.
        np.testing.assert_allclose(found, theta, rtol=0, atol=1e-12)
        for name, values in history.items():
            np.testing.assert_allclose(told[name], values, rtol=1e-12)


def test_some_rank_must_have_something_of_a_batch(rng):
    x = rng.normal(size=(3, 4, 2))

    def trained(comm):
        batches = [x, x[:0]] if comm.Get_rank() else [x]  # one has an empty batch, the other has no more
        model = Model(LTC(AutoNCP(8, 2), input_dim=2), backend="numpy", seed=0)
        model.fit(
            lambda epoch: iter([(b, b) for b in batches]), batch_size=Batching(steps_per_epoch=2), comm=comm, verbose=0
        )

    for error in fake.run(2, trained):
        assert isinstance(error, ValueError)
        assert str(error) == "`x`, batch 1 of epoch 0: some rank must have a sequence, got none on all"


def test_words_of_arguments_have_no_addresses():
    def found(**options):
        given = dict.fromkeys(agreement.SAME_DATA) | {
            "model": small(backend="numpy"),
            "loss": "mse",
            "validation_data": None,
        }
        ranks = type("Two", (), {"size": 2, "shares": False, "check_same": lambda self, words, _: said.append(words)})()
        agreement.check_arguments(ranks, OPTIONS, given | {"x": np.zeros((2, 3, 2)), **options})

    said = []
    found(optimizer=Adam(lambda step: 0.1))
    assert "0x" not in str(said[0])
    assert said[0]["the version of ltc_np"] == ltc_np.__version__
    found(x=[np.zeros((3, 2)), np.ones((2, 2))])
    assert said[1]["x"].startswith("2 arrays of several kinds or shapes with checksum ")


def liquid(seed=1, unfolds=2):
    return LTC(AutoNCP(6, 3, seed=seed), ode_unfolds=unfolds)


@pytest.mark.parametrize(
    ("others", "name", "before", "now", "more"),
    [
        ([liquid(unfolds=3), Dense(2)], "model.layers[0].ode_unfolds", "2", "3", ""),
        ([liquid(2, 3), Dense(2, "tanh")], "model.layers[0].wiring", "AutoNCP(.*seed=1.*", "AutoNCP(.*seed=2.*", 2),
        ([liquid(), LSTM(2)], "model.layers[1]", "Dense", "LSTM", ".*"),
        ([LTC(AutoNCP(6, 2, seed=1))], "len(model.layers)", "2", "1", ".*"),
    ],
)
def test_of_models_that_differ_the_first_difference_is_named(others, name, before, now, more):
    def trained(comm):
        layers = others if comm.Get_rank() == 1 else (liquid(), Dense(2))
        model = Model(*layers, input_dim=2, dtype="float64", backend="numpy")
        model.fit(np.ones((4, 3, 2)), np.ones((4, 3, 2)), comm=comm, verbose=False)

    words = f"`{name}` must be the same on every rank, got {before} on rank 0 and {now} on rank 1"
    words += f" ({more} more differences)" if more else ""
    pattern = re.escape(words).replace(re.escape(".*"), ".*")
    for error in fake.run(3, trained):
        assert type(error) is ValueError
        assert re.fullmatch(pattern, str(error)) and len(str(error)) < 250


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dtype", {"dtype": "float32"}),
        pytest.param("backend", {"backend": "cpu"}, marks=pytest.mark.compiled),
        ("return_sequences", {"return_sequences": False}),
        ("trainable", {}),
    ],
)
def test_an_attribute_in_which_models_differ_is_named(name, options):
    given = {"input_dim": 2, "dtype": "float64", "backend": "numpy"}
    one, other = Model(liquid(), Dense(2), **given), Model(liquid(), Dense(2), **given | options)
    if name == "trainable":
        other.freeze("0.w")
    found = agreement.of_model(one), agreement.of_model(other)
    assert [key for key, text in found[0].items() if found[1][key] != text] == [f"model.{name}"]


@pytest.mark.parametrize("backend", ["numpy", "cuda"])
def test_a_card_for_each_rank_makes_the_training_of_one(backend, request, rng):
    """`fit` uses `Trainer.flat` and `replace` of each engine.  In float64 only the order of sums differs."""
    if backend == "cuda":
        request.getfixturevalue("emulator")
    x, y, lengths = rng.normal(size=(5, 4, 2)), rng.normal(size=(5, 4, 2)), np.array([4, 1, 3, 2, 4])

    def trained(comm):
        model = small(backend=backend, seed=0 if comm is None else comm.Get_rank())
        options = {
            "batch_size": 3,
            "epochs": 2,
            "seed": 1,
            "clip_norm": 0.1,
            "penalty": L1L2(l2=0.01),
            "verbose": False,
        }
        model.fit(x, y, lengths=lengths, optimizer=Adam(0.05), comm=comm, **options)
        return model.theta

    alone, found = trained(None), fake.run(2, trained)
    np.testing.assert_array_equal(*found)
    np.testing.assert_allclose(found[0], alone, rtol=0, atol=1e-12)
    assert np.abs(alone - small(backend="numpy", seed=0).theta).max() > 0.05


def test_moments_of_rank_0_are_those_of_all(rng):
    """A training goes on with an optimiser that has moments of its own on each rank, or none."""
    x, y = rng.normal(size=(2, 5, 4, 2))

    def trained(comm):
        rank = 0 if comm is None else comm.Get_rank()
        model, optimizer = small(backend="numpy", seed=0), Adam(0.05)
        if rank < 2:
            model.fit(x[rank:], -y[rank:], optimizer=optimizer, seed=rank, verbose=False)
        model.fit(x, y, optimizer=optimizer, epochs=range(1, 2), seed=1, comm=comm, verbose=False)
        return model.theta, optimizer.state()

    (theta, state), found = trained(None), fake.run(3, trained)
    for own, moments_and_step in found:
        np.testing.assert_array_equal(own, found[0][0])
        np.testing.assert_allclose(own, theta, rtol=0, atol=1e-12)  # sums in another order
        assert moments_and_step.keys() == state.keys()
        for name, values in state.items():
            np.testing.assert_allclose(moments_and_step[name], values, rtol=0, atol=1e-12)


def test_ranks_go_on_in_the_middle_of_a_batch(rng, tmp_path):
    """Each with its own state of the chunk before and its own sums of metrics: with the same bits."""
    x, y = rng.normal(size=(2, 6, 5, 2))

    def trained(comm, last=None, **options):
        model = small(backend="numpy", seed=0)
        history = model.fit(
            x, y, batch_size=4, epochs=2, tbptt=2, seed=1, metrics=["mae"], comm=comm, verbose=False,
            callbacks=[] if last is None else Cuts(last), **options,
        )  # fmt: skip
        return model.theta.tolist(), dict(history)

    whole = fake.run(2, trained)
    resumed = {"checkpoint": Checkpoints(tmp_path, every=1, resume=True)}
    for step in (2, 7):  # inside the first batch, and inside the first one of the second epoch
        errors = fake.run(2, lambda comm, step=step: trained(comm, step, **resumed))
        assert [type(error) for error in errors] == [Cut] * 2
    assert fake.run(2, lambda comm: trained(comm, **resumed)) == whole


@pytest.mark.parametrize("shares", [False, True])
def test_either_all_ranks_validate_or_none(shares):
    """Or one would wait for ever for what the other does not say."""
    x, model = np.zeros((2, 3, 2)), small(backend="numpy")

    def checked(ranks):
        given = dict.fromkeys(agreement.SAME_DATA) | {"model": model, "loss": "mse", "x": x}
        agreement.check_arguments(ranks, OPTIONS, given | {"validation_data": (x, x) if ranks.first else None})

    for error in of_ranks(2, checked, shares):
        assert type(error) is ValueError
        assert "`validation` must be the same on every rank, got some on rank 0 and None on rank 1" in str(error)


@pytest.mark.parametrize("scales", [(2.0, 2.0), (2.0, 3.0)])
def test_losses_of_ones_own_are_compared_by_what_they_hold(scales):
    """Two functions of one text, which differ in a number that it reads."""

    def scaled(scale):
        return lambda y, target: (scale * float(((y - target) ** 2).mean()), scale * 2 * (y - target) / y.size)

    x, model, loss = np.zeros((2, 3, 2)), small(backend="numpy"), [scaled(scale) for scale in scales]

    def checked(ranks):
        given = dict.fromkeys(agreement.SAME_DATA) | {"model": model, "x": x, "validation_data": None}
        agreement.check_arguments(ranks, OPTIONS, given | {"loss": loss[ranks.rank]})

    for error in of_ranks(2, checked):
        assert error is None if scales[0] == scales[1] else "`loss` must be the same on every rank" in str(error)


def test_steps_are_counted_alike_where_sequences_are_longer_on_one_rank(rng):
    """By the chunks of the longest one; whatever is drawn in a step is drawn by its number."""

    def trained(comm):
        T, seen = (3, 9)[comm.Get_rank()], []

        class Steps(Callback):
            def on_batch_end(self, step, logs):
                seen.append((step, logs["loss"]))

        x, y = rng.normal(size=(2, 4, T, 2))
        small(backend="numpy", seed=0).fit(
            x, y, batch_size=4, tbptt=2, seed=1, comm=ShardedData(comm), callbacks=Steps(), verbose=False
        )
        return seen

    one, other = fake.run(2, trained)
    assert one == other
    assert [step for step, _ in one] == list(range(10))  # two batches of five chunks


class Stub:
    """A trainer with a gradient, and what it was replaced by."""

    size = 2

    def __init__(self, *gradient):
        self.gradient = np.array(gradient)

    def flat(self):
        return self.gradient

    def replace(self, gradient):
        self.gradient = gradient.copy()


class Asked:
    """In the place of `Interrupt`: what has been asked for."""

    def __init__(self, asked):
        self.stop_reason = asked


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (("", "", ""), ""),
        (("", BY_SIGINT, ""), BY_SIGINT),
        (("", "", BY_SIGTERM), BY_SIGTERM),
        ((BY_SIGINT, "", BY_SIGTERM), BY_SIGTERM),  # which ends the process soon
    ],
)
def test_a_signal_to_one_rank_is_one_to_all(asked, wanted):
    """After a step, and after an epoch; of a rank without a part of the batch too."""

    def told(ranks):
        own = ranks.shared(Asked(asked[ranks.rank]))
        ranks.average(Stub(1.0, 2.0), LocalResult(), False)
        after_step, ranks.stop_reason = own.stop_reason, "nobody has looked"
        ranks.epoch_done(small(backend="numpy", seed=0), "")
        return after_step, bool(own.stop_reason)

    assert of_ranks(3, told) == [(wanted, bool(wanted))] * 3


def test_what_all_ranks_have_found_for_a_batch():
    """By hand: the mean by weights, a doubt of one, a chunk more of one; and a rank without a part has no gradient."""
    parts = [LocalResult(1.0, 3.0, True), LocalResult(7.0, 1.0, False), LocalResult(99.0, 0.0, True)]

    def found(ranks):
        ranks.shared(Asked(""))
        trainer = Stub(*[(1.0, 0.0), (5.0, 8.0), (np.nan, np.nan)][ranks.rank])
        return ranks.average(trainer, parts[ranks.rank], ranks.rank == 2), trainer.gradient.tolist()

    assert of_ranks(3, found) == [(GlobalResult(2.5, 4.0, False, True), [2.0, 2.0])] * 3


def test_what_ranks_find_together():
    """The counts of all where each has data of its own, the first value that is not finite, who wants to stop."""

    def found(ranks):
        model = small(backend="numpy", seed=0)
        ranks.shared(Asked(""))
        return (
            ranks.counts(np.array([1, ranks.rank])).tolist(),
            ranks.first_not_finite([1.0, np.inf, np.nan][ranks.rank]),
            ranks.epoch_done(model, ["", "One", "Another"][ranks.rank]),
            ranks.gather_others(ranks.rank),
        )

    assert of_ranks(3, found, shares=True) == [
        ([3, 3], np.inf, "One", [1, 2] if rank == 0 else []) for rank in range(3)
    ]
    assert [own[0] for own in of_ranks(3, found)] == [[1, rank] for rank in range(3)]


def test_parameters_that_have_come_apart_are_seen():
    """On any rank: a callback has changed them there."""

    def ended(ranks):
        ranks.shared(Asked(""))
        model = small(backend="numpy", seed=0)
        if ranks.rank == 2:
            model.theta[3] += 1e-12
        ranks.epoch_done(model, "")

    for error in of_ranks(3, ended):
        assert type(error) is RuntimeError and "the parameters of rank 2 are not those of rank 0" in str(error)


def test_what_differs_on_any_rank_is_refused():
    def checked(ranks):
        ranks.check_same({"lr": "0.1" if ranks.rank < 2 else "0.2", "y": "same"}, str)

    for error in of_ranks(3, checked):
        assert type(error) is ValueError
        assert "`lr` must be the same on every rank, got 0.1 on rank 0 and 0.2 on rank 2" in str(error)


def test_orders_of_ranks():
    """Ranks with the same data draw the same; those with data of their own do not, and rank 0 draws as one alone."""

    def drawn(ranks):
        return ranks.rng((1, 2)).integers(2**32)

    alone = ALONE.rng((1, 2)).integers(2**32)
    assert of_ranks(3, drawn) == [alone] * 3
    own = of_ranks(3, drawn, shares=True)
    assert own[0] == alone and len(set(own)) == 3


def test_all_of_a_model_is_that_of_rank_0():
    """Parameters, buffers, how far it is trained, its best weights."""

    def shared(ranks):
        model = Model(Dense(2), BatchNorm(), input_dim=2, backend="numpy", seed=ranks.rank)
        model.buffers["1.mean"] = ranks.rank
        model.trained = Trained(ranks.rank, 5, ranks.rank)
        model.best = Best(0.5, ranks.rank, "mse", model.theta.copy(), "loss", "min", None)
        optimizer = Adam(0.1)
        ranks.broadcast_start(model, optimizer)
        return model.theta.tolist(), model.buffer_vector.tolist(), model.trained, model.best.epoch

    found = of_ranks(3, shared)
    assert found[1] == found[2] == found[0] and found[0][2:] == (Trained(0, 5, 0), 0)


def test_what_ranks_cannot_do_together_is_refused():
    def checked(ranks):
        agreement.check_ranks(ranks, small(backend="numpy"), Options(metrics={}, group_by_length=ranks.shares))

    assert of_ranks(2, checked) == [None] * 2
    for error in of_ranks(2, checked, shares=True):
        assert "`group_by_length` must be False with `ShardedData`" in str(error)

    def with_statistics(ranks):
        model = Model(BatchNorm(), input_dim=2, backend="numpy")
        agreement.check_ranks(ranks, model, Options(metrics={}, group_by_length=False))

    for error in of_ranks(2, with_statistics):
        assert "`comm` needs layers without statistics of a batch" in str(error)
