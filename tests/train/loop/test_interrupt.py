"""Ctrl-C during `fit`: the first ends it well, the second at once; signals, threads and handlers of others."""

import signal
import threading

import numpy as np
import pytest
from support.backends import BACKENDS
from support.processes import python

from ltc_np import LTCRNN, SGD, AutoNCP, Callback, Checkpoint, Checkpoints, load
from ltc_np.train.loop.interrupt import Interrupt, message

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals of POSIX")


def sines(n=24, T=8):
    t = np.linspace(0, 3, n)[:, None] + 0.4 * np.arange(T + 1)
    return np.sin(t[:, :-1, None]), np.sin(t[:, 1:, None])


def small():
    return LTCRNN(AutoNCP(8, 1), 1, seed=0)


class Presses(Callback):
    """Presses Ctrl-C after some steps, or at the end of some epochs, and writes down all that happens."""

    def __init__(self, *steps, epochs=(), number=signal.SIGINT):
        self.steps, self.epochs, self.seen, self.number = steps, epochs, [], number

    def on_batch_end(self, step, logs):
        self.seen.append(step)
        if step in self.steps:
            signal.raise_signal(self.number)

    def on_epoch_end(self, epoch, logs):
        self.seen.append(f"epoch {epoch}")
        if epoch in self.epochs:
            signal.raise_signal(self.number)

    def on_train_end(self):
        self.seen.append("end")


