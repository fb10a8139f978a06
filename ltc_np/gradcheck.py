"""`ltc_np.analysis.gradcheck` by the path that the pages name: ``import ltc_np.gradcheck`` gives that module."""

import sys

from .analysis import gradcheck
from .analysis.gradcheck import check, direction

__all__ = ["check", "direction"]  # what tools find that read sources
sys.modules[__name__] = gradcheck
