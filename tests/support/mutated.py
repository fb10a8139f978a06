"""What may happen when a changed file is read: the formats, and the judge, in a process whose memory is limited.

A case is a format and a number, from which its file follows.  The file is read as users read it.  What comes out is
right if it is

- what the file was before, to the bit; or
- one error: a ValueError or an OSError, in one line, which names the file (of a table, or its column and line; of a
  configuration, which is an argument, a TypeError too, and its key); or
- where a format has no checksum over what was changed, or where the change has made the checksums right again, exactly
  what the file says now, as a second, simple reader finds it; or of a model something that is sound: finite,
  of the right sizes, computing, and the same after it was written and read.

Everything else is wrong: another exception or a warning, other values, a process that ends, or one that says nothing
for too long.
"""

import argparse
import csv
import io
import json
import math
import os
import pathlib
import resource
import shutil
import time
import traceback
import warnings
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import ltc_np
from ltc_np import SGD, Adam, Checkpoint, Checkpoints, CSVLogger, EarlyStopping, Model, from_config, load
from ltc_np.base import archive, tensor_file
from ltc_np.command import columns, tables, task
from ltc_np.export.fixed import calibration
from ltc_np.interop.ncps import from_ncps, to_ncps
from support import GOLDEN, mutations
from support.ncps_files import case as ncps_case
from support.texts import summary

MOST_WORDS = 1500  # characters of an error; that about a state dict names all keys that are wrong
LIMIT = 192 * 2**20  # bytes of address space beyond what the process has when it begins
# Limits for one file: seconds of the processor, and bytes of memory for every byte of it, besides what the interpreter
# takes.
SLOW, MOST_GROWTH, FREE = 10.0, 30, 8 * 2**20


class Wrong(AssertionError):
    """What must not happen."""


class Format(NamedTuple):
    """One kind of file.

    Attributes
    ----------
    make : callable
        ``make(folder)`` writes sound files into a folder, and returns their paths.
    read : callable
        ``read(path)`` gives what users get, as plain data that can be compared.
    changes : tuple of callables
        Changes that know the format, besides those of bytes.
    sound : callable
        ``sound(path, found)`` raises `Wrong` unless what was read is what the file says now.  None: what is read must
        be what the file was before, unless a change knows the format.
    checked : bool
        Whether checksums cover all of the file; changes of bytes do not make them right again.
    """

    make: Callable[[pathlib.Path], list]
    read: Callable[[pathlib.Path], Any]
    changes: tuple
    sound: Callable[[pathlib.Path, Any], None]
    checked: bool


