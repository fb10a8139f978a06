"""Learning on a stream: a network that goes on learning while it is used (docs/online.md)."""

from .guard import Guard
from .learner import Learner
from .lms import LMS, NLMS
from .methods import EProp, Exact, Immediate, Method, SnAp
from .rls import RLS
from .rule import Rule

__all__ = ["LMS", "NLMS", "RLS", "EProp", "Exact", "Guard", "Immediate", "Learner", "Method", "Rule", "SnAp"]
