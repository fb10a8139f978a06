"""Networks of ncps, in and out: state dicts as ncps saves them, and its outputs (golden/make_ncps_interop.py)."""

import json

import numpy as np
import pytest
from support import GOLDEN
from support.ncps_files import CASES, case, state

from ltc_np import LTCRNN, NCP, AutoNCP, CfCRNN, FullyConnected, Wiring
from ltc_np.interop.ncps import from_ncps, keys, reading, source, table, to_ncps, writing
from ltc_np.interop.ncps import wiring as wirings

MODULES = keys, reading, source, table, wirings, writing


def outputs_are_those_of_ncps(model, g, mixed):
    """Relative to the largest number; files hold float64, but for two that hold float32."""
    y, last = model(g["x"], dt=g["dt"], h0=state(g, mixed, "0"), return_state=True)
    tolerance = 1e-10 if g["y"].dtype == np.float64 else 1e-6
    for found, wanted in ((y, g["y"]), (last, state(g, mixed, "T"))):
        assert found.dtype == wanted.dtype
        assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()


def test_there_are_cases():
    assert len(CASES) == 19


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_states(name, backend):
    g, state_dict, options, _, mixed = case(name)
    outputs_are_those_of_ncps(from_ncps(state_dict, backend=backend, **options), g, mixed)


@pytest.mark.parametrize("name", [name for name in CASES if name != "tutorial" and "cell" not in name])
def test_the_state_dict_comes_out_as_it_came_in(name):
    """But for what ncps multiplies by 0, which does not exist here; so the outputs of ncps are the same."""
    _, state_dict, options, _, _ = case(name)
    again = to_ncps(from_ncps(state_dict, **options))
    assert again.keys() == state_dict.keys()
    for key, wanted in state_dict.items():
        *before, kind = key.split(".")
        mask = {"w": "sparsity_mask"} | dict.fromkeys(("mu", "sigma", "erev"), "sparsity_mask")
        mask |= {f"sensory_{name}": "sensory_sparsity_mask" for name in mask}
        if kind in mask and "lstm" not in key:
            wanted = wanted * state_dict[".".join([*before, mask[kind]])]
        elif kind == "weight" and before[-1] in ("ff1", "ff2") and before[-2].startswith("layer_"):
            wanted = wanted * state_dict[".".join([*before[:-1], "sparsity_mask"])]
        assert again[key].dtype == wanted.dtype
        np.testing.assert_array_equal(again[key], wanted, key)


@pytest.mark.parametrize("name", CASES)
def test_there_and_back_gives_the_same_parameters(name):
    _, state_dict, options, _, _ = case(name)
    model = from_ncps(state_dict, **options)
    back = dict(options)
    if name in ("ltc_cell", "tutorial"):  # what comes out is of a whole LTC
        back = {"positivity": model.layers[0].positivity, "output_dim": model.output_size}
    again = from_ncps(to_ncps(model), **back)
    if name != "tutorial":  # whose signs come from its reversal potentials now
        assert again.layers == model.layers
    np.testing.assert_array_equal(again.theta, model.theta)
    np.testing.assert_array_equal(again.buffer_vector, model.buffer_vector)


# ---------------------------------------------------------------------------------------------------------- wirings


@pytest.mark.parametrize("name", [name for name in CASES if case(name)[3] is not None])
def test_a_wiring_that_is_given_is_kept(name):
    """Whole, with its class, polarities and layers; unless ncps gives more neurons than its motor neurons."""
    g, state_dict, options, wiring, mixed = case(name)
    model = from_ncps(state_dict, wiring=wiring, **options)
    found = model.layers[0].wiring
    assert (found == wiring) == (name != "wired_one_layer")
    np.testing.assert_array_equal(found.adjacency_matrix, wiring.adjacency_matrix)
    outputs_are_those_of_ncps(model, g, mixed)
    again = from_ncps(to_ncps(model), wiring=wiring, **options)
    np.testing.assert_array_equal(again.theta, model.theta)


