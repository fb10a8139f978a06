"""Where examples find their data: in files that the user names, or in packages that bring them."""

import pathlib
import re

import pytest


@pytest.fixture
def data_files(example):
    return example("data_files")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An importable package whose code must not run, with one file of data."""
    folder = tmp_path / "brings_data"
    (folder / "inside").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('imported')")
    (folder / "inside/file.csv").write_text("1")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_files_of_packages_are_found_without_an_import(data_files, package):
    places = ("no_such_package", "file.csv"), ("brings_data", "nowhere.csv"), ("brings_data", "inside/file.csv")
    assert data_files.found(places) == package / "inside/file.csv"
    assert data_files.chosen([None], places) == [package / "inside/file.csv"]
    words = 'nowhere.csv comes with brings_data: pip install "ltc-np[examples]"'
    with pytest.raises(FileNotFoundError, match=re.escape(words)):
        data_files.found(places[1:2])


@pytest.mark.parametrize(
    ("packages", "words"), [(("aeon",), 'aeon: pip install "ltc-np[aeon]"'), (("sktime", "aeon"), "sktime or aeon: ")]
)
def test_what_brings_a_set_of_the_archive(data_files, monkeypatch, packages, words):
    monkeypatch.setattr(data_files.importlib.util, "find_spec", lambda package: None)
    (places,) = data_files.of_archive("Set/Set_TRAIN.ts", packages=packages)
    with pytest.raises(FileNotFoundError, match=re.escape(f"Set_TRAIN.ts comes with {words}")):
        data_files.found(places)


def test_the_user_names_all_files_or_none(data_files, package):
    places = [(("brings_data", "inside/file.csv"),)] * 2
    assert data_files.chosen(["a", "b"], *places) == [pathlib.Path("a"), pathlib.Path("b")]
    assert data_files.chosen([None, None], *places) == [package / "inside/file.csv"] * 2
    for given in (["a", None], [None, "b"]):
        with pytest.raises(FileNotFoundError, match="give the paths of all 2 files"):
            data_files.chosen(given, *places)


@pytest.mark.parametrize("name", ["sunspots", "japanese_vowels", "missing_hours"])
def test_without_packages_one_line_says_what_to_install(example, data_files, monkeypatch, capsys, name):
    def found(places):
        raise FileNotFoundError("file.csv comes with a package")

    monkeypatch.setattr(data_files, "found", found)
    with pytest.raises(SystemExit) as stop:
        example(name).main(["--no-plot"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(": file.csv comes with a package")
