"""Files: a model (and an optimiser's state) in one ``.npz``, written atomically, read without running code.

The file holds flat arrays and one JSON text that names them: layers by registry name and arguments, wirings by
their edges (never by a random generator run again).
"""

import math
import os
import pathlib

import numpy as np

from . import kernels
from .base import checks
from .cells import Layer
from .layers import LAYERS
from .layers.config import CellConfig
from .network.best import Best
from .network.network import Network
from .network.trained import Trained
from .optim import Optimizer
from .wirings import Wiring

FORMAT = 2  # 1 had no `Trained`, and `Best` was always of the validation loss


class UnknownLayerError(Exception):
    """A file names a layer that the registry does not have."""


def _encode(value, arrays):
    """JSON-able form of a layer's argument; arrays go to ``arrays``, by number."""
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, Wiring):
        return {"wiring": {k: _encode(v, arrays) for k, v in value.state().items()}}
    if isinstance(value, Layer):
        return {"layer": _encode_layer(value, arrays)}
    if isinstance(value, dict):
        if not all(isinstance(k, str) for k in value):
            raise TypeError(f"what is saved must be dicts with keys of text, got the keys {list(value)!r:.60}")
        return {"dict": {k: _encode(v, arrays) for k, v in value.items()}}
    if isinstance(value, (tuple, list)):
        return {"tuple": [_encode(v, arrays) for v in value]}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"what is saved must be plain data (numbers, text, arrays, lists, dicts), got {value!r:.60}")


def _encode_layer(layer, arrays):
    name = type(layer).__name__
    if LAYERS.get(name) is not type(layer):
        raise ValueError(
            f"`model` must consist of registered layers ({', '.join(LAYERS)}) to be saved, got {name}: for a layer of "
            "your own, call ltc_np.register with its class"
        )
    return [name, _encode(layer.config(), arrays)]


def _encode_state(name, state, arrays):
    try:
        return _encode(state, arrays)
    except TypeError as error:
        raise TypeError(f"`state` of the callback {name}: {error}") from None


def _decode(value, arrays):
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "array":
        return arrays[inner]
    if kind == "wiring":
        return Wiring.from_state({k: _decode(v, arrays) for k, v in inner.items()})
    if kind == "layer":
        return _decode_layer(inner, arrays)
    if kind == "dict":
        return {k: _decode(v, arrays) for k, v in inner.items()}
    if kind == "tuple":
        return tuple(_decode(v, arrays) for v in inner)
    raise ValueError(f"unknown kind {kind!r}")


def _decode_layer(value, arrays):
    name, config = value
    if name not in LAYERS:
        raise UnknownLayerError(name)
    return LAYERS[name].from_config(_decode(config, arrays))


def save(path, model, optimizer=None):
    """Write ``model`` to ``path``, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Taken as it is; ``.npz`` is customary.
    model : Model
        Goes with how far it has been trained: its best weights, and the states of callbacks.
    optimizer : Optimizer, optional
        Its moments and step count go with it, to resume training with the same bits.

    Raises
    ------
    TypeError, ValueError
        Something else than a model or an optimiser, layers that `register` does not know, parameters that are not
        finite, a callback whose state is not plain data.  Nothing is written then.
    """
    import json  # here and in `load`: slow to import, and only files need it
    import tempfile

    path = _as_path(path)
    if not isinstance(model, Network):
        raise TypeError(f"`model` must be a model of ltc_np, got {checks.brief(model)}")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        hint = ": give the object that made the steps" if isinstance(optimizer, (str, type)) else ""
        raise TypeError(f"`optimizer` must be an Optimizer or None, got {checks.brief(optimizer)}{hint}")
    check_folder(path)
    arrays = []
    layers = [_encode_layer(layer, arrays) for layer in model.layers]
    meta = {
        "ltc_np": FORMAT,
        "model": type(model).__name__,
        "layers": layers,
        "dtype": model.dtype.name,
        "return_sequences": model.return_sequences,
        "optimizer": None if optimizer is None else [type(optimizer).__name__, _encode(optimizer.state(), arrays)],
    }
    if not np.isfinite(model.theta).all():
        raise ValueError("`model` must have finite parameters to be saved, got NaN or infinite ones")
    if model.config is not None:
        meta["config"] = model.config.to_dict()
    if model.best is not None:
        meta["best"] = model.best._asdict() | {
            "value": float(model.best.value),
            "theta": _encode(model.best.theta, arrays),
        }
    if model.trained is not None:
        meta["trained"] = model.trained._asdict() | {
            "callbacks": [[name, _encode_state(name, state, arrays)] for name, state in model.trained.callbacks]
        }
    trainable = np.zeros(0, bool) if model.trainable is None else model.trainable
    content = {"meta": np.array(json.dumps(meta)), "theta": model.theta, "buffers": model.buffer_vector}
    content |= {"trainable": trainable, **{f"array{k}": a for k, a in enumerate(arrays)}}
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez(file, **content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes private files
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _as_path(path):
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"`path` must be a str or a Path, got {type(path).__name__}")
    return pathlib.Path(path)


def check_folder(path):
    """Refuse a path whose folder does not exist."""
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"`path` must be a file, got the folder {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"`path` must lie in an existing folder, got {path}")


