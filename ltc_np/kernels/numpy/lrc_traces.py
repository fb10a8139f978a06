"""`synaptic_traces` of an LRC: the definition."""

from .synaptic_traces import bind

__all__ = ["bind"]
