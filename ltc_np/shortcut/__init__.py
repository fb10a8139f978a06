"""The closed-form part of a recipe: a line beside the network, fitted without steps of an optimiser."""

from .mixture import network

__all__ = ["network"]
