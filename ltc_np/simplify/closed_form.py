"""The LTC without unfolds: its published approximate solution, and the exact one with frozen conductances.

One step of length h from the potentials v takes a neuron i whose synapses are open by a_j = w_j s(z_j), with
z_j = sigma_j (v_j - mu_j), an input instead of v_j at sensory synapses, to::

    published   v_i+ = sum_j {(v_i - E_j) exp(-h (g + a_j) / cm) s(-z_j)**w_j + E_j}
    frozen      v_i+ = v_inf + (v_i - v_inf) exp(-h Q / cm),    v_inf = P / Q

with P and Q as in `ltc_np.cells.ltc`, at the old v.  docs/simplify.md derives both and says where they fail.

Source of the first: Hasani et al., "Closed-form continuous-time neural networks", Nature Machine Intelligence 4, 2022
(arXiv 2106.13898), and its code, the only one that keeps the weights of a trained LTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np

from .. import kernels
from ..base import checks
from ..base.activations import sigmoid
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike, Arrays, Backend, Ints, Keep
from ..base.workspace import Workspace
from ..cells import LTC, Layer
from ..cells.base import combine, replaced
from ..kernels.codes import EXPONENTIAL, SOLVERS, Rule
from ..model import Model, check_model
from ..wirings import Wiring
from .rebuilt import rebuilt
from .result import Data, Simplified, simplified

FORMULAS = ("published", "frozen")


class _Prepared(NamedTuple):
    """What calls need of the parameters: NumPy's form of them, they themselves, the kernels of mappings and solvers."""

    circuit: Any
    p: Arrays
    mapping: Any
    solvers: Any


class ClosedForm(Layer):
    """An `LTC` whose steps are one formula each; made by `closed_form`.

    Parameters
    ----------
    ltc : dict
        The arguments of the LTC whose parameters it has (`LTC.config`); its solver and unfolds are not looked at.
    formula : "published" or "frozen"

    Attributes
    ----------
    layer : LTC

    Notes
    -----
    It computes with NumPy, and has no gradients: train the `LTC`, or let another model learn from it (`distil`).  With
    ``"published"`` a step of dt = 0 changes the state, and the state may leave the hull of the potentials.
    """

    not_saved = "save the model that it was made from, or what `ltc_np.simplify.fewer_unfolds` makes of that model"
    # Not the layer itself: what looks for an LTC inside of other layers shall not find it here.
    ltc: dict[str, Any]
    formula: Literal["published", "frozen"]
    layer: LTC
    rule: Rule

    def __init__(self, ltc: Mapping[str, Any], formula: Literal["published", "frozen"] = "frozen") -> None:
        self.layer = layer = LTC.from_config(ltc)
        self.ltc, self.formula = layer.config(), checks.one_of("formula", formula, FORMULAS)
        if layer.open:
            return self._defer()
        for name in ("input_size", "output_size", "state_size", "state_slices", "layout", "buffers"):
            setattr(self, name, getattr(layer, name))
        self.rule = SOLVERS["exponential"].rule(1)._replace(stages=1)
        frozen = formula == "frozen"
        vars(self).update(combine([layer], dt0_identity=frozen, hull=frozen))
        self._freeze()

    def with_input(self, features: int) -> ClosedForm:
        return ClosedForm(self.layer.with_input(features).config(), self.formula) if self.open else self

    @property
    def wiring(self) -> Wiring:
        return self.layer.wiring

    def prepare(self, p: Arrays, buffers: Arrays, backend: Backend) -> _Prepared:
        none = np.zeros(0, p["cm"].dtype)
        gains = buffers.get("gain", none), buffers.get("sensory_gain", none)
        own = self.layer
        circuit = kernels.load("numpy", "ltc").Circuit(own.recurrent, own.sensory, p, gains, own.epsilon)
        return _Prepared(circuit, p, kernels.load(backend, "mapping"), kernels.load("numpy", "ltc_solvers"))

    def forward(
        self, prepared: _Prepared, x: Array, dt: Array, lengths: Ints, h0: Array, keep: Keep, workspace: Workspace
    ) -> tuple[Array, Array, None]:
        circuit, p, mapping, solvers = prepared
        mapped = mapping.map_features(self.layer.input_mapping, "input", x, p, workspace)
        (B, T, _), v = x.shape, h0
        motor = np.empty((B, T, self.output_size), x.dtype)
        for t in range(T):
            with np.errstate(over="ignore", invalid="ignore"):  # the published formula may grow; the model looks
                new = self._step(circuit, dt[:, t, None], v, mapped[:, t], solvers)
            live = (t < lengths)[:, None]  # behind the end of a sequence dt is 0, where not every formula stays
            v = np.where(live, new, v)
            motor[:, t] = v[:, : self.output_size]
        return mapping.map_features(self.layer.output_mapping, "output", motor, p, workspace), v, None

    def _step(self, circuit: Any, h: Array, v: Array, x: Array, solvers: Any) -> Array:
        """v (B, N) after h (B, 1), with the inputs x (B, I)."""
        kinds = [
            (synapses, synapses.sigma * (source[:, synapses.lists.pre] - synapses.mu))
            for synapses, source in ((circuit.recurrent, v), (circuit.sensory, x))
        ]
        if self.formula == "published":
            return _published(circuit, h, v, kinds)
        return _frozen(circuit, h, v, kinds, solvers)

    def backward(self, *args: Any, **keywords: Any) -> NoReturn:
        raise NotImplementedError(
            "a closed form has no gradients: train the LTC that it was made from, or let another model learn from it "
            "(ltc_np.simplify.distil)"
        )


