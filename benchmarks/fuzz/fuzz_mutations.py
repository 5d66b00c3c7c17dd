"""Ways to spoil a file: flipped bits, cuts, splices, other numbers where a format has numbers."""

from __future__ import annotations

import copy
import json
import random
import re
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

__all__ = ["mutate"]

# Zero, signs, and the limits of 8, 16, 31, 32, 63 and 64 bits.
_NUMBERS = (0, 1, 2, 3, 255, 256, 32767, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40)
_JSON = (
    *(None, True, False, "", "x", [], {}, [[]], {"a": {}}),
    *(-1, 0, 1, 2, 7, 0.5, -0.0, 1e308, 1e-308),
    *(2**31, 2**32, 2**63, 2**64, 10**30, float("nan"), float("inf"), [0], [1, 1], [2**40] * 3),
    *("uint8", "float64", "<f8", "|O", ">u2", "../..", "/", "a\0b", "y", "T", "9" * 5000),
)  # fmt: skip


def mutate(rng: random.Random, kind: str, source: Path, others: list[Path], target: Path) -> None:
    """Write a spoilt copy of a source.

    Parameters
    ----------
    rng
        Decides everything.
    kind
        ``tiff``, ``picture``, ``zarr`` or ``model``.
    source, others
        The file or folder, and those that pieces may be taken from.
    target
        What to write; does not exist yet.
    """
    if kind == "zarr":
        _zarr(rng, source, target)
        return
    data = bytearray(source.read_bytes())
    if kind == "model" and rng.random() < 0.6:
        target.write_bytes(_parts(rng, source))
        return
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if kind == "tiff" and rng.random() < 0.5:
            _tag(rng, data)
        else:
            _bytes(rng, data, rng.choice(others))
    target.write_bytes(data)


def _bytes(rng: random.Random, data: bytearray, other: Path) -> None:
    """Change bytes anywhere, more often near the ends, where most formats keep their tables."""
    if not data:
        return
    way = rng.choice(
        ("flip", "flip", "number", "number", "digits", "cut", "splice", "zero", "move")
    )
    near = rng.choice((64, 1024, len(data)))
    place = rng.randrange(min(near, len(data)))
    if rng.random() < 0.3:
        place = len(data) - 1 - place
    if way == "flip":
        for _ in range(rng.choice((1, 1, 2, 8))):
            spot = min(len(data) - 1, max(0, place + rng.randrange(-8, 9)))
            data[spot] ^= 1 << rng.randrange(8)
    elif way == "number":
        size, form = rng.choice(((1, "B"), (2, "H"), (4, "I"), (8, "Q")))
        value = rng.choice(_NUMBERS) % (1 << 8 * size)
        data[place : place + size] = struct.pack(rng.choice("<>") + form, value)
    elif way == "digits":
        _digits(rng, data)
    elif way == "cut":
        del data[place : place + rng.choice((1, 2, 100, len(data)))]
    elif way == "splice":
        piece = other.read_bytes()
        start = rng.randrange(max(1, len(piece)))
        piece = piece[start : start + rng.choice((4, 64, 4096))]
        data[place : place + rng.choice((0, len(piece)))] = piece
    elif way == "zero":
        length = min(rng.choice((4, 64, 4096)), len(data) - place)
        data[place : place + length] = bytes([rng.choice((0, 255))]) * length
    else:
        length = rng.choice((4, 16, 256))
        start = rng.randrange(len(data))
        data[place : place + length] = data[start : start + length]


def _digits(rng: random.Random, data: bytearray) -> None:
    """Change a number that is written in digits, as in the headers of OME and ImageJ."""
    found = [match.span() for match in re.finditer(rb"[0-9]+(\.[0-9]+)?", bytes(data[:65536]))]
    if found:
        start, stop = rng.choice(found)
        texts = (b"0", b"-1", b"1e999", b"nan", b"99999999999999999999", b"4294967296", b"", b"0.0")
        data[start:stop] = rng.choice(texts)


def _tag(rng: random.Random, data: bytearray) -> None:
    """Change one field of one entry of the first directories of a TIFF."""
    if len(data) < 16 or data[:2] not in (b"II", b"MM"):
        return
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    place = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    entry, head = (20, 8) if big else (12, 2)
    for _ in range(rng.choice((0, 0, 0, 1, 2))):  # of which directory
        following = _next(data, order, place, big=big)
        place = following or place
    if place + head > len(data):
        return
    count = struct.unpack_from(order + ("Q" if big else "H"), data, place)[0]
    number = rng.randrange(min(count, 64) + 1)  # behind the last lies the next directory's place
    offset, size = rng.choice(((0, 2), (2, 2), (4, 8 if big else 4), (12 if big else 8, 4)))
    spot = place + head + entry * number + offset
    if spot + size <= len(data):
        value = rng.choice((*_NUMBERS, len(data), place, rng.randrange(2**16)))
        form = {2: "H", 4: "I", 8: "Q"}[size]
        struct.pack_into(order + form, data, spot, value % (1 << 8 * size))


