"""Networks of ncps, in and out.

`from_ncps` makes a `Model` of a network of ncps.torch 1.0.1, and `to_ncps` the other way round, with equal outputs.
Neither needs ncps or PyTorch: what is read may be a module, a state dict of tensors or arrays, or a file.
docs/ncps.md says which of ncps' arguments a state dict does not keep, and what becomes of states.
"""

from __future__ import annotations

from typing import Any, Literal

from ...base import checks
from ...base.calls import with_signature_hints
from ...base.types import Arrays, BackboneActivation, Backend, CfCMode, DType
from ...cells.cfc import BACKBONE_ACTIVATIONS
from ...model import Model
from .reading import model_of
from .writing import module_of, state_dict_of

__all__ = ["from_ncps", "to_ncps"]


@with_signature_hints
def from_ncps(
    source: Any,
    *,
    prefix: str | None = None,
    wiring: Any = None,
    output_dim: int | None = None,
    positivity: Literal["softplus", "clip"] | None = None,
    ode_unfolds: int | None = None,
    epsilon: float | None = None,
    mode: CfCMode | None = None,
    activation: BackboneActivation | None = None,
    backbone_dropout: float | None = None,
    return_sequences: bool | None = None,
    dtype: DType | None = None,
    backend: Backend = "auto",
) -> Model:
    """A model with the weights of an LTC or a CfC of ncps.torch, or of the tutorial's LTC.

    Parameters
    ----------
    source : module, mapping, str or Path
        A module of ncps.torch (LTC, CfC, or one of their cells), or one that has it inside; a state dict, of tensors or
        of arrays; or a file of one: ``.safetensors``, or ``.pt``, ``.pth``, ``.ckpt``, ``.bin``, which need PyTorch 2.6
        or newer (extra ``torch``).  No code in a file is run.
    prefix : str, optional
        What stands before the network's keys, such as ``"rnn."``; keys that begin otherwise are not read then.  Left
        out, it is found, and all keys must belong to the network.
    wiring : Wiring, or a wiring of ncps or of the tutorial, optional
        Of an LTC and a wired CfC: polarities, ids and layers, which a state dict does not keep.  Its synapses must be
        those of the masks.  The tutorial does not save its masks: there it must be given.
    output_dim : int, optional
        Motor neurons of an LTC; needed where there is neither an output mapping nor a wiring.
    positivity : "softplus" or "clip", optional
        Of an LTC: ``"softplus"`` for ncps' ``implicit_param_constraints=True``, ``"clip"`` for False.  Default: as in
        ncps, ``"softplus"`` for an LTC and ``"clip"`` for an LTCCell; the tutorial's is always ``"softplus"``.
    ode_unfolds, epsilon : int, float, optional
        Of an LTC; default 6 and 1e-8.
    mode : "default", "no_gate" or "pure", optional
        Of a CfC.  ``"pure"`` is seen; between the other two keys do not tell, and ``"default"`` is taken.
    activation : str, optional
        Of a CfC's backbone; default ``"lecun_tanh"``.
    backbone_dropout : float, optional
        Of a CfC; default 0, with a warning where the keys show that there was some.
    return_sequences : bool, optional
        Default True.
    dtype : "float32" or "float64", optional
        Default: that of the weights; float32 for shorter ones.
    backend : str
        As for `Model`.

    Returns
    -------
    Model
        An `LTCRNN` or a `CfCRNN`.

    Raises
    ------
    ValueError
        Keys are missing, unknown or misshapen (one error names all of them), an argument contradicts the source or has
        no meaning for it, a file is damaged.
    TypeError, ImportError, OSError
        Something else than a network; PyTorch is not there, or too old; the file cannot be opened.

    Notes
    -----
    A module says all of this itself; an argument that contradicts it is an error.

    Examples
    --------
    >>> from ltc_np import LTCRNN, AutoNCP
    >>> from ltc_np.interop.ncps import from_ncps, to_ncps
    >>> state_dict = to_ncps(LTCRNN(AutoNCP(16, 2), input_dim=3, seed=0))
    >>> from_ncps(state_dict, wiring=AutoNCP(16, 2)).layout.size
    226
    """
    given = {
        "wiring": wiring,
        "output_dim": output_dim,
        "positivity": positivity,
        "ode_unfolds": ode_unfolds,
        "epsilon": epsilon,
        "mode": mode,
        "activation": activation,
        "backbone_dropout": backbone_dropout,
        "return_sequences": return_sequences,
    }
    if return_sequences is not None:
        checks.boolean("return_sequences", return_sequences)
    if activation is not None:
        checks.one_of("activation", activation, BACKBONE_ACTIVATIONS)
    return model_of(source, prefix, given, dtype, backend)


@with_signature_hints
def to_ncps(model: Model, *, as_module: bool = False) -> Arrays | Any:
    """The state dict with which ncps.torch computes what a model does.

    Parameters
    ----------
    model : Model
        Of one cell: an `LTC` with the solver ``"semi_implicit"``, a `CfC` or a `WiredCfC` in variant ``"torch"``; or it
        in a `MixedMemory` of topology ``"torch"``; behind a CfC may be a `Dense` without activation.
    as_module : bool
        True: the module of ncps.torch itself, in evaluation mode; needs ncps and PyTorch (extra ``ncps``).  Save its
        state dict: the class of its wiring cannot be pickled.

    Returns
    -------
    dict of arrays, or torch.nn.Module
        The dict has the keys of ncps' LTC or CfC, and arrays of the model's dtype; of tensors made of them PyTorch's
        ``load_state_dict`` takes all.

    Raises
    ------
    ValueError, TypeError
        ncps has no such network; the error says what it lacks.
    ImportError
        ncps or PyTorch is not there.

    Examples
    --------
    >>> from ltc_np import CfCRNN
    >>> state_dict = to_ncps(CfCRNN(4, input_dim=3, proj_size=2, seed=0))
    >>> state_dict["rnn_cell.backbone.0.weight"].shape, state_dict["fc.weight"].shape
    ((128, 7), (2, 4))
    """
    return module_of(model) if checks.boolean("as_module", as_module) else state_dict_of(model)
