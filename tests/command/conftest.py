"""Tables, and models that were trained on them, for all tests of commands."""

import pytest
from support.tables import SMALL, waves, words, write_csv

from ltc_np.command import main


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder, in which the test works."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ltc(capsys):
    """Runs a command in this process: (exit status, standard output, standard error)."""

    def run(*arguments):
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with waves.csv and words.csv, and models of them: waves.npz (a forecast), drive.npz and words.npz."""
    folder = tmp_path_factory.mktemp("trained")
    write_csv(folder / "waves.csv", waves())
    write_csv(folder / "words.csv", words())
    for name, table, options in (
        ("waves", "waves", ["--target", "heat", "--time", "time", "--horizon", "2"]),
        ("drive", "waves", ["--target", "heat", "--time", "time"]),
        ("words", "words", ["--target", "word", "--group", "who", "--time", "t", "--model", "cfc"]),
    ):
        files = [str(folder / f"{table}.csv"), "--out", str(folder / f"{name}.npz")]
        assert main(["train", *files, *options, *SMALL]) == 0
    return folder
