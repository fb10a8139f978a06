"""Changes of files: blind ones of bytes, and ones that know zip files, arrays of NumPy, safetensors, JSON and CSV.

Every change is a function of (content, generator) that returns the new content.  Those that know a format make its
checksums right again, so that what lies behind them is reached.
"""

import functools
import io
import json
import struct
import zlib
from typing import NamedTuple

import numpy as np

from ltc_np.base import archive

HUGE = (2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**64 - 1, 10**30)
NAMES = (
    "../../mutated", "/etc/mutated", "C:\\mutated", "a/b", "", ".", "meta", "theta", "array0", "digest", "x" * 5000,
    "\u202enpy", "naïve", "a\nb", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "%s%n", "a\0b",
)  # fmt: skip
# What would create a file if anything ever unpickled it: the reduction to os.mkdir of a name.
PICKLE = b"cposix\nmkdir\n(S'" + b"%s" + b"'\ntR."


def some(rng, values):
    """One of the values."""
    return values[int(rng.integers(len(values)))]


# --------------------------------------------------------------------------------------------------------------- blind


def _place(content, rng, longest=64):
    begin = int(rng.integers(len(content) + 1))
    return begin, min(len(content), begin + int(rng.integers(1, longest)))


def flipped_bits(content, rng):
    found = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        if found:
            found[int(rng.integers(len(found)))] ^= 1 << int(rng.integers(8))
    return bytes(found)


def overwritten(content, rng):
    a, b = _place(content, rng)
    new = some(rng, (rng.bytes(b - a), b"\0" * (b - a), b"\xff" * (b - a), content[: b - a]))
    return content[:a] + new + content[b:]


def number_put_in(content, rng):
    """A number where another one may have stood."""
    size, order = some(rng, (1, 2, 4, 8)), some(rng, ("little", "big"))
    value = some(rng, (0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1), 2 ** (8 * size - 1) - 1, len(content)))
    a, _ = _place(content, rng)
    return content[:a] + (value % 2 ** (8 * size)).to_bytes(size, order) + content[a + size :]


def cut(content, rng):
    """The end, the beginning or a part in the middle is missing."""
    a, b = sorted(int(k) for k in rng.integers(len(content) + 1, size=2))
    return some(rng, (content[:a], content[a:], content[:a] + content[b:], content[: -(b - a) or None]))


def inserted(content, rng):
    a, b = _place(content, rng, 4000)
    c, _ = _place(content, rng)
    return content[:c] + some(rng, (content[a:b], rng.bytes(b - a), b"\0" * (b - a))) + content[c:]


