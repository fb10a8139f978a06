"""Where a network of ncps comes from: a module, a mapping or a file becomes arrays by key, and what else it says."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...base import checks, files, tensor_file
from ...base.optional import need
from ...base.types import Arrays, Numbers
from ...base.visible import visible
from .keys import roots

SAFE_TORCH = (2, 6)  # before it, a file could run code even with `weights_only`
# Tokens that wrappers put into keys: torch.compile anywhere, the others only in front, where all that is there is cut.
COMPILED = "_orig_mod"


class Source(NamedTuple):
    """One network.

    Attributes
    ----------
    arrays : dict
        By key, without what stands before all keys.
    names : dict
        key -> as it stands in the source.
    others : list of str
        Keys of the source that do not begin like the network's.
    root : str
        What stands before the network's keys.
    said : dict
        What a module says besides: arguments of `from_ncps`, but for ``wiring``.
    wiring : object or None
        That of a module.
    """

    arrays: Arrays
    names: dict[str, str]
    others: list[str]
    root: str
    said: dict[str, Any]
    wiring: Any


def read(source: Any, prefix: str | None) -> Source:
    """The network below ``prefix``, or the only one, of whatever `from_ncps` takes."""
    module = source if callable(getattr(source, "state_dict", None)) and not isinstance(source, type) else None
    if module is not None:
        tensors = module.state_dict()
    elif isinstance(source, (str, os.PathLike)):
        tensors = _read_file(pathlib.Path(source))
    else:
        tensors = source
    if isinstance(tensors, Mapping) and isinstance(tensors.get("state_dict"), Mapping):
        tensors = tensors["state_dict"]  # a checkpoint of Lightning
    if not isinstance(tensors, Mapping):
        raise TypeError(
            "`source` must be a module of ncps.torch, its state dict, or the path of a file that holds one, "
            f"got {checks.brief(tensors)}"
        )
    names: dict[str, str] = {}
    for name in tensors:
        key = without_wrappers(name)
        if key in names:
            raise ValueError(f"`source` must have every key once, got {names[key]!r} and {name!r}")
        names[key] = name
    root = _root(list(names), prefix)
    own = {key.removeprefix(root): name for key, name in names.items() if key.startswith(root)}
    others = [name for key, name in names.items() if not key.startswith(root)] if prefix is None else []
    arrays = {key: _array(name, tensors[name]) for key, name in own.items()}
    said, wiring = ({}, None) if module is None else _settings(module, root)
    return Source(arrays, own, others, root, said, wiring)


def without_wrappers(name: Any) -> str:
    """A key without the tokens of torch.compile."""
    return ".".join(token for token in checks.text("key of source", name).split(".") if token != COMPILED)


def _root(names: list[str], prefix: str | None) -> str:
    """What stands before the keys of the network that is meant."""
    found = roots(names)
    there = ", ".join(map(repr, found))
    if not found:
        some = ", ".join(map(visible, names[:6])) + (", ..." if len(names) > 6 else "")
        raise ValueError(
            "`source` must be the state dict of an LTC or a CfC of ncps.torch, of one of their cells, or of the "
            f"tutorial's LTC, got the keys {some or 'none at all'}"
        )
    if prefix is not None:
        inner = without_wrappers(checks.text("prefix", prefix)).strip(".")
        root = f"{inner}." if inner else ""
        if root not in found:
            raise ValueError(f"`prefix` must be what stands before the keys of a network ({there}), got {prefix!r}")
        return root
    if len(found) > 1:
        raise ValueError(f"`prefix` must say which network is meant, of those below {there}, got None")
    return found[0]


def _array(name: str, value: Any) -> Numbers:
    """A tensor or an array as an array of float32 or float64."""
    if callable(getattr(value, "detach", None)):
        value = value.detach().cpu()
        if "float64" not in str(value.dtype) and getattr(value.dtype, "is_floating_point", False):
            value = value.float()  # NumPy knows no bfloat16
        value = value.numpy()
    array = checks.plain(f"{name} of source", value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"`{name}` of source must be real numbers, got dtype {array.dtype}")
    return array.astype(np.float64 if array.dtype == np.float64 else np.float32)


# -------------------------------------------------------------------------------------------------------------- files


def _read_file(path: pathlib.Path) -> Mapping[str, Any]:
    """The state dict of a file; nothing in it is run."""
    files.check_readable(path, "source")
    if path.suffix == tensor_file.SUFFIX:
        return tensor_file.read(path)
    if path.suffix not in tensor_file.TORCH_FILES:
        raise ValueError(f"`source` must be a file in .safetensors or {', '.join(tensor_file.TORCH_FILES)}, got {path}")
    with open(path, "rb"):  # the system's own error where it cannot be read
        pass
    torch = need("torch", "torch", f"reading {path}")
    if tuple(int(number) for number in torch.__version__.split(".")[:2]) < SAFE_TORCH:
        raise ImportError(
            f"reading {path} needs PyTorch 2.6 or newer, got {torch.__version__}: older ones may run code of a file"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch raises whatever its parsers meet
        raise ValueError(
            f"{path}: damaged, or it holds more than tensors, and nothing else is read: save `model.state_dict()` "
            f"alone ({_first_sentence(error)})"
        ) from None
    if not isinstance(content, Mapping):
        raise ValueError(f"{path}: holds no state dict, but {checks.brief(content)}")
    return content


def _first_sentence(error: Exception) -> str:
    """The first sentence of another package's error; what follows is advice on how to read the file all the same."""
    words = f"{type(error).__name__}: {error}".splitlines()[0].split(". ")[0]
    return words if len(words) <= 120 else f"{words[:120]}..."


# ------------------------------------------------------------------------------------------------------------ modules


def _settings(module: Any, root: str) -> tuple[dict[str, Any], Any]:
    """What the network's module says besides its state dict, and its wiring or None."""
    found = {without_wrappers(name): inner for name, inner in module.named_modules()}
    network = found.get(root.rstrip("."))
    if network is None:  # hooks may give its keys any names
        raise ValueError(
            f"`source` must be a module with a part {root!r}, as its keys say: give its state dict instead"
        )
    said: dict[str, Any] = {}
    if not any(cls.__module__.partition(".")[0] == "ncps" for cls in type(network).__mro__):
        # The tutorial's layer of neurons has these, a class of one's own perhaps.
        said = {name: getattr(network, name) for name in ("ode_unfolds", "epsilon") if hasattr(network, name)}
        return said, getattr(network, "wiring", None)
    if hasattr(network, "return_sequences"):
        said["return_sequences"] = bool(network.return_sequences)
    cell = found.get(f"{root}rnn_cell", network)
    if hasattr(cell, "_implicit_param_constraints"):  # an LTC's
        said["positivity"] = "softplus" if cell._implicit_param_constraints else "clip"
        said |= {"ode_unfolds": cell._ode_unfolds, "epsilon": cell._epsilon, "output_dim": cell.motor_size}
        return said, cell._wiring
    if hasattr(cell, "layer_0"):  # a wired CfC's
        return said | {"mode": cell.layer_0.mode}, cell._wiring
    said["mode"] = cell.mode
    if cell.backbone is not None:
        name = type(cell.backbone[1]).__name__.lower()
        said["activation"] = "lecun_tanh" if name == "lecun" else name
        said["backbone_dropout"] = max((layer.p for layer in cell.backbone if hasattr(layer, "p")), default=0.0)
    return said, None
