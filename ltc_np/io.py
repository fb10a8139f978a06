"""Files: a model (and an optimiser's state) in one ``.npz``, written atomically, read without running code.

The file holds flat arrays and one JSON text that names them: layers by registry name and arguments, wirings by
their edges (never by a random generator run again).  A checkpoint of `fit` is such a file too; it also says how far a
training is.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from . import kernels
from .base import archive, checks, files
from .base.calls import with_signature_hints
from .base.from_arguments import same
from .base.types import Backend, Numbers, PathLike
from .base.visible import visible
from .cells.base import Layer
from .layers import Stack, codec
from .layers.codec import Decoder
from .layers.config import CellConfig
from .network.best import Best
from .network.network import DTYPES, Network
from .network.trained import Times, Trained
from .optim import Optimizer
from .wirings import Wiring

if TYPE_CHECKING:
    import pathlib

N = TypeVar("N", bound=Network)

# In format 1 arguments had other names (`Layer.former_names`), `Best` was always of the validation loss, and there was
# no `Trained`; before format 3 there was no `archive.digest`.
FORMAT = 3
# Of a file: the arrays that it always has, before array0 and so on, and the entries of its JSON text.
MEMBERS = ("meta", "theta", "buffers", "trainable")
NEEDED = {"ltc_np", "model", "layers", "dtype", "return_sequences", "optimizer"}
OPTIONAL = {"config", "best", "trained", "notes", "training"}
MOST_WORDS = 250  # characters of a reason, which may speak of arguments of any length
# What comes of forms that make no sense.  Not MemoryError: a file is never larger than what it declares.
DAMAGE = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError)


# Endings of files of others, which no other program would read if a model of this library were in them.
FOREIGN = {
    ".h5", ".hdf5", ".keras", ".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".tflite", ".pb", ".pkl", ".pickle",
    ".joblib", ".json",
}  # fmt: skip


@with_signature_hints
def save(path: PathLike, model: Network, optimizer: Optimizer | None = None) -> None:
    """Write ``model`` to ``path``, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Taken as it is; ``.npz`` is customary, and endings of other formats such as ``.h5`` and ``.pt`` are refused.
    model : Model
        Goes with how far it has been trained: its best weights, and the states of callbacks; and with its notes.
    optimizer : Optimizer, optional
        Its moments and step count go with it, to resume training with the same bits.

    Raises
    ------
    TypeError, ValueError
        Something else than a model or an optimiser, layers that `register` does not know, parameters that are not
        finite, a callback whose state or notes that are not plain data.  Nothing is written then.
    OSError
        With ``path``: there is no room, no right, no folder.  A former file is as it was.
    """
    path = _as_path(path)
    if not isinstance(model, Network):
        raise TypeError(f"`model` must be a model of ltc_np, got {checks.brief(model)}")
    _check_optimizer(optimizer, "made the steps")
    _check_new(path)
    archive.write(path, _content(model, optimizer, None))


def checkpoint(model: Network, optimizer: Optimizer, training: Mapping[str, Any]) -> dict[str, Numbers]:
    """The arrays that `save` writes, together with how far a training is (plain data).

    Raises
    ------
    TypeError, ValueError
        As of `save`.
    """
    return _content(model, optimizer, training)


def _content(model: Network, optimizer: Optimizer | None, training: Mapping[str, Any] | None) -> dict[str, Numbers]:
    """The arrays of a file, by name."""
    import json  # slow to import, and only files need it

    encoder = codec.Encoder()
    meta = {
        "ltc_np": FORMAT,
        "model": type(model).__name__,
        "layers": [encoder.layer(layer) for layer in model.layers],
        "dtype": model.dtype.name,
        "return_sequences": model.return_sequences,
        "optimizer": None if optimizer is None else [type(optimizer).__name__, encoder.value(optimizer.state())],
    }
    if not np.isfinite(model.theta).all():
        raise ValueError("`model` must have finite parameters to be saved, got NaN or infinite ones")
    if model.config is not None:
        meta["config"] = model.config.to_dict()
    if model.best is not None:
        best = model.best._asdict() | {"value": float(model.best.value), "theta": encoder.value(model.best.theta)}
        buffers = best.pop("buffers")
        meta["best"] = best if buffers is None else best | {"buffers": encoder.value(buffers)}
    if model.trained is not None:
        for name, state in model.trained.callbacks:
            codec.check_plain(f"`state` of the callback {name}", state)
        meta["trained"] = model.trained._asdict() | {
            "callbacks": [[name, encoder.value(state)] for name, state in model.trained.callbacks]
        }
    if model.notes is not None:
        meta["notes"] = _check_notes(model.notes)
    if training is not None:
        meta["training"] = encoder.value(training)
    trainable = np.zeros(0, bool) if model.trainable is None else model.trainable
    text = json.dumps(meta)
    content = dict(zip(MEMBERS, (np.array(text), model.theta, model.buffer_vector, trainable), strict=True))
    content |= {f"array{k}": array for k, array in enumerate(encoder.arrays)}
    _check_loadable(meta, text, content)
    return content


def _check_notes(notes: Any) -> dict[str, Any]:
    """``notes`` if it is a dict that JSON gives back as it is."""
    import json

    rule = "`notes` must be a dict of text, finite numbers, bools, None, and lists and dicts of these with keys of text"
    try:
        plain = isinstance(notes, dict) and json.loads(json.dumps(notes, allow_nan=False)) == notes
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{rule}: {checks.one_line(error)}") from None
    if not plain:
        raise TypeError(f"{rule}, got {checks.brief(notes)}")
    return notes


def _check_loadable(meta: dict[str, Any], text: str, content: Mapping[str, Numbers]) -> None:
    """Refuse to write what `load` would refuse to read."""
    try:
        codec.check_text(text)
        codec.check_counts({"tuple": [{"layer": form} for form in meta["layers"]]}, _room(content))
    except ValueError as error:
        raise ValueError(f"`model` cannot be saved: {error}") from None


def _as_path(path: object) -> pathlib.Path:
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"`path` must be a str or a Path, got {type(path).__name__}")
    from pathlib import Path  # slow to import, and only files need it

    return Path(path)


def _check_optimizer(optimizer: object, what: str) -> None:
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        hint = f": give the object that {what}" if isinstance(optimizer, (str, type)) else ""
        raise TypeError(f"`optimizer` must be an Optimizer or None, got {checks.brief(optimizer)}{hint}")


def check_writable(path: PathLike) -> None:
    """Refuse a path where `save` could not write, before there is anything to lose."""
    files.check_writable(_as_path(path))


def load(path: PathLike, kinds: Sequence[type[N]], backend: Backend = "auto", optimizer: Optimizer | None = None) -> N:
    """Read a model that `save` wrote; see `ltc_np.load`.

    ``kinds`` are the classes of models that a file may name; the first serves for names that are not among them.
    """
    path = _as_path(path)
    _check_optimizer(optimizer, "is to go on")
    files.check_readable(path)
    kernels.resolve(backend)  # one that cannot be had is refused first
    with _of_file(path):
        content = archive.read(path)
        found = _rebuild(content, kinds, backend)
        if optimizer is not None:
            _restore(optimizer, found)
    return found.model  # type: ignore[return-value]  # `_rebuild` makes one of these kinds


def save_with(path: PathLike, model: Network, beside: Mapping[str, Any]) -> None:
    """`save` of a model, and beside it plain data and arrays, in the place where a checkpoint says how far it is."""
    path = _as_path(path)
    _check_new(path)
    archive.write(path, _content(model, None, beside))


def _check_new(path: pathlib.Path) -> None:
    """Refuse a path to which no model can be written, or which says that there is something else."""
    if path.suffix.lower() in FOREIGN:
        more = ", and `python -m ltc_np export` makes graphs of ONNX" if path.suffix.lower() == ".onnx" else ""
        raise ValueError(
            f"`path` must not end in {path.suffix}, which is another format: models are files of NumPy, so write "
            f"{path.with_suffix('.npz').name}{more}"
        )
    files.check_path(path)


def load_with(path: PathLike, kinds: Sequence[type[N]], backend: Backend) -> tuple[N, dict[str, Any]]:
    """What `save_with` wrote: the model, as `load` reads it, and what is beside it, {} of the file of a model alone."""
    path = _as_path(path)
    files.check_readable(path)
    kernels.resolve(backend)
    with _of_file(path):
        found = _rebuild(archive.read(path), kinds, backend)
    return found.model, found.training or {}  # type: ignore[return-value]  # as in `load`


class Found(NamedTuple):
    """What a file holds: a model; the class and the state of its optimiser, None if there is none; how far the training
    is, None if the file is no checkpoint."""

    model: Network
    optimizer: str | None
    state: dict[str, Any] | None
    training: dict[str, Any] | None


def read_checkpoint(path: pathlib.Path) -> dict[str, Numbers]:
    """The arrays of a file that was written with what `checkpoint` gave.

    Raises
    ------
    ValueError
        The file is damaged.
    """
    with _of_file(path):
        return archive.read(path, signed=True)


def load_checkpoint(path: pathlib.Path, content: Mapping[str, Numbers], kind: type[Network], backend: Backend) -> Found:
    """The `Found` of the arrays that `read_checkpoint` gave."""
    with _of_file(path):
        found = _rebuild(content, (kind,), backend)
        if found.training is None or found.state is None:
            raise archive.FileError(
                "is no checkpoint, since it holds a model without a training: call it otherwise, or give another folder"
            )
    return found


@contextlib.contextmanager
def _of_file(path: pathlib.Path) -> Iterator[None]:
    """Errors about what a file holds begin with its path."""
    try:
        yield
    except archive.FileError as error:
        raise ValueError(f"{path}: {_shortened(str(error))}{_of_others(path)}") from None
    except DAMAGE as error:
        words = str(error) if isinstance(error, ValueError) else checks.one_line(error)
        raise ValueError(f"{path}: damaged: {_shortened(words)}") from None


def _of_others(path: pathlib.Path) -> str:
    """What reads, or has written, a file that is no model file and has not the name of one."""
    from .base import tensor_file  # slow to import

    if path.suffix in (tensor_file.SUFFIX, *tensor_file.TORCH_FILES):
        return ": ltc_np.interop.ncps.from_ncps(path) reads networks of ncps for PyTorch"
    return "" if path.suffix == ".npz" else ": give a file that `save` of a model has written"


def _shortened(words: str) -> str:
    words = visible(" ".join(words.split()))
    return words if len(words) <= MOST_WORDS else f"{words[:MOST_WORDS]}..."


def _room(content: Mapping[str, Numbers]) -> int:
    """Numbers that a file holds."""
    return sum(array.size for array in content.values())


def _read_meta(content: Mapping[str, Numbers]) -> dict[str, Any]:
    """What the JSON text says: a dict of the right entries."""
    text = content.get("meta")
    if text is None or text.dtype.kind != "U" or text.ndim:
        raise archive.FileError("no model file of ltc_np: it has no meta.npy that describes a model")
    meta = codec.parse(str(text))
    if not isinstance(meta, dict) or "ltc_np" not in meta:
        raise archive.FileError("no model file of ltc_np: its meta.npy does not describe a model")
    version = meta["ltc_np"]
    if type(version) is not int or not 1 <= version <= FORMAT:
        known = f"this version of ltc_np knows 1 to {FORMAT}: update ltc_np"
        raise archive.FileError(f"format {version!r:.20} cannot be read, {known}")
    parts = {*MEMBERS, *_array_names(content)}
    lacking = (parts - {*content}) | (NEEDED - {*meta})
    surplus = ({*content} - parts) | ({*meta} - NEEDED - OPTIONAL)
    if lacking or surplus:
        raise ValueError(f"it lacks {_listed(lacking)}, and has {_listed(surplus)} that it should not have")
    return meta


def _array_names(content: Mapping[str, Numbers]) -> list[str]:
    """Names of the arrays that the JSON text refers to, if all are there."""
    return [f"array{k}" for k in range(len(content) - len(MEMBERS))]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _rebuild(content: Mapping[str, Numbers], kinds: Sequence[type[Network]], backend: Backend) -> Found:
    """What the arrays of a file stand for."""
    meta, room = _read_meta(content), _room(content)
    decoder = codec.Decoder([content[name] for name in _array_names(content)], room)
    stack = Stack(tuple(map(decoder.layer, meta["layers"])))
    dtype = np.dtype(checks.one_of("dtype", meta["dtype"], DTYPES))
    theta = _vector("theta", content["theta"], stack.layout.size, dtype)
    buffers = _vector("buffers", content["buffers"], stack.buffers.size, dtype)
    kind = next((kind for kind in kinds if kind.__name__ == meta["model"]), kinds[0])
    sequences = checks.boolean("return_sequences", meta["return_sequences"])
    model = kind.restored(stack, theta, buffers, backend, sequences)
    if content["trainable"].size:
        model.trainable = _vector("trainable", content["trainable"], theta.size, np.dtype(bool))
    if "config" in meta:
        model.described_by(_decode_config(meta["config"], stack.layers, room))
    if "best" in meta:
        model.best = _decode_best(meta["best"], decoder, model)
    if "notes" in meta:
        if not isinstance(meta["notes"], dict):
            raise ValueError(f"its notes are {checks.brief(meta['notes'])}")
        model.notes = _check_notes(meta["notes"])  # JSON's text may say NaN, which would not be saved again
    if "trained" in meta:
        model.trained = _decode_trained(meta["trained"], decoder)
    name = state = training = None
    if meta["optimizer"] is not None:
        name, state = meta["optimizer"]
        state = decoder.value(state)
        if not isinstance(name, str) or not isinstance(state, dict):
            raise ValueError(f"its optimiser {name!r:.40} has no state")
    if "training" in meta:
        training = decoder.value(meta["training"])
        if not isinstance(training, dict):
            raise ValueError(f"its training is {checks.brief(training)}")
    unused = set(range(len(decoder.arrays))) - decoder.used
    if unused:
        raise ValueError(f"nothing refers to array{min(unused)}")
    return Found(model, name, state, training)


def _vector(name: str, values: Numbers, size: int, dtype: np.dtype[Any]) -> Numbers:
    """``values``, if they are a flat array of this size and dtype, all finite."""
    if values.shape != (size,) or values.dtype != dtype or not np.isfinite(values).all():
        got = f"{values.dtype} of shape {values.shape}, or is not finite"
        raise ValueError(f"{name} must be {dtype} of shape {(size,)}, got {got}")
    return values


def _decode_config(saved: Any, layers: Sequence[Layer], room: int) -> CellConfig:
    """The `CellConfig`, if it describes the layers.

    Wirings are compared by their recipes: the same synapses might be drawn differently by another version of NumPy.
    """
    options = saved.get("options", {})
    for argument, number in [*saved.items(), *options.items()]:
        if type(number) is int:
            codec.check_count("config", argument, number, room)
    cells = [layer for layer in layers if type(layer).__name__ == saved.get("cell")]
    sizes = [(_units(cell), layers[0].input_size) for cell in cells]
    if sizes == [(saved.get("units"), saved.get("input_dim"))]:  # before a wiring of such sizes is drawn
        config = CellConfig.from_dict(saved)
        if same(list(map(_recipe, config.layers())), list(map(_recipe, layers))):
            return config
    raise ValueError("config does not describe the layers")


def _units(cell: Layer) -> Any:
    """The size of a cell, its first argument: a number, or a wiring that has it."""
    size, *_ = cell.config().values()
    return size.units if isinstance(size, Wiring) else size


def _recipe(layer: Layer) -> tuple[type[Layer], dict[str, Any]]:
    """A layer, of which a wiring is compared without its synapses."""
    arguments = layer.config()
    return type(layer), {n: a.recipe if isinstance(a, Wiring) else a for n, a in arguments.items()}


def _restore(optimizer: Optimizer, found: Found) -> None:
    """Let an optimiser go on from the state in a file."""
    if found.state is None:
        raise archive.FileError("holds no state of an optimiser: leave out `optimizer`")
    if type(optimizer).__name__ != found.optimizer:
        got = type(optimizer).__name__
        raise archive.FileError(
            f"holds the state of an optimiser of type {found.optimizer:.40}, `optimizer` is of type {got}"
        )
    for name in optimizer.moment_names:
        if name in found.state:
            theta = found.model.theta
            _vector(f"{name} of the optimiser", found.state[name], theta.size, theta.dtype)
    optimizer.load_state(found.state)


def _decode_best(saved: Any, decoder: Decoder, model: Network) -> Best:
    best = Best(*saved) if isinstance(saved, list) else Best(**saved)  # a list in format 1
    theta = _vector("best", decoder.array(best.theta), model.theta.size, model.dtype)
    value, epoch, mode = best.value, best.epoch, best.mode
    if not isinstance(value, float) or not math.isfinite(value) or not _is_count(epoch) or mode not in ("min", "max"):
        raise ValueError(f"best has value {value!r}, epoch {epoch!r}, mode {mode!r}")
    if not isinstance(best.loss, str) or not isinstance(best.monitor, str):
        raise ValueError(f"best has loss {best.loss!r}, monitor {best.monitor!r}")
    buffers = best.buffers
    if buffers is not None:
        buffers = _vector("best buffers", decoder.array(buffers), model.buffer_vector.size, model.dtype)
    return best._replace(theta=theta, buffers=buffers)


def _decode_trained(saved: Any, decoder: Decoder) -> Trained:
    trained = Trained(**saved)
    if not all(map(_is_count, trained[:3])):
        raise ValueError(f"trained has epochs, seed, number {trained[:3]!r}")
    if not isinstance(trained.loss, (str, type(None))):
        raise ValueError(f"trained has loss {trained.loss!r}")
    if trained.dt is not None:
        trained = trained._replace(dt=_decode_times(trained.dt))
    states = tuple((name, decoder.value(state)) for name, state in trained.callbacks)
    if not all(isinstance(name, str) and isinstance(state, dict) for name, state in states):
        raise ValueError("trained has callbacks that are no names with states")
    return trained._replace(callbacks=states)


def _decode_times(saved: Any) -> Times:
    ends, usual = saved[:2], saved[2] if len(saved) > 2 else None  # files of before it was kept have two numbers
    pairs = [tuple(checks.number("dt", value, low_open=True) for value in pair) for pair in (ends, usual or ends)]
    if len(saved) > 3 or any(len(pair) != 2 or pair[0] > pair[1] for pair in pairs):
        raise ValueError(f"trained has dt {saved!r}")
    (shortest, longest), (low, high) = pairs
    return Times(shortest, longest, (low, high) if usual else None)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