def test_an_unbuilt_wiring_will_do():
    _, state_dict, options, wiring, _ = case("ltc_implicit")
    assert from_ncps(state_dict, wiring=AutoNCP(7, 2), **options).wiring == wiring


def test_the_wiring_of_masks():
    """Ids as ncps has them, synapses where masks are 1, signs those of the trained reversal potentials."""
    _, state_dict, _, wiring, _ = case("ltc_implicit")
    found = from_ncps(state_dict).wiring
    for name in ("pre", "post", "sensory_pre", "sensory_post", "output_dim"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wiring, name))
    np.testing.assert_array_equal(found.polarity, np.sign(state_dict["rnn_cell.erev"][wiring.pre, wiring.post]))
    assert (found.polarity != wiring.polarity).any(), "a trained one has changed its sign"


def test_the_wiring_of_a_wired_cfc():
    """Layers and ids of an NCP; only what its layers read is known."""
    _, state_dict, options, wiring, _ = case("wired_no_gate")
    found = from_ncps(state_dict, **options).wiring
    assert found.layers == wiring.layers and found.output_dim == wiring.output_dim
    np.testing.assert_array_equal(found.sensory_adjacency_matrix, np.abs(wiring.sensory_adjacency_matrix))
    (_, inter), (_, command), (_, motor) = wiring.layers
    for before, after in ((inter, command), (command, motor)):
        block = np.ix_(before, after)
        np.testing.assert_array_equal(found.adjacency_matrix[block], np.abs(wiring.adjacency_matrix[block]))
    assert found.synapse_count < wiring.synapse_count, "those among command neurons are not in ncps' state dict"


class OfTheTutorial:
    """What the tutorial's class has."""

    def __init__(self, g):
        self.adjacency_matrix, self.sensory_adjacency_matrix, self.output_dim = g["mask"], -g["sensory_mask"], 2


def test_the_tutorial_needs_its_wiring():
    g, state_dict, _, _, mixed = case("tutorial")
    with pytest.raises(ValueError, match="`wiring` must be given, as the masks of the synapses were not saved"):
        from_ncps(state_dict)
    model = from_ncps(state_dict, wiring=OfTheTutorial(g))  # whose masks are absolute values
    outputs_are_those_of_ncps(model, g, mixed)
    np.testing.assert_array_equal(model.buffers["gain"], g["mask"][model.wiring.pre, model.wiring.post])
    assert model.layers[0].input_mapping is None and model.layers[0].positivity == "softplus"


def test_gains_are_masks_of_ncps():
    """A network of the tutorial becomes an LTC of ncps, whose masks are then no zeros and ones."""
    g, state_dict, options, _, _ = case("tutorial")
    out = to_ncps(from_ncps(state_dict, **options))
    np.testing.assert_array_equal(out["rnn_cell.sparsity_mask"], g["mask"])
    np.testing.assert_array_equal(out["rnn_cell.w"], state_dict["cell.neuron.w"])
    assert not [key for key in out if "input_" in key or "output_" in key]


# ------------------------------------------------------------------------------------- what may stand before the keys


@pytest.mark.parametrize("name", ["ltc_mixed", "ltc_cell", "cfc_dropout", "wired_default", "tutorial"])
@pytest.mark.parametrize("prefix", ["module.", "model.", "net.0.", "_orig_mod.", "model._orig_mod.0."])
def test_prefixes_are_cut(name, prefix):
    """Of DataParallel, Lightning, Sequential, torch.compile, and all of it."""
    g, state_dict, options, _, mixed = case(name)
    model = from_ncps({prefix + key: value for key, value in state_dict.items()}, **options)
    outputs_are_those_of_ncps(model, g, mixed)


def test_a_compiled_cell_inside():
    g, state_dict, options, _, mixed = case("cfc_default")
    inside = {key.replace("rnn_cell.", "rnn_cell._orig_mod."): value for key, value in state_dict.items()}
    outputs_are_those_of_ncps(from_ncps(inside, **options), g, mixed)


