"""`synaptic_traces` of an LTC: the definition."""

from .synaptic_traces import bind

__all__ = ["bind"]
