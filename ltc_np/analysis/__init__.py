"""What a trained network does, in numbers: what an output depends on, and what is lost without a neuron.

`Model.trace` shows a network while it runs; these functions ask it questions.  They draw nothing.
"""

from .lesion import LesionStudy, lesion, lesion_study
from .phase import Nullclines, nullclines
from .saliency import gradient_by_lag, saliency

__all__ = ["LesionStudy", "Nullclines", "gradient_by_lag", "lesion", "lesion_study", "nullclines", "saliency"]
