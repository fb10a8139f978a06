"""Where the data of the examples lie: in packages that bring them, or in files that the user names.

Nothing is downloaded, and no package is imported: their files are read.
"""

import importlib.util
import pathlib

SUNSPOTS = (("statsmodels", "datasets/sunspots/sunspots.csv"),)
EL_NINO = (("statsmodels", "datasets/elnino/elnino.csv"),)
DIGITS = (("sklearn", "datasets/data/digits.csv.gz"),)


def of_archive(*names, packages=("sktime", "aeon")):
    """Places of files of the archive of time series, which these packages bring."""
    return [tuple((package, f"datasets/data/{name}") for package in packages) for name in names]


VOWELS = of_archive("JapaneseVowels/JapaneseVowels_TRAIN.ts", "JapaneseVowels/JapaneseVowels_TEST.ts")
DEMAND = of_archive("ItalyPowerDemand/ItalyPowerDemand_TRAIN.ts", "ItalyPowerDemand/ItalyPowerDemand_TEST.ts")
APPLIANCES = of_archive("ACSF1/ACSF1_TRAIN.ts", "ACSF1/ACSF1_TEST.ts")
DEVICES = of_archive("segmentation/ElectricDevices.csv")
TECATOR = of_archive("Tecator/Tecator_TRAIN.ts", "Tecator/Tecator_TEST.ts", packages=("sktime",))


def found(places):
    """The first of ``places``, pairs of a package and a path in it, that is there; FileNotFoundError if none is."""
    for package, path in places:
        spec = importlib.util.find_spec(package)
        folders = spec.submodule_search_locations if spec else None
        for folder in folders or ():
            file = pathlib.Path(folder) / path
            if file.is_file():
                return file
    packages = [package for package, _ in places]
    name, extra = pathlib.PurePosixPath(places[0][1]).name, "aeon" if packages == ["aeon"] else "examples"
    raise FileNotFoundError(
        f'{name} comes with {" or ".join(packages)}: pip install "ltc-np[{extra}]", or give the path of the file'
    )


def chosen(given, *places):
    """``given`` where the user has named all files, and those of the packages where none is named."""
    if not any(given):
        return [found(one) for one in places]
    if len(given) < len(places) or not all(given):
        raise FileNotFoundError(f"give the paths of all {len(places)} files, or none to take those of packages")
    return [pathlib.Path(path) for path in given]