def _published(circuit: Any, h: Array, v: Array, kinds: list[tuple[Any, Array]]) -> Array:
    """The published formula: v (B, N) after a step of h (B, 1)."""
    new, reached = np.zeros_like(v), np.zeros(v.shape[1], bool)
    for synapses, z in kinds:
        post, w, erev = synapses.lists.post, synapses.w, synapses.erev
        decay = np.exp(-h * (circuit.leak_q[post] + w * sigmoid(z)) / circuit.cm[post]) * sigmoid(-z) ** w
        new += synapses.lists.sum_to_post((v[:, post] - erev) * decay + erev)
        reached[post] = True
    leak = circuit.vleak + (v - circuit.vleak) * np.exp(-h * circuit.leak_q / circuit.cm)
    return np.where(reached, new, leak)  # of a neuron without synapses the formula says nothing, and this is exact


def _frozen(circuit: Any, h: Array, v: Array, kinds: list[tuple[Any, Array]], solvers: Any) -> Array:
    """The exact solution with the conductances at the step's start: v (B, N) after h (B, 1)."""
    P, Q = circuit.leak_p + 0 * v, circuit.leak_q + 0 * v
    for synapses, z in kinds:
        a = synapses.w * sigmoid(z)
        P, Q = P + synapses.lists.sum_to_post(a * synapses.erev), Q + synapses.lists.sum_to_post(a)
    return solvers.advance(EXPONENTIAL, 1, h, circuit.cm, P, Q, v, v, None)[0]


@with_signature_hints
def closed_form(
    model: Model,
    x: ArrayLike,
    *,
    dt: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    formula: Literal["published", "frozen"] = "frozen",
) -> Simplified:
    """A model whose LTCs take each step by one formula, with the weights they have, and its error on data.

    Parameters
    ----------
    model : Model
        With at least one `LTC`, also inside other layers; all others stay as they are.
    x, dt, lengths
        As for a call: what the error is measured on.
    formula : "published" or "frozen"
        The LTC's published approximate solution, or the exact one with the conductances of the step's start.  The
        published one has little to do with an LTC whose neurons have more than one synapse; it is here so that this
        can be seen (docs/simplify.md).

    Returns
    -------
    Simplified
        Its model runs on sequences and streams, with NumPy, and cannot be trained, saved or exported.  To keep
        something that can, use `fewer_unfolds`.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP
    >>> from ltc_np.simplify import closed_form
    >>> model = LTCRNN(AutoNCP(8, 2), 3, seed=0)
    >>> x = np.random.default_rng(0).normal(size=(4, 20, 3))
    >>> frozen, published = (closed_form(model, x, dt=0.1, formula=name).error for name in ("frozen", "published"))
    >>> frozen.relative < 0.1 < 1 < published.relative
    True
    """
    check_model("model", model)
    checks.one_of("formula", formula, FORMULAS)
    layers = replaced(model.layers, lambda one: ClosedForm(one.config(), formula) if isinstance(one, LTC) else None)
    if layers == model.layers:
        raise ValueError(f"`model` must have an LTC, of which there is a closed form, got {model!r}")
    return simplified(model, rebuilt(model, layers), Data(x, dt, lengths))
