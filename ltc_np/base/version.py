"""The version of this package, which exported files name too."""

__version__ = "0.2.0"
