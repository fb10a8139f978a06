"""State dicts of ncps become models: the keys are compared with those that there must be, then values are copied."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...base import checks
from ...base.types import Backend, DType
from ...base.visible import visible
from ...layers import MixedMemory
from ...model import LTCRNN, CfCRNN, Model
from . import keys, wiring
from .source import Source, read
from .table import MASK, Cell, Form, Part

# The arguments of `from_ncps` that belong to one cell, and what they are where nobody says.
OPTIONS: dict[Cell, dict[str, Any]] = {
    "ltc": {"positivity": None, "ode_unfolds": 6, "epsilon": 1e-8, "output_dim": None, "wiring": None},
    "cfc": {"mode": None, "activation": "lecun_tanh", "backbone_dropout": None},
    "wired_cfc": {"mode": None, "wiring": None},
}


def model_of(source: Any, prefix: str | None, given: dict[str, Any], dtype: DType | None, backend: Backend) -> Model:
    """The model that `from_ncps` returns; ``given``: its other arguments, None where they were left out."""
    if not isinstance(source, (str, os.PathLike)):
        return _model_of(source, prefix, given, dtype, backend)
    try:
        return _model_of(source, prefix, given, dtype, backend)
    except (ValueError, TypeError) as error:  # of a file that is one of many, its name is half of what is wrong
        if str(source) in str(error):
            raise
        raise (ValueError if isinstance(error, ValueError) else TypeError)(f"{os.fspath(source)}: {error}") from None


def _model_of(source: Any, prefix: str | None, given: dict[str, Any], dtype: DType | None, backend: Backend) -> Model:
    found = read(source, prefix)
    given = given | _agreed(given, found.said)
    form = keys.form_of(found.arrays, given["mode"])
    options = _options(form, given)
    parts = form.table() | form.projection()
    sizes = keys.sizes(parts, found.arrays)
    _check(form, parts, sizes, found)
    double = any(array.dtype == np.float64 for array in found.arrays.values())
    if dtype is None:
        dtype = "float64" if double else "float32"
    common = {"mixed_memory": form.mixed, "seed": 0, "dtype": dtype, "backend": backend}
    common["return_sequences"] = given["return_sequences"] is not False
    build = {"ltc": _ltc, "cfc": _cfc, "wired_cfc": _wired_cfc}[form.cell]
    model = build(form, found, sizes, options, common)
    _copy(form, found, model)
    return model


def _agreed(given: Mapping[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """What the module says, of which nothing that was given may differ."""
    for name, value in said.items():
        if given[name] is not None and given[name] != value:
            raise ValueError(f"`{name}` must be left out or {value!r}, as the module says, got {given[name]!r}")
    return said


def _options(form: Form, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the cell; others must not have been given."""
    own = OPTIONS[form.cell]
    for name, value in given.items():
        if value is not None and name not in own and name != "return_sequences":
            raise ValueError(f"`{name}` must be left out, as the source is {form.kind}, got {checks.brief(value)}")
    return {name: usual if given[name] is None else given[name] for name, usual in own.items()}


def _check(form: Form, parts: Mapping[str, Part], sizes: Mapping[str, int], found: Source) -> None:
    """Refuse what does not fit, all of it in one error."""
    arrays, names = found.arrays, found.names
    missing = [found.root + key for key in parts if key not in arrays]
    unknown = [*found.others, *(names[key] for key in arrays if key not in parts)]
    misshapen, infinite = [], []
    for key in parts.keys() & arrays.keys():
        if not parts[key].fits(arrays[key], sizes):
            misshapen.append(f"{names[key]} {arrays[key].shape} instead of {parts[key].text(sizes)}")
        elif not np.isfinite(arrays[key]).all():
            infinite.append(names[key])
    kinds = {"lacks": missing, "has too much": unknown, "has misshapen": misshapen, "has NaN or infinity in": infinite}
    faults = [f"{words} {', '.join(sorted(map(visible, some)))}" for words, some in kinds.items() if some]
    if not faults:
        return
    hint = ""
    if found.others:
        hint = f'; prefix="{found.root}" reads only what is below it'
    elif misshapen and form.projected and len(form.layers) == 1:
        hint = "; where a wiring has one layer, ncps itself cannot project an `output_dim` smaller than all its neurons"
    raise ValueError(f"`source` must be the state dict of {form.kind}: it {', '.join(faults)}{hint}")


# ---------------------------------------------------------------------------------------------------------- the cells


def _plan(options: Mapping[str, Any], found: Source, inputs: int) -> wiring.Plan | None:
    given = found.wiring if options["wiring"] is None else options["wiring"]
    return None if given is None else wiring.plan_of(given, inputs)


