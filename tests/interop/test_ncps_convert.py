"""``python -m ltc_np convert``."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from support import GOLDEN, ROOT
from support.ncps_files import case

from ltc_np import GRU, LTCRNN, AutoNCP, CfCRNN, Model, load
from ltc_np.base import tensor_file
from ltc_np.interop.ncps import command, from_ncps, to_ncps

STATE_DICT = GOLDEN / "ncps_interop.safetensors"
NO_TORCH = 'torch is not installed: pip install "ltc-np[torch]"'


def run(capsys, *arguments):
    """(exit status, standard output, standard error)."""
    status = command.main([str(a) for a in arguments])
    return status, *capsys.readouterr()


def test_in_and_out(tmp_path, capsys):
    status, out, err = run(capsys, STATE_DICT, tmp_path / "model.npz", "--ode-unfolds", 6)
    assert (status, err) == (0, "")
    assert out == f"{tmp_path / 'model.npz'}: {load(tmp_path / 'model.npz')!r}\n"
    model = load(tmp_path / "model.npz")
    np.testing.assert_array_equal(model.theta, from_ncps(STATE_DICT).theta)
    status, out, err = run(capsys, tmp_path / "model.npz", tmp_path / "back.safetensors")
    assert (status, err) == (0, "")
    assert "of ncps.torch.LTC(input_size=2, units=WIRING, " in out and "ode_unfolds=6" in out
    found = tensor_file.read(tmp_path / "back.safetensors")
    for key, array in to_ncps(model).items():
        np.testing.assert_array_equal(found[key], array)
    assert sorted(os.listdir(tmp_path)) == ["back.safetensors", "model.npz"]


def test_files_of_pytorch(tmp_path, capsys):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    assert run(capsys, GOLDEN / "ncps_interop.pt", tmp_path / "model.npz")[0] == 0
    assert run(capsys, tmp_path / "model.npz", tmp_path / "back.pt")[0] == 0
    found = torch.load(tmp_path / "back.pt", weights_only=True)
    _, state_dict, _, _, _ = case("cfc_float32")
    assert found.keys() == state_dict.keys()
    for key, tensor in found.items():
        np.testing.assert_array_equal(tensor.numpy(), state_dict[key])


def test_options_and_warnings(tmp_path, capsys):
    _, state_dict, _, _, _ = case("cfc_dropout")
    tensor_file.write(tmp_path / "in.safetensors", {f"net.{k}": v for k, v in state_dict.items()}, {})
    arguments = tmp_path / "in.safetensors", tmp_path / "out.npz", "--activation", "relu", "--prefix", "net.", "--dtype"
    status, _, err = run(capsys, *arguments, "float32")
    assert status == 0
    assert err.startswith("python -m ltc_np convert: the state dict has a dropout") and err.count("\n") == 1
    model = load(tmp_path / "out.npz")
    assert model.dtype == np.float32 and model.layers[0].backbone_activation == "relu"


def test_faults_are_one_line_and_leave_nothing(tmp_path, capsys):
    models = {"good": LTCRNN(AutoNCP(6, 2), 2, seed=0), "gru": Model(GRU(3), input_dim=2, seed=0)}
    for name, model in models.items():
        model.save(tmp_path / f"{name}.npz")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    (tmp_path / "folder.npz").mkdir()
    before = sorted(os.listdir(tmp_path))
    faults = [
        ("nowhere.safetensors", "out.npz", [], "nowhere.safetensors"),
        ("nowhere.npz", "out.safetensors", [], "nowhere.npz"),
        ("empty.safetensors", "out.npz", [], "no file of safetensors, or damaged"),
        (STATE_DICT, "out.safetensors", [], "OUT must end in .npz where IN is a state dict"),
        (STATE_DICT, "folder.npz", [], "`path` must be a file, got the folder"),
        (STATE_DICT, "no/folder.npz", [], "`path` must lie in an existing folder"),
        (STATE_DICT, "out.npz", ["--mode", "pure"], "`mode` must be left out, as the source is an LTC of ncps"),
        ("good.npz", "out.npz", [], "OUT must end in .safetensors or .pt where IN is a model file"),
        ("good.npz", "out.safetensors", ["--ode-unfolds", "3"], "--ode-unfolds must be left out where IN is a model"),
        ("good.npz", "no/out.safetensors", [], "`path` must lie in an existing folder"),
        ("gru.npz", "out.safetensors", [], "`model` must be a network that ncps.torch has"),
        ("model.onnx", "out.npz", [], "`source` must be a file in .safetensors or"),
    ]
    for source, target, options, words in faults:
        status, out, err = run(capsys, tmp_path / source, tmp_path / target, *options)
        assert (status, out) == (2, ""), source
        assert err.startswith("python -m ltc_np convert: ") and err.count("\n") == 1 and words in err, err
        assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.slow
def test_it_is_a_command(tmp_path):
    CfCRNN(3, input_dim=2, seed=0).save(tmp_path / "model.npz")
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-m", "ltc_np"]
    files = [str(tmp_path / "model.npz"), str(tmp_path / "out.safetensors")]
    done = subprocess.run([*program, "convert", *files], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert "ncps.torch.CfC(input_size=2, units=3, " in done.stdout
    assert pathlib.Path(files[1]).is_file()
    assert "convert" in subprocess.run([*program, "--help"], capture_output=True, text=True, env=env).stdout
    assert subprocess.run([*program, "convert"], capture_output=True, text=True, env=env).returncode == 2
