"""Real `mpiexec` with 1, 2 and 4 ranks; needs mpi4py and an MPI (``pip install "ltc-np[mpi]" mpich``)."""

import json
import time
from pathlib import Path

import pytest
from support.backends import NO_KERNELS
from support.mpi import MPIEXEC, mpiexec

pytest.importorskip("mpi4py", reason="mpi4py is not installed")
if MPIEXEC is None:
    pytest.skip("there is no mpiexec", allow_module_level=True)

CASES = Path(__file__).with_name("mpi_cases.py")
EXACT, ROUNDED = 1e-13, 1e-6  # float64: sums in another order; float32: gradients are rounded too
COMPARED = dict.fromkeys(["everything", "nested", "few", "mapped", "own_loss", "own_shares", "own_batches"], EXACT)
COMPARED |= {"classes": ROUNDED, "compiled": EXACT}


# Which cases are tried with how many ranks; those that are compiled only if there are kernels for the CPU.
TRIED = {
    1: ["everything", "classes", "interrupted"],
    2: [
        *([name for name in COMPARED if not (NO_KERNELS and name == "compiled")]),
        "errors",
        "callbacks",
        "interrupted",
    ],
    4: [*(name for name in COMPARED if name != "compiled"), "interrupted"],
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What mpi_cases.py finds with a number of ranks; each is started once."""
    known = {}

    def of(ranks):
        if ranks not in known:
            done = mpiexec(ranks, CASES, tmp_path_factory.mktemp("ranks"), *TRIED[ranks], timeout=300)
            (line,) = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")] or [None]
            assert line is not None, done.stderr
            known[ranks] = json.loads(line.removeprefix("FOUND "))
        return known[ranks]

    return of


@pytest.mark.parametrize(
    ("ranks", "case"), [(ranks, case) for ranks, cases in TRIED.items() for case in cases if case in COMPARED]
)
def test_the_same_as_one_process(ranks, case, found, trust):
    results = found(ranks)
    result = results[case]
    assert result["same on all"] and result["names"]
    assert result["apart"] <= (0 if ranks == 1 else COMPARED[case])
    assert result["moved"] > 1e-3
    if case in ("everything", "classes"):
        dtype = "float64" if case == "everything" else "float32"
        trust.record("clusters", {f"ranks: {ranks}, {dtype}: largest difference from one process": result["apart"]})


def test_errors_of_all_ranks_can_be_caught(found):
    results = found(2)
    errors = results["errors"]
    wanted = {
        "batch_size": "ValueError: `batch_size` must be the same on every rank, got 4 on rank 0 and 5 on rank 1",
        "x": "ValueError: `x` must be the same on every rank, got float64 of shape (13, 9, 3)",
        "shares": "ValueError: `group_by_length` must be False with `ShardedData`",
        "statistics": "ValueError: `comm` needs layers without statistics of a batch",
        "diverged": "Diverged: loss nan",
        "parted": "RuntimeError: the parameters of rank 1 are not those of rank 0 any more",
        "metric": "ValueError: `metrics` must define `_merge` with `comm`",
    }
    assert set(errors) == set(wanted)
    for name, text in wanted.items():
        assert len(set(errors[name])) == 1, name
        assert errors[name][0].startswith(text), name


def test_callbacks_see_the_same_and_files_are_written_once(found):
    ranks, results = 2, found(2)
    result = results["callbacks"]
    assert result["logs"] == 1
    assert result["stopped"] == ["stopped by FunctionCallback after 3 epochs"] * ranks
    assert result["files"] == ["own0.csv", "own0.npz"]
    assert result["threads"] == [max(1, result["cores"] // ranks)] * ranks
    assert result["after"] == [result["cores"]] * ranks


@pytest.mark.parametrize("ranks", TRIED)
def test_a_signal_on_one_rank_ends_all_after_the_step(ranks, found):
    results = found(ranks)
    signals = ["interrupted"] if ranks == 1 else ["interrupted", "terminated"]
    wanted = [[f"{asked} after 1 epoch and a part of the next one"] * ranks for asked in signals]
    assert results["interrupted"]["stopped"] == wanted
    assert results["interrupted"]["same on all"]


FAILING = """
import os, signal, sys
import numpy as np
from mpi4py import MPI
from ltc_np import Dense, LTC, AutoNCP, Model

rank, how = MPI.COMM_WORLD.Get_rank(), sys.argv[1]
x, y = np.ones((8, 4, 2)), np.zeros((8, 4, 1))

def fail(epoch, logs):
    if epoch == 2 and rank == 1:
        if how == "raise":
            raise KeyError("lost")
        os.kill(os.getpid(), signal.SIGKILL)

model = Model(LTC(AutoNCP(6, 1, seed=0)), input_dim=2, backend="numpy", seed=0)
model.fit(x, y, epochs=10**6, comm=MPI.COMM_WORLD, callbacks=fail, verbose=False)
"""


@pytest.mark.parametrize("how", ["raise", "kill -9"])
def test_a_rank_that_fails_ends_all(how, tmp_path, trust):
    """If the job did not end, the other ranks would wait for ever."""
    script = tmp_path / "failing.py"
    script.write_text(FAILING)
    start = time.monotonic()
    done = mpiexec(2, script, how, timeout=100)
    assert done.returncode != 0
    if how == "raise":
        assert "ltc_np: rank 1 of 2 ends the training of all" in done.stderr
        assert "KeyError: 'lost'" in done.stderr
    trust.record(
        "clusters", {f"seconds until all ranks had ended after `{how}` on one": round(time.monotonic() - start)}
    )


RESUMED = """
import os, signal, sys, zlib
import numpy as np
from mpi4py import MPI
from ltc_np import Adam, AutoNCP, Checkpoints, Dense, Dropout, LTC, Model
from ltc_np.train.callbacks import Callback

comm, (folder, how) = MPI.COMM_WORLD, sys.argv[1:]
rng = np.random.default_rng(0)
x, y = rng.normal(size=(9, 8, 2)), rng.normal(size=(9, 8, 1))


class Killed(Callback):
    def on_batch_end(self, step, logs):
        if how == "kill" and step == 16 and comm.Get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)


