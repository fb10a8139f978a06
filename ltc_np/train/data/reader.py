"""The data that `fit` is given: which of its arguments go together, and what is made of them to take batches from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...base import checks
from ..measures import check_measures
from ..ranks.division import Division
from .arguments import DataArguments, arguments_of
from .scales import ADAPT_FIRST, warn_of_scales
from .sources import ArraySource, check_balanced, data_of
from .stream import Stream
from .times import warn_of_times

if TYPE_CHECKING:
    from ...base.types import BatchSource, ClassWeight, LibraryLoss, Missing
    from ...metrics.base import Metric
    from ...network.network import Network
    from ..ranks.communication import Alone
    from .batches import Batches
    from .sources import Data


class DataReader(NamedTuple):
    """Reads all data of one training.

    Attributes
    ----------
    model : Model
    loss : callable
        From `losses.get`.
    missing : "error" or "ignore"
    measures : dict of str to Metric
        Which have to fit the data.
    ranks : Alone
    """

    model: Network
    loss: LibraryLoss
    missing: Missing
    measures: dict[str, Metric]
    ranks: Alone

    def stream(self, given: BatchSource, steps_per_epoch: int | None) -> Stream:
        """What a user's own batches come from; the first one is looked at when it comes."""

        def look(batches: Batches) -> None:
            check_measures(self.measures, self.model, batches, whole=False)
            self.warn(batches)

        return Stream(self.model, given, steps_per_epoch, self.loss, self.missing, look, self.ranks)

    def shuffled(
        self,
        given: DataArguments,
        batch_size: int,
        drop_last: bool,
        shuffle: bool,
        group_by_length: bool,
        class_weight: ClassWeight,
        tbptt: int | None,
    ) -> tuple[ArraySource, Batches]:
        """What batches of sequences come from, and `Batches` of the sequences, or of some if they lie in a file."""
        data = self._data(given)
        division = Division(self.ranks, data.count, batch_size, drop_last)
        if not division.batches:
            raise ValueError(
                f"`batch_size` must be at most the {division.count} sequences with `drop_last`, got {batch_size}"
            )
        check_balanced(class_weight, data)
        seen = data.sample()
        if tbptt is not None:
            _check_tbptt(self.model, seen)
        self._check_measures(data, seen)
        return ArraySource(data, division, shuffle, group_by_length), seen

    def validation(self, given: DataArguments, argument: str) -> Data:
        """The data of validation; errors say that they came by this argument."""
        try:
            data = self._data(given)
            self._check_measures(data, data.sample())
        except (ValueError, TypeError) as error:
            raise type(error)(f"`{argument}`: {error}") from None
        return data

    def warn(self, batches: Batches) -> None:
        """Warnings about numbers that a network hardly learns from."""
        if self.ranks.first:
            warn_of_scales(self.model, batches, self.loss)
            warn_of_times(batches)

    def _data(self, given: DataArguments) -> Data:
        return data_of(self.model, given, self.loss, self.missing, not self.ranks.shares)

    def _check_measures(self, data: Data, sample: Batches) -> None:
        check_measures(self.measures, self.model, sample, whole=sample is data and not self.ranks.shares)


def check_stream(
    given: DataArguments,
    validation_split: float | None,
    tbptt: int | None,
    drop_last: bool,
    group_by_length: bool,
    class_weight: ClassWeight,
    standardize: bool,
) -> None:
    """Refuse arguments that are for data which are at hand as a whole, where `x` gives batches."""
    others = given._asdict() | {"validation_split": validation_split, "tbptt": tbptt}
    del others["x"]
    for name, value in others.items():
        if value is not None:
            hint = f": a batch is (x, y) or a dict, which may have {name}" if name in DataArguments._fields else ""
            raise ValueError(f"`{name}` must be left out where `x` gives batches, got {checks.brief(value)}{hint}")
    for name, value in (("drop_last", drop_last), ("group_by_length", group_by_length)):
        if value:
            raise ValueError(f"`{name}` must be left out where `x` gives batches, got True")
    check_balanced(class_weight, None)
    if standardize:
        raise ValueError(f"`standardize` must be False with an `x` that gives batches, got True: {ADAPT_FIRST}")


def check_arrays(
    given: DataArguments, steps_per_epoch: int | None, validation_split: float | None, validation: DataArguments | None
) -> None:
    """Refuse arguments that are for batches, where `x` is data, and targets or validation data that cannot be meant."""
    if steps_per_epoch is not None:
        got, of_list = checks.brief(steps_per_epoch), "; a list is data: of batches give `lambda epoch: batches`"
        rule = "`steps_per_epoch` is for an `x` that gives batches"
        raise ValueError(f"{rule}, got {got}{of_list if isinstance(given.x, list) else ''}")
    if given.y is None:
        of_list = ": of batches give `lambda epoch: batches`" if isinstance(given.x, (list, tuple)) else ""
        raise TypeError(f"`y` must be given with an `x` that gives no batches, got None{of_list}")
    if validation_split is not None and validation is not None:
        raise ValueError("`validation_split` and `validation_data` must not be given both: choose one")


def read_validation(data: Any) -> DataArguments | None:
    """`DataArguments` of ``validation_data``, None for None."""
    return None if data is None else arguments_of("`validation_data`", data)


def _check_tbptt(model: Network, data: Batches) -> None:
    """Refuse what cannot be cut into chunks of steps."""
    if not model.return_sequences:
        raise ValueError("`tbptt` needs a model that gives an output at every step, got one of return_sequences=False")
    for layer in model.layers:
        if not layer.causal:
            raise ValueError(f"`tbptt` needs layers whose flag `causal` is True, got {layer!r}")
    B, T, shape = data.count, data.steps, data.whole.target.shape
    if shape[1:2] != (T,):
        raise ValueError(f"`y` must be (B, T, ...) = ({B}, {T}, ...) with `tbptt`, got shape {shape}")
