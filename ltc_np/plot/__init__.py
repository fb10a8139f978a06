"""Pictures of networks, of what they compute and of how they learn, drawn by matplotlib (extra ``plot``).

Each function draws one picture on the ``ax`` that it is given, or on a new figure, and returns the Axes.  What it draws
are numbers from elsewhere: a wiring, what `fit` measured, `Model.trace`, `ltc_np.analysis`.  matplotlib is loaded by
the first picture.
"""

from .circuit import wiring
from .forecast import predictions
from .learning import learning_curves
from .look import style
from .spikes import spike_raster
from .states import states
from .synaptic import currents
from .tau import time_constants

__all__ = [
    "currents",
    "learning_curves",
    "predictions",
    "spike_raster",
    "states",
    "style",
    "time_constants",
    "wiring",
]