def test_a_checkpoint_of_lightning():
    g, state_dict, options, _, mixed = case("cfc_default")
    content = {"epoch": 3, "state_dict": {f"net.{key}": value for key, value in state_dict.items()}}
    outputs_are_those_of_ncps(from_ncps(content, **options), g, mixed)


def test_one_of_several_networks():
    _, first, _, _, _ = case("ltc_implicit")
    g, second, options, _, mixed = case("cfc_default")
    both = {f"encoder.{key}": value for key, value in first.items()} | {"head.weight": np.zeros((3, 4))}
    both |= {f"rnn.{key}": value for key, value in second.items()}
    with pytest.raises(ValueError, match="`prefix` must say which network is meant, of those below 'encoder.', 'rnn.'"):
        from_ncps(both)
    for prefix in ("rnn.", "rnn"):
        outputs_are_those_of_ncps(from_ncps(both, prefix=prefix, **options), g, mixed)
    for wrong in ("head", "rn", "", "rnn.rnn_cell"):
        with pytest.raises(ValueError, match=r"`prefix` must be what stands before .* \('encoder.', 'rnn.'\), got"):
            from_ncps(both, prefix=wrong)


# ------------------------------------------------------------------------------------------------------------ options


def test_what_a_state_dict_does_not_say():
    """Defaults are those of ncps; of a cell alone too, whose parameters are used as they are."""
    _, state_dict, _, _, _ = case("ltc_implicit")
    layer = from_ncps(state_dict).layers[0]
    assert (layer.positivity, layer.ode_unfolds, layer.epsilon) == ("softplus", 6, 1e-8)
    _, state_dict, _, _, _ = case("ltc_cell")
    assert from_ncps(state_dict).layers[0].positivity == "clip"
    assert from_ncps(state_dict, positivity="softplus").layers[0].positivity == "softplus"
    _, state_dict, _, _, _ = case("cfc_default")
    model = from_ncps(state_dict, mode="no_gate", activation="relu", return_sequences=False, dtype="float32")
    layer = model.layers[0]
    assert (layer.mode, layer.backbone_activation, model.return_sequences, model.dtype) == (
        "no_gate",
        "relu",
        False,
        "f4",
    )


def test_a_dropout_without_its_rate():
    _, state_dict, options, _, _ = case("cfc_dropout")
    rate = options.pop("backbone_dropout")
    assert from_ncps(state_dict, backbone_dropout=rate, **options).layers[0].backbone_dropout == rate
    with pytest.warns(UserWarning, match="dropout in its backbone and not its rate: `backbone_dropout` becomes 0"):
        model = from_ncps(state_dict, **options)
    assert from_ncps(state_dict, backbone_dropout=0, **options).layers == model.layers
    _, state_dict, options, _, _ = case("cfc_no_gate")  # two layers: nobody sees it
    assert from_ncps(state_dict, backbone_dropout=0.3, **options).layers[0].backbone_dropout == 0.3


def test_short_floats():
    """Half precision is read, and a model of float32 made of it."""
    _, state_dict, options, _, _ = case("cfc_default")
    half = {key: value.astype(np.float16) for key, value in state_dict.items()}
    model = from_ncps(half, **options)
    assert model.dtype == np.float32
    np.testing.assert_array_equal(model.params["ff1_b"], half["rnn_cell.ff1.bias"].astype(np.float32))


# -------------------------------------------------------------------------------------------------------- from here


def test_a_forget_bias_becomes_part_of_the_biases():
    from ltc_np import LTC, MixedMemory, Model

    model = Model(MixedMemory(LTC(AutoNCP(6, 2)), forget_bias=2.5), input_dim=2, dtype="float64", seed=0)
    x = np.random.default_rng(0).normal(size=(2, 5, 2))
    again = from_ncps(to_ncps(model), wiring=AutoNCP(6, 2))
    assert again.layers[0].forget_bias == 1
    np.testing.assert_allclose(again(x), model(x), rtol=1e-13)


