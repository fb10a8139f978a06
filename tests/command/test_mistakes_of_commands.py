"""Wrong command lines and broken files: one line on standard error, exit code 2, and nothing is written."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from support import ROOT
from support.tables import SMALL, change, waves, words, write_csv

from ltc_np import LTCRNN, AutoNCP, FullyConnected, load

TRAIN = ["train", "waves.csv", "--target", "heat", "--time", "time", "--out", "new.npz"]
WORDS = ["train", "words.csv", "--target", "word", "--group", "who", "--out", "new.npz"]


def of(table, *options):
    """A training on another table."""
    return ["train", table, "--target", "heat", "--time", "time", "--out", "new.npz", *options]


# What is typed, and what the line says.
MISTAKES = {
    "no option": (["train"], "the following arguments are required: TABLE, --out, --target"),
    "unknown command": (["trian"], "unknown command 'trian': did you mean train?"),
    "strange command": (["zzz"], "unknown command 'zzz': there are train, evaluate, predict"),
    "unknown option": ([*TRAIN, "--zzz", "3"], "unrecognized arguments: --zzz 3 (--help shows how)"),
    "initials of an option": (
        [*TRAIN, "--lr", "0.5"],
        "unrecognized arguments: --lr 0.5: did you mean --learning-rate?",
    ),
    "a name of others": ([*TRAIN, "--hidden-size", "3"], "--hidden-size 3: did you mean --units?"),
    "one dash for two": ([*TRAIN, "-lr", "0.5"], "unrecognized arguments: -lr 0.5: did you mean --learning-rate?"),
    "misspelt option": ([*TRAIN, "--epcohs=3"], "unrecognized arguments: --epcohs=3: did you mean --epochs?"),
    "missing table": (of("nothing.csv"), "nothing.csv: No such file or directory: "),
    "misspelt table": (of("wave.csv"), "wave.csv: No such file or directory: did you mean waves.csv"),
    "missing folder": (of("none/waves.csv"), "none/waves.csv: No such file or directory: there is no folder none"),
    "folder for a table": (of("folder.csv"), "`TABLE` must be a file, got the folder folder.csv"),
    "unknown kind": (
        of("table.xlsx"),
        "must end in .csv, .tsv, .tab, .txt, .npz, .parquet: save it as one",
    ),
    "empty": (of("empty.csv"), "empty.csv: is empty"),
    "header only": (of("header.csv"), "header.csv: has no rows below the names of its columns"),
    "no header": (of("numbers.csv"), "numbers.csv: the first line must name the columns, got 1, 2, 3"),
    "nameless column": (of("index.csv"), "column 1 has no name in the first line: write them with to_csv(path, index"),
    "forecast in both directions": ([*TRAIN, "--horizon", "1", "--bidirectional"], "--bidirectional reads later rows"),
    "ragged": (of("ragged.csv"), "ragged.csv: every line must have 3 cells as the first has, got 2 in line 4"),
    "twice a name": (of("twice.csv"), "twice.csv: has two columns `heat`: give each a name"),
    "no text": (of("binary.csv"), "binary.csv: is no text in UTF-8, so no file of CSV: save it as UTF-8"),
    "open quote": (of("quote.csv"), "quote.csv: is no file of CSV: unexpected end of data"),
    "text in a feature": (of("text.csv"), "column `power` must hold numbers, got 'high' in line 5: leave it out with"),
    "text in a named feature": (
        of("text.csv", "--features", "power"),
        "`power` must hold numbers, got 'high' in line 5",
    ),
    "text as numbers": (of("texts.csv", "--task", "numbers"), "column `heat` must hold numbers, got 'warm' in line 3"),
    "hole in words": (of("text.csv"), "--ignore power, or empty the cell if its value is missing"),
    "comma in a feature": (
        of("comma.csv"),
        "column `power` must hold numbers, got '0,5' in line 2: write numbers with a decimal point",
    ),
    "comma in a target": (
        of("commas.csv"),
        "column `heat` must hold numbers, got '-1,5' in line 2: write numbers with a decimal point",
    ),
    "commas between thousands": (of("thousands.csv"), "got '1,234.5' in line 6: write numbers with a decimal point"),
    "too large": (of("large.csv"), "column `power` must hold numbers of at most 1.8e+19, got '1e+30' in line 3"),
    "times without --time": (
        ["train", "days.csv", "--target", "heat", "--out", "new.npz"],
        "leave it out with --ignore time, or --time time if these are the times",
    ),
    "text in a time": (
        of("clock.csv"),
        "column `time` must hold numbers, or dates such as 2024-12-31 or 2024-12-31T23",
    ),
    "no date": (of("dates.csv"), "column `time` must hold dates as in its first row, got '3 o' in line 4"),
    "a zone of some dates": (
        of("zones.csv"),
        "column `time` must name the time zone of every date or of none, got '2024-01-01 08:00' in line 2 without one "
        "and '2024-01-02 08:00Z' in line 3: write Z behind all of them if all are UTC",
    ),
    "no zone of some dates": (of("zoned.csv"), "got '2024-01-01T08:00+00:00' in line 2 with one and '2024-01-03' in"),
    "no such day": (of("february.csv"), "column `time` must hold dates: "),
    "missing target": (
        of("gap.csv"),
        "column `heat` must hold a value in every row, got 1 missing, the first in line 7",
    ),
    "missing feature": (
        of("hole.csv"),
        "column `power` must hold a value in every row, got 2 missing, the first in line 3",
    ),
    "missing time": (of("timeless.csv"), "column `time` must hold a time in every row, got none in line 4"),
    "infinite": (of("infinite.csv"), "column `power` must hold finite numbers, got 'inf' in line 6"),
    "backwards": (
        of("back.csv"),
        "sort the table by it, or give the column that tells several sequences apart as --group",
    ),
    "text of many words": (
        of("names.csv"),
        "column `power` must hold numbers, or 1 to 50 words in the training part, got 56 of them: leave it out with "
        "--ignore power",
    ),
    "dates and words": (of("mixture.csv"), "column `power` must hold numbers, got '2024-01-01' in line 3"),
    "unknown target": (["train", "waves.csv", "--target", "heta", "--out", "new.npz"], "did you mean `heat`?"),
    "unknown time": (
        [*WORDS, "--time", "x"],
        "no column `x` for --time: it has `who`, `t`, `a`, `b`, `word`; leave --time out",
    ),
    "unknown group": ([*TRAIN, "--group", "Power"], "no column `Power` for --group: did you mean `power`?"),
    "unknown feature": ([*TRAIN, "--features", "powr"], "no column `powr` for --features: did you mean `power`?"),
    "unknown ignored": ([*TRAIN, "--ignore", "pow"], "no column `pow` for --ignore: did you mean `power`?"),
    "twice a feature": ([*TRAIN, "--features", "power,power"], "--features must name every column once"),
    "target in features": ([*TRAIN, "--features", "power,heat"], "--features must not name the target of the same row"),
    "time in features": (
        [*TRAIN, "--features", "time"],
        "--features must not name --time, --dt or --group, got `time`",
    ),
    "target is the time": ([*TRAIN[:5], "heat", *TRAIN[6:]], "--time must be another column than --target"),
    "target is the group": ([*TRAIN, "--group", "heat"], "--group must be another column than --target"),
    "group is the time": ([*TRAIN, "--group", "time"], "--group must be another column than --time"),
    "features and ignore": ([*TRAIN, "--features", "power", "--ignore", "power"], "--ignore leaves columns out of all"),
    "nothing to read": ([*TRAIN, "--ignore", "power"], "no column is left for --features"),
    "window too long": ([*TRAIN, "--window", "57"], "--window must be at most 56, the rows of the longest training"),
    "window of one": ([*TRAIN, "--window", "1"], "--window must be at least 2, got 1"),
    "hop alone": ([*TRAIN, "--hop", "3"], "--hop needs --window W"),
    "hop of none": ([*TRAIN, "--window", "9", "--hop", "0"], "--hop must be at least 1, got 0"),
    "horizon back": ([*TRAIN, "--horizon", "-1"], "--horizon must be at least 0, got -1"),
    "horizon too far": (
        [*TRAIN, "--horizon", "60"],
        "too few for a training, a validation and a test part, with 60 before the first target: give more rows",
    ),
    "horizon of groups": ([*WORDS, "--answer", "sequence", "--horizon", "1"], "--horizon needs an answer at every row"),
    "share": ([*TRAIN, "--test", "1.5"], "--test must be a share between 0 and 1, got 1.5"),
    "share NaN": ([*TRAIN, "--validation", "nan"], "--validation must be a share between 0 and 1, got nan"),
    "shares": ([*TRAIN, "--test", "0.6", "--validation", "0.4"], "must leave something for the training"),
    "patience": ([*TRAIN, "--patience", "0"], "--patience must be at least 1, got 0"),
    "patience in words": ([*TRAIN, "--patience", "1.5"], "argument --patience: invalid int value: '1.5'"),
    "seed": ([*TRAIN, "--seed", "-1"], "--seed must be at least 0, got -1"),
    "unit without time": ([*WORDS, "--time-unit", "s"], "--time-unit needs --time COL"),
    "unit of numbers": ([*TRAIN, "--time-unit", "h"], "--time-unit must be a number > 0, got h"),
    "unit NaN": ([*TRAIN, "--time-unit", "nan"], "--time-unit must be a number > 0, got nan"),
    "group of one row": (
        ["train", "single.csv", "--target", "heat", "--group", "who", "--split", "time", "--out", "new.npz"],
        "group c has 1 row, too few for a training, a validation and a test part: --split group takes whole groups",
    ),
    "two groups": (
        ["train", "pair.csv", "--target", "heat", "--group", "who", "--out", "new.npz"],
        "--split group needs at least 3 groups, got 2",
    ),
    "groups of nothing": ([*TRAIN, "--split", "group"], "--split group needs --group COL"),
    "sequences of nothing": ([*TRAIN, "--answer", "sequence"], "--answer sequence needs --group COL"),
    "parts of sequences": ([*WORDS, "--split", "time"], "--split time needs an answer at every row"),
    "changing target": (
        ["train", "pair.csv", "--target", "heat", "--group", "who", "--answer", "sequence", "--out", "new.npz"],
        "--answer sequence needs one value of the target in each group, got several in group a",
    ),
    "several classes": ([*WORDS[:3], "word,a", *WORDS[4:]], "--target must be one column where it is classes, got 2"),
    "one class": (
        ["train", "constant.csv", "--target", "word", "--group", "who", "--out", "new.npz"],
        "column `word` must hold 2 to 1000 classes in the training part, got 1",
    ),
    "new class in the test": (of("late.csv"), "column `heat` must hold a class of the training part (cold, warm), got"),
    "balanced numbers": ([*TRAIN, "--balanced"], "--balanced needs classes"),
    "epochs": ([*TRAIN, "--epochs", "-3"], "--epochs must be an int >= 1, got -3"),
    "epochs in words": ([*TRAIN, "--epochs", "many"], "argument --epochs: must be an int or \"auto\", got 'many'"),
    "units": ([*TRAIN, "--units", "0"], "--units must be an int >= 1, got 0"),
    "rate NaN": ([*TRAIN, "--learning-rate", "nan"], "--learning-rate must be a finite number > 0, got nan"),
    "dropout": ([*TRAIN, "--dropout", "1"], "--dropout must be a finite number in [0, 1), got 1.0"),
    "clip": ([*TRAIN, "--clip-norm", "big"], "argument --clip-norm: must be a number or \"none\", got 'big'"),
    "time constants": ([*TRAIN, "--time-constants", "3,1"], "must be two numbers with 0 < LOW <= HIGH, got '3,1'"),
    "cell": ([*TRAIN, "--model", "rnn"], "argument --model/--cell: invalid choice: 'rnn'"),
    "backend": ([*TRAIN, "--backend", "gpu"], "argument --backend: invalid choice: 'gpu'"),
    "out in a missing folder": (
        [*TRAIN, "--out", "no/new.npz"],
        "--out must lie in an existing folder, got no/new.npz",
    ),
    "out is a folder": ([*TRAIN, "--out", "folder.npz"], "--out must be a file, got the folder folder.npz"),
    "out of another kind": ([*TRAIN, "--out", "new.csv"], "--out must be a file MODEL.npz, got new.csv"),
    "out is there": ([*TRAIN, "--out", "drive.npz"], "--out: drive.npz is there already: give --force to replace it"),
    "out is the table": (
        ["train", "table.npz", "--target", "heat", "--out", "./table.npz", "--force"],
        "--out must be another file than table.npz, which is used already",
    ),
    "npz cut short": (of("short.npz"), "short.npz: not a file of named arrays (.npz), or a damaged one"),
    "npz of objects": (
        of("pickled.npz"),
        "pickled.npz: damaged: time.npy has an unknown header: objects of Python, which are not read",
    ),
    "one array": (of("array.npz"), "array.npz: no file of named arrays (.npz): it holds one array without a name"),
    "unequal arrays": (of("unequal.npz"), "must have equally many rows, got `time` 5, `heat` 4"),
    "deep arrays": (of("deep.npz"), "the arrays of a table are (rows,), or (rows, k)"),
    "complex arrays": (of("complex.npz"), "column `heat` must hold numbers, dates or text, got dtype complex128"),
    "no array": (of("none.npz"), "none.npz: has no columns"),
    "model for a table": (of("drive.npz"), "drive.npz: is a model, and a table is wanted"),
    "parquet": (of("table.parquet"), "table.parquet"),
    "missing model": (["info", "nothing.npz"], "nothing.npz: No such file or directory: the folder has array.npz"),
    "folder for a model": (["info", "folder.npz"], "`path` must be a file, got the folder folder.npz"),
    "table for a model": (["evaluate", "table.npz", "waves.csv"], "table.npz: no model file of ltc_np: it has no meta"),
    "csv for a model": (["info", "waves.csv"], "waves.csv: not a model file, or a damaged one"),
    "model cut short": (["info", "cut.npz"], "cut.npz: not a model file, or a damaged one"),
    "pickled model": (["info", "pickled.npz"], "pickled.npz: damaged: "),
    "newer model": (["info", "newer.npz"], "newer.npz: format 99 cannot be read, this version of ltc_np knows 1 to 3"),
    "model without a task": (
        ["predict", "plain.npz", "waves.csv", "--out", "new.csv"],
        "plain.npz: was not trained by",
    ),
    "other notes": (
        ["evaluate", "odd.npz", "waves.csv"],
        "odd.npz: its notes do not say which columns the model reads",
    ),
    "wrong table": (
        ["predict", "drive.npz", "words.csv", "--out", "new.csv"],
        "words.csv: no column `power` for the model's --features",
    ),
    "numbers for dates": (
        ["predict", "drive.npz", "days.csv", "--out", "new.csv"],
        "column `time` must hold numbers as in",
    ),
    "answers of a kind": (
        ["predict", "drive.npz", "waves.csv", "--out", "new.txt"],
        "must end in .csv, .tsv, .tab, .npz, .parquet",
    ),
    "answers over the table": (
        ["predict", "drive.npz", "waves.csv", "--out", "waves.csv", "--force"],
        "--out must be another file than waves.csv, which is used already",
    ),
    "answers over a file": (["predict", "drive.npz", "waves.csv", "--out", "text.csv"], "text.csv is there already"),
    "part": (["evaluate", "drive.npz", "waves.csv", "--part", "tests"], "argument --part: invalid choice: 'tests'"),
    "no target": (
        ["evaluate", "drive.npz", "targetless.csv"],
        "no column `heat` for the model's --target",
    ),
    "dates in a feature": (of("dated.npz"), "column `power` must hold numbers, got dates such as '2024-01-01"),
    "row of no group": (
        ["train", "nobody.csv", *WORDS[2:]],
        "column `who` must name a group in every row, got none in line 4",
    ),
    "feature that begins late": (
        of("begins.csv", "--missing", "fill"),
        "column `power` must hold a value in the training part, got none: --ignore power",
    ),
    "time constants in one word": (
        [*TRAIN, "--time-constants", "1;9"],
        """must be two numbers LOW,HIGH, "auto" or "none", got '1;9'""",
    ),
    "gradients of very many": (
        ["gradcheck", "large.npz"],
        "large.npz: has 26486 parameters, and at most 20000 can be checked",
    ),
    "gradient steps": (["gradcheck", "drive.npz", "--steps", "0"], "--steps must be at least 1, got 0"),
    "gradient tolerance": (
        ["gradcheck", "drive.npz", "--tolerance", "nan"],
        "must be a number between 0 and 1, got nan",
    ),
    "picture of a kind": (["plot", "drive.npz", "waves.csv", "--out", "p.gif"], "--out must end in .png, .svg, .pdf"),
    "picture of no group": (
        ["plot", "words.npz", "--group", "g1", "--out", "p.png"],
        "--group has no effect on",
    ),
    "picture without a table": (["plot", "drive.npz", "--what", "predictions", "--out", "p.png"], "needs TABLE"),
    "picture of an unknown group": (
        ["plot", "drive.npz", "waves.csv", "--group", "g1", "--out", "p.png"],
        "--group must be a group of the table (it has none), got g1",
    ),
    "picture of one row": (["plot", "drive.npz", "waves.csv", "--last", "1", "--out", "p.png"], "--last must be at"),
    "wiring of none": (["plot", "words.npz", "--out", "p.png"], "python -m ltc_np plot: "),
    "learning of none": (["plot", "plain.npz", "--what", "learning", "--out", "p.png"], "it has no learning curve"),
    "picture of what": (
        ["plot", "waves.npz", "--out", "p.png", "--what", "loss"],
        "argument --what: invalid choice: 'loss'",
    ),
    "picture and none": ([*TRAIN, "--picture", "p.png"], "--picture and --no-picture must not be given both"),
    "export of nothing": (["export", "nothing.npz", "c"], "No such file or directory"),
    "convert of nothing": (["convert", "nothing.safetensors", "new.npz"], "nothing.safetensors: No such file"),
    "bench": (["bench", "--runs", "0"], "--runs must be at least 1"),
}
IN_A_PROCESS = ("no option", "ragged", "window too long", "newer model", "unknown command", "out is there")


@pytest.fixture(scope="module")
def broken(tmp_path_factory, trained):
    """A folder with all files that the table of mistakes names."""
    folder = tmp_path_factory.mktemp("broken")
    for name in ("waves.csv", "words.csv", "drive.npz", "waves.npz", "words.npz"):
        shutil.copy(trained / name, folder / name)
    for name in ("folder.csv", "folder.npz"):
        (folder / name).mkdir()
    table, n = waves(), 80
    head = "time,power,heat\n"
    texts = {
        "table.xlsx": head,
        "empty.csv": "",
        "header.csv": head,
        "numbers.csv": "1,2,3\n4,5,6\n",
        "index.csv": ",time,heat\n0,1,2\n",
        "ragged.csv": head + "1,2,3\n2,3,4\n3,4\n",
        "twice.csv": "time,heat,heat\n1,2,3\n",
        "quote.csv": head + '1,"2,3\n',
        "table.parquet": "PAR1 is how such a file begins",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "binary.csv").write_bytes(b"\xff\xfe\x00a,b\n1,2\n")
    days = [f"2024-01-{k + 1:02}" for k in range(28)]
    heat = ["cold", "warm"]
    changed = {
        "text.csv": change(table, power={3: "high"}),
        "texts.csv": change(table, heat={1: "warm"}),
        "comma.csv": change(table, power=dict.fromkeys(range(n), '"0,5"')),
        "commas.csv": change(table, heat={k: ('"-1,5"', '"1,5"')[k % 2] for k in range(n)}),  # classes otherwise
        "thousands.csv": change(table, heat={4: '"1,234.5"'}),
        "large.csv": change(table, power={1: "1e+30"}),
        "clock.csv": change(table, time={0: "noon"}),
        "dates.csv": {"time": [*days[:2], "3 o'clock"[:3], *days[3:]], "power": range(28), "heat": range(28)},
        "zones.csv": {
            "time": [f"{day} 08:00{'Z' * (k % 2)}" for k, day in enumerate(days)],
            "power": range(28),
            "heat": range(28),
        },
        "zoned.csv": {
            "time": [f"{days[0]}T08:00+00:00", f"{days[1]}T08:00Z", *days[2:]],
            "power": range(28),
            "heat": range(28),
        },
        "february.csv": {"time": ["2024-02-01", "2024-02-31", *days[2:]], "power": range(28), "heat": range(28)},
        "days.csv": {"time": days, "power": range(28), "heat": range(28)},
        "nobody.csv": change(words(), who={2: None}),
        "begins.csv": change(table, power=dict.fromkeys(range(60))),
        "gap.csv": change(table, heat={5: None}),
        "hole.csv": change(table, power={1: None, 4: "NA"}),
        "timeless.csv": change(table, time={2: None}),
        "infinite.csv": change(table, power={4: "inf"}),
        "back.csv": change(table, time={9: 0.001}),
        "names.csv": table | {"power": [f"p{k}" for k in range(n)]},
        "mixture.csv": table | {"power": ["", "2024-01-01", *["high"] * (n - 2)]},
        "targetless.csv": {name: table[name] for name in ("time", "power")},
        "single.csv": {"who": ["a"] * 20 + ["b"] * 20 + ["c"], "power": range(41), "heat": range(41)},
        "pair.csv": {"who": ["a"] * 20 + ["b"] * 20, "power": range(40), "heat": range(40)},
        "constant.csv": words() | {"word": ["same"] * len(words()["word"])},
        "late.csv": change(table, heat={k: heat[k % 2] if k < 70 else "hot" for k in range(n)}),
    }
    for name, columns in changed.items():
        write_csv(folder / name, columns)
    np.savez(folder / "table.npz", **{name: np.array(values) for name, values in table.items()})
    np.savez(folder / "dated.npz", time=np.arange(n), power=(np.arange(n) + 19723).astype("M8[D]"), heat=np.zeros(n))
    LTCRNN(FullyConnected(80, 1), 2, seed=0, backend="numpy").save(folder / "large.npz")
    (folder / "short.npz").write_bytes((folder / "table.npz").read_bytes()[:900])
    (folder / "cut.npz").write_bytes((folder / "drive.npz").read_bytes()[:900])
    np.savez(folder / "pickled.npz", time=np.array([{}], object), heat=np.zeros(1))
    with open(folder / "array.npz", "wb") as file:
        np.save(file, np.zeros(3))
    np.savez(folder / "unequal.npz", time=np.arange(5), heat=np.zeros(4))
    np.savez(folder / "deep.npz", time=np.zeros((2, 3, 4)), heat=np.zeros(2))
    np.savez(folder / "complex.npz", time=np.arange(3), power=np.arange(3), heat=np.zeros(3, complex))
    np.savez(folder / "none.npz")
    model = LTCRNN(AutoNCP(6, 1), 2, seed=0, backend="numpy")
    model.save(folder / "plain.npz")
    content = dict(np.load(folder / "plain.npz"))
    del content["digest"]
    content["meta"] = np.array(str(content["meta"]).replace('"ltc_np": 3', '"ltc_np": 99'))
    np.savez(folder / "newer.npz", **content)
    model.notes = {"table": {"features": ["power"], "colour": "red"}}
    model.save(folder / "odd.npz")
    return folder


def contents(folder):
    """Path -> bytes of every file, None for folders."""
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def test_there_are_enough():
    assert len(MISTAKES) >= 60


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(name, broken, ltc, monkeypatch):
    monkeypatch.chdir(broken)
    arguments, words_of_it = MISTAKES[name]
    before = contents(broken)
    quick = SMALL if arguments[0] == "train" and len(arguments) > 1 and name not in GIVEN else []
    status, out, err = ltc(*arguments, *quick)
    assert (status, out) == (2, ""), err
    assert err.startswith("python -m ltc_np") and err.endswith("\n") and err.count("\n") == 1, err
    assert words_of_it in err, err
    assert contents(broken) == before


# These give an option of `SMALL` themselves, and the last one counts.
GIVEN = {"epochs", "epochs in words", "units", "backend"}


@pytest.mark.few(1)
@pytest.mark.parametrize("name", IN_A_PROCESS)
def test_a_mistake_is_one_line_in_a_process_too(name, broken):
    arguments, words_of_it = MISTAKES[name]
    before = contents(broken)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "ltc_np", *arguments], cwd=broken, env=env, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and words_of_it in done.stderr
    assert contents(broken) == before


def test_the_same_files_without_the_mistake(broken, here, ltc):
    """What the mistakes are made in is right otherwise: or any error would do."""
    for arguments in (TRAIN, WORDS):
        table = broken / arguments[1]
        assert ltc("train", table, *arguments[2:-1], here / f"{table.stem}.npz", *SMALL)[0] == 0
        assert load(here / f"{table.stem}.npz").notes["table"]


# Values that entries of notes cannot have, whatever they are of.
ODD = [None, True, -1, 1e300, "x", [], [1], {"a": 1}, [["a"]], ["power", "heat", "power"]]
LINES = (["evaluate", "m.npz"], ["predict", "m.npz", "--out", "p.csv"], ["info", "m.npz"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["waves", "words"])
def test_notes_of_strangers(name, trained, here, ltc):
    """Each entry is replaced by what it cannot be: a line for each command, or what another task would answer."""
    model = load(trained / f"{name}.npz", backend="numpy")
    notes, refused = model.notes, 0
    for key in notes["table"]:
        for value in ODD:
            model.notes = {"table": notes["table"] | {key: value}}
            model.save("m.npz")
            for line in LINES:
                table = [] if line[0] == "info" else [trained / f"{name}.csv"]
                status, _, err = ltc(*line[:2], *table, *line[2:], *(["--force"] if line[0] == "predict" else []))
                assert status == 0 or (status == 2 and err.count("\n") == 1), (key, value, err)
                refused += status == 2
    assert refused > 0.8 * len(notes["table"]) * len(ODD) * len(LINES)
    for value in ODD[1:]:
        for key in notes["history"]:
            model.notes = {"history": notes["history"] | {key: value}}
            model.save("m.npz")
            status, _, err = ltc("plot", "m.npz", "--what", "learning", "--out", "p.png", "--force")
            assert (status, err) == (2, "python -m ltc_np plot: m.npz: its notes hold no learning curve\n"), (
                key,
                value,
            )