def plain(value):
    """Any data as nested tuples, with numbers to the bit."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "O":
            return "objects", value.shape, tuple(map(repr, value.flat))
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return "dict", tuple((key, plain(value[key])) for key in sorted(value, key=repr))
    if isinstance(value, (list, tuple)):
        return tuple(map(plain, value))
    return type(value).__name__, repr(value)


# -------------------------------------------------------------------------------------------------------------- models


def of_model(model, optimizer=None):
    """All that a file says of a model."""
    return [
        type(model).__name__, model.theta, model.buffer_vector, model.trainable, repr(model), summary(model),
        [layer.config() if not _wired(layer) else repr(layer) for layer in model.layers],
        [layer.wiring.key for layer in model.layers if _wired(layer)], model.dtype.name, model.return_sequences,
        model.config and model.config.to_dict(), model.best and list(model.best), model.trained and list(model.trained),
        model.notes, optimizer and optimizer.state(),
    ]  # fmt: skip


def _wired(layer):
    return hasattr(layer, "wiring")


def check_model(model, path):
    """The model may be a different one than before, but it must be a sound one."""
    vectors = [model.theta, model.buffer_vector, *([model.best.theta] if model.best else [])]
    if not all(np.isfinite(vector).all() for vector in vectors):
        raise Wrong("a model that is not finite")
    if model.theta.size != model.layer_stack.layout.size or model.theta.dtype != model.dtype:
        raise Wrong("parameters of another size")
    again = path.with_name("again.npz")
    model.save(again)
    if plain(of_model(load(again, "numpy"))) != plain(of_model(model)):
        raise Wrong("a model that is another one after it was written and read")
    slow = any(getattr(layer, "ode_unfolds", 1) > 100 for layer in model.layers)
    if not slow and model.input_size < 1000 and model.state_size < 1000:
        steps = {"dt": 0.5} if model.takes_dt else {}
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                y = model(np.zeros((2, 3, model.input_size)), **steps)
        except FloatingPointError:  # with parameters of 1e30, which are finite, states soon are not
            return
        except ValueError as error:
            if not str(error).startswith("`dt` must keep"):  # an explicit solver that would not be stable
                raise
            return
        shape = (2, 3, model.output_size) if model.return_sequences else (2, model.output_size)
        if y.shape != shape:
            raise Wrong(f"outputs of shape {y.shape}")


def models(folder):
    """Three models, one with notes of the command line."""
    x = np.random.default_rng(0).normal(size=(4, 5, 2))
    ltc_np.LTCRNN(ltc_np.AutoNCP(6, 1), 2, seed=0, backend="numpy").save(folder / "ltc.npz")
    from_config({"cell": "gru", "units": 3, "input_dim": 2, "output_dim": 1}, seed=0, backend="numpy").save(
        folder / "config.npz"
    )
    model = Model(
        ltc_np.Standardize(), ltc_np.Bidirectional(ltc_np.LSTM(2)), ltc_np.Residual(ltc_np.Dense(4)), ltc_np.Dense(1),
        input_dim=2, seed=0, backend="numpy",
    )  # fmt: skip
    model.adapt(x)
    model.notes = task.Task(("a", "b"), ("c",), time="t", first=()).notes()
    model.notes["history"] = {"epoch": [0], "val_epoch": [], "best_epoch": None, "measured": {"loss": [0.5]}}
    model.save(folder / "stack.npz")
    return [folder / name for name in ("ltc.npz", "config.npz", "stack.npz")]


def read_model(path):
    model = load(path, "numpy")
    check_model(model, path)
    asked = []
    if model.notes is not None:
        for read in (task.of_model, task.history_of):
            try:
                asked.append(repr(read(model, str(path))))
            except ValueError as error:
                _check_words(error, path)
                asked.append(str(error))
    return [*of_model(model), asked]


def checkpoints(folder):
    """A file of the callback, with all that a file may hold."""
    model = from_config({"cell": "ctrnn", "units": 2, "input_dim": 1, "init": {"tau": 0.5}}, seed=0, backend="numpy")
    model.freeze("1.b")
    x = np.random.default_rng(0).normal(size=(2, 3, 1))
    for name, optimizer in (("adam", Adam(0.1)), ("sgd", SGD(0.1, momentum=0.5))):
        model.fit(x, x.repeat(2, 2), epochs=1, optimizer=optimizer, validation=(x, x.repeat(2, 2)), seed=0,
                  verbose=False, callbacks=[EarlyStopping(3), Checkpoint(folder / f"{name}.npz")])  # fmt: skip
    return [folder / "adam.npz", folder / "sgd.npz"]


def read_checkpoint(path):
    optimizer = Adam(0.1) if "adam" in path.name else SGD(0.1, momentum=0.5)
    before = plain(optimizer.state())
    try:
        model = load(path, "numpy", optimizer)
    except ValueError:
        if plain(optimizer.state()) != before:
            raise Wrong("an optimiser that is not as it was") from None
        raise
    check_model(model, path)
    return of_model(model, optimizer)


def trainings(folder):
    """Checkpoints of `fit`, after two of six steps and after four."""
    _train(folder, 2)
    return [folder / "step-00000004.npz"]


def _train(folder, epochs=3, resume=False):
    x = np.random.default_rng(0).normal(size=(4, 3, 1))
    model, optimizer = Model(ltc_np.GRU(2), ltc_np.Dense(1), input_dim=1, seed=0, backend="numpy"), Adam(0.1)
    data = {"validation": (x, x), "batch_size": 2, "seed": 0, "verbose": False, "callbacks": [EarlyStopping(9)]}
    checkpoint = Checkpoints(folder, every=2, keep_last=9, resume=resume)
    history = model.fit(x, x, epochs=epochs, optimizer=optimizer, checkpoint=checkpoint, **data)
    return model, optimizer, history


def read_training(path):
    """What a training gives that is resumed, if the newest checkpoint is this file and the one before it is whole."""
    folder = path.with_name("resumed")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(path.parent / "sound" / "step-00000002.npz", folder)
    newest = folder / "step-00000004.npz"
    shutil.copy(path, newest)
    try:
        model, optimizer, history = _train(folder, resume=True)
    except ValueError as error:
        raise ValueError(str(error).replace(str(newest), str(path))) from None
    was_taken = not newest.with_name(f"{newest.name}.damaged").exists()
    if was_taken and not is_signed(path):
        raise Wrong("a checkpoint was taken that has not the digest of its content")
    check_model(model, path)
    return [model.theta, list(model.best), optimizer.state(), dict(history), history.epoch]


def is_signed(path):
    """Whether a file has the digest of its arrays, as NumPy's own reader finds them."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return str(arrays.pop(archive.DIGEST, None)) == archive.digest(arrays)


