"""What a trained network does, in numbers: what an output depends on, and what is lost without a neuron.

`Model.trace` shows a network while it runs; these functions ask it questions.  They draw nothing.
"""

from . import gradcheck
from .calibration import calibrated, temperature
from .lesion import LesionStudy, lesion, lesion_study
from .multiplier import largest_multiplier
from .phase import Nullclines, nullclines
from .saliency import gradient_by_lag, saliency
from .solver_error import SolverError, solver_error

__all__ = [
    "LesionStudy",
    "Nullclines",
    "SolverError",
    "calibrated",
    "gradcheck",
    "gradient_by_lag",
    "largest_multiplier",
    "lesion",
    "lesion_study",
    "nullclines",
    "saliency",
    "solver_error",
    "temperature",
]
