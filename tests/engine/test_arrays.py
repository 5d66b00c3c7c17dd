"""Arrays that two processes see."""

import errno
import gc
import os
import pickle
from pathlib import Path

import dask.array
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from unet_napari.engine import shared
from unet_napari.engine.arrays import ArrayRef, open_ref, share_in, take
from unet_napari.engine.shared import SharedFolder
from unet_napari.errors import EngineError, ImageError, ResourceError
from unet_napari.geometry import Box
from unet_napari.labels.sparse import SparseArray

DATA = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)


@pytest.fixture
def folder():
    folder = SharedFolder()
    yield folder
    folder.close()
    assert not any(Path(path).exists() for path in folder.folders)


def files(folder):
    return sorted(path for place in folder.folders for path in Path(place).iterdir())


kinds = st_numpy.boolean_dtypes() | st_numpy.integer_dtypes(endianness="?")
kinds |= st_numpy.floating_dtypes(endianness="?")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st_numpy.arrays(kinds, st_numpy.array_shapes(max_dims=5, max_side=4)),
    st.sampled_from([lambda a: a, lambda a: a.T, lambda a: a[::-1], np.asfortranarray]),
)
def test_any_array_of_numbers_arrives_unchanged(folder, array, view):
    data = view(array)
    before = data.copy()
    reference = folder.share(data)
    opened = open_ref(reference)
    assert opened.dtype == data.dtype
    assert opened.shape == data.shape
    assert np.asarray(opened).tobytes() == before.tobytes()
    folder.release(reference)


def test_a_share_is_a_snapshot(folder):
    data = DATA.copy()
    reference = folder.share(data)
    data[...] = 0
    assert np.array_equal(open_ref(reference), DATA)
    with pytest.raises(ValueError, match="read-only"):
        open_ref(reference)[...] = 1


def test_a_memory_map_is_passed_by_reference(folder, tmp_path):
    DATA.tofile(tmp_path / "raw")
    mapped = np.memmap(tmp_path / "raw", np.uint16, "r", offset=40, shape=(2, 4, 5))
    reference = folder.share(mapped)
    assert (reference.kind, reference.offset) == ("memmap", 40)
    assert np.array_equal(open_ref(reference), DATA[1:])
    assert files(folder) == []
    folder.release(reference)
    assert (tmp_path / "raw").exists()


@pytest.mark.parametrize(
    "part",
    [
        lambda path: np.memmap(path, np.uint16, "r", shape=(3, 4, 5))[1:],
        lambda path: np.memmap(path, np.uint16, "r+", shape=(3, 4, 5)),
        lambda path: np.memmap(path, np.uint16, "r", shape=(3, 4, 5), order="F"),
        lambda path: np.memmap(path, np.uint16, "r", shape=(3, 4, 5)) + 0,
    ],
    ids=["sliced", "writable", "fortran", "computed"],
)
def test_what_a_reference_cannot_say_is_copied(folder, tmp_path, part):
    DATA.tofile(tmp_path / "raw")
    data = part(tmp_path / "raw")
    reference = folder.share(data)
    assert reference.kind == "npy"
    assert np.array_equal(open_ref(reference), data)


def test_a_zarr_array_on_disk_is_passed_by_reference(folder, tmp_path):
    group = zarr.open_group(tmp_path / "z.zarr", mode="w")
    array = group.create_array("inner/a", data=DATA)
    reference = folder.share(array)
    assert reference.kind == "zarr"
    assert np.array_equal(open_ref(reference)[...], DATA)
    assert files(folder) == []
    assert folder.share(array, snapshot=True).kind == "npy"


def test_a_zarr_array_in_memory_is_copied(folder):
    reference = folder.share(zarr.array(DATA))
    assert reference.kind == "npy"
    assert np.array_equal(open_ref(reference), DATA)


def test_a_dask_array_is_passed_as_its_graph(folder):
    offset = 3
    lazy = dask.array.from_array(DATA, chunks=2).map_blocks(lambda block: block + offset)
    reference = folder.share(lazy)
    assert reference.kind == "pickle"
    opened = open_ref(reference, folders=folder.folders)
    assert isinstance(opened, dask.array.Array)
    assert np.array_equal(opened.compute(), DATA + 3)


def test_of_a_sparse_array_only_what_is_painted_travels(folder):
    sparse = SparseArray((512, 2**18, 2**18), np.uint16)
    sparse.put(Box((5, 9, 0), (6, 10, 3)), np.array([[[1, 2, 3]]], np.uint16))
    reference = folder.share(sparse, snapshot=True)
    assert Path(reference.path).stat().st_size < 1 << 20
    opened = open_ref(reference, folders=folder.folders)
    assert opened[5, 9, :4].tolist() == [1, 2, 3, 0]