def older(folder):
    """Files of formats 1 and 2, which have no digest."""
    return sorted(path for path in (GOLDEN / "files").glob("*.npz") if path.stem in ("cfc", "config", "gains"))


def read_old(path):
    model = load(path, "numpy")
    check_model(model, path)
    return of_model(model)


# ---------------------------------------------------------------------------------------------------------- state dicts


def state_dicts(folder):
    paths = []
    for name in ("ltc_implicit", "cfc_dropout", "wired_default"):
        tensor_file.write(folder / f"{name}.safetensors", ncps_case(name)[1], {"format": "pt"})
        paths.append(folder / f"{name}.safetensors")
    return paths


def read_state_dict(path):
    return of_model(from_ncps(path, backend="numpy"))


def tensors(path):
    """A second reader: the arrays of a file of safetensors."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    table = json.loads(content[8 : 8 + length])
    table.pop("__metadata__", None)
    found = {}
    for name, entry in table.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        kind = entry["dtype"]
        dtype = {"BF16": "<u2", "BOOL": "|b1"}.get(kind) or f"<{kind[0].lower()}{int(kind[1:]) // 8}"
        array = np.frombuffer(content[begin:end], dtype).reshape(entry["shape"])
        found[name] = (array.astype("<u4") * 65536).view("<f4") if kind == "BF16" else array
    return found


def check_state_dict(path, found):
    model = from_ncps(tensors(path), backend="numpy")
    if plain(of_model(model)) != plain(found):
        raise Wrong("another model than that of the arrays in the file")
    check_model(model, path)
    again = from_ncps(to_ncps(model), backend="numpy", **_unsaid(model))
    if not np.array_equal(again.theta, model.theta):
        raise Wrong("another model after it went to ncps and came back")


def _unsaid(model):
    """What the state dict of a network does not say."""
    layer = model.layers[0]
    return {"backbone_dropout": layer.backbone_dropout} if getattr(layer, "backbone_layers", 0) > 2 else {}


# -------------------------------------------------------------------------------------------------------------- tables


def csv_tables(folder):
    rng = np.random.default_rng(0)
    lines = ["time,power,heat,day,word"]
    lines += [f"{k / 4},{rng.normal():.6g},{k % 7},2024-01-{k % 28 + 1:02},{'ab'[k % 2]}" for k in range(30)]
    (folder / "numbers.csv").write_text("\n".join(lines) + "\n")
    (folder / "quoted.csv").write_text('"a b","c"\n1,"x, y"\n,"line\nbreak"\n3,NA\n')
    return [folder / "numbers.csv", folder / "quoted.csv"]


def read_table(path):
    """Every column of a table, in all ways in which columns are read."""
    table = tables.read(str(path))
    found = {"rows": table.rows, "sequences": table.sequences}
    for name, column in table.columns.items():
        read = {"cells": column.cells, "missing": column.missing()}
        for way in (column.numbers, column.times, column.words, column.is_text, column.has_commas):
            try:
                read[way.__name__] = way()
            except ValueError as error:
                if not str(error).startswith(f"column `{name}`"):
                    raise Wrong(f"an error without the column: {error}") from None
                read[way.__name__] = str(error)
        for kind in ("numbers", "times"):
            values = read[kind][0] if isinstance(read[kind], tuple) else read[kind]
            if not isinstance(values, str) and values.dtype.kind not in "iuf":
                raise Wrong(f"{kind} of dtype {values.dtype}")
        found[name] = read
    return found


def check_csv(path, found):
    text = path.read_bytes().decode("utf-8-sig")
    first = text.split("\n")[0].split("\r")[0]
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count)) if row]
    names = [name.strip() for name in rows[0]]
    if [found[name]["cells"].tolist() for name in names] != [list(cells) for cells in zip(*rows[1:], strict=True)]:
        raise Wrong("other cells than those of the file")
    if found["rows"] != len(rows) - 1 or len(found) != len(names) + 2:
        raise Wrong("another number of rows or columns")
    for name in names:
        numbers = found[name]["numbers"]
        if not isinstance(numbers, str):
            wanted = [math.nan if c.strip().lower() in columns.EMPTY else float(c) for c in found[name]["cells"]]
            if not np.array_equal(numbers, wanted, equal_nan=True):
                raise Wrong("other numbers than those of the file")


def npz_tables(folder):
    rng = np.random.default_rng(0)
    days = np.arange("2024-01-01", "2024-01-31", dtype="M8[D]")
    columns = {
        "time": days,
        "power": rng.normal(size=30),
        "two": np.zeros((30, 2), np.float32),
        "word": np.array(["a"] * 30),
    }
    np.savez(folder / "stored.npz", **columns)
    np.savez_compressed(folder / "packed.npz", **columns)
    np.savez(
        folder / "sequences.npz",
        x=rng.normal(size=(3, 4, 2)),
        dt=np.ones((3, 4)),
        lengths=np.array([4, 2, 3]),
        y=np.arange(3),
    )
    return [folder / name for name in ("stored.npz", "packed.npz", "sequences.npz")]


def check_npz(path, found):
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if not found["sequences"]:
        for name, array in arrays.items():
            own = (
                [found[name]["cells"]]
                if array.ndim == 1
                else [found[f"{name}_{k}"]["cells"] for k in range(array.shape[1])]
            )
            if plain(np.array(own)) != plain(np.array([*array.T] if array.ndim == 2 else [array])):
                raise Wrong("other cells than those of the file")


def calibrations(folder):
    rng = np.random.default_rng(0)
    np.savez(folder / "data.npz", x=rng.normal(size=(3, 4, 2)), dt=np.ones((3, 4)), lengths=np.array([4, 2, 3]))
    np.savez_compressed(folder / "less.npz", x=rng.normal(size=(3, 4, 2)))
    return [folder / "data.npz", folder / "less.npz"]


def check_calibration(path, found):
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if plain(arrays) != plain(found):
        raise Wrong("other arrays than those of the file")


def logs(folder):
    for name, separator in (("log.csv", ","), ("other.csv", ";")):
        lines = [separator.join(["epoch", "loss", "val_loss"])]
        lines += [separator.join([str(k), repr(0.1 * k), "" if k % 2 else "0.5"]) for k in range(6)]
        (folder / name).write_text("\n".join(lines) + "\n")
    return [folder / "log.csv", folder / "other.csv"]


def read_log(path):
    """The file after a training was resumed that had done three epochs."""
    logger = CSVLogger(path, ";" if "other" in path.name else ",")
    logger.initial_epoch, logger.measured = 3, ("loss", "val_loss")
    before = path.read_bytes()
    try:
        logger.on_train_begin()
    except ValueError:
        if path.read_bytes() != before:
            raise Wrong("a file that was refused is another one now") from None
        raise
    logger.on_train_end()
    if not before.startswith(path.read_bytes()):
        raise Wrong("lines that were not there")
    return path.read_bytes()


def check_log(path, found):
    """``found`` is what the file became."""
    separator = ";" if "other" in path.name else ","
    header, *rows = list(csv.reader(io.StringIO(found.decode(), newline=""), delimiter=separator))
    if header != ["epoch", "loss", "val_loss"] or not found.endswith((b"\n", b"\r")):
        raise Wrong("no whole lines")
    if any(len(row) != 3 or int(row[0]) >= 3 for row in rows):
        raise Wrong("lines of epochs that are done again")


# ------------------------------------------------------------------------------------------------------ configurations

CONFIGS = (
    {"cell": "ltc", "units": 4, "input_dim": 2, "output_dim": 1, "solver": "rk4", "ode_unfolds": 3,
     "init": {"w": [0.1, 0.2], "mu": 0.5}},
    {"cell": "CfC", "units": 4, "input_dim": 2, "activation": "tanh", "options": {"backbone_units": 8, "mode": "pure"}},
    {"cell": "LSTM", "units": 3, "input_dim": 2, "output_dim": 2, "input_mapping": "linear",
     "init": {"w_h": ["orthogonal", 0.5]}},
)  # fmt: skip


def configs(folder):
    paths = []
    for k, config in enumerate(CONFIGS):
        paths.append(folder / f"{k}.json")
        paths[-1].write_text(json.dumps(config))
    return paths


def read_config(path):
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: no JSON, which is the standard library's to say") from None
    model = from_config(config, seed=0, backend="numpy")
    return of_model(model)


def check_config(path, found):
    """Whatever the configuration says is so in the model's own, which makes the same model."""
    config = json.loads(path.read_bytes())
    model = from_config(config, seed=0, backend="numpy")
    check_model(model, path)
    own = model.config.to_dict()
    for name, value in config.items():
        if name in ("units", "input_dim", "output_dim", "ode_unfolds") and value is not None and own[name] != value:
            raise Wrong(f"{name} is {own[name]} instead of {value}")
        if name == "options" and any(own[name][key] != value[key] for key in value):
            raise Wrong(f"options are {own[name]} instead of {value}")
        if isinstance(value, str) and name in ("cell", "solver"):
            spelled, kept = (word.lower().translate(str.maketrans("", "", " -_")) for word in (value, own[name]))
            if spelled != kept and spelled not in ("lif", "node", "lrcu", "explicit", "rungekutta"):
                raise Wrong(f"{name} is {own[name]} instead of {value}")
    if plain(of_model(from_config(own, seed=0, backend="numpy"))) != plain(found):
        raise Wrong("another model of the same configuration")


