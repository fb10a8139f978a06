"""Steps of ncps, in PyTorch."""

from ...cells import CfC
from .torch import torch_step


def ncps_step(model, x, y, formulation=None, device="cpu", compiled=False):
    """ncps' LTC, fully connected, without input and output mappings, or its CfC; PyTorch, eager unless ``compiled``."""
    import ncps.torch

    layer = model.layers[0]
    if isinstance(layer, CfC):
        peer = ncps.torch.CfC(model.input_size, layer.units, backbone_units=layer.backbone_units)
        parts = {"backbone_{}0": "backbone.0"} | {f"{name}_{{}}": name for name in ("ff1", "ff2", "time_a", "time_b")}
        kinds = {"w": "weight", "b": "bias"}
        names = {ours.format(k): f"{theirs}.{kind}" for ours, theirs in parts.items() for k, kind in kinds.items()}
    else:
        peer = ncps.torch.LTC(
            model.input_size,
            ncps.wirings.FullyConnected(model.state_size, model.output_size),
            input_mapping=None,
            output_mapping=None,
            ode_unfolds=layer.ode_unfolds,
            epsilon=layer.epsilon,
        )
        names = {name: name for name in model.params}
    peer = peer.to(device)
    parameters = dict(peer.rnn_cell.named_parameters())
    return torch_step(peer, x, y, model, {name: parameters[theirs] for name, theirs in names.items()}, compiled)
