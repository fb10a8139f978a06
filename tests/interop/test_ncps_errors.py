"""What is wrong with a state dict is said in one line, all of it."""

import re

import numpy as np
import pytest
from support.ncps_files import case

from ltc_np import (
    GRU,
    LTC,
    LTCRNN,
    AutoNCP,
    CfC,
    CfCRNN,
    Dense,
    FullyConnected,
    LayerNorm,
    MixedMemory,
    Model,
    WiredCfC,
    Wiring,
)
from ltc_np.base import tensor_file
from ltc_np.interop.ncps import from_ncps, to_ncps


def refused(source, *words, error=ValueError, **options):
    """The message, in one line, which has all these words."""
    with pytest.raises(error) as caught:
        from_ncps(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message
    return message


def test_all_faults_of_keys_at_once():
    _, state_dict, _, _, _ = case("ltc_mixed")
    bad = dict(state_dict)
    del bad["rnn_cell.gleak"], bad["rnn_cell.sensory_mu"], bad["lstm.input_map.bias"]
    bad |= {"head.weight": np.ones((2, 3)), "rnn_cell.extra": np.ones(1)}
    bad["rnn_cell.mu"] = bad["rnn_cell.mu"][:-1]
    bad["lstm.recurrent_map.weight"] = bad["lstm.recurrent_map.weight"].T
    bad["rnn_cell.w"] = bad["rnn_cell.w"] * np.nan
    message = refused(bad)
    assert message == (
        "`source` must be the state dict of an LTC of ncps: it lacks lstm.input_map.bias, rnn_cell.gleak, "
        "rnn_cell.sensory_mu, has too much head.weight, rnn_cell.extra, has misshapen lstm.recurrent_map.weight "
        "(9, 36) instead of (36, 9), rnn_cell.mu (8, 9) instead of (9, 9), has NaN or infinity in rnn_cell.w"
    )


def test_names_are_those_of_the_source():
    _, state_dict, _, _, _ = case("cfc_default")
    bad = {f"net._orig_mod.{key}": value for key, value in state_dict.items()} | {"head.bias": np.ones(2)}
    bad["net._orig_mod.rnn_cell.ff2.bias"] = np.ones(5)
    del bad["net._orig_mod.rnn_cell.ff1.weight"]
    refused(
        bad, "of a CfC of ncps: it lacks net.rnn_cell.ff1.weight, ", "has too much head.bias",
        "has misshapen net._orig_mod.rnn_cell.ff2.bias (5,) instead of (4,)", 'prefix="net." reads only what is below',
    )  # fmt: skip


@pytest.mark.parametrize("name", ["ltc_implicit", "ltc_linear", "cfc_dropout", "cfc_pure", "cfc_bare", "wired_default"])
def test_every_key_is_needed_and_every_shape(name):
    """Each that is missing, or has another shape, is named, and no other."""
    _, state_dict, options, _, _ = case(name)
    for key in state_dict:
        others = {k: v for k, v in state_dict.items() if k != key}
        if "input_" not in key and "output_" not in key:  # without it the mapping would be another one
            assert re.search(rf"it lacks {re.escape(key)}$", refused(others, **options)), key
        bad = others | {key: np.zeros((3, *state_dict[key].shape))}
        assert re.search(
            rf"it has misshapen {re.escape(key)} \(3, [\d, ]+\) instead of \([\dIO]", refused(bad, **options)
        )
        bad = others | {key: np.full_like(state_dict[key], np.inf)}
        assert "has NaN or infinity in " + key in refused(bad, **options)
        bad = others | {key: state_dict[key].astype(complex)}
        refused(bad, f"`{key}` of source must be real numbers, got dtype complex128", error=TypeError, **options)
        longer = others | {key: np.concatenate([state_dict[key], state_dict[key][:1]])}
        if "output_" not in key and "fc." not in key:  # of which no other array knows the size for sure
            assert key in refused(longer, **options)


@pytest.mark.slow
def test_random_damage_gives_one_line():
    """Keys renamed, lost, doubled, arrays cut and turned: a ValueError or a TypeError in one line, or a model."""
    rng = np.random.default_rng(0)
    names = ["ltc_mixed", "cfc_dropout", "wired_pure", "ltc_cell"]
    refusals = 0
    for trial in range(300):
        _, state_dict, options, _, _ = case(names[trial % len(names)])
        bad = dict(state_dict)
        for _ in range(rng.integers(1, 4)):
            key = str(rng.choice(list(bad)))
            value = bad.pop(key)
            match rng.integers(6):
                case 0:
                    continue
                case 1:
                    key = key[: rng.integers(len(key))] + "x"
                case 2:
                    value = value.T[..., None]
                case 3:
                    value = value[:0]
                case 4:
                    key = key.replace("0", "7").replace("layer_1", "layer_88")
                case 5:
                    value = np.full(value.shape, rng.choice([np.nan, -1e30, 0.0, 1e5]), value.dtype)
            bad[key] = value
        try:
            from_ncps(bad, **options)
        except (ValueError, TypeError) as error:
            refusals += 1
            assert "\n" not in str(error)
            assert str(error).startswith("`"), error
    assert refusals > 200


def test_what_is_in_a_file_is_said_with_its_path(tmp_path):
    path, (_, state_dict, _, _, _) = tmp_path / "net.safetensors", case("cfc_default")
    wrong = {key: value for key, value in state_dict.items() if "ff1" not in key}
    tensor_file.write(path, wrong, {})
    assert refused(path, "it lacks rnn_cell.ff1.bias").startswith(f"{path}: `source` must be the state dict")
    tensor_file.write(path, state_dict, {})
    assert refused(path, positivity="clip").startswith(f"{path}: `positivity` must be left out")
    assert refused(path, wiring=7).startswith(f"{path}: `wiring` must be left out")
    path.write_bytes(b"")
    assert refused(path).count(str(path)) == 1


SOURCES = {
    "a number": (3, TypeError, "`source` must be a module of ncps.torch, its state dict, or the path"),
    "a list": ([1, 2], TypeError, "`source` must be a module of ncps.torch"),
    "nothing": ({}, ValueError, "got the keys none at all"),
    "another network": (
        {"weight_ih_l0": np.ones((8, 2)), "weight_hh_l0": np.ones((8, 2))}, ValueError,
        "`source` must be the state dict of an LTC or a CfC of ncps.torch, of one of their cells, or of the tutorial's "
        "LTC, got the keys weight_ih_l0, weight_hh_l0",
    ),
    "keys that are no text": ({3: np.ones(2)}, TypeError, "`key of source` must be a str, got 3"),
    "a model of ours": (LTCRNN(AutoNCP(6, 2), 2, seed=0), TypeError, "`source` must be a module of ncps.torch"),
    "objects": ({"gleak": np.array([object()])}, TypeError, "`gleak` of source must be real numbers, got dtype object"),
    "twice": ({"a.gleak": np.ones(2), "a._orig_mod.gleak": np.ones(2)}, ValueError, "every key once, got 'a.gleak'"),
    "no such file": ("nowhere.safetensors", FileNotFoundError, "nowhere.safetensors"),
    "another file": ("model.npz", ValueError, "`source` must be a file in .safetensors or .pt, .pth, .ckpt, .bin, got"),
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_other_sources(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source, error, words = SOURCES[name]
    refused(source, words, error=error)


OPTIONS = [
    ("cfc_default", {"positivity": "clip"}, "`positivity` must be left out, as the source is a CfC of ncps, got"),
    ("cfc_default", {"wiring": AutoNCP(6, 2)}, "`wiring` must be left out, as the source is a CfC of ncps"),
    ("wired_default", {"activation": "relu"}, "`activation` must be left out, as the source is a wired CfC of ncps"),
    ("ltc_implicit", {"mode": "pure"}, "`mode` must be left out, as the source is an LTC of ncps, got 'pure'"),
    ("ltc_implicit", {"output_dim": 3}, "`output_dim` must agree with the output mapping, which has 2, got 3"),
    ("ltc_unmapped", {}, "`output_dim` must be given: without an output mapping no array shows it, got None"),
    ("ltc_unmapped", {"output_dim": 9}, "`output_dim` must be an int in 1..5, got 9"),
    ("ltc_implicit", {"wiring": AutoNCP(8, 2)}, "`wiring` must have the 7 neurons of the state dict, got 8"),
    ("ltc_implicit", {"wiring": AutoNCP(7, 2, seed=3)}, "`wiring` must have the synapses of the state dict's masks"),
    ("ltc_implicit", {"wiring": 7}, "`wiring` must be a wiring of ltc_np or of ncps"),
    ("wired_default", {"wiring": AutoNCP(8, 2)}, "`wiring` must have layers of [3, 2, 2] neurons, as the state"),
    ("wired_default", {"wiring": AutoNCP(7, 2, seed=3)}, "`wiring` must have the synapses of the state dict's masks"),
    ("wired_default", {"wiring": FullyConnected(7)}, "`wiring` must have layers of [3, 2, 2] neurons"),
    ("cfc_default", {"backbone_dropout": 0.2}, "`backbone_dropout` acts after backbone layers"),
    ("cfc_default", {"activation": "sin"}, "`activation` must be one of"),
    ("cfc_default", {"mode": "pure"}, "it lacks rnn_cell.A, rnn_cell.w_tau, has too much rnn_cell.ff2.bias"),
    ("cfc_pure", {"mode": "default"}, "has too much rnn_cell.A, rnn_cell.w_tau"),
    ("ltc_implicit", {"positivity": "clamp"}, "`positivity` must be one of 'softplus', 'clip'"),
    ("ltc_implicit", {"dtype": "int32"}, '`dtype` must be "float32" or "float64"'),
    ("ltc_implicit", {"prefix": 3}, "`prefix` must be a str, got 3"),
    ("ltc_implicit", {"unfolds": 3}, "`from_ncps` has no argument `unfolds`"),
]  # fmt: skip


@pytest.mark.parametrize("name, options, words", OPTIONS)
def test_options_that_do_not_fit(name, options, words):
    _, state_dict, known, _, _ = case(name)
    if name == "ltc_unmapped":
        known = {}
    with pytest.raises((ValueError, TypeError)) as caught:
        from_ncps(state_dict, **(known | options))
    assert words in str(caught.value)


def test_a_dropout_that_is_not_there():
    _, state_dict, options, _, _ = case("cfc_dropout")
    plain = {
        key.replace("backbone.5", "backbone.4").replace("backbone.8", "backbone.6"): v for key, v in state_dict.items()
    }
    refused(plain, "`backbone_dropout` must be 0 or left out: the state dict has no dropout, got 0.2", **options)


def test_masks_that_mean_something_else():
    _, state_dict, _, _, _ = case("ltc_implicit")
    refused(
        state_dict | {"rnn_cell.sparsity_mask": -np.ones((7, 7))},
        "`rnn_cell.sparsity_mask` of source must hold numbers >= 0",
    )
    _, state_dict, _, _, _ = case("wired_default")
    mask = state_dict["rnn_cell.layer_1.sparsity_mask"]
    refused(
        state_dict | {"rnn_cell.layer_1.sparsity_mask": mask * 0.5},
        "`rnn_cell.layer_1.sparsity_mask` of source must hold numbers 0 or 1, got 0.5",
    )
    pruned = mask.copy()
    pruned[0, -1] = 0
    refused(
        state_dict | {"rnn_cell.layer_1.sparsity_mask": pruned},
        "`rnn_cell.layer_1.sparsity_mask` of source must be 1 where a layer reads",
    )


def test_parameters_that_are_not_positive():
    """ncps uses them as they are if they are explicit; here they would be clipped."""
    _, state_dict, options, _, _ = case("ltc_explicit")
    for name, least in (("w", 0), ("gleak", 0), ("sensory_w", 0), ("cm", 1e-6)):
        for value in (-0.5, 1e-7):
            bad = state_dict[f"rnn_cell.{name}"].copy()
            bad.flat[0] = value
            if value < least:
                words = f"`{name}` of source must be >= ", 'where `positivity` is "clip"', 'positivity="softplus" if'
                refused(state_dict | {f"rnn_cell.{name}": bad}, *words, **options)
            else:
                from_ncps(state_dict | {f"rnn_cell.{name}": bad}, **options)


def test_the_projection_that_ncps_cannot_run():
    """ncps gives all five neurons to a projection that it has made for two."""
    _, state_dict, _, _, _ = case("wired_one_layer")
    bad = state_dict | {"fc.weight": np.ones((3, 2)), "fc.bias": np.ones(3)}
    refused(bad, "has misshapen fc.weight (3, 2) instead of (3, 5); where a wiring has one layer, ncps itself cannot")


def stack(*layers):
    return Model(*layers, input_dim=2, seed=0)


WIRING = AutoNCP(7, 2)
OTHERS = [
    (lambda: stack(GRU(3)), "its first layer must be an LTC, a CfC or a WiredCfC, or one of them in a MixedMemory"),
    (lambda: stack(LayerNorm(), CfC(3)), "its first layer must be"),
    (lambda: stack(LTC(WIRING), Dense(2)), "what stands behind an LTC must be nothing (ncps projects only a CfC)"),
    (lambda: stack(LTC(WIRING, solver="exponential")), "the LTC's solver must be \"semi_implicit\", got 'exponential'"),
    (lambda: stack(CfC(3, variant="keras")), "the CfC's variant must be \"torch\", got 'keras'"),
    (lambda: stack(CfC(3), Dense(2, "tanh")), "what stands behind a CfC must be one Dense without activation"),
    (lambda: stack(CfC(3), Dense(2), Dense(2)), "what stands behind a CfC must be one Dense without activation"),
    (lambda: stack(WiredCfC(WIRING, strict=True)), "`strict` of the WiredCfC must be False, got True"),
    (lambda: stack(WiredCfC(FullyConnected(5, 2))), "the last layer of the wiring must be its 2 motor neurons,"),
    (lambda: stack(MixedMemory(CfC(3), "keras")), "the topology of its MixedMemory must be \"torch\", got 'keras'"),
]  # fmt: skip


@pytest.mark.parametrize("make, words", OTHERS)
def test_models_that_ncps_does_not_have(make, words):
    with pytest.raises(ValueError) as caught:
        to_ncps(make())
    assert str(caught.value).startswith("`model` must be a network that ncps.torch has: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_something_else_than_a_model():
    for wrong in (3, None, LTC(WIRING), {}):
        with pytest.raises(TypeError, match="`model` must be a model of ltc_np, got"):
            to_ncps(wrong)
    with pytest.raises(TypeError, match="`to_ncps` has no argument `module`"):
        to_ncps(CfCRNN(3, input_dim=2, seed=0), module=True)


def test_a_wiring_whose_last_neurons_are_not_in_order():
    _, state_dict, options, wiring, _ = case("wired_no_gate")
    layers = [(name, ids[::-1] if name == "motor" else ids) for name, ids in wiring.layers]
    turned = Wiring.from_matrix(wiring.adjacency_matrix, wiring.sensory_adjacency_matrix, 2, layers)
    refused(
        state_dict,
        "`wiring` must have its neurons 0..1 in this order in its last layer, got (1, 0)",
        wiring=turned,
        **options,
    )