# ------------------------------------------------------------------------------------------------------------- the list


def unchecked(path, found):
    """`read` has looked at the model already."""


_zip, _tensors, _json, _lines = (
    mutations.changed_zip, mutations.changed_tensors, mutations.changed_json, mutations.changed_lines
)  # fmt: skip
FORMATS = {
    "model": Format(models, read_model, (_zip,), unchecked, True),
    "checkpoint": Format(checkpoints, read_checkpoint, (_zip,), unchecked, True),
    "training": Format(trainings, read_training, (_zip,), unchecked, True),
    "old model": Format(older, read_old, (_zip,), unchecked, True),
    "safetensors": Format(state_dicts, read_state_dict, (_tensors,), check_state_dict, False),
    "table csv": Format(csv_tables, read_table, (_lines,), check_csv, False),
    "table npz": Format(npz_tables, read_table, (_zip,), check_npz, True),
    "calibration": Format(calibrations, calibration.read, (_zip,), check_calibration, True),
    "log": Format(logs, read_log, (_lines,), check_log, False),
    "config": Format(configs, read_config, (_json,), check_config, False),
}

# ---------------------------------------------------------------------------------------------------------- one process


def changed(name, content, seed):
    """The content of a case, and whether the change knows the format."""
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    own = FORMATS[name].changes
    knows = bool(own) and rng.random() < 0.6
    return (mutations.some(rng, own) if knows else mutations.blind)(content, rng), knows


