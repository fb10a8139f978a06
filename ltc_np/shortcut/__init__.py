"""The closed-form part of a recipe: a line beside the network, fitted without steps of an optimiser."""
