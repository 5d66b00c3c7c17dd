"""Where results go; what cannot be written is said before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from unet_napari.cli.values import stem
from unet_napari.errors import OutputError
from unet_napari.images.formats.table import find_output_format, output_suffixes
from unet_napari.labels.table_files import TABLE_SUFFIXES, check_table_name
from unet_napari.system.atomic import check_output

__all__ = ["check_free", "check_side_output", "output_files"]


def output_files(paths: list[Path], output: Path) -> list[Path]:
    """Return the file that the labels of each image go into.

    Parameters
    ----------
    paths : list of Path
        The images.
    output : Path
        A .tif or .zarr for one image, else a folder, which need not exist yet.

    Raises
    ------
    OutputError
        If several images would go into one file, or the name is that of a file of another kind.
    """
    if find_output_format(output) is not None:
        if len(paths) > 1:
            raise OutputError(
                f"{len(paths)} images cannot go into one file: name a folder with --output, "
                f"not {output}."
            )
        return [output]
    if output.suffix and not output.is_dir():
        raise OutputError(
            f"Labels are written as {output_suffixes()}, not as {output.name}. If that is to be a "
            "folder, make it first."
        )
    outputs = [output / f"{stem(path)}.tif" for path in paths]
    twice = sorted({path.name for path in outputs if outputs.count(path) > 1})
    if twice:
        raise OutputError(f"Several images would be written to {', '.join(twice)}.")
    return outputs


def check_free(paths: Iterable[Path]) -> None:
    """Raise `OutputError` if a result exists already."""
    for path in paths:
        if path.exists():
            raise OutputError(f"{path} exists; give --overwrite to replace it.")


def check_side_output(path: Path | None, endings: Sequence[str], *, overwrite: bool) -> None:
    """Refuse a file beside the main result before anything is computed.

    Raises
    ------
    OutputError
        If it has another ending, exists and must not be replaced, or cannot be written.
    """
    if path is None:
        return
    if path.suffix.lower() not in endings:
        raise OutputError(f"{path} must end in {' or '.join(endings)}.")
    if path.suffix.lower() in TABLE_SUFFIXES:
        check_table_name(path)
    if not overwrite:
        check_free([path])
    check_output(path, overwrite=True)