def _check_words(error, path, argument=False):
    words = str(error)
    if not isinstance(error, (ValueError, OSError, *([TypeError] if argument else []))):
        raise Wrong(f"{type(error).__name__}: {words[:300]}")
    if isinstance(error, UnicodeError) or "\n" in words or len(words) > MOST_WORDS + len(str(path)):
        raise Wrong(f"an error of many words: {type(error).__name__}: {words[:300]!r}")
    if str(path) not in words and not (argument and words.startswith("`")):
        raise Wrong(f"an error that does not name the file: {words[:300]}")


def attempt(name, path, known, knows):
    """What became of a file: "same", "other" or "refused"; or `Wrong`."""
    form = FORMATS[name]
    try:
        found = form.read(path)
    except (Wrong, KeyboardInterrupt):
        raise
    except Exception as error:
        if not isinstance(error, (ValueError, OSError, TypeError)):
            raise
        _check_words(error, path, name == "config")
        return "refused"
    if plain(found) == known:
        return "same"
    if form.checked and not knows:
        raise Wrong("something else than what the file was")
    form.sound(path, found)
    return "other"


def used(field):
    """Bytes of memory of this process: VmSize, VmHWM, ..."""
    line = next(line for line in pathlib.Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def main():
    """Try cases of formats.  A line is printed for each, so that the reader knows which one has ended the process; then
    come figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("formats", nargs="+", choices=FORMATS)
    args = parser.parse_args()
    mutations.bomb()
    warnings.simplefilter("ignore")
    ready = [prepared(name, args.folder / name.replace(" ", "_")) for name in args.formats]
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", UserWarning)
    warnings.filterwarnings("ignore", "ltc_np: training goes on from", RuntimeWarning)
    begin = used("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (begin + LIMIT, begin + LIMIT))
    for name, (paths, contents, known) in zip(args.formats, ready, strict=True):
        figures = _try(name, paths, contents, known, range(args.first, args.first + args.count))
        print(f"done {json.dumps(figures)}", flush=True)


def prepared(name, folder):
    """Paths of the cases, the contents of sound files, and what they are read as."""
    form = FORMATS[name]
    (folder / "sound").mkdir(parents=True)
    places = form.make(folder / "sound")
    paths, contents, known = [folder / place.name for place in places], [place.read_bytes() for place in places], []
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
        found = form.read(path)
        known.append(plain(found))
        path.write_bytes(content)
        form.sound(path, found)  # so the second reader is tried as well
    return paths, contents, known


def _try(name, paths, contents, known, seeds):
    folder = paths[0].parent
    os.chdir(folder)  # a member's path that were followed would lead to somewhere here
    kept = {"sound", "again.npz", "resumed", *(path.name for path in paths)}
    figures = {"format": name, "same": 0, "other": 0, "refused": 0, "wrong": 0, "slowest": 0.0, "memory": 0}
    for seed in seeds:
        print(f"case {name}, seed {seed}", flush=True)
        k = seed % len(paths)
        content, knows = changed(name, contents[k], seed)
        paths[k].write_bytes(content)
        pathlib.Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
        resident, start = used("VmRSS"), time.process_time()
        try:
            outcome = attempt(name, paths[k], known[k], knows)
            seconds, growth = time.process_time() - start, used("VmHWM") - resident
            left = {entry.name for entry in folder.iterdir()} - kept
            if left:
                raise Wrong(f"a file has made {left}")
            if seconds > SLOW:
                raise Wrong(f"{seconds:.0f} s")
            if growth > MOST_GROWTH * len(content) + FREE:
                raise Wrong(f"{growth} bytes for {len(content)}")
            figures["slowest"], figures["memory"] = max(figures["slowest"], seconds), max(figures["memory"], growth)
        except BaseException as error:
            outcome = "wrong"
            where = folder / f"wrong_{seed}_{paths[k].name}"
            where.write_bytes(content)
            kept |= {entry.name for entry in folder.iterdir()}
            shown = str(error) if isinstance(error, Wrong) else "".join(traceback.format_exception(error)[-3:])
            print(f"wrong {name}, seed {seed}: {' '.join(shown.split())[:1000]}: {where}", flush=True)
        figures[outcome] += 1
    return figures


if __name__ == "__main__":
    main()
