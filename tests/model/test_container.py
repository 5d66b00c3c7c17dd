"""The container of a model file: what it refuses, and how it is written."""

import errno
import os
import signal
import stat
import struct
import subprocess
import sys
import textwrap
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from unet_napari.errors import ModelFileError, OutputError
from unet_napari.model import container as container_module
from unet_napari.model.container import (
    INFO,
    THUMBNAIL,
    WEIGHTS,
    open_container,
    write_container,
)
from unet_napari.system.atomic import check_output

MEMBERS = {INFO: b'{"format": 1}', WEIGHTS: bytes(range(100)), THUMBNAIL: b"picture"}


def read_all(path):
    with open_container(path) as container:
        return {name: container.read(name) for name in MEMBERS if name in container}


def zip_by_hand(path, members, method=zipfile.ZIP_STORED):
    """Write a zip as anybody would; `members` may repeat a name."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.unet"
    write_container(path, MEMBERS)
    return path


def test_members_come_back(path):
    assert read_all(path) == MEMBERS


def test_any_zip_tool_reads_it_and_finds_nothing_compressed(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == MEMBERS
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())


def test_a_zip_written_by_python_is_read(tmp_path):
    path = tmp_path / "by_hand.unet"
    zip_by_hand(path, MEMBERS.items())
    assert read_all(path) == MEMBERS


def test_the_thumbnail_may_be_absent(tmp_path):
    members = {name: data for name, data in MEMBERS.items() if name != THUMBNAIL}
    write_container(tmp_path / "plain.unet", members)
    assert read_all(tmp_path / "plain.unet") == members


def test_equal_members_make_equal_files(path, tmp_path):
    write_container(tmp_path / "again.unet", MEMBERS)
    assert (tmp_path / "again.unet").read_bytes() == path.read_bytes()


def test_no_bit_can_flip_unnoticed(path):
    good = path.read_bytes()
    for position in range(8 * len(good)):
        bad = bytearray(good)
        bad[position // 8] ^= 1 << position % 8
        path.write_bytes(bad)
        with pytest.raises(ModelFileError):
            read_all(path)


def test_no_truncation_goes_unnoticed(path):
    good = path.read_bytes()
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(ModelFileError):
            read_all(path)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda good: b"#!/bin/sh\n" + good, id="prefix"),
        pytest.param(lambda good: good + b"\0", id="appended"),
        pytest.param(lambda good: good[:-2] + b"\x05\0hello", id="comment"),
        pytest.param(lambda good: good + good, id="twice"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"\x80\x04cos\nsystem\n(S'true'\ntR.", id="pickle"),
        pytest.param(lambda _: bytes(range(256)) * 2, id="noise"),
    ],
)
def test_a_file_that_is_something_else_is_refused(path, change):
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ModelFileError, match=r"model\.unet"):
        read_all(path)


@pytest.mark.parametrize(
    "foreign",
    [
        "../evil.txt",
        "/evil.txt",
        "C:\\evil.txt",
        "weights.pt",
        "archive/data.pkl",
        "folder/",
        INFO.upper(),
        "möglich.json",
    ],
)
def test_foreign_members_are_refused_and_nothing_is_extracted(tmp_path, monkeypatch, foreign):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.unet"
    zip_by_hand(path, [*MEMBERS.items(), (foreign, b"evil")])
    with pytest.raises(ModelFileError):
        read_all(path)
    zip_by_hand(path, [(INFO, MEMBERS[INFO]), (WEIGHTS, MEMBERS[WEIGHTS]), (foreign, b"evil")])
    with pytest.raises(ModelFileError):
        read_all(path)
    assert list(tmp_path.rglob("*")) == [path]


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_duplicate_members_are_refused(tmp_path):
    path = tmp_path / "a.unet"
    zip_by_hand(path, [(INFO, b"{}"), (WEIGHTS, b""), (INFO, b"[]")])
    with pytest.raises(ModelFileError, match="once each"):
        read_all(path)


@pytest.mark.parametrize("missing", [INFO, WEIGHTS])
def test_missing_members_are_named(tmp_path, missing):
    path = tmp_path / "a.unet"
    zip_by_hand(path, [(name, data) for name, data in MEMBERS.items() if name != missing])
    with pytest.raises(ModelFileError, match="once each"):
        read_all(path)


def test_links_are_refused(tmp_path):
    path = tmp_path / "a.unet"
    link = zipfile.ZipInfo(INFO)
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr(WEIGHTS, b"")
    with pytest.raises(ModelFileError, match="entry of"):
        read_all(path)


def test_a_zip_bomb_is_refused_unread(tmp_path):
    path = tmp_path / "a.unet"
    zip_by_hand(path, [(INFO, b"{}"), (WEIGHTS, bytes(100 << 20))], zipfile.ZIP_DEFLATED)
    tracemalloc.start()
    with pytest.raises(ModelFileError, match="compressed"):
        read_all(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size < 1 << 20
    assert peak < 1 << 20


@pytest.mark.parametrize("size", [0, 99, 101, 1 << 30, (1 << 32) - 1])
def test_a_false_size_is_refused_unallocated(path, size):
    """The size of the weights, in the local header and in the directory alike."""
    good = path.read_bytes()
    bad = good.replace(struct.pack("<2I", 100, 100), struct.pack("<2I", size, size))
    assert bad != good
    path.write_bytes(bad)
    tracemalloc.start()
    with pytest.raises(ModelFileError):
        read_all(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_hundred_thousand_members_are_refused_unread(tmp_path):
    path = tmp_path / "a.unet"
    zip_by_hand(path, ((f"{n}", b"") for n in range(70_000)))
    with pytest.raises(ModelFileError, match=r"model\.json"):
        read_all(path)


def test_a_large_description_is_refused_unread(tmp_path):
    path = tmp_path / "a.unet"
    zip_by_hand(path, [(INFO, b" " * (2 << 20)), (WEIGHTS, b"")])
    with pytest.raises(ModelFileError, match="at most 1,048,576"):
        read_all(path)


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    with pytest.raises(ModelFileError, match="There is no model file"):
        read_all(tmp_path / "absent.unet")
    with pytest.raises(ModelFileError, match="not a file"):
        read_all(tmp_path)
    with pytest.raises(ModelFileError, match="null character"):
        read_all(Path("a\0b"))
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_all(tmp_path / ("long" * 100))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.unet")
        with pytest.raises(ModelFileError, match="not a file"):
            read_all(tmp_path / "pipe.unet")


def fail_with(code):
    def fail(*arguments, **more):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("module", [os, container_module])
def test_a_full_disk_leaves_the_previous_file(path, monkeypatch, module):
    name = "fsync" if module is os else "_write_members"
    monkeypatch.setattr(module, name, fail_with(errno.ENOSPC))
    with pytest.raises(OutputError, match="disk is full"):
        write_container(path, {INFO: b"new", WEIGHTS: b""})
    assert read_all(path) == MEMBERS
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_is_said_before(path, monkeypatch, tmp_path):
    with pytest.raises(OutputError, match="exists already"):
        check_output(path, overwrite=False)
    with pytest.raises(OutputError, match="does not exist"):
        check_output(tmp_path / "absent" / "a.unet")
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path)
    with pytest.raises(OutputError, match="null character"):
        check_output(tmp_path / "a\0b")
    for code in (errno.EACCES, errno.EROFS):
        monkeypatch.setattr(Path, "open", fail_with(code))
        with pytest.raises(OutputError, match="cannot be written to"):
            check_output(path)


def test_checking_leaves_nothing(path):
    check_output(path)
    check_output(path.with_name("new.unet"), overwrite=False)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["mit Leerzeichen.unet", "Zellkerne β 細胞核.unet", "n" * 200])
def test_any_name_that_the_system_allows(tmp_path, name):
    write_container(tmp_path / name, MEMBERS)
    assert read_all(tmp_path / name) == MEMBERS


def test_saves_at_once_never_mix(tmp_path):
    path = tmp_path / "shared.unet"
    versions = [{INFO: str(n).encode() * 50, WEIGHTS: bytes([n]) * 200_000} for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda members: write_container(path, members), versions * 4):
            assert read_all(path) in versions
    assert read_all(path) in versions
    assert list(tmp_path.iterdir()) == [path]


SAVE_FOREVER = """
    import sys
    from pathlib import Path
    from unet_napari.model.container import INFO, WEIGHTS, write_container

    path = Path(sys.argv[1])
    for n in range(10**9):
        write_container(path, {INFO: str(n).encode(), WEIGHTS: str(n).encode() * 300_000})
        if n == 0:
            print("saving", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize("delay", [0.003, 0.011, 0.029])
def test_a_killed_save_leaves_the_old_or_the_new_file(tmp_path, delay):
    path = tmp_path / "model.unet"
    command = [sys.executable, "-c", textwrap.dedent(SAVE_FOREVER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(delay)
        process.send_signal(signal.SIGKILL)
    members = read_all(path)
    assert members[WEIGHTS] == members[INFO] * 300_000