def test_a_dask_array_that_cannot_be_pickled_is_computed(folder):
    class Unpicklable:
        shape, dtype, ndim = DATA.shape, DATA.dtype, DATA.ndim

        def __getitem__(self, key):
            return DATA[key]

        def __reduce__(self):
            raise TypeError("an open file")

    lazy = dask.array.from_array(Unpicklable(), chunks=(1, 4, 5), asarray=False)
    reference = folder.share(lazy)
    assert reference.kind == "npy"
    assert np.array_equal(open_ref(reference), DATA)


def test_a_lazy_array_is_copied_piece_by_piece(folder, monkeypatch):
    class Lazy:
        shape, dtype = DATA.shape, DATA.dtype

        def __getitem__(self, key):
            keys.append(key)
            return DATA[key]

    keys = []
    monkeypatch.setattr(shared, "_COPY_BYTES", DATA[:2].nbytes)
    assert np.array_equal(open_ref(folder.share(Lazy())), DATA)
    assert keys == [slice(0, 2), slice(2, 4)]


def test_objects_are_refused(folder):
    with pytest.raises(ImageError, match="object"):
        folder.share(np.array([{}, []], dtype=object))


def test_taking_leaves_no_file_and_an_array_of_ones_own(folder):
    reference, out = folder.allocate((2, 3), np.float32)
    assert not out.any()
    out[...] = 7
    taken = take(reference)
    assert files(folder) == []
    folder.close()
    taken[0, 0] = 8
    assert taken.sum() == 43
    assert type(taken) is np.ndarray


def test_a_second_process_uses_the_folder_of_the_first(folder):
    reference, out = SharedFolder(folder.folders).allocate((2,), np.uint8)
    out[...] = 5
    assert open_ref(reference).tolist() == [5, 5]


def test_sweeping_keeps_what_was_shared(folder):
    kept = folder.share(DATA)
    left, _ = SharedFolder(folder.folders).allocate((2,), np.uint8)
    folder.sweep()
    assert files(folder) == [Path(kept.path)]
    assert left.path != kept.path
    folder.release(kept)
    assert files(folder) == []


def test_large_arrays_go_to_the_disk_and_not_to_memory(folder, monkeypatch):
    usage = shared.shutil.disk_usage("/")
    monkeypatch.setattr(shared.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    small, _ = folder.allocate((100,), np.uint8)
    large, _ = folder.allocate((1000,), np.uint8)
    assert str(Path(large.path).parent) == folder.folders[-1]
    assert str(Path(small.path).parent) == folder.folders[0]


def test_a_full_disk_is_said_and_leaves_nothing(folder, monkeypatch):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shared, "reserve", fail)
    with pytest.raises(ResourceError, match="no room for an array"):
        folder.allocate((10, 10), np.uint8)
    assert files(folder) == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no way to reserve space")
def test_space_is_really_reserved(folder):
    reference, _ = folder.allocate((1 << 20,), np.uint8)
    assert Path(reference.path).stat().st_blocks * 512 >= 1 << 20


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "exec"},
        {"path": "relative.npy"},
        {"shape": (-1,)},
        {"shape": (1 << 60,)},
        {"shape": [3]},
        {"dtype": "|O"},
        {"offset": -1},
    ],
)
def test_impossible_references_are_refused(changes):
    fields = {"kind": "npy", "path": "/a.npy", "shape": (3,), "dtype": "<u2"} | changes
    with pytest.raises(EngineError, match="no reference"):
        ArrayRef(**fields)


def test_what_is_not_as_the_reference_says_is_refused(folder, tmp_path):
    np.save(tmp_path / "a.npy", DATA)
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    for name, shape, dtype in [
        ("a.npy", (3, 4), "<u2"),
        ("a.npy", (3, 4, 5), "<i2"),
        ("o.npy", (1,), "<u2"),
        ("absent.npy", (3, 4, 5), "<u2"),
    ]:
        with pytest.raises(EngineError, match="shared array"):
            open_ref(ArrayRef("npy", str(tmp_path / name), shape, dtype))


class Payload:
    def __reduce__(self):
        return Path.touch, (Path("executed"),)


def test_a_pickle_from_elsewhere_is_not_opened(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pickle"
    path.write_bytes(pickle.dumps(Payload()))
    with pytest.raises(EngineError, match="not in the folder"):
        open_ref(ArrayRef("pickle", str(path), (1,), "<u2"), folders=folder.folders)
    assert not Path("executed").exists()


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_nobody_else_can_look_into_the_folders(folder):
    assert [Path(path).stat().st_mode & 0o777 for path in folder.folders] == [
        0o700 for _ in folder.folders
    ]


def test_a_result_whose_open_file_cannot_be_removed_goes_with_its_array(folder, monkeypatch):
    reference, array = folder.allocate((4,), np.uint32)
    del array
    path, unlink = Path(reference.path), Path.unlink

    def refuse(*_, **__):  # as Windows does
        raise PermissionError("the file is used by another process")

    monkeypatch.setattr(Path, "unlink", refuse)
    data = share_in(reference)
    monkeypatch.setattr(Path, "unlink", unlink)
    assert path.exists()
    del data
    gc.collect()
    assert not path.exists()
