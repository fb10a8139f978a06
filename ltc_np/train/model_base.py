"""What `fit` and its callbacks work on: a model, but for `fit` itself."""

from __future__ import annotations

from .. import io
from ..base.types import PathLike
from ..network.loss import loss_and_grad
from ..network.network import Network
from ..network.predict import predict, predict_proba
from ..network.step import step
from ..network.streams import streams
from ..network.trace import trace
from ..optim.base import Optimizer
from .data.scales import adapt
from .evaluate import evaluate


class ModelBase(Network):
    """Base of `Model`: a network with what else users do with it, each thing a file."""

    loss_and_grad = loss_and_grad
    step = step
    streams = streams
    trace = trace
    predict = predict
    predict_proba = predict_proba
    evaluate = evaluate
    adapt = adapt

    def save(self, path: PathLike, optimizer: Optimizer | None = None) -> None:
        """Write the model to one ``.npz`` file; see `ltc_np.save`."""
        io.save(path, self, optimizer)
