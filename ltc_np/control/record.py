"""An episode as a moving picture."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from ..base import checks, files
from ..base.calls import with_signature_hints
from ..base.optional import need
from ..base.types import PathLike
from ..network.network import Network
from .distributions import Distribution
from .environments import DistributionName, Environments
from .evaluate import Evaluation, Stepper, chosen


@with_signature_hints
def record(
    policy: Network,
    environments: Environments,
    path: PathLike,
    *,
    distribution: Distribution | DistributionName = "auto",
    every: int = 1,
    longest: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Play an episode with the most likely actions, and write its pictures to a GIF.

    Parameters
    ----------
    policy : Model
    environments : Environments
        Made with ``render_mode="rgb_array"``; the first of them is shown.  They begin anew.
    path : str or Path
        The file, whose name ends with .gif, which is written whole or not at all.
    distribution : Distribution or name
        What the policy's outputs mean; see `Environments.distribution`.
    every : int >= 1
        Keep a picture of so many steps, for smaller files.  The time between pictures is that of the environment's
        ``render_fps``, but at least 20 ms, since programs show shorter ones slowly.
    longest : int >= 1
        Stop after so many steps.
    seed : int >= 0
        Of the environments.

    Returns
    -------
    Evaluation
        Of this episode, as far as it was played.

    Raises
    ------
    ImportError
        There is no Pillow, which comes with the extra ``plot``.
    OSError
        No file can be written there.
    TypeError, ValueError
        The environments make no pictures, or what does not fit.
    """
    image: Any = need("PIL.Image", "plot", "`ltc_np.control.record`")
    distribution, file_path = chosen(policy, environments, distribution), pathlib.Path(path)
    if file_path.suffix.lower() != ".gif":
        raise ValueError(f'`path` must end with ".gif", as only such files are written, got {path}')
    files.check_writable(file_path)
    every, longest = checks.integer("every", every), checks.integer("longest", longest)
    vector = environments.vector
    if vector.render_mode != "rgb_array":
        raise ValueError(
            f'`environments` must be made with render_mode="rgb_array", got {vector.render_mode!r}: '
            'Environments.make(name, 1, render_mode="rgb_array")'
        )
    stepper, state = Stepper(policy, environments.count), policy.starting_state(environments.count)
    now, pictures, total = environments.reset(checks.integer("seed", seed, 0)), [], 0.0
    for t in range(longest):
        if t % every == 0:
            pictures.append(image.fromarray(np.asarray(vector.render()[0], np.uint8)))
        state[now.began] = stepper.start[now.began]
        y, state = stepper(now.observations, now.dt, state)
        now = environments.step(distribution.actions(distribution.mode(y)))
        total += now.rewards[0]
        if now.ended[0]:
            break
    between = max(20, round(1000 * every / (vector.metadata or {}).get("render_fps", 30)))
    files.write(
        file_path,
        lambda file: pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=between, loop=0),
    )
    return Evaluation(np.array([total]), np.array([t + 1]))
