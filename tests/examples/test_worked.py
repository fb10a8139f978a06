"""What worked examples share: options of a script and of a notebook, and pictures."""

import sys

import pytest

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture
def worked(example):
    return example("worked")


def test_a_script_takes_options_from_its_command_line(worked, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("sys.argv", ["one.py", "data.csv", "--quick", "--output", str(tmp_path / "new")])
    monkeypatch.setenv(worked.VARIABLE, "--no-such-option")  # which is for notebooks
    options = worked.options("An example.", ("FILE", "data"), ("OTHER", "more"))
    assert (options.files, options.quick) == (["data.csv", None], True)
    assert (tmp_path / "new").is_dir()
    printed = capsys.readouterr()
    assert printed.out == "" and "--quick: this run is shortened" in printed.err


def test_a_notebook_takes_options_from_the_environment(worked, monkeypatch, tmp_path):
    """The command line is the kernel's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["/there/ipykernel_launcher.py", "-f", "connection.json"])
    assert worked.options("An example.").quick is False
    monkeypatch.setenv(worked.VARIABLE, "--quick 'a file.csv'")
    options = worked.options("An example.", ("FILE", "data"))
    assert (options.files, options.quick, str(options.output)) == (["a file.csv"], True, ".")
    monkeypatch.setenv(worked.VARIABLE, "--slow")
    with pytest.raises(ValueError, match="unrecognized arguments: --slow"):
        worked.options("An example.")
    with pytest.raises(ValueError, match="what is wrong"):
        options.stop("what is wrong")


def test_a_script_ends_with_one_line(worked, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")

    def ended(*argv):
        monkeypatch.setattr("sys.argv", ["one.py", *argv])
        with pytest.raises(SystemExit) as stop:
            worked.options("An example.").stop("what is wrong")
        assert stop.value.code == 2
        return capsys.readouterr().err.splitlines()[-1]

    assert ended("--slow") == "one.py: error: unrecognized arguments: --slow"
    assert "File exists" in ended("--output", str(tmp_path / "file"))
    assert ended("--output", str(tmp_path)) == "one.py: error: what is wrong"
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert ended() == 'one.py: error: a worked example needs matplotlib: pip install "ltc-np[examples]"'


def test_pictures_are_saved(worked, monkeypatch, tmp_path):
    import matplotlib.pyplot as plt

    monkeypatch.setattr("sys.argv", ["one.py", "--output", str(tmp_path)])
    options = worked.options("An example.")
    figure = plt.figure()
    worked.picture(figure, options, "name")
    assert (tmp_path / "name.png").read_bytes()[:4] == b"\x89PNG"
    assert not plt.fignum_exists(figure.number)