@pytest.fixture(autouse=True)
def python_s_own_handler():
    """As in a process of a user; afterwards it must stand there again."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


OPTIONS = {"epochs": 5, "batch_size": 8, "optimizer": SGD(0.1), "seed": 0, "verbose": 0}


def test_the_first_ends_the_batch_and_returns_the_history(capfd):
    """Three steps an epoch: after the second of the third epoch nothing more happens."""
    x, y = sines()
    model, presses = small(), Presses(7)
    history = model.fit(x, y, callbacks=presses, **OPTIONS)
    assert presses.seen == [0, 1, 2, "epoch 0", 3, 4, 5, "epoch 1", 6, 7, "end"]
    assert history.epoch == [0, 1] and len(history["loss"]) == 2
    assert history.stopped == "interrupted after 2 epochs and a part of the next one"
    assert model.trained.epochs == 2
    assert capfd.readouterr().err == message(signal.SIGINT).decode()
    by_hand, optimizer = small(), SGD(0.1)
    for epoch in range(3):
        order = np.random.default_rng([0, epoch]).permutation(24)
        for rows in order.reshape(3, 8)[: 2 if epoch == 2 else 3]:
            optimizer.step(by_hand, by_hand.loss_and_grad(x[rows], y[rows])[1])
    assert np.array_equal(model.theta, by_hand.theta)  # without validation data these are its weights


def test_the_best_weights_are_kept(tmp_path):
    x, y = sines()
    model, whole = small(), small()
    options = OPTIONS | {"validation": (x, -y), "optimizer": SGD(0.1)}
    history = model.fit(x, y, callbacks=[Presses(7), Checkpoint(tmp_path / "c.npz")], **options)
    assert history.best_epoch == int(np.argmin(history["val_loss"])) == model.best.epoch
    assert np.array_equal(model.theta, model.best.theta)
    assert len(history["val_loss"]) == 2
    optimizer = SGD(0.1)  # and the training can be resumed
    resumed = load(tmp_path / "c.npz", optimizer=optimizer)
    resumed.fit(x, y, **options | {"optimizer": optimizer, "epochs": range(2, options["epochs"])})
    whole.fit(x, y, **options | {"optimizer": SGD(0.1)})
    assert np.array_equal(resumed.theta, whole.theta)


@pytest.mark.parametrize(("steps", "epochs"), [((5,), ()), ((), (1,))])
def test_an_epoch_that_is_whole_is_finished(steps, epochs):
    """At its last step, or in a callback: it is validated, and in the history."""
    x, y = sines()
    presses = Presses(*steps, epochs=epochs)
    history = small().fit(x, y, callbacks=presses, validation=(x, y), **OPTIONS)
    assert presses.seen[-2:] == ["epoch 1", "end"]
    assert len(history["loss"]) == len(history["val_loss"]) == 2
    assert history.stopped == "interrupted after 2 epochs"


def test_in_the_first_epoch_there_is_a_history_without_epochs():
    history = small().fit(*sines(), callbacks=Presses(0), **OPTIONS)
    assert dict(history) == {} and history.epoch == [] and history.best_epoch is None
    assert history.stopped == "interrupted after 0 epochs and a part of the next one"
    assert "0 epochs" in repr(history)


def test_a_chunk_ends_it_too():
    """With truncated backpropagation a batch may be long."""
    presses = Presses(4)
    small().fit(*sines(), tbptt=3, callbacks=presses, **OPTIONS)
    assert presses.seen == [0, 1, 2, 3, 4, "end"]


def test_the_second_raises_at_once_and_the_best_weights_are_kept():
    x, y = sines()
    model, presses = small(), Presses(7)

    class Twice(Callback):
        def on_batch_end(self, step, logs):
            if step == 7:
                signal.raise_signal(signal.SIGINT)
                pytest.fail("this is not reached")

    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, validation=(x, -y), callbacks=[presses, Twice()], **OPTIONS)
    assert presses.seen[-2:] == [7, "end"]
    assert np.array_equal(model.theta, model.best.theta)
    assert model.trained.epochs == 2


def test_a_last_step_that_diverges_is_seen_after_an_interrupt_too():
    x, y = sines()
    model, optimizer = small(), SGD(0.1)
    good = []

    class Lifts(Callback):
        def on_batch_end(self, step, logs):
            good.append(self.model.theta.copy())
            if step == 3:
                optimizer.lr = 1e30
            if step == 4:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(FloatingPointError, match="after the last step"), np.errstate(all="ignore"):
        model.fit(x, y, callbacks=Lifts(), **OPTIONS | {"optimizer": optimizer})
    assert np.array_equal(model.theta, good[3])


def test_handlers_of_others_are_left_alone():
    caught, presses = [], Presses(0)
    signal.signal(signal.SIGINT, own := lambda number, frame: caught.append(number))
    try:
        history = small().fit(*sines(), callbacks=presses, **OPTIONS)
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert caught == [signal.SIGINT] and len(history.epoch) == 5

    class Takes(Callback):
        def on_epoch_end(self, epoch, logs):
            signal.signal(signal.SIGINT, own)

    try:
        small().fit(*sines(), callbacks=Takes(), **OPTIONS)
        assert signal.getsignal(signal.SIGINT) is own  # also one that came during training
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_threads_train_without_signals():
    results, handlers = [], []

    def work():
        handlers.append(signal.getsignal(signal.SIGINT))
        results.append(small().fit(*sines(), **OPTIONS))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results[0].stopped == "all epochs done"
    assert handlers == [signal.default_int_handler]


def test_one_inside_of_another_leaves_it_in_charge():
    x, y = sines()

    def inner(epoch, logs):
        if epoch == 0:
            history = small().fit(x, y, callbacks=Presses(0), **OPTIONS)
            assert history.stopped == "all epochs done"

    history = small().fit(x, y, callbacks=inner, **OPTIONS)
    assert history.stopped == "interrupted after 1 epoch"


def test_a_signal_that_comes_before_or_after_is_python_s():
    with Interrupt() as interrupt:
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert not interrupt.stop_reason


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_a_process_that_gets_the_signal_from_outside(times):
    """From another thread, in the middle of training."""
    done = python(
        """
        import signal, sys, threading, time
        import numpy as np
        from ltc_np import LTCRNN, AutoNCP

        x = np.random.default_rng(0).normal(size=(64, 20, 1))
        model = LTCRNN(AutoNCP(16, 1), 1, seed=0, backend=sys.argv[1])
        times, began = int(sys.argv[2]), threading.Event()

        def press():
            began.wait()
            for _ in range(times):  # the second when the first has been noticed
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                while signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
                    time.sleep(0.001)

        thread = threading.Thread(target=press)
        thread.start()

        def note(epoch, logs):
            if epoch == 2:
                began.set()
                for _ in range(6000 if times == 2 else 0):  # short ones: a signal just before one does not end it
                    time.sleep(0.01)

        try:
            history = model.fit(x, x, epochs=10**6, validation=(x, x), callbacks=note, verbose=0)
        except KeyboardInterrupt:
            print("KeyboardInterrupt", np.array_equal(model.theta, model.best.theta))
        else:
            print(len(history.epoch) >= 3, history.stopped.split()[0], np.array_equal(model.theta, model.best.theta))
        thread.join()
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
        """,
        arguments=[BACKENDS[-1], str(times)],
        timeout=120,
    )
    wanted = ["True interrupted True", "True"] if times == 1 else ["KeyboardInterrupt True", "True"]
    assert done.stdout.splitlines() == wanted
    assert done.stderr.strip() == message(signal.SIGINT).decode().strip()


# ----------------------------------------------------------------------------------------------- with checkpoints


def newest(folder):
    return max(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("number", "word"),
    [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")],
    ids=["SIGINT", "SIGTERM"],
)
@pytest.mark.parametrize("step", [6, 7, 8])
def test_a_checkpoint_is_written_and_training_goes_on_from_it(number, word, step, tmp_path, capfd):
    """After a step inside an epoch, and after the last step of an epoch, which is then validated."""
    x, y = sines()
    options, whole, model = OPTIONS | {"validation": (x, -y), "metrics": "mae"}, small(), small()
    expected = whole.fit(x, y, **options | {"optimizer": SGD(0.1)})
    presses = Presses(step, number=number)
    history = model.fit(
        x, y, callbacks=presses, checkpoint=Checkpoints(tmp_path, every=100), **options | {"optimizer": SGD(0.1)}
    )  # fmt: skip
    epochs = (step + 1) // 3
    assert history.stopped == f"{word} after {epochs} epochs" + ("" if step == 8 else " and a part of the next one")
    assert capfd.readouterr().err == message(number).decode()
    assert presses.seen[-1] == "end" and history.epoch == list(range(epochs))
    assert np.array_equal(model.theta, model.best.theta)
    assert newest(tmp_path) == f"step-{step + 1:08d}.npz"
    again = small()
    history = again.fit(x, y, checkpoint=Checkpoints(tmp_path, resume=True), **options | {"optimizer": SGD(0.1)})
    assert np.array_equal(again.theta, whole.theta)
    assert (history, history.stopped) == (expected, expected.stopped)


def test_the_signal_of_clusters_is_left_alone_without_checkpoints():
    with Interrupt():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with Interrupt(terminates=True) as interrupt:
        signal.raise_signal(signal.SIGTERM)
        assert interrupt.stop_reason == "terminated"
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # the next one ends the process
        signal.raise_signal(signal.SIGINT)
        assert interrupt.stop_reason == "interrupted"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with Interrupt(terminates=True):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN  # as a parent process may have set it
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_a_process_that_is_terminated_from_outside(times, tmp_path):
    """After the first signal it writes a checkpoint, and goes on after `fit`; the second signal ends it."""
    done = python(
        """
        import os, signal, sys, threading, time
        import numpy as np
        from ltc_np import LTCRNN, AutoNCP, Checkpoints

        x = np.random.default_rng(0).normal(size=(64, 20, 1))
        model = LTCRNN(AutoNCP(16, 1), 1, seed=0, backend="numpy")
        times, began = int(sys.argv[2]), threading.Event()

        def ends():
            began.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            while times == 2 and signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
                time.sleep(0.001)
            if times == 2:
                time.sleep(0.5)  # the line is written only after the handler is put back
                os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=ends).start()

        def note(epoch, logs):
            began.set()
            while times == 2:
                time.sleep(0.01)

        history = model.fit(x, x, epochs=10**6, callbacks=note, verbose=0,
            checkpoint=Checkpoints(sys.argv[1], every=10**6))
        print(history.stopped.split()[0], os.listdir(sys.argv[1]) != [])
        """,
        arguments=[str(tmp_path), str(times)],
        timeout=120,
        check=False,
    )
    assert done.stderr.strip() == message(signal.SIGTERM).decode().strip()
    if times == 1:
        assert (done.returncode, done.stdout.strip()) == (0, "terminated True")
    else:
        assert (done.returncode, done.stdout.strip()) == (-signal.SIGTERM, "")
