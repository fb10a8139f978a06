"""The least that an optimiser needs of a model."""

import math
from types import SimpleNamespace

import numpy as np


class FlatModel:
    """What an optimiser needs of a model; ``bound`` is the smallest value that `project` leaves."""

    def __init__(self, theta, trainable=None, decay=None, lr_scale=None, bound=-math.inf, backend="numpy"):
        self.theta, self.backend = np.array(theta), backend
        self.trainable = trainable
        decay = np.ones(self.theta.shape, bool) if decay is None else decay
        self.layout = SimpleNamespace(decay=decay, lr_scale=lr_scale, softplus=())
        self.bound, self.projections = bound, 0

    def project(self):
        self.projections += 1
        np.maximum(self.theta, self.theta.dtype.type(self.bound), out=self.theta)
