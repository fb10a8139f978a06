"""Evolution with a real `mpiexec`; needs mpi4py, an MPI and cma (``pip install "ltc-np[mpi,control]" mpich``)."""

import ast

import pytest
from support.mpi import MPIEXEC, mpiexec
from support.processes import python

for package in "mpi4py", "gymnasium", "cma":
    pytest.importorskip(package, reason=f"{package} is not installed")
if MPIEXEC is None:
    pytest.skip("there is no mpiexec", allow_module_level=True)

# Prints what each rank has: of whole searches, and of one that a signal on the last rank ends.
SEARCHES = """
import functools, os, signal, sys, zlib
from ltc_np import GRU, Dense, Model
from ltc_np.control import Environments, EvolutionStrategy

comm = None
if sys.argv[1] == "together":
    from mpi4py import MPI
    comm = MPI.COMM_WORLD
last = comm is None or comm.Get_rank() == comm.Get_size() - 1
carts = functools.partial(Environments.make, "CartPole-v1", 2, observed=[0, 2])


def search(method):
    policy = Model(GRU(4), Dense(2), input_dim=2, seed=0, backend="numpy")
    return EvolutionStrategy(policy, carts, method=method, population=6, sigma=0.3, episodes=2, trials=3, comm=comm)


def told(found):
    history = {name: values for name, values in found.history.items() if name != "seconds"}
    vectors = found.policy.theta.tobytes() + found.center.theta.tobytes()
    return zlib.crc32(vectors), found.generation, found.done, found.best, found.history.stopped, history


def press(found):
    if last and found.generation == 2:
        os.kill(os.getpid(), signal.SIGINT)


signal.signal(signal.SIGINT, signal.default_int_handler)
results = []
for method in "gradient", "diagonal":
    whole, ended = search(method), search(method)
    whole.learn(3)
    ended.learn(9, callback=press)
    results += [told(whole), told(ended)]
for rank in comm.allgather(results) if comm else [results]:
    if comm is None or comm.Get_rank() == 0:
        print("FOUND", rank)
"""


def found(text):
    return [ast.literal_eval(line.removeprefix("FOUND ")) for line in text.splitlines() if line.startswith("FOUND ")]


def test_the_same_bits_as_one_process(tmp_path):
    """Parameters, returns and steps, of 2 and 4 ranks; a signal on one rank ends all after the generation."""
    script = tmp_path / "searches.py"
    script.write_text(SEARCHES)
    (alone,) = found(python(SEARCHES, arguments=["alone"]).stdout)
    assert [told[1] for told in alone] == [3, 2, 3, 2] and alone[1][4] == alone[3][4] == "interrupted"
    for ranks in 2, 4:
        done = mpiexec(ranks, script, "together")
        assert done.returncode == 0, done.stderr
        assert found(done.stdout) == [alone] * ranks
