"""Which model an exported file is of."""

import numpy as np

import ltc_np
from ltc_np import LTC, Model, RandomWiring
from ltc_np.export.identity import identity


def test_every_part_of_a_model_counts():
    def model(seed=0, unfolds=6):
        return Model(LTC(RandomWiring(2, 1, 5, seed=0), ode_unfolds=unfolds), seed=seed)

    first = identity(model())
    assert first == identity(model())
    assert first["ltc_np"] == ltc_np.__version__
    other = model()
    other.buffer_vector[0] = np.nextafter(other.buffer_vector[0], np.float32(2))
    hashes = [first["sha256"], *(identity(one)["sha256"] for one in (model(1), model(0, 5), other))]
    assert len(set(hashes)) == 4
    assert all(len(one) == 64 for one in hashes)
