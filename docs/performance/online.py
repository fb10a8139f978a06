"""Time a step that learns beside `Model.step`, for docs/online.md.

    python docs/performance/online.py

Processor time of one thread, the least of some runs, since other programs only make a call slower.
"""

import numpy as np

from ltc_np import LTC, Adam, AutoNCP, Dense, Model, set_num_threads
from ltc_np.bench.rates import processor_seconds
from ltc_np.online import NLMS, RLS, Guard, Learner

STEPS = 500


def seconds(step):
    """Of one call of ``step``."""

    def steps():
        for _ in range(STEPS):
            step()

    return processor_seconds(steps, 15) / STEPS


def main():
    set_num_threads(1)
    model = Model(LTC(AutoNCP(19, 8)), Dense(1), input_dim=2, seed=0)
    x, target, state = np.ones(2, np.float32), np.full(1, 0.3, np.float32), model.initial_state()
    out = np.empty(1, np.float32), state
    alone = seconds(lambda: model.step(x, dt=0.5, state=state, out=out))
    print(f"step: {1e6 * alone:.1f} us")
    for rule in (NLMS(), RLS(), Adam(1e-3)):
        for guard in (None, Guard()):
            learner = Learner(model, rule, guard=guard)

            def step(learner=learner):
                learner.predict(x, dt=0.5)
                learner.learn(target)

            print(f"{rule!r}, guard {guard!r}: {seconds(step) / alone:.2f} times as long")


if __name__ == "__main__":
    main()
