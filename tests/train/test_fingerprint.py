"""Data as text: the same where they hold the same."""

import numpy as np

from ltc_np.train.fingerprint import fingerprint


def test_fingerprints_are_of_the_content(rng, tmp_path):
    """Not of what holds it; what differs in kind, shape or a number that is looked at differs."""
    x = rng.normal(size=(3, 4, 2))
    np.save(tmp_path / "x.npy", x)
    same = x, list(x), tuple(x), x.tolist(), [row.tolist() for row in x], np.load(tmp_path / "x.npy", mmap_mode="r")
    assert {fingerprint(each) for each in same} == {fingerprint(x)}
    assert fingerprint(x).startswith("float64 of shape (3, 4, 2) with checksum ")
    assert fingerprint([1, 2.5]) == fingerprint(np.array([1, 2.5])) == fingerprint([np.array(1.0), np.array(2.5)])
    one, short = x.copy(), [*x[:2], x[2, :3]]
    one[1, 2, 0] += 1e-9
    objects = [np.array([None, k]) for k in range(2)]
    others = [
        x, one, x.astype("float32"), x[:2], x[:, :, :1], x.reshape(3, 2, 4), x[0], x[0, 0], x.T, short,
        [*x[:2], x[2, :3] + 1], [[1], [2, 3]], [[1], [2, 4]], objects, objects[::-1], [], 1.0, None, "balanced",
    ]  # fmt: skip
    assert len({fingerprint(each) for each in others}) == len(others)
    assert fingerprint(short).startswith("3 arrays of several kinds or shapes with checksum ")
    long = np.zeros((40, 2))
    for row in (0, 39):  # whatever lies between, both ends are looked at
        changed = long.copy()
        changed[row] = 1
        assert fingerprint(changed) != fingerprint(long)
    many = [np.zeros(2)] * 100
    many[1] = np.zeros(3)  # not looked at, but its length is
    assert fingerprint(many) != fingerprint([np.zeros(2)] * 100)
