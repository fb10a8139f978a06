"""What a function gets that `across_ranks` decorates: ranks for a communicator."""

from support import ranks as fake

from ltc_np import ShardedData
from ltc_np.train.call import across_ranks
from ltc_np.train.ranks.communication import ALONE, Ranks


@across_ranks
def given(x, *, comm=None, epochs=1):
    """What it was given."""
    kind = comm if comm is ALONE else type(comm)
    return x, kind, comm.size, comm.shares, epochs


def test_a_communicator_becomes_ranks():
    assert given(3) == given(3, comm=None) == (3, ALONE, 1, False, 1)
    assert fake.run(2, lambda comm: given(3, comm=comm, epochs=2)) == [(3, Ranks, 2, False, 2)] * 2
    assert fake.run(2, lambda comm: given(3, comm=ShardedData(comm))) == [(3, Ranks, 2, True, 1)] * 2
    assert given.__name__ == "given" and given.__doc__ == "What it was given."