def check_writable(path):
    """Refuse a path whose folder is not there or takes no new file, before the work that is to be saved."""
    import tempfile

    check_folder(path)
    path = pathlib.Path(path)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(descriptor)
        os.unlink(temporary)
    except OSError as error:
        raise type(error)(f"`path` must lie in a folder that takes new files, got {path}: {error.strerror}") from None


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def load(path, kinds, backend="auto", optimizer=None):
    """Read a model that `save` wrote; see `ltc_np.load`.

    ``kinds`` are the classes of models that a file may name; the first serves for names that are not among them.
    """
    import json
    import zipfile
    import zlib

    path = _as_path(path)
    if path.is_dir():
        raise IsADirectoryError(f"`path` must be a file, got the folder {path}")
    backend = kernels.resolve(backend)
    damage = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError)
    with open(path, "rb") as file:
        try:
            loaded = np.load(file, allow_pickle=False)
            content = {} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
        except damage as error:
            kind = type(error).__name__  # its text would speak of NumPy's options
            raise ValueError(f"`path` must be a model file, {path} is none, or cannot be read ({kind})") from None
    if "meta" not in content:
        raise ValueError(f"`path` must be a model file of ltc_np, {path} is another kind of file")
    try:
        meta = json.loads(str(content["meta"]))
        version = meta["ltc_np"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"`path` must be a model file of ltc_np, {path} is another kind of file") from None
    if not isinstance(version, int) or version > FORMAT:
        raise ValueError(f"`path` must be of format <= {FORMAT}, {path} has {version!r}: update ltc_np to read it")
    try:
        model, saved_optimizer = _rebuild(meta, content, kinds, backend)
    except UnknownLayerError as error:
        raise ValueError(
            f"`path` must hold known layers, {path} has a {error}: for a layer of your own, call ltc_np.register with "
            "its class before loading"
        ) from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"`path` must be a whole model file, {path} is damaged: {error}") from None
    if optimizer is not None:
        if saved_optimizer is None:
            raise ValueError(f"`optimizer` must be left out, {path} holds no optimiser state")
        name, state = saved_optimizer
        if type(optimizer).__name__ != name:
            raise ValueError(f"`optimizer` must be of type {name} as in {path}, got {type(optimizer).__name__}")
        optimizer.load_state(state)
    return model


def _rebuild(meta, content, kinds, backend):
    arrays = [content[f"array{k}"] for k in range(sum(name.startswith("array") for name in content))]
    layers = [_decode_layer(layer, arrays) for layer in meta["layers"]]
    plain = kinds[0](*layers, seed=0, dtype=meta["dtype"], backend=backend, return_sequences=meta["return_sequences"])
    kind = next((kind for kind in kinds if kind.__name__ == meta["model"]), kinds[0])
    model = kind.__new__(kind)
    model.__setstate__(plain.__getstate__())
    for name, target in (("theta", model.theta), ("buffers", model.buffer_vector)):
        values = content[name]
        if values.shape != target.shape or values.dtype != target.dtype or not np.isfinite(values).all():
            raise ValueError(f"{name} has shape {values.shape}, dtype {values.dtype}, or is not finite")
        target[:] = values
    if "config" in meta:
        model.described_by(CellConfig.from_dict(meta["config"]))
    trainable = content["trainable"]
    if trainable.size:
        if trainable.shape != model.theta.shape or trainable.dtype != bool:
            raise ValueError(f"trainable has shape {trainable.shape}, dtype {trainable.dtype}")
        model.trainable = trainable
    if "best" in meta:
        model.best = _decode_best(meta["best"], arrays, model)
    if "trained" in meta:
        model.trained = _decode_trained(meta["trained"], arrays)
    saved = meta["optimizer"]
    return model, None if saved is None else (saved[0], _decode(saved[1], arrays))


def _decode_best(saved, arrays, model):
    best = Best(*saved) if isinstance(saved, list) else Best(**saved)  # a list in format 1
    theta = _decode(best.theta, arrays)
    if theta.shape != model.theta.shape or theta.dtype != model.dtype or not np.isfinite(theta).all():
        raise ValueError(f"best has shape {theta.shape}, dtype {theta.dtype}, or is not finite")
    value, epoch, mode = best.value, best.epoch, best.mode
    if not isinstance(value, float) or not math.isfinite(value) or not _is_count(epoch) or mode not in ("min", "max"):
        raise ValueError(f"best has value {value!r}, epoch {epoch!r}, mode {mode!r}")
    if not isinstance(best.loss, str) or not isinstance(best.monitor, str):
        raise ValueError(f"best has loss {best.loss!r}, monitor {best.monitor!r}")
    return best._replace(theta=theta)


def _decode_trained(saved, arrays):
    trained = Trained(**saved)
    if not all(map(_is_count, trained[:3])):
        raise ValueError(f"trained has epochs, seed, number {trained[:3]!r}")
    states = tuple((name, _decode(state, arrays)) for name, state in trained.callbacks)
    if not all(isinstance(name, str) and isinstance(state, dict) for name, state in states):
        raise ValueError("trained has callbacks that are no names with states")
    return trained._replace(callbacks=states)


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