def test_clipped_parameters_come_out_as_they_are_used():
    model = LTCRNN(FullyConnected(3), 2, positivity="clip", seed=0)
    model.params["w"] = np.linspace(-1, 1, 9)
    out = to_ncps(model)
    assert out["rnn_cell.w"].min() == 0 and out["rnn_cell.w"].max() == 1
    x = np.random.default_rng(0).normal(size=(2, 5, 2))
    np.testing.assert_array_equal(from_ncps(out, positivity="clip")(x), model(x))


@pytest.mark.parametrize("wiring", [NCP(5, 4, 3, 2, 2, 3, 2), AutoNCP(9, 2)], ids=repr)
def test_models_of_here_that_ncps_can_run(wiring):
    """There and back, with the wiring as it was."""
    for model in (LTCRNN(wiring, 3, seed=1), CfCRNN(wiring, input_dim=3, proj_size=2, seed=1, mixed_memory=True)):
        again = from_ncps(to_ncps(model), wiring=wiring)
        assert again.layers == model.layers
        np.testing.assert_array_equal(again.theta, model.theta)


def test_the_call_that_makes_the_module():
    name, arguments = writing.call_of(CfCRNN(5, input_dim=2, proj_size=3, backbone_units=7, mode="pure", seed=0))
    assert name == "CfC"
    assert json.dumps(arguments) == json.dumps(
        {"input_size": 2, "units": 5, "return_sequences": True, "mixed_memory": False, "mode": "pure", "proj_size": 3,
         "activation": "lecun_tanh", "backbone_units": 7, "backbone_layers": 1, "backbone_dropout": 0.0}
    )  # fmt: skip


# -------------------------------------------------------------------------------------------------------------- files


def test_a_file_of_the_package_safetensors():
    """Which wrote it; here the format is read without that package."""
    g, state_dict, options, _, mixed = case("ltc_float32")
    model = from_ncps(GOLDEN / "ncps_interop.safetensors", **options)
    outputs_are_those_of_ncps(model, g, mixed)
    np.testing.assert_array_equal(model.theta, from_ncps(state_dict, **options).theta)


def test_a_file_of_pytorch():
    pytest.importorskip("torch", reason='torch is not installed: pip install "ltc-np[torch]"')
    g, _, options, _, mixed = case("cfc_float32")
    outputs_are_those_of_ncps(from_ncps(str(GOLDEN / "ncps_interop.pt"), **options), g, mixed)


def test_hand_made_layers():
    """A wiring of four layers, whose ids are in no particular order."""
    layers = [("first", [6, 3]), ("second", [4, 5]), ("third", [2]), ("motor", [0, 1])]
    edges = [(6, 4, 1), (3, 5, -1), (6, 5, 1), (4, 2, 1), (5, 2, -1), (2, 0, 1), (2, 1, -1), (4, 4, 1)]
    wiring = Wiring.from_edges(7, edges, [(0, 6, 1), (1, 3, -1)], 2, layers=layers)
    model = CfCRNN(wiring, input_dim=2, seed=0)
    out = to_ncps(model)
    assert out["rnn_cell.layer_1.sparsity_mask"].tolist() == [[1, 0, 1, 1], [1, 1, 1, 1]]
    again = from_ncps(out, wiring=wiring)
    assert again.wiring is wiring
    np.testing.assert_array_equal(again.theta, model.theta)
    unnamed = from_ncps(out)  # the same network, with names and ids of its own
    assert [name for name, _ in unnamed.wiring.layers] == ["layer_0", "layer_1", "layer_2", "layer_3"]
    x = np.random.default_rng(0).normal(size=(2, 5, 2))
    np.testing.assert_array_equal(unnamed(x), model(x))
