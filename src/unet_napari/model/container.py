"""The container of a model file: an uncompressed zip whose every byte is accounted for.

Model files travel between people who do not know each other, so this reader trusts nothing:
the file is never extracted, no member is ever looked up by a path, and nothing is allocated
before the sizes in the directory have been found to add up to the size of the file. Any zip
that Python's ``zipfile`` writes with these members, uncompressed, is accepted; gaps,
prefixes, comments, compressed, repeated or foreign members are not. ``docs/guide/model-file.md``
describes the format.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from unet_napari.errors import ModelFileError, OutputError
from unet_napari.system.atomic import open_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = [
    "INFO",
    "SUFFIX",
    "THUMBNAIL",
    "WEIGHTS",
    "Container",
    "open_container",
    "write_container",
]

SUFFIX = ".unet"
INFO, WEIGHTS, THUMBNAIL = "model.json", "weights.safetensors", "thumbnail.png"

# The largest each member may be, in bytes: well above any real model, far below what hurts.
LARGEST_INFO = 1 << 20  # bytes of model.json
_LIMITS = {INFO: LARGEST_INFO, WEIGHTS: 2 << 30, THUMBNAIL: 1 << 20}

# The records of a zip file (PKWARE APPNOTE 4.3.7, 4.3.12 and 4.3.16).
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_ZIP_VERSION = 20
_DATE = (1 << 5) | 1  # 1 January 1980, the zip format's zero: equal models make equal files
_UNIX = 3
# Origin and permissions, which say nothing about the model, as `zipfile` may write them. No
# two values differ in a single bit, so that a flipped bit is found here as everywhere else.
_SYSTEMS = (0, _UNIX)
_ATTRIBUTES = (0, 0o600 << 16, 0o100644 << 16)


@dataclass(frozen=True)
class _Member:
    """One entry of the directory; ``offset`` is where its local header starts."""

    name: str
    size: int
    crc: int
    time: int = 0
    date: int = _DATE
    offset: int = 0
    system: int = _UNIX
    attributes: int = 0o600 << 16

    @property
    def data_offset(self) -> int:
        return self.offset + _LOCAL.size + len(self.name)

    @property
    def _common(self) -> tuple[int, ...]:
        """Needed version, flags, method (0: stored), time, date, crc and both sizes."""
        return (_ZIP_VERSION, 0, 0, self.time, self.date, self.crc, self.size, self.size)

    def local_header(self) -> bytes:
        record = _LOCAL.pack(b"PK\x03\x04", *self._common, len(self.name), 0)
        return record + self.name.encode()

    def central_header(self) -> bytes:
        made_by = self.system << 8 | _ZIP_VERSION
        rest = (len(self.name), 0, 0, 0, 0, self.attributes, self.offset)
        return _CENTRAL.pack(b"PK\x01\x02", made_by, *self._common, *rest) + self.name.encode()


def _end_record(count: int, directory_size: int, directory_offset: int) -> bytes:
    numbers = (0, 0, count, count, directory_size, directory_offset, 0)
    return _END.pack(b"PK\x05\x06", *numbers)


class Container:
    """The members of an open model file, each read and checked when it is asked for.

    Parameters
    ----------
    file
        The open file.
    size
        Its size in bytes.

    Raises
    ------
    ModelFileError
        If the file is not exactly a container as described above.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._members = {member.name: member for member in _read_directory(file, size)}

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def size(self, name: str) -> int:
        """Return the size of a member in bytes, which the file is known to have."""
        return self._members[name].size

    def head(self, name: str, count: int) -> bytes:
        """Return the first ``count`` bytes of a member, unchecked."""
        member = self._members[name]
        self._file.seek(member.data_offset)
        return self._file.read(min(count, member.size))

    def read(self, name: str) -> bytes:
        """Return a whole member; `ModelFileError` if its header or checksum is wrong."""
        member = self._members[name]
        self._file.seek(member.offset)
        header = member.local_header()
        if self._file.read(len(header)) != header:
            raise ModelFileError(f"the header of '{name}' is damaged")
        data = self._file.read(member.size)
        if len(data) != member.size or zlib.crc32(data) != member.crc:
            raise ModelFileError(f"the checksum of '{name}' is wrong")
        return data