def exchanged(content, rng):
    """Two parts have changed their places."""
    a, b, c, d = sorted(int(k) for k in rng.integers(len(content) + 1, size=4))
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def lost_sector(content, rng):
    """512 bytes of zeros, as a disk gives that has written less than it said."""
    a = int(rng.integers(len(content) // 512 + 1)) * 512
    return content[:a] + b"\0" * min(512, len(content) - a) + content[a + 512 :]


def surrounded(content, rng):
    return some(rng, (content + content, b"#!/bin/sh\n" + content, content + rng.bytes(70), b"", b"\0" * 4096))


BLIND = (flipped_bits, flipped_bits, overwritten, number_put_in, cut, inserted, exchanged, lost_sector, surrounded)


def blind(content, rng):
    for _ in range(some(rng, (1, 1, 1, 2, 5))):
        content = some(rng, BLIND)(content, rng)
    return content


# ---------------------------------------------------------------------------------------------------------------- JSON


def odd_value(value, rng):
    """Something else than ``value``, most often of another kind."""
    if type(value) is int and rng.random() < 0.3:
        return value + some(rng, (-1, 1, 7, 100))
    if isinstance(value, str) and rng.random() < 0.4:
        return some(rng, (value.upper(), value + " ", value[:-1], value + "\0", f"__{value}__", value[::-1]))
    if isinstance(value, list) and rng.random() < 0.5:
        return some(rng, (value[:-1], value + value, value[::-1], [value], [*value, None]))
    deep = []
    for _ in range(some(rng, (3, 250, 5000))):
        deep = [deep]
    return some(
        rng,
        (
            None, True, False, 0, 1, -1, 0.5, -0.0, 1e308, 1e-320, float("nan"), float("inf"), -float("inf"), "", "1",
            [], {}, [[]], {"": None}, {"array": 0}, {"array": -1}, {"tuple": []}, {"dict": {}}, {"layer": ["GRU", {}]},
            {"wiring": {}}, deep, *HUGE, *(-n for n in HUGE), *NAMES,
        ),
    )  # fmt: skip


def _parents(value, found):
    """The lists and dicts in a value that hold something; some of them, where there are very many."""
    if isinstance(value, (list, dict)) and value and len(found) < 500:
        found.append(value)
        for inner in value.values() if isinstance(value, dict) else value:
            _parents(inner, found)
    return found


def changed_value(value, rng):
    """``value``, which is changed in place, with something in it changed, missing, too much, or in another place."""
    parents = _parents(value, [])
    if not parents or rng.random() < 0.02:
        return odd_value(value, rng)
    parent = some(rng, parents)
    key = some(rng, list(parent) if isinstance(parent, dict) else range(len(parent)))
    what = rng.integers(10)
    if what < 6:
        inner = parent[key]
        if isinstance(inner, str) and inner[:1] in ("{", "["):  # a description in a description
            parent[key] = json_text(changed_value(json.loads(inner), rng))
        else:
            parent[key] = odd_value(inner, rng)
    elif what == 6:
        del parent[key]
    elif what == 7:
        other = some(rng, list(parent) if isinstance(parent, dict) else range(len(parent)))
        parent[key], parent[other] = parent[other], parent[key]
    elif what == 8 and isinstance(parent, dict):
        parent[some(rng, NAMES)] = parent.pop(key)
    elif isinstance(parent, dict):
        parent[some(rng, NAMES)] = odd_value(parent[key], rng)
    else:
        parent.insert(key, odd_value(parent[key], rng))
    return value


def json_text(value):
    """As `json.dumps`, but at any depth."""
    try:
        return json.dumps(value)
    except RecursionError:
        return "[" * 100_000


def changed_json(content, rng):
    """JSON with something changed in it, or with what JSON does not allow."""
    if rng.random() < 0.1:
        text = content.decode()
        forms = ("[" * 100_000, '{"a":' * 50_000, text + text, text[:-1], "NaN", "\ufeff" + text, "9" * 10_000, "1e999")
        return some(rng, forms).encode()
    value = json.loads(content)
    for _ in range(some(rng, (1, 1, 2, 4))):
        value = changed_value(value, rng)
    return json_text(value).encode("utf-8", "surrogatepass")


# -------------------------------------------------------------------------------------------------------------- arrays


KINDS = (
    "<f4", "<f8", ">f4", ">f8", "<i8", "|u1", "|b1", "<U0", "<U99999999", "|V8", "|O", "<f3", "<c16", "", "f" * 9999,
    "<M8[us]",
)  # fmt: skip


def npy(array):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, (1, 0), allow_pickle=False)
    return file.getvalue()


def forged(data, rng):
    """An array's bytes with another header, or with fewer or other values."""
    if not data.startswith(archive.MAGIC) or b"(" not in data:
        return blind(data, rng)
    length = int.from_bytes(data[8:10], "little")
    header, values = data[10 : 10 + length].decode(), data[10 + length :]
    shape = header[header.index("(") : header.index(")") + 1]
    kind = header.split("'")[3]
    what = int(rng.integers(10))
    if what == 0:
        sizes = (*HUGE, -1, 0, 1, len(values), 10**4000)
        new = tuple(some(rng, sizes) for _ in range(int(rng.integers(0, 5))))
        header = header.replace(shape, some(rng, (str(new), "(٣,)", "(nan,)", "(1e3,)", "(" * 200, "None", "(True,)")))
    elif what == 1:
        header = header.replace(f"'{kind}'", repr(some(rng, (*KINDS, kind[::-1]))))
    elif what == 2:
        header = header.replace("False", some(rng, ("True", "1", "None", "__import__('os')")))
    elif what == 3:
        header = header.replace(kind, "|O")
        values = PICKLE % b"unpickled"
    elif what == 4:
        values = blind(values, rng)
    elif what in (5, 6, 7) and kind[1:] in ("f4", "f8"):
        array = np.frombuffer(values[: len(values) // 8 * 8], kind).copy()
        if array.size:
            array[int(rng.integers(array.size))] = some(rng, (np.nan, np.inf, 0, -1, 1e30, 1e-45, 0.1, 0.5))
        values = array.tobytes()
    elif what == 8:
        return some(rng, (data[:6], data[:10], data[:40], b"", data[:6] + b"\2\0" + data[8:], data[:8] + b"\xff\xff"))
    else:
        values = some(rng, (values[:-1], values + b"\0", values[::-1], b"", values + values))
    text = header.encode("utf-8")
    return data[:8] + (len(text) % 2**16).to_bytes(2, "little") + text + values


# ----------------------------------------------------------------------------------------------------------- zip files


class Member(NamedTuple):
    """A member of a zip file; its two headers say what it is, but where ``local`` and ``central`` say otherwise."""

    name: str
    data: bytes
    method: int = 0
    local: dict = {}  # noqa: RUF012 - fields of the header before it
    central: dict = {}  # noqa: RUF012 - fields of its entry in the directory
    bomb: bool = False  # it becomes 300 MB


FIELDS = {
    "version": ("<H", 4), "flags": ("<H", 6), "method": ("<H", 8), "crc": ("<I", 14), "packed": ("<I", 18),
    "size": ("<I", 22), "name_length": ("<H", 26), "extra_length": ("<H", 28),
}  # fmt: skip


def members_of(content):
    import zipfile

    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return [Member(info.filename, file.read(info), info.compress_type) for info in file.infolist()]


def packed(member):
    """What stands in the file, its checksum and its size when it is unpacked."""
    if member.bomb:
        return bomb()
    data = member.data
    if member.method == 8:
        pressed = zlib.compressobj(6, zlib.DEFLATED, -15)
        data = pressed.compress(data) + pressed.flush()
    return data, zlib.crc32(member.data), len(member.data)


@functools.cache
def bomb():
    """300 MB of an array of zeros, as `packed` gives them."""
    header, zeros, count = npy(np.zeros(1))[:-8].replace(b"(1,), }", b"(39321600,), }"), bytes(2**20), 300
    header = header.replace(b" " * 7 + b"\n", b"\n")
    pressed, crc = zlib.compressobj(1, zlib.DEFLATED, -15), zlib.crc32(header)
    parts = [pressed.compress(header)]
    for _ in range(count):
        parts.append(pressed.compress(zeros))
        crc = zlib.crc32(zeros, crc)
    return b"".join([*parts, pressed.flush()]), crc, len(header) + count * len(zeros)


def zipped(members, end=None):
    """A zip file; ``end``: fields of the record at its end, by their offset."""
    body, directory = bytearray(), bytearray()
    for member in members:
        name = member.name.encode("utf-8", "surrogatepass")
        data, crc, size = packed(member)
        header = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0x800, member.method, 0, 0x21, crc, len(data), size,
                             len(name) % 2**16, 0)  # fmt: skip
        place, local, entry = len(body), bytearray(header), bytearray(header[4:])
        for field, value in member.local.items():
            form, at = FIELDS[field]
            struct.pack_into(form, local, at, value % 256 ** struct.calcsize(form))
        for field, value in member.central.items():
            if field in FIELDS:
                form, at = FIELDS[field]
                struct.pack_into(form, entry, at - 4, value % 256 ** struct.calcsize(form))
        outside = member.central.get("attributes", 0)
        where = member.central.get("place", place) % 2**32
        directory += b"PK\1\2" + struct.pack("<H", 0x314) + entry
        directory += struct.pack("<HHHII", 0, 0, 0, outside, where) + name
        body += local + name + data
    count = len(members) % 2**16
    record = bytearray(struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0))
    for at, (form, value) in (end or {}).items():
        struct.pack_into(form, record, at, value % 256 ** struct.calcsize(form))
    return bytes(body + directory + record)


def sealed(members):
    """The members with a digest that is right, if they are arrays that have one."""
    arrays = {}
    if any(member.bomb for member in members):
        return members
    for member in members:
        try:
            arrays[member.name.removesuffix(".npy")] = np.lib.format.read_array(io.BytesIO(member.data))
        except Exception:  # NumPy's own reader raises whatever its parsers meet
            return members
    if archive.DIGEST not in arrays:
        return members
    del arrays[archive.DIGEST]
    digest = Member(f"{archive.DIGEST}.npy", npy(np.array(archive.digest(arrays))))
    return [digest if member.name == digest.name else member for member in members]


def changed_zip(content, rng, described="meta"):
    """A zip file of arrays with members exchanged, renamed, forged, compressed, linked, ..., and right checksums."""
    members = members_of(content)
    for _ in range(some(rng, (1, 1, 1, 2, 3))):
        members = _changed_members(members, rng, described)
    if rng.random() < 0.7:
        members = sealed(members)
    end = {}
    if rng.random() < 0.1:
        form, at = some(rng, (("<H", 4), ("<H", 6), ("<H", 8), ("<H", 10), ("<I", 12), ("<I", 16), ("<H", 20)))
        end = {at: (form, some(rng, (0, 1, 2**16 - 1, 2**32 - 1, len(content), len(members) + 1)))}
    found = zipped(members, end)
    return blind(found, rng) if rng.random() < 0.05 else found


def _changed_members(members, rng, described):
    members = list(members)
    if not members:
        return [Member("a.npy", b"")]
    k, j = (int(n) for n in rng.integers(len(members), size=2))
    member, other = members[k], members[j]
    what = int(rng.integers(16))
    if what == 0:
        del members[k]
    elif what == 1:
        members.insert(j, member)
    elif what == 2:
        members[k], members[j] = member._replace(data=other.data), other._replace(data=member.data)
    elif what == 3:
        members[k] = member._replace(name=some(rng, NAMES) + some(rng, (".npy", "", ".txt")))
    elif what == 4:
        members.append(Member(some(rng, NAMES) + ".npy", some(rng, (npy(np.ones(3)), b"", rng.bytes(50)))))
    elif what == 5:
        members[k] = member._replace(method=some(rng, (8, 8, 12, 14, 99, 1)))
    elif what in (6, 7):
        members[k] = member._replace(data=forged(member.data, rng))
    elif what == 8:
        field = some(rng, (*FIELDS, "place", "attributes"))
        # A link, a folder, and numbers of all sizes.
        value = some(rng, (0, 1, 0xA1FF0000, 0x41ED0010, 2**16 - 1, 2**31, 2**32 - 1, len(member.data) + 1))
        members[k] = member._replace(central={field: value})
    elif what == 9:
        members[k] = member._replace(local={some(rng, list(FIELDS)): some(rng, (0, 1, 2**15, 2**31, 2**32 - 1))})
    elif what == 10:  # all of them lie where one lies
        members = [m._replace(central={"place": 0}) for m in members]
    elif what in (11, 12):  # and one that says that it is small
        sizes = {"size": 200} if what == 12 else {}
        members[k] = Member(member.name, b"", 8, sizes, sizes, True)
    else:
        members = [_described(m, rng) if m.name == f"{described}.npy" else m for m in members]
    return members


def _described(member, rng):
    """The JSON text in a member, changed."""
    try:
        text = str(np.lib.format.read_array(io.BytesIO(member.data)))
        return member._replace(data=npy(np.array(changed_json(text.encode(), rng).decode("utf-8", "replace"))))
    except Exception:  # as above
        return member


# --------------------------------------------------------------------------------------------------- other file formats


def changed_tensors(content, rng):
    """A file of safetensors with another text, or with other numbers behind it."""
    length = int.from_bytes(content[:8], "little")
    text, data = content[8 : 8 + length], content[8 + length :]
    what = rng.integers(6)
    if what < 3:
        text = changed_json(text, rng)
    elif what == 3:
        table = json.loads(text)
        name = some(rng, [key for key in table if key != "__metadata__"])
        entry = table[name]
        entry[some(rng, ("dtype", "shape", "data_offsets"))] = some(
            rng, ("F64", "BF16", "F16", "I8", "BOOL", [], [2**40, 0], [0, 2**60, 4], [3, -1], [0, 0], [0, len(data)])
        )
        text = json.dumps(table).encode()
    elif what == 4:
        values = np.frombuffer(data[: len(data) // 4 * 4], "<f4").copy()
        values[int(rng.integers(values.size))] = some(rng, (np.nan, np.inf, -1, 0, 1e30, 1e-45, 0.25))
        data = values.tobytes() + data[values.nbytes :]
    else:
        length = some(rng, (0, 1, 2**31, 2**63, 2**64 - 1, len(content)))
        return length.to_bytes(8, "little") + text + data
    return len(text).to_bytes(8, "little") + text + data


CELLS = (
    "", " ", "nan", "NaN", "inf", "-inf", "1e999", "1e-999", "9" * 400, "9" * 5000, "1_000", "0x10", "1,5", '"', '""',
    "2024-01-31", "2024-02-31", "2024-01-31T25:00", "99999-01-01", "٣",
    "\u0661\u0662\u0663\u0664-\u0660\u0661-\u0660\u0661",
    "\0", "x" * 200_000, "None", "-0", "true", "=cmd|' /C calc'!A0", "\ufeff", "\r", "a\nb", "1e308", "-1e308",
    "18446744073709551616", "-9223372036854775809",
)  # fmt: skip


def changed_lines(content, rng):
    """A table in text with other cells, lines and separators."""
    lines = [line.split(",") for line in content.decode().splitlines()]
    for _ in range(some(rng, (1, 1, 3, 20))):
        k = int(rng.integers(len(lines)))
        line = lines[k]
        j = int(rng.integers(len(line)))
        what = rng.integers(8)
        if what < 4:
            line[j] = some(rng, CELLS)
        elif what == 4:
            line.insert(j, some(rng, CELLS))
        elif what == 5:
            del line[j]
            line = line or [""]
            lines[k] = line
        elif what == 6:
            lines.insert(int(rng.integers(len(lines))), list(line))
        else:
            lines = [*lines[:k], *lines[k + 1 :]] or [[""]]
    between, end = some(rng, (",",) * 6 + (";", "\t", " ", "\0")), some(rng, ("\n",) * 6 + ("\r\n", "\r", "\n\n", ""))
    text = end.join(between.join(line) for line in lines) + end
    code = some(rng, ("utf-8",) * 6 + ("utf-16", "latin-1", "utf-8-sig"))
    return text.encode(code, "replace")
