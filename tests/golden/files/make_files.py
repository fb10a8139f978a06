"""Model files as `ltc_np` 0.1.0 wrote them (commit 2d5d02c), and the outputs that their models must give.

    cd CHECKOUT_OF_THAT_COMMIT && python PATH/make_files.py

Writes beside itself ``NAME.npz``, the model file, and ``outputs.npz``: ``NAME/theta``, ``NAME/y`` and ``NAME/state`` of
the NumPy backend for the inputs ``NAME/x`` and ``NAME/dt``, and of those with an optimiser ``NAME/optimizer/KEY``.
Later formats must read these files; tests/test_io.py does.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path.cwd()))

from ltc_np import (
    LTC,
    LTCRNN,
    SGD,
    Adam,
    AutoNCP,
    Bidirectional,
    CfC,
    CfCRNN,
    Dense,
    Dropout,
    FullyConnected,
    Model,
    RandomWiring,
    Residual,
    WiredCfC,
    from_config,
)

HERE = Path(__file__).parent
MODELS = {
    "gains": lambda o: LTCRNN(RandomWiring(2, 2, 5, seed=3), 2, 5, 2, solver="exponential", ode_unfolds=2, **o),
    "cfc": lambda o: CfCRNN(4, input_dim=2, mode="pure", variant="paper", backbone_units=3, proj_size=2, **o),
    "wired_cfc": lambda o: Model(WiredCfC(AutoNCP(8, 2), input_dim=2, strict=True), **o),
    "mixed_memory": lambda o: LTCRNN(FullyConnected(3, 2), 2, mixed_memory="keras", init="time_constants", **o),
    "both_ways": lambda o: Model(Bidirectional(CfC(2, input_dim=2, backbone_units=3, init={"ff1_b": 0.5}), "sum"), **o),
    "stack": lambda o: Model(
        LTC(AutoNCP(6, 3), input_dim=2, ode_unfolds=2, positivity="clip", init={"mu": (0.1, 0.2)}),
        Dropout(0.3), Residual(Dense(3, "tanh", input_dim=3)), Dense(2), return_sequences=False, **o,
    ),
    "config": lambda o: from_config(
        {"cell": "ctrnn", "units": 3, "input_dim": 2, "output_dim": 2, "solver": "rk4", "init": {"tau": [0.5, 2]}}, **o
    ),
}  # fmt: skip
OPTIMIZERS = {"gains": Adam(1e-2), "stack": SGD(1e-2, momentum=0.9)}


def main():
    outputs = {}
    for name, make in MODELS.items():
        model = make({"seed": 1, "dtype": "float64" if name == "cfc" else "float32", "backend": "numpy"})
        rng = np.random.default_rng(0)
        x, dt = rng.normal(size=(3, 4, 2)).astype(model.dtype), rng.uniform(0.1, 1, (3, 4)).astype(model.dtype)
        y = rng.normal(size=(3, 2) if name == "stack" else (3, 4, 2))
        model.freeze(next(iter(model.params)))
        optimizer = OPTIMIZERS.get(name, Adam(1e-2))
        # A validation, so that the file holds the best parameters beside the last ones.
        model.fit(x, y, dt=dt, epochs=3, batch_size=2, optimizer=optimizer, seed=0, verbose=False,
                  validation={"x": x, "y": y, "dt": dt})  # fmt: skip
        model.save(HERE / f"{name}.npz", optimizer if name in OPTIMIZERS else None)
        out, state = model(x, dt=dt, return_state=True)
        found = {"x": x, "dt": dt, "y": out, "state": state, "theta": model.theta, "trainable": model.trainable}
        if name in OPTIMIZERS:
            found |= {f"optimizer/{key}": value for key, value in optimizer.state().items()}
        outputs |= {f"{name}/{key}": np.asarray(value) for key, value in found.items()}
    np.savez_compressed(HERE / "outputs.npz", **outputs)


if __name__ == "__main__":
    main()
