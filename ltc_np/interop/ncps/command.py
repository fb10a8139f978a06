"""``python -m ltc_np convert``: files of ncps' state dicts to model files, and back."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...base import files, tensor_file
from ...base.command_line import DONE, Parser, report, run
from ...base.optional import need
from ...cells.cfc import BACKBONE_ACTIVATIONS, MODES
from ...model import load
from ...network.network import DTYPES
from ...wirings import Wiring
from . import from_ncps, to_ncps
from .writing import call_of

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Convert networks of ncps.torch: a file of a state dict (.safetensors; .pt, .pth, .ckpt and .bin need PyTorch) into a
model file (.npz), or a model file into a state dict (.safetensors, or .pt). The options say what a state dict does not;
they are those of ltc_np.interop.ncps.from_ncps, which also takes the wiring of a network.

examples:
    python -m ltc_np convert network.safetensors model.npz
    python -m ltc_np convert model.npz network.safetensors"""


def main(argv: Sequence[str]) -> int:
    """Convert one file; the exit status."""
    parser = Parser("convert", DESCRIPTION)
    parser.add_argument("source", metavar="IN", type=pathlib.Path, help="a file of a state dict, or of Model.save")
    parser.add_argument("target", metavar="OUT", type=pathlib.Path, help="what it becomes; replaced if it is there")
    parser.add_argument("--prefix", help="what stands before the network's keys")
    parser.add_argument("--output-dim", type=int, metavar="O", help="motor neurons of an LTC without an output mapping")
    parser.add_argument("--positivity", choices=("softplus", "clip"), help="of an LTC")
    parser.add_argument("--ode-unfolds", type=int, metavar="U", help="of an LTC")
    parser.add_argument("--epsilon", type=float, help="of an LTC")
    parser.add_argument("--mode", choices=MODES, help="of a CfC")
    parser.add_argument("--activation", choices=BACKBONE_ACTIVATIONS, help="of a CfC's backbone")
    parser.add_argument("--backbone-dropout", type=float, metavar="RATE", help="of a CfC")
    parser.add_argument("--dtype", choices=DTYPES, help="default: that of the weights")
    parser.add_output()
    return run(parser, _main, argv)


def _main(args: argparse.Namespace) -> int:
    options = vars(args)
    source, target, as_json, _ = (options.pop(name) for name in ("source", "target", "json", "quiet"))
    said = _convert(source, target, options)
    report({"file": str(target), "holds": said}, [f"{target}: {said}"], as_json)
    return DONE


def _convert(source: pathlib.Path, target: pathlib.Path, options: dict[str, Any]) -> str:
    """Write ``target``; what it holds, in words."""
    if source.suffix == ".npz":
        given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
        if given:
            raise ValueError(f"{', '.join(given)} must be left out where IN is a model file: it says everything itself")
        if target.suffix not in (tensor_file.SUFFIX, *tensor_file.TORCH_FILES):
            raise ValueError(f"OUT must end in .safetensors or .pt where IN is a model file, got {target}")
        files.check_path(target)
        model = load(source, backend="numpy")
        _write(target, model)
        name, arguments = call_of(model)
        shown = {key: repr(value) for key, value in arguments.items()}
        if isinstance(arguments["units"], Wiring):
            shown["units"] = "WIRING"
        return f"of ncps.torch.{name}({', '.join(f'{key}={value}' for key, value in shown.items())})"
    if target.suffix != ".npz":
        raise ValueError(f"OUT must end in .npz where IN is a state dict, got {target}")
    files.check_path(target)
    model = from_ncps(source, backend="numpy", **options)
    model.save(target)
    return repr(model)


def _write(target: pathlib.Path, model: Any) -> None:
    state_dict = to_ncps(model)
    if target.suffix == tensor_file.SUFFIX:
        tensor_file.write(target, state_dict, {"format": "pt", "ltc_np": repr(model)})
        return
    torch = need("torch", "torch", f"writing {target}")
    content = io.BytesIO()
    torch.save({key: torch.from_numpy(array) for key, array in state_dict.items()}, content)
    files.write(target, lambda file: file.write(content.getvalue()))
