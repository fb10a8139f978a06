"""Moving pictures: as many as steps, of the first environment, whose actions are the policy's."""

import functools

import numpy as np
import pytest
from support import toys

from ltc_np import GRU, Dense, Line, Model, Residual
from ltc_np.control import Environments, evaluate, record

image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")


class Drawn(toys.Counting):
    """A white column for each step so far, on black."""

    def __init__(self, first=0, render_mode="rgb_array"):
        super().__init__(first)
        self.render_mode, self.metadata = render_mode, {"render_modes": ["rgb_array"], "render_fps": 10}

    def render(self):
        picture = np.zeros((4, 8, 3), np.uint8)
        picture[:, : self.now] = 255
        return picture


@pytest.mark.parametrize("mode", toys.MODES)
@pytest.mark.parametrize("every", [1, 2])
def test_an_episode_is_drawn(mode, every, tmp_path):
    others = functools.partial(Drawn, 1)  # whose first episode ends sooner, and has larger rewards
    vector = toys.SyncVectorEnv([Drawn, others], autoreset_mode=toys.MODES[mode])
    policy = Model(Dense(3), input_dim=3, seed=0)
    found = record(policy, Environments(vector), tmp_path / "episode.gif", every=every)
    assert found.returns.tolist() == [1 + 2 + 3 + 4 + 5] and found.lengths.tolist() == [5]
    with image.open(tmp_path / "episode.gif") as gif:
        assert gif.n_frames == len(range(0, 5, every))
        for k in range(gif.n_frames):
            gif.seek(k)
            assert gif.info["duration"] == 100 * every
            assert (np.asarray(gif.convert("L")) > 127)[0].sum() == k * every


def test_an_episode_is_cut_and_refused(tmp_path):
    policy, environments = Model(Dense(3), input_dim=3, seed=0), Environments(toys.SyncVectorEnv([Drawn]))
    assert record(policy, environments, tmp_path / "a.gif", longest=2).lengths.tolist() == [2]
    assert evaluate(policy, environments, 1).lengths.tolist() == [4]
    with pytest.raises(ValueError, match='must be made with render_mode="rgb_array", got None'):
        record(policy, Environments(toys.counting("NEXT_STEP")), tmp_path / "b.gif")
    assert not (tmp_path / "b.gif").exists()


@pytest.mark.parametrize(("rate", "every", "duration"), [(200, 1, 20), (100, 3, 30), (None, 1, 30)])
def test_pictures_are_shown_for_20_milliseconds_at_least(rate, every, duration, tmp_path):
    """A GIF has hundredths of a second; who says no rate has one of 30 pictures a second."""
    vector = toys.SyncVectorEnv([Drawn])
    vector.metadata = {name: value for name, value in vector.metadata.items() if name != "render_fps"}
    vector.metadata |= {} if rate is None else {"render_fps": rate}
    record(Model(Dense(3), input_dim=3, seed=0), Environments(vector), tmp_path / "a.GIF", every=every)
    with image.open(tmp_path / "a.GIF") as gif:
        assert gif.info["duration"] == duration and gif.info["loop"] == 0


def test_the_episode_is_the_first_of_an_evaluation(tmp_path):
    """With the same seed, and states that begin where those of the policy do."""
    beside = Residual(GRU(4), Dense(1), around=Line(1, 2, before=[0.7], weight=[[0.1], [0.9]], bias=[0.2]))
    policy, environments = Model(beside, input_dim=1, seed=0, backend="numpy"), Environments(toys.echo(2))
    environments.vector.render_mode = "rgb_array"
    environments.vector.render = lambda: np.zeros((2, 4, 4, 3), np.uint8)
    for options in {}, {"seed": 5}, {"distribution": "squashed"}:
        found = record(policy, environments, tmp_path / "a.gif", **options)
        wanted = evaluate(policy, Environments(toys.echo(1)), 1, **options)
        assert found.returns == pytest.approx(wanted.returns, rel=1e-5) and found.lengths.tolist() == [8]


def test_a_path_is_refused_before_an_episode_is_played(tmp_path):
    policy, environments = Model(Dense(3), input_dim=3, seed=0), Environments(toys.SyncVectorEnv([Drawn]))
    for path, error in ((tmp_path / "a.mp4", ValueError), (tmp_path / "none" / "a.gif", FileNotFoundError)):
        with pytest.raises(error, match="`path` must"):
            record(policy, environments, path)
    assert environments.resets == 0 and not list(tmp_path.iterdir())
