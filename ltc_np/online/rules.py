"""The rules for a readout, by name: what files, exports and commands know of them."""

from __future__ import annotations

from .lms import LMS, NLMS
from .rls import RLS
from .rule import Rule

RULES: dict[str, type[Rule]] = {rule.__name__: rule for rule in (LMS, NLMS, RLS)}