model = Model(LTC(AutoNCP(6, 2, seed=0)), Dropout(0.3), Dense(1), input_dim=2, backend="numpy", seed=0)
history = model.fit(
    x, y, epochs=4, batch_size=4, tbptt=3, metrics="r2", optimizer=Adam(0.01), seed=1, comm=comm, verbose=False,
    checkpoint=Checkpoints(folder, every=5, resume=how == "resume"), callbacks=Killed(),
)
prints = comm.allgather(zlib.crc32(model.theta.tobytes() + repr(dict(history)).encode()))
if comm.Get_rank() == 0:
    print("FOUND", *prints)
"""


def test_a_job_that_was_killed_goes_on_with_the_same_bits(tmp_path, trust):
    """`kill -9` of a rank between two checkpoints, in the middle of a batch that is cut into chunks."""
    script = tmp_path / "resumed.py"
    script.write_text(RESUMED)
    whole = mpiexec(2, script, tmp_path / "whole", "whole")
    assert whole.returncode == 0, whole.stderr
    killed = mpiexec(2, script, tmp_path / "run", "kill")
    assert killed.returncode != 0
    assert sorted(path.name for path in (tmp_path / "run").glob("*.npz"))[-1] == "step-00000015.npz"
    resumed = mpiexec(2, script, tmp_path / "run", "resume")
    assert resumed.returncode == 0, resumed.stderr
    (found,) = {line for done in (whole, resumed) for line in done.stdout.splitlines() if line.startswith("FOUND")}
    assert len(set(found.split()[1:])) == 1
    trust.record("clusters", {"jobs of 2 ranks killed in the middle of a batch, and resumed with other bits": 0})
