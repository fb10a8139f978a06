"""Pictures of networks, of what they compute and of how they learn, drawn by matplotlib (extra ``plot``).

Each function draws one picture on the ``ax`` that it is given, or on a new figure, and returns the Axes.  What it draws
are numbers from elsewhere: a wiring, what `fit` measured, `Model.trace`, `ltc_np.analysis`.  matplotlib is loaded by
the first picture.
"""

from .analyses import gradient_by_lag, phase_portrait, saliency
from .animation import animate
from .circuit import wiring
from .forecast import predictions
from .learning import learning_curves
from .styling import style
from .traces import currents, spike_raster, states, time_constants

__all__ = [
    "animate",
    "currents",
    "gradient_by_lag",
    "learning_curves",
    "phase_portrait",
    "predictions",
    "saliency",
    "spike_raster",
    "states",
    "style",
    "time_constants",
    "wiring",
]
