"""The data that `fit` is given: which of its options go together, and what is made of them to take batches from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from ...base import checks
from ...network.elapsed import range_of
from ...network.network import Network
from ...network.outputs import warn_of_activation
from ...network.trained import together
from ..measures import check_measures
from ..options import REFUSED, Option, Options
from ..parts import as_written
from ..ranks.communication import Alone
from ..ranks.division import Division
from .arguments import DataArguments, split
from .batches import Batches
from .scales import ADAPT_FIRST, warn_of_scales
from .sources import ArraySource, Data, check_balanced, data_of
from .stream import Stream, is_stream
from .times import warn_of_times


class TrainingData(NamedTuple):
    """What a training takes its batches from, the `Batches` that are known of it before the first step (None where `x`
    gives batches), and what is held out for validation."""

    source: ArraySource | Stream
    seen: Batches | None
    held: DataArguments | None


class DataReader(NamedTuple):
    """Reads all data of one training; its metrics have to fit them."""

    model: Network
    ranks: Alone
    options: Options

    def training(self, rows: Mapping[str, Option], chosen: Collection[str]) -> TrainingData:
        """`TrainingData` of what `fit` was given; ``chosen`` names the options that have not their default."""
        options = self.options
        given = DataArguments(*(getattr(options, name) for name in DataArguments._fields))
        if is_stream(given.x):
            check_stream(rows, chosen, options)
            return TrainingData(self._stream(), None, options.validation_data)
        check_arrays(options)
        held = options.validation_data
        if options.validation_split is not None:
            given, held = split(given, options.validation_split)
        return TrainingData(*self._arrays(given), held)

    def validation(self, held: DataArguments) -> Data:
        """The data of validation; errors say that they are about these."""
        try:
            data = self._data(held)
            self._check_measures(data, data.sample())
        except (ValueError, TypeError) as error:
            raise type(error)(f"`validation`: {error}") from None
        return data

    def warn(self, batches: Batches) -> None:
        """Warnings about numbers that a network hardly learns from."""
        if self.ranks.first:
            warn_of_scales(self.model, batches, self.options.loss)
            warn_of_activation(self.model, self.options.loss)
            warn_of_times(batches)

    def _stream(self) -> Stream:
        """What a user's own batches come from; the first one is looked at when it comes."""
        options = self.options

        def check_first(batches: Batches) -> None:
            check_measures(options.metrics, self.model, batches, whole=False)
            self.warn(batches)

        return Stream(
            self.model, options.x, options.steps_per_epoch, options.loss, options.missing, check_first, self.ranks
        )

    def _arrays(self, given: DataArguments) -> tuple[ArraySource, Batches]:
        """What batches of sequences come from, and `Batches` of the sequences, or of some if they lie in a file."""
        options, data = self.options, self._data(given)
        division = Division(self.ranks, data.count, options.batch_size, options.drop_last)
        if not division.batches:
            raise ValueError(
                f"`batch_size` must be at most the {division.count} sequences with `drop_last`, got "
                f"{options.batch_size}"
            )
        check_balanced(options.class_weight, data)
        seen = data.sample()
        if options.tbptt is not None:
            _check_tbptt(self.model, seen, options.tbptt)
        self._check_measures(data, seen)
        times = together(self.ranks.allgather(range_of(given.dt, given.lengths)))
        return ArraySource(data, division, options.shuffle, options.group_by_length, times), seen

    def _data(self, given: DataArguments) -> Data:
        return data_of(self.model, given, self.options.loss, self.options.missing, not self.ranks.shares)

    def _check_measures(self, data: Data, sample: Batches) -> None:
        check_measures(self.options.metrics, self.model, sample, whole=sample is data and not self.ranks.shares)


# What to do without an option that is refused for batches.
INSTEAD = {name: f"a batch is (x, y) or a dict, which may have {name}" for name in DataArguments._fields}
INSTEAD["standardize"] = ADAPT_FIRST
INSTEAD["augment"] = "change batches where you make them"


def check_stream(rows: Mapping[str, Option], chosen: Collection[str], options: Options) -> None:
    """Refuse options that are for data which are at hand as a whole, where `x` gives batches."""
    for name, option in rows.items():
        if option.batches == REFUSED and name in chosen:
            hint = f": {INSTEAD[name]}" if name in INSTEAD else ""
            got = checks.brief(getattr(options, name))
            raise ValueError(f"`{as_written(name)}` must be left out where `x` gives batches, got {got}{hint}")
    check_balanced(options.class_weight, None)


def check_arrays(options: Options) -> None:
    """Refuse what does not go with an `x` that is data: an option for batches (there is but one, so no column of
    `Option` says it), and targets that are missing."""
    if options.steps_per_epoch is not None:
        got, of_list = (
            checks.brief(options.steps_per_epoch),
            "; a list is data: of batches give `lambda epoch: batches`",
        )
        rule = "`steps_per_epoch` is for an `x` that gives batches"
        raise ValueError(f"{rule}, got {got}{of_list if isinstance(options.x, list) else ''}")
    if options.y is None:
        of_list = ": of batches give `lambda epoch: batches`" if isinstance(options.x, (list, tuple)) else ""
        raise TypeError(f"`y` must be given with an `x` that gives no batches, got None{of_list}")


def _check_tbptt(model: Network, data: Batches, size: int) -> None:
    """Refuse what cannot be cut into chunks of steps."""
    if not model.return_sequences:
        raise ValueError("`tbptt` needs a model that gives an output at every step, got one of return_sequences=False")
    for layer in model.layers:
        if not layer.causal:
            raise ValueError(f"`tbptt` needs layers whose flag `causal` is True, got {layer!r}")
    if size % data.stride:
        raise ValueError(f"`tbptt` must be a multiple of the {data.stride} steps of an output, got {size}")
    B, T, shape = data.count, data.steps // data.stride, data.whole.target.shape
    if shape[1:2] != (T,):
        raise ValueError(f"`y` must be (B, T, ...) = ({B}, {T}, ...) with `tbptt`, got shape {shape}")
