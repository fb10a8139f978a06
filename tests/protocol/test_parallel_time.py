"""Long sequences in chunks that run side by side: the same as the sequence as it stands, of every layer."""

import numpy as np
import pytest
from protocol.calls import close, given, results, same_bits

from ltc_np import Model

# Ten times what may be left at a border, where products of other sizes are rounded in another way.
ROUNDING = {"float32": 1e-5, "float64": 1e-12}


@pytest.mark.host  # the card runs sequences as they stand
def test_chunks_are_the_sequence(layer, backend):
    """Of any lengths, from any state, with adjoints of the last one; short chunks do not forget, and run again."""
    for dtype, chunks in (("float32", 5), ("float64", 5), ("float64", 40)):
        model = Model(layer, seed=0, dtype=dtype, backend=backend)
        some = given(layer, 4, 37, dtype=dtype)
        model.parallel_time = False
        wanted = results(model, some)
        assert model.last_parallel == ()
        model.parallel_time = chunks
        found = results(model, some)
        assert [report.chunks for report in model.last_parallel] == [min(chunks, 37)] * layer.contracting
        if not layer.contracting:
            same_bits(found, wanted)
            continue
        if layer.bitwise_batch:
            assert np.array_equal(found["y"], wanted["y"])
            assert np.array_equal(found["state"], wanted["state"])
        close(found, wanted, ROUNDING[dtype], ROUNDING[dtype])
