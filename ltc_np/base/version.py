"""The version of this package, which exported files name too."""

__version__ = "0.1.0"