def _cell_arrays(found: Source) -> tuple[dict[str, Any], dict[str, str]]:
    """Arrays and their names in the source, by the cell's own keys."""
    cut = "rnn_cell."
    arrays = {key.removeprefix(cut): array for key, array in found.arrays.items()}
    return arrays, {key.removeprefix(cut): name for key, name in found.names.items()}


def _ltc(form: Form, found: Source, sizes: Mapping[str, int], options: dict[str, Any], common: dict[str, Any]) -> Model:
    plan, strict = _plan(options, found, sizes["I"]), options["wiring"] is not None
    if plan is None and not form.masks:
        raise ValueError(
            "`wiring` must be given, as the masks of the synapses were not saved (the tutorial's never are): the "
            "network's own wiring, or Wiring.from_matrix(adjacency, sensory_adjacency, output_dim), got None"
        )
    known = {"the output mapping": sizes["O"]} if "O" in sizes else {}
    if plan is not None and (strict or not form.masks):
        known["`wiring`"] = plan.output_dim
    output_dim = options["output_dim"] if options["output_dim"] is not None else next(iter(known.values()), None)
    if output_dim is None:
        raise ValueError("`output_dim` must be given: without an output mapping no array shows it, got None")
    for what, count in known.items():
        if count != output_dim:
            raise ValueError(f"`output_dim` must agree with {what}, which has {count}, got {output_dim!r}")
    positivity: Any = options["positivity"] or ("softplus" if form.whole or not form.masks else "clip")
    own = wiring.of_ltc(*_cell_arrays(found), plan, strict, output_dim)
    return LTCRNN(
        own,
        sizes["I"],
        ode_unfolds=options["ode_unfolds"],
        epsilon=options["epsilon"],
        positivity=positivity,
        input_mapping=form.input_mapping,
        output_mapping=form.output_mapping,
        **common,
    )


def _cfc(form: Form, found: Source, sizes: Mapping[str, int], options: dict[str, Any], common: dict[str, Any]) -> Model:
    shows, rate = keys.has_dropout(form.backbone), options["backbone_dropout"]
    if shows and rate is None:
        checks.warn(
            "the state dict has a dropout in its backbone and not its rate: `backbone_dropout` becomes 0", UserWarning
        )
    if shows is False and rate:
        raise ValueError(f"`backbone_dropout` must be 0 or left out: the state dict has no dropout, got {rate!r}")
    widths: dict[str, Any] = {"backbone_units": sizes["H"]} if form.backbone else {}
    return CfCRNN(
        sizes["N"],
        input_dim=sizes["I"],
        mode=form.mode,
        backbone_layers=len(form.backbone),
        backbone_activation=options["activation"],
        backbone_dropout=0.0 if rate is None else rate,
        proj_size=sizes.get("P"),
        **widths,
        **common,
    )


def _wired_cfc(
    form: Form, found: Source, sizes: Mapping[str, int], options: dict[str, Any], common: dict[str, Any]
) -> Model:
    arrays, names = _cell_arrays(found)
    masks = [f"layer_{k}.{MASK}" for k in range(len(form.layers))]
    own = wiring.of_wired_cfc(
        [arrays[key] for key in masks],
        [names[key] for key in masks],
        _plan(options, found, sizes["I"]),
        options["wiring"] is not None,
    )
    return CfCRNN(own, input_dim=sizes["I"], mode=form.mode, proj_size=sizes.get("P"), **common)


def _copy(form: Form, found: Source, model: Model) -> None:
    """Give the model the arrays of its source."""
    layer, params = model.layers[0], model.params
    cell: Any = layer.cell if isinstance(layer, MixedMemory) else layer
    if form.layers:
        form = form._replace(layers=tuple(name for name, _ in cell.wiring.layers))
    stacked = len(model.layers) > 1
    for number, parts in enumerate((form.table(), form.projection())):
        for key, part in parts.items():
            if part.name is not None:
                name = f"{number}.{part.name}" if stacked else part.name
                params[name] = part.arrangement.read(found.arrays[key], cell, part.name)
    if getattr(cell, "positivity", None) == "clip":
        _check_clipped(model)


def _check_clipped(model: Model) -> None:
    """Whether all values are used as they are, as ncps uses them without implicit constraints."""
    for name, values in model.effective.items():
        raw = model.params[name]
        if (values != raw).any():
            raise ValueError(
                f'`{name}` of source must be >= {values.min():g} where `positivity` is "clip", got {raw.min():g}: give '
                'positivity="softplus" if the network was made with implicit_param_constraints=True, else raise it in '
                "the state dict (apply_weight_constraints() of ncps raises to 0)"
            )
