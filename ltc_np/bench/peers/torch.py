"""Steps in PyTorch: an LSTM, a GRU, loops over time, and what all of them share."""

import numpy as np

from ...cells import LSTM


def _matrix(model, name, values):
    """A flat parameter as the dense (pre, post) matrix or the vector that ncps has."""
    if name.removeprefix("sensory_") not in ("w", "mu", "sigma", "erev"):
        return values
    return values.reshape(model.state_size, -1).T  # synapses are sorted by (post, pre)


def lstm_step(model, x, y, formulation=None):
    """PyTorch's LSTM of the same width; beside other cells there is nothing to compare its numbers with."""
    import torch

    peer = torch.nn.LSTM(model.input_size, model.layers[0].output_size, batch_first=True)
    if not isinstance(model.layers[0], LSTM):
        return torch_step(peer, x, y)
    torch.nn.init.zeros_(peer.bias_hh_l0)  # PyTorch adds two biases
    return torch_step(peer, x, y, model, {"w_x": peer.weight_ih_l0, "w_h": peer.weight_hh_l0, "b": peer.bias_ih_l0})


def gru_step(model, x, y, formulation=None):
    """PyTorch's GRU; its two biases of the first two gates add up, and have the same gradient."""
    import torch

    N = model.state_size
    peer = torch.nn.GRU(model.input_size, N, batch_first=True)
    step, backward = torch_step(peer, x, y, model, {"w_x": peer.weight_ih_l0, "w_h": peer.weight_hh_l0})
    b, b_hn = (torch.tensor(model.params[name]) for name in ("b", "b_hn"))
    peer.bias_ih_l0.data.copy_(b)
    peer.bias_hh_l0.data.copy_(torch.cat([torch.zeros(2 * N), b_hn]))

    def loss_and_grad():
        loss, weights = backward()
        return loss, np.concatenate([weights, peer.bias_ih_l0.grad.numpy(), peer.bias_hh_l0.grad.numpy()[2 * N :]])

    return step, loss_and_grad


def loop_step(model, x, y, formulation=None):
    """A loop over time in eager PyTorch, as people write it."""
    from .torch_loops import LOOPS

    peer = LOOPS[type(model.layers[0])](model)
    return torch_step(peer, x, y, model, dict(peer.named_parameters()))


def torch_step(peer, x, y, model=None, parameters=None, compiled=False):
    """The step, and the loss and gradient with ``model``'s values in the peer's ``parameters``, by model's names.

    Its Adam is PyTorch's fused one.
    """
    import torch

    device = next(peer.parameters()).device
    x, y = torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)
    run = torch.compile(peer) if compiled else peer
    optimizer = torch.optim.Adam(peer.parameters(), lr=1e-3, fused=True)  # 5 to 20 % less than the default for the LSTM

    def backward():
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(run(x)[0], y)
        loss.backward()
        return loss

    def step():
        backward()
        optimizer.step()

    def loss_and_grad():
        loss = backward().item()
        return loss, np.concatenate([p.grad.cpu().numpy().T.ravel() for p in ordered.values()])

    if model is None:
        return step, None
    ordered = {name: parameters[name] for name in model.params if name in parameters}
    for name, p in ordered.items():
        values = model.params[name]
        theirs = values.T if values.ndim == 2 else _matrix(model, name, values)
        p.data.copy_(torch.from_numpy(theirs.copy()))
    return step, loss_and_grad
