"""Models become state dicts and modules of ncps.torch."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from ...base import checks
from ...base.optional import need
from ...base.types import Arrays
from ...cells import LTC, CfC, WiredCfC
from ...layers import Dense, MixedMemory
from ...network.network import Network
from ...wirings import Wiring
from .keys import positions
from .table import MASK, SENSORY_MASK, Form


def _cell_of(model: Any) -> Any:
    layer = model.layers[0]
    return layer.cell if isinstance(layer, MixedMemory) else layer


def _refuse(what: str, has: str, got: object) -> NoReturn:
    raise ValueError(f"`model` must be a network that ncps.torch has: {what} must be {has}, got {got}")


def form_of_model(model: Any) -> Form:
    """The network of ncps that a model is; an error if there is none."""
    if not isinstance(model, Network):
        raise TypeError(f"`model` must be a model of ltc_np, got {checks.brief(model)}")
    layer, *rest = model.layers
    cell = _cell_of(model)
    if not isinstance(cell, (LTC, CfC, WiredCfC)):
        _refuse("its first layer", "an LTC, a CfC or a WiredCfC, or one of them in a MixedMemory", layer)
    if isinstance(layer, MixedMemory) and layer.topology != "torch":
        _refuse("the topology of its MixedMemory", '"torch"', repr(layer.topology))
    if isinstance(cell, LTC):
        if cell.solver != "semi_implicit":
            _refuse("the LTC's solver", '"semi_implicit"', repr(cell.solver))
        if rest:
            _refuse("what stands behind an LTC", "nothing (ncps projects only a CfC)", rest[0])
        return Form(
            "ltc",
            whole=True,
            input_mapping=cell.input_mapping,
            output_mapping=cell.output_mapping,
            mixed=isinstance(layer, MixedMemory),
        )
    if cell.variant != "torch":
        _refuse("the CfC's variant", '"torch"', repr(cell.variant))
    if rest and (len(rest) > 1 or not isinstance(rest[0], Dense) or rest[0].activation is not None):
        _refuse("what stands behind a CfC", "one Dense without activation, or nothing", rest[-1])
    common: dict[str, Any] = {"mixed": isinstance(layer, MixedMemory), "projected": bool(rest), "mode": cell.mode}
    if isinstance(cell, CfC):
        backbone = positions(cell.backbone_layers, cell.backbone_dropout > 0)
        return Form("cfc", whole=True, backbone=backbone, **common)
    if cell.strict:
        _refuse("`strict` of the WiredCfC", "False", "True")
    _, last = cell.wiring.layers[-1]
    if last != tuple(range(cell.output_size)):
        _refuse(
            "the last layer of the wiring",
            f"its {cell.output_size} motor neurons, in order (ncps gives all neurons of that layer)",
            f"the neurons {last}",
        )
    return Form("wired_cfc", whole=True, layers=tuple(name for name, _ in cell.wiring.layers), **common)


def state_dict_of(model: Any) -> Arrays:
    """The state dict that `to_ncps` returns."""
    form, cell = form_of_model(model), _cell_of(model)
    # ncps, too, makes parameters positive by softplus; what is clipped here it takes as it stands in the state dict.
    clipped = getattr(cell, "positivity", None) == "clip"
    values = dict(model.effective if clipped else model.params)
    if len(model.layers) == 1:  # names of a model's parameters say the number of the layer only if there are several
        values = {f"0.{name}": array for name, array in values.items()}
    if isinstance(model.layers[0], MixedMemory):
        values["0.lstm_b"] = _with_forget_bias(values["0.lstm_b"], model.layers[0].forget_bias)
    masks, found = _masks(form, cell), {}
    for layer_number, parts in enumerate((form.table(), form.projection())):
        for key, part in parts.items():
            if part.name is None:
                array = masks[key]
            else:  # the arrays of a projection, which is a Dense, are arranged without looking at the cell
                array = part.arrangement.write(values[f"{layer_number}.{part.name}"], cell, part.name)
            found[key] = np.array(array, model.dtype, order="C")
    return found


def _with_forget_bias(b: Any, forget_bias: float) -> Any:
    """Biases of an LSTM to whose forget gates ncps adds 1, as it always does."""
    if forget_bias == 1:
        return b
    M = b.size // 4
    b = b.copy()
    b[M : 2 * M] += b.dtype.type(forget_bias - 1)
    return b


def _masks(form: Form, cell: Any) -> Arrays:
    """Masks by key."""
    if form.cell == "cfc":
        return {}
    wiring = cell.wiring
    recurrent, sensory = np.abs(wiring.adjacency_matrix), np.abs(wiring.sensory_adjacency_matrix)
    if form.cell == "ltc":
        return {f"rnn_cell.{MASK}": recurrent, f"rnn_cell.{SENSORY_MASK}": sensory}
    found = {}
    for k, name in enumerate(form.layers):
        weight = f"{name}_ff1_w"  # ncps masks ff2 alike, and the gates of time not at all
        _, shape = cell.layout.slices[weight]
        found[f"rnn_cell.layer_{k}.{MASK}"] = cell.dense(weight, np.ones(shape)).T
    return found


# ------------------------------------------------------------------------------------------------------------ modules


def call_of(model: Any) -> tuple[str, dict[str, Any]]:
    """The class of ncps.torch that has such a state dict, and the arguments it must be made with.

    Its ``units`` may be a wiring of this library.
    """
    form, cell = form_of_model(model), _cell_of(model)
    arguments: dict[str, Any] = {
        "input_size": cell.input_size,
        "units": cell.units if form.cell == "cfc" else cell.wiring,
        "return_sequences": model.return_sequences,
        "mixed_memory": form.mixed,
    }
    if form.cell == "ltc":
        of_ltc = {
            "input_mapping": cell.input_mapping,
            "output_mapping": cell.output_mapping,
            "ode_unfolds": cell.ode_unfolds,
            "epsilon": cell.epsilon,
            "implicit_param_constraints": cell.positivity == "softplus",
        }
        return LTC.__name__, arguments | of_ltc
    arguments |= {"mode": form.mode, "proj_size": model.output_size if form.projected else None}
    if form.cell == "cfc":
        arguments |= {
            "activation": cell.backbone_activation,
            "backbone_units": cell.backbone_units,
            "backbone_layers": cell.backbone_layers,
            "backbone_dropout": cell.backbone_dropout,
        }
    return CfC.__name__, arguments


def module_of(model: Any) -> Any:
    """The module that `to_ncps` returns."""
    name, arguments = call_of(model)
    torch, networks = (need(package, "ncps", "a module of ncps") for package in ("torch", "ncps.torch"))
    if isinstance(arguments["units"], Wiring):
        arguments["units"] = _wiring_of_ncps(arguments["units"])
    module = getattr(networks, name)(**arguments)
    if model.dtype == np.float64:
        module = module.double()
    state_dict = {key: torch.from_numpy(array) for key, array in state_dict_of(model).items()}
    module.load_state_dict(state_dict, strict=True)
    return module.eval()


def _wiring_of_ncps(wiring: Wiring) -> Any:
    """The same as an object of ncps, built."""
    Base: Any = need("ncps.wirings", "ncps", "a module of ncps").Wiring

    class Built(Base):  # type: ignore[misc]
        """One with synapses and layers from elsewhere."""

        @property
        def num_layers(self) -> int:
            return wiring.num_layers

        def get_neurons_of_layer(self, layer_id: int) -> list[int]:
            return wiring.get_neurons_of_layer(layer_id)

        def get_type_of_neuron(self, neuron_id: int) -> str:
            return wiring.get_type_of_neuron(neuron_id)

    built = Built(wiring.units)
    built.set_output_dim(wiring.output_dim)
    built.build(wiring.input_dim)
    built.adjacency_matrix[wiring.pre, wiring.post] = wiring.polarity
    built.sensory_adjacency_matrix[wiring.sensory_pre, wiring.sensory_post] = wiring.sensory_polarity
    return built
