"""Mistakes of users: a line marked ``# E`` is one that `mypy --strict` and pyright must flag, and no other line.

It is checked, not run (`test_types.py`).
"""

import numpy as np

from ltc_np import (
    BPTT,
    LTC,
    LTCRNN,
    Adam,
    AutoNCP,
    BestWeights,
    Callback,
    CellConfig,
    CfC,
    CfCRNN,
    Dense,
    EarlyStopping,
    Model,
    load,
)

x, y = np.zeros((4, 5, 3)), np.zeros((4, 5, 2))
model = Model(CfC(64), Dense(2), input_dim=3)

# Names that are not quite those of arguments.
Model(CfC(64), input_dm=3)  # E
LTC(AutoNCP(16, 2), ode_unfold=6)  # E
LTCRNN(AutoNCP(16, 2), input_dim=3, ode_unfold=6)  # E
CfCRNN(32, input_dim=3, backbone_unit=64)  # E
CfC(64, hidden=3)  # E
model.fit(x, y, epcohs=3)  # E
model.fit(x, y, optimiser="adam")  # E
model.evaluate(x, y, metric=["mae"])  # E
Adam(lr=1e-3, beta_1=0.9)  # E
EarlyStopping(patience=3, min_dleta=0.1)  # E
CellConfig("LTC", units=8, inputs=3)  # E

# What must be given by name.
model.predict(x, 0.1)  # E
model(x, 0.1)  # E
model.step(x[0, 0], 0.1)  # E
CfC(64, 3)  # E

# Words that an argument cannot be.
LTC(AutoNCP(16, 2), solver="rk5")  # E
Model(Dense(2), input_dim=3, dtype="float16")  # E
Model(Dense(2), input_dim=3, backend="gpu")  # E
Dense(2, "swish")  # E
BPTT(100, memory="small")  # E
BestWeights("val_loss", mode="smallest")  # E
LTCRNN(AutoNCP(16, 2), input_dim=3, check_stability="no")  # E

# Types that an argument cannot have.
LTC(16)  # E
Model(AutoNCP(16, 2))  # E
model.fit(x, y, epochs="3")  # E
model.fit(x, y, batch_size=BPTT(100))  # E
model.fit(x, y, loss=lambda y, target: 0.5)  # E
model.fit(x, y, callbacks=EarlyStopping)  # E
load(3)  # E

# Results and attributes that there are not.
print(model.weights)  # E
loss: float = model.loss_and_grad(x, y)  # E
print(model.wiring.synapses)  # E
print(model.params.w)  # E


class Stop(Callback):
    """A callback whose method has other parameters than it is called with."""

    def on_epoch_end(self, epoch: int) -> bool:  # E
        return epoch > 3