def _read_directory(file: BinaryIO, size: int) -> list[_Member]:
    """Read the directory and check that members, directory and end record fill the file."""
    foreign = ModelFileError("it is truncated, damaged or not a model file at all")
    if size < _END.size:
        raise foreign
    file.seek(size - _END.size)
    end = file.read(_END.size)
    _, _, _, _, count, directory_size, directory_offset, _ = _END.unpack(end)
    if end != _end_record(count, directory_size, directory_offset):
        raise foreign
    largest = sum(_CENTRAL.size + len(name) for name in _LIMITS)
    if directory_size > largest or directory_offset + directory_size + _END.size != size:
        raise ModelFileError(
            f"its table of contents is not that of a model ({count} members where a model has "
            f"{INFO}, {WEIGHTS} and {THUMBNAIL})"
        )
    file.seek(directory_offset)
    members = _parse_directory(file.read(directory_size), count)
    expected_offset = 0
    for member in members:
        if member.offset != expected_offset:
            raise ModelFileError(f"'{member.name}' is not where its table of contents says")
        expected_offset = member.data_offset + member.size
    if expected_offset != directory_offset:
        raise ModelFileError("it holds bytes that belong to no member")
    names = [member.name for member in members]
    if len(set(names)) != len(names) or not {INFO, WEIGHTS} <= set(names):
        raise ModelFileError(f"it must hold {INFO} and {WEIGHTS} once each, and holds {names}")
    return members


def _parse_directory(directory: bytes, count: int) -> list[_Member]:
    members: list[_Member] = []
    position = 0
    for _ in range(count):
        record = directory[position : position + _CENTRAL.size]
        if len(record) != _CENTRAL.size:
            raise ModelFileError("its table of contents is damaged")
        fields = _CENTRAL.unpack(record)
        name_length = fields[10]
        name = directory[position + _CENTRAL.size :][:name_length].decode("ascii", "replace")
        if name not in _LIMITS:
            raise ModelFileError(f"it holds {name!r}, which is no part of a model")
        if fields[4] != 0:
            raise ModelFileError(f"'{name}' is compressed, which a model's members never are")
        member = _Member(
            name,
            size=fields[9],
            crc=fields[7],
            time=fields[5],
            date=fields[6],
            offset=fields[16],
            system=fields[1] >> 8,
            attributes=fields[15],
        )
        regular = member.system in _SYSTEMS and member.attributes in _ATTRIBUTES
        header = member.central_header()
        if not regular or directory[position : position + len(header)] != header:
            raise ModelFileError(f"the entry of '{name}' in its table of contents is damaged")
        if member.size > _LIMITS[name]:
            raise ModelFileError(
                f"'{name}' is said to have {member.size:,} bytes; "
                f"at most {_LIMITS[name]:,} are read"
            )
        members.append(member)
        position += len(header)
    if position != len(directory):
        raise ModelFileError("its table of contents is damaged")
    return members


@contextmanager
def open_container(path: Path) -> Iterator[Container]:
    """Open a model file for reading.

    Every `ModelFileError` raised inside the ``with`` block, and every failure to read, comes
    out as one that names the file.

    Raises
    ------
    ModelFileError
        If the file is missing, cannot be read or is damaged.
    """
    try:
        _check_regular(path)
        with path.open("rb") as file:
            yield Container(file, os.fstat(file.fileno()).st_size)
    except ModelFileError as error:
        raise ModelFileError(
            f"The model '{path}' cannot be used: {error}. "
            f"(A model is a {SUFFIX} file that unet-napari has saved.)"
        ) from error
    except FileNotFoundError as error:
        raise ModelFileError(f"There is no model file '{path}'.") from error
    except OSError as error:
        raise ModelFileError(f"The model file '{path}' cannot be read: {error}.") from error


def _check_regular(path: Path) -> None:
    """Refuse what could block or never end when it is read: pipes, devices, folders."""
    if "\0" in str(path):
        raise ModelFileError("its path holds a null character")
    if not stat.S_ISREG(path.stat().st_mode):
        raise ModelFileError("it is not a file")


def write_container(path: Path, members: Mapping[str, bytes], *, overwrite: bool = True) -> None:
    """Write a model file in one step: afterwards the whole new file is there, or the old one.

    Raises
    ------
    OutputError
        If the folder is missing or read-only, the disk is full, the members are too large, or
        the file exists and `overwrite` is false. The previous file is then intact.
    """
    with open_atomic(path, overwrite=overwrite) as file:
        _write_members(file, members)


def _write_members(file: BinaryIO, members: Mapping[str, bytes]) -> None:
    offset = 0
    directory = b""
    for name, data in members.items():
        if len(data) > _LIMITS[name]:
            raise OutputError(
                f"The model is too large to be saved: '{name}' has {len(data):,} bytes."
            )
        member = _Member(name, len(data), zlib.crc32(data), offset=offset)
        file.write(member.local_header())
        file.write(data)
        directory += member.central_header()
        offset = member.data_offset + member.size
    file.write(directory + _end_record(len(members), len(directory), offset))