def _next(data: bytearray, order: str, place: int, *, big: bool) -> int:
    entry, head = (20, 8) if big else (12, 2)
    if place + head > len(data):
        return 0
    count = struct.unpack_from(order + ("Q" if big else "H"), data, place)[0]
    spot = place + head + entry * count
    size = 8 if big else 4
    return (
        struct.unpack_from(order + ("Q" if big else "I"), data, spot)[0]
        if spot + size <= len(data)
        else 0
    )


def _zarr(rng: random.Random, source: Path, target: Path) -> None:
    shutil.copytree(source, target)
    files = sorted(path for path in target.rglob("*") if path.is_file())
    described = [
        path for path in files if path.name in ("zarr.json", ".zarray", ".zattrs", ".zgroup")
    ]
    for _ in range(rng.choice((1, 1, 2, 3))):
        path = rng.choice(described if rng.random() < 0.8 else files)
        if not path.exists():
            continue
        way = rng.random()
        if way < 0.05:
            path.unlink()
        elif path in described and way < 0.8:
            path.write_text(_json(rng, path.read_text(errors="replace")))
        else:
            data = bytearray(path.read_bytes())
            _bytes(rng, data, path)
            path.write_bytes(data)


def _json(rng: random.Random, text: str) -> str:
    """Change one node of JSON: its value, its name, its number, or leave it out."""
    try:
        root = json.loads(text)
    except ValueError:
        return text
    nodes = list(_nodes(root))
    if not nodes:
        return json.dumps(rng.choice(_JSON))
    holder, key = rng.choice(nodes)
    way = rng.random()
    if way < 0.15:
        del holder[key]
    elif way < 0.3 and isinstance(holder, list):
        holder.extend([copy.deepcopy(holder[key])] * rng.choice((1, 2, 100)))
    elif way < 0.4 and isinstance(holder, dict):
        holder[rng.choice(("x", "", key.upper(), key + "s"))] = holder.pop(key)
    elif way < 0.6 and isinstance(holder[key], int):
        holder[key] = rng.choice((*_NUMBERS, -1, -holder[key], holder[key] * 1000, holder[key] + 1))
    elif way < 0.7:
        other, name = rng.choice(nodes)
        holder[key] = copy.deepcopy(other[name]) if name in _keys(other) else None
    else:
        holder[key] = rng.choice(_JSON)
    return json.dumps(root)


def _keys(holder: Any) -> Any:  # noqa: ANN401 (JSON)
    return holder if isinstance(holder, dict) else range(len(holder))


def _nodes(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """Yield every holder with each of its keys."""
    for key in list(_keys(value)) if isinstance(value, dict | list) else ():
        yield value, key
        yield from _nodes(value[key])


def _parts(rng: random.Random, source: Path) -> bytes:
    """Spoil the header of a model file, or the description in it, and make the checksums right."""
    data = source.read_bytes()
    length = struct.unpack_from("<Q", data)[0]
    header, tensors = json.loads(data[8 : 8 + length]), bytearray(data[8 + length :])
    texts = header["__metadata__"]
    way = rng.random()
    if way < 0.5:
        texts["unet-napari"] = _json(rng, texts["unet-napari"])
    elif way < 0.6:
        _bytes(rng, tensors, source)
    else:
        header = json.loads(_json(rng, json.dumps(header)))
    if rng.random() < 0.9 and isinstance(header, dict):
        _correct(header, bytes(tensors))
    text = json.dumps(header, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + tensors


def _correct(header: dict[str, Any], tensors: bytes) -> None:
    """Write the checksums that the reader will compute, where the header still has a place."""
    texts = header.get("__metadata__")
    if not isinstance(texts, dict) or not isinstance(texts.get("unet-napari"), str):
        return
    sums = {
        "description": zlib.crc32(texts["unet-napari"].encode("utf-8", "surrogatepass")),
        "weights": _checksum(header, tensors, "network."),
        "thumbnail": _checksum(header, tensors, "thumbnail"),
    }
    texts["crc32"] = json.dumps({part: f"{value:08x}" for part, value in sums.items()})


def _checksum(header: dict[str, Any], tensors: bytes, beginning: str) -> int:
    types = {"F32": "float32", "F16": "float16", "I64": "int64", "U8": "uint8"}
    value = 0
    for name in sorted(name for name in header if name.startswith(beginning)):
        try:
            entry = header[name]
            start, stop = entry["data_offsets"]
            facts = f"{name} {types[entry['dtype']]} {list(entry['shape'])}"
            value = zlib.crc32(tensors[start:stop], zlib.crc32(facts.encode(), value))
        except (TypeError, KeyError, ValueError):  # spoilt, so that nothing reads it
            continue
    return value
