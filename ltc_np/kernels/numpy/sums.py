"""Sums over whole arrays: the definition."""

from ...base.checks import surely_finite as surely_finite
