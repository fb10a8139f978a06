"""Models inside PyTorch: a module whose forward and backward pass are those of this library, on the processor."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ..base.calls import with_signature_hints
from ..base.checks import boolean
from ..base.optional import need
from ..base.types import Memory
from ..model import Model
from ..network.sequences import check_memory
from .functional import at, checked, new_buffers, random_layers, run

torch: Any = need("torch", "torch", "`ltc_np.interop.torch`")


class _Gradient(torch.autograd.Function):
    """What the tape of a call says of it; of all tensors that it depends on, so that none is taken for a constant."""

    @staticmethod
    def forward(tape: Any, wanted: Any, d_y: Any, d_state: Any, *tensors: Any) -> Any:
        theta, x, dt, h0 = wanted
        g = tape.calls.differentiate(tape, _array(d_y), _array(d_state), x, dt)
        each = (g.theta, theta), (g.x, x), (g.dt, dt), (g.h0, h0)
        return tuple(torch.as_tensor(values) if want else None for values, want in each)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Any) -> Any:
        raise RuntimeError("ltc_np has first derivatives only: a gradient of a TorchModel cannot be differentiated")


class _Call(torch.autograd.Function):
    """Outputs and last state of ``call.run(theta, x, dt, h0)``, which gives a tape besides."""

    @staticmethod
    def forward(call: Any, *tensors: Any) -> Any:
        y, state, call.tape = call.run(*map(_array, tensors))
        return torch.from_numpy(y), torch.from_numpy(state)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.tape, ctx.inputs = inputs[0].tape, inputs[1:]

    @staticmethod
    def backward(ctx: Any, d_y: Any, d_state: Any) -> Any:
        return None, *_Gradient.apply(ctx.tape, ctx.needs_input_grad[1:], d_y, d_state, *ctx.inputs)


class TorchModel(torch.nn.Module):
    """A model of this library as a module of PyTorch, to train inside a larger one.

    Parameters
    ----------
    model : Model
        Its present parameters and buffers are copied; layers, backend, ``return_sequences`` and what is frozen stay.
    memory : "full" or "low"
        As for `Model.forward`.

    Attributes
    ----------
    theta : torch.nn.Parameter, (P,)
        All parameters, raw.  ``model.views(module.theta.grad.numpy())["w"]`` names a part of its gradient.
    buffer_vector : torch.Tensor
        What is saved and not trained.

    Raises
    ------
    ImportError
        There is no PyTorch; the extra ``torch`` brings it.

    Notes
    -----
    ``module(x, dt=..., lengths=..., h0=..., return_state=...)`` takes what a call of the `Model` takes, tensors of the
    CPU or anything else that `Model` reads, and returns tensors.  Gradients flow to theta and to x, dt and h0 where
    these are tensors; those of x and dt are computed only where they are asked for.  There are no second derivatives.
    The module's dtype is that of theta, ``module.double()`` changes it, and tensors of other real dtypes are cast to
    it.  In training mode layers drop, by PyTorch's random numbers, and a `BatchNorm` takes each batch into
    ``buffer_vector``.

    Examples
    --------
    >>> import torch
    >>> from ltc_np import LTCRNN, AutoNCP
    >>> from ltc_np.interop.torch import TorchModel
    >>> model = torch.nn.Sequential(torch.nn.Linear(5, 3), TorchModel(LTCRNN(AutoNCP(16, 2), input_dim=3, seed=0)))
    >>> model(torch.zeros(8, 20, 5)).shape
    torch.Size([8, 20, 2])
    """

    memory: Memory

    @with_signature_hints
    def __init__(self, model: Model, *, memory: Memory = "full") -> None:
        super().__init__()
        self._model, self.memory = at(checked(model), model.theta, model.buffer_vector), check_memory(memory)
        self.theta = torch.nn.Parameter(torch.from_numpy(model.theta.copy()))
        self.register_buffer("buffer_vector", torch.from_numpy(model.buffer_vector.copy()))

    @torch.compiler.disable  # what is no tensor inside cannot be traced: `torch.compile` compiles what is around it
    @with_signature_hints
    def forward(
        self, x: Any, *, dt: Any = None, lengths: Any = None, h0: Any = None, return_state: bool = False
    ) -> Any:
        """Outputs, or outputs and the last state; see the class."""
        with_state = boolean("return_state", return_state)
        theta = self._tensor("theta", self.theta)
        inputs = [self._tensor(name, value) for name, value in (("x", x), ("dt", dt), ("h0", h0))]
        wanted = [t for t in (theta, *inputs) if isinstance(t, torch.Tensor) and t.requires_grad]
        training = self.training and random_layers(self._model)
        takes_statistics = training and self._model.layer_stack.batch_statistics
        keep = self.memory if takes_statistics or (wanted and torch.is_grad_enabled()) else None
        seed = int(torch.randint(2**63 - 1, ())) if training else None

        def compute(theta: Any, x: Any, dt: Any, h0: Any) -> Any:
            model = at(self._model, theta, _array(self.buffer_vector))
            answer = run(model, x, dt, _array(lengths), h0, keep, seed)
            if takes_statistics:
                self.buffer_vector.copy_(torch.from_numpy(new_buffers(model, answer.tape)))
            return answer

        y, state = _Call.apply(SimpleNamespace(run=compute), theta, *inputs)
        return (y, state) if with_state else y

    def _tensor(self, name: str, value: Any) -> Any:
        """A tensor of the CPU and of theta's dtype, where it is a tensor of real numbers; all else as it is."""
        if not isinstance(value, torch.Tensor):
            return value
        if value.device.type != "cpu":
            remedy = "module.cpu()" if name == "theta" else f"{name}.cpu()"
            raise TypeError(f"`{name}` must lie on the CPU, where ltc_np computes, got {value.device}: write {remedy}")
        return value.to(self.theta.dtype) if value.is_floating_point() else value

    def to_model(self) -> Model:
        """A model of this library with copies of the parameters and buffers as they are now."""
        return at(self._model, _array(self.theta), _array(self.buffer_vector))

    @torch.no_grad()
    def project(self) -> None:
        """Move parameters with ``positivity="clip"`` back to their bounds, after an optimiser's step."""
        model = self.to_model()
        model.project()
        self.theta.copy_(torch.from_numpy(model.theta))


def _array(value: Any) -> Any:
    """The numbers of a tensor, which they share where they can; anything else as it is."""
    return value.numpy(force=True) if isinstance(value, torch.Tensor) else value
