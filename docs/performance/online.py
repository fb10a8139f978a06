"""Time steps that learn beside `Model.step`, for docs/online.md.

    python docs/performance/online.py

Processor time of one thread, the least of many short runs, since other programs only make a call slower.
"""

import numpy as np

from ltc_np import LTC, SGD, Adam, AdamW, AutoNCP, Dense, LrcSSM, Model, RMSprop, set_num_threads
from ltc_np.bench.rates import processor_seconds
from ltc_np.online import NLMS, RLS, Guard, Learner

STEPS, RUNS = 15, 500
OPTIMIZERS = Adam(1e-4), AdamW(1e-4), SGD(1e-4), RMSprop(1e-4)
NETWORKS = {
    "AutoNCP(19, 8), Dense": (lambda: Model(LTC(AutoNCP(19, 8)), Dense(1), input_dim=2, seed=0), (NLMS(), RLS())),
    "AutoNCP(19, 1)": (lambda: Model(LTC(AutoNCP(19, 1)), input_dim=2, seed=0), ()),
    "LrcSSM(64), Dense": (lambda: Model(LrcSSM(64), Dense(1), input_dim=2, seed=0), ()),
}


def seconds(step):
    """Of one call of ``step``."""

    def steps():
        for _ in range(STEPS):
            step()

    return processor_seconds(steps, RUNS) / STEPS


def report(name):
    make, rules = NETWORKS[name]
    model = make()
    x, target, state = np.ones(2, np.float32), np.full(1, 0.3, np.float32), model.initial_state()
    out = np.empty(1, np.float32), state
    print(name)
    for rule in (*rules, *OPTIMIZERS):
        for guard in (None, Guard()):
            learner = Learner(model, rule, guard=guard)

            def step(learner=learner):
                learner.predict(x, dt=0.5)
                learner.learn(target)

            alone = seconds(lambda: model.step(x, dt=0.5, state=state, out=out))
            both = seconds(step)
            print(
                f"    {type(rule).__name__}, guard {guard!r}: {1e6 * both:.1f} us beside {1e6 * alone:.1f} of `step`, "
                f"{both / alone:.2f} times as long"
            )


def main():
    set_num_threads(1)
    for name in NETWORKS:
        report(name)


if __name__ == "__main__":
    main()
