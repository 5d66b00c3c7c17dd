"""Arrays into one file of the safetensors format, one after the other, without a copy of them.

safetensors' own `save_file` gathers a copy of all arrays in memory before version 0.8, writes its
metadata in an order that changes from run to run, and reports a full disk as text. It is what reads
these files. This module may import nothing of the package.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["TENSOR_DTYPES", "write_tensors"]

TENSOR_DTYPES = {
    np.dtype(np.int64): "I64",
    np.dtype(np.float32): "F32",
    np.dtype(np.float16): "F16",
    np.dtype(np.uint8): "U8",
}
"""How safetensors calls the types of arrays that are written here."""


def write_tensors(
    file: BinaryIO, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]
) -> None:
    """Write arrays by name; equal arrays and metadata make equal files.

    Parameters
    ----------
    file
        File that is opened for writing bytes.
    arrays
        Arrays of a type in `TENSOR_DTYPES`, C-contiguous. The widest types come first in the
        file, so that each array is aligned to its type.
    metadata
        Texts that the header of the file holds besides, by name.

    Raises
    ------
    OSError
        If the file cannot be written, such as on a full disk.
    """
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    start = 0
    for name in names:
        array = arrays[name]
        stop = start + array.nbytes
        header[name] = {
            "dtype": TENSOR_DTYPES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [start, stop],
        }
        start = stop
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the arrays are aligned
    file.write(len(text).to_bytes(8, "little") + text)
    for name in names:
        if arrays[name].size:  # an empty array cannot be viewed as bytes
            file.write(arrays[name].data.cast("B"))
