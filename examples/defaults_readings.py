"""The recipes that defaults.py tests, each time that the test sets were read."""

from dataclasses import dataclass, field

from defaults_variants import FIRST, LONGER, Variant, job

from ltc_np.recipe import Recipe

# LSTM and GRU with what suited them best in the search, and the GRU with as many parameters as the LTC.
OTHERS = {"lstm": {"readout": "max"}, "gru": {"readout": "last+mean", "units": 37}}


@dataclass(frozen=True)
class Reading:
    """The recipes of one reading of the test sets.

    Attributes
    ----------
    name : str
    length : Variant
        How long is trained.
    then : dict
        By cell: what was the default then, and is another one now.
    """

    name: str
    length: Variant
    then: dict = field(default_factory=dict)

    def recipe(self, cell):
        """The library's defaults, and of LSTM and GRU what was best for them."""
        return Recipe(cell=cell, **OTHERS.get(cell, {}) | self.then.get(cell, {}))

    def job(self, task, cell, seed):
        """A training of the test."""
        return job(task, self.length, self.recipe(cell), seed, "test")


WIDE = {"cfc": {"backbone_units": 128}}
BEFORE = Reading("first", FIRST, WIDE)  # epochs were not counted in steps yet
SECOND = Reading("second", LONGER, WIDE)
NOW = Reading("third", LONGER)
