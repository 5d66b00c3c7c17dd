"""The formats of image files that are read and written: one entry of a table for each.

An entry names its code as text, which is imported when a file of that format is met. Names of
files, messages and the choice of a reader or writer come from these tables; an entry that is added
to one of them, from inside or outside the package, is all that a new format needs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unet_napari.registry import Registry, load_object

if TYPE_CHECKING:
    import numpy as np

    from unet_napari.images.image import LazyArray
    from unet_napari.system.each import Each

__all__ = [
    "INPUT_FORMATS",
    "OUTPUT_FORMATS",
    "InputFormat",
    "OutputFormat",
    "find_output_format",
    "listed_words",
    "output_suffixes",
]


@dataclass(frozen=True)
class InputFormat:
    """A kind of image file that can be read.

    Attributes
    ----------
    name
        Name of the entry, such as ``"tiff"``.
    titles
        What people call the formats, such as ``("PNG", "JPEG")``.
    suffixes
        Endings of the names of such files, in lower case.
    opens
        Code of the reader. It takes the path, and returns an array that is read lazily, the axes
        (None where the file does not say), and the pixel size in micrometres by axis. It raises
        `ImageError` for a file that is damaged.
    recognises
        Code that takes a path and tells by the content whether a file or folder is one of
        these. Empty: what no other format recognises is taken for one.
    takes_scene
        Whether the reader takes as its second argument which image of the file is meant.
    packages
        Package that must be installed for a suffix; those that are not here need none.
    extra
        Extra of unet-napari that installs these packages; empty where none is needed.
    """

    name: str
    titles: tuple[str, ...]
    suffixes: tuple[str, ...]
    opens: str
    recognises: str = ""
    takes_scene: bool = False
    packages: Mapping[str, str] = field(default_factory=dict)
    extra: str = ""

    def recognise(self, path: Path) -> bool:
        """Tell by the content whether a file or folder is of this format."""
        if not self.recognises:
            return False
        return bool(load_object(self.recognises, f"the input format {self.name!r}")(path))

    def open(
        self, path: Path, scene: int | str | None = None
    ) -> tuple[LazyArray, str | None, dict[str, float]]:
        """Open a file; returns its array, axes and pixel size, see `opens`."""
        opener = load_object(self.opens, f"the input format {self.name!r}")
        opened: tuple[LazyArray, str | None, dict[str, float]] = (
            opener(path, scene) if self.takes_scene else opener(path)
        )
        return opened

    def matches(self, name: str) -> bool:
        """Tell whether a file of this name is of this format, and its reader is installed."""
        lower = name.lower()
        for suffix in self.suffixes:
            if lower.endswith(suffix):
                package = self.packages.get(suffix)
                return package is None or importlib.util.find_spec(package) is not None
        return False


@dataclass(frozen=True)
class OutputFormat:
    """A kind of image file that can be written.

    Attributes
    ----------
    name
        Name of the entry, such as ``"ome-tiff"``.
    suffixes
        Endings of the names of such files, in lower case; the first is the usual one. The longest
        suffix that fits a name decides.
    creates
        Code that takes path, shape, dtype, axes and pixel size and creates a file of zeros, or a
        folder. It returns an array that writes into it, such as a memory map. It raises `OSError`
        if there is no room, and `ValueError` if the format has no such type of pixels.
    replaces
        Code that takes a path and tells whether what is there may be replaced. Empty: any file
        may, and no folder.
    narrows
        Code that writes labels of 32 bits once more with 16. It takes the array, another path,
        axes and pixel size, and returns whether all labels fitted. Empty: labels stay as they are.
    finishes
        Code that takes a file whose pixels are written, ``labels`` (whether they are labels) and
        ``each`` (who does it, part by part), and adds what can be added only then, such as a
        pyramid. Empty: nothing.
    holds
        Code that takes a path without one of the suffixes and returns what of this format it lies
        in, such as the image that labels lie in; None: in nothing. Empty: no path does.
    lists
        Code that takes such a path when it is written, and names it in what it lies in.
    keeps_record
        Whether a file of this format has room for the record of where a result comes from, see
        `unet_napari.images.result_record`.
    """

    name: str
    suffixes: tuple[str, ...]
    creates: str
    replaces: str = ""
    narrows: str = ""
    finishes: str = ""
    holds: str = ""
    lists: str = ""
    keeps_record: bool = False

    def create(
        self,
        path: Path,
        shape: Sequence[int],
        dtype: np.dtype[Any],
        axes: str,
        pixel_size: Mapping[str, float],
    ) -> Any:  # noqa: ANN401  a memory map or an array of zarr
        """Create a file of zeros; returns an array that writes into it."""
        creator = load_object(self.creates, f"the output format {self.name!r}")
        return creator(path, shape, dtype, axes, pixel_size)

    def finish(self, path: Path, *, labels: bool, each: Each) -> None:
        """Add to a file what can be added only when its pixels are written."""
        if self.finishes:
            finisher = load_object(self.finishes, f"the output format {self.name!r}")
            finisher(path, labels=labels, each=each)

    def is_within(self, path: Path) -> bool:
        """Tell whether a path lies in an image of this format, as labels may."""
        found = self.holds and load_object(self.holds, f"the output format {self.name!r}")(path)
        return bool(found)

    def enlist(self, path: Path) -> None:
        """Name what is written now in the image that it lies in, if it lies in one."""
        if self.lists:
            load_object(self.lists, f"the output format {self.name!r}")(path)

    def may_replace(self, path: Path) -> bool:
        """Tell whether what is at a path may be replaced by an image of this format."""
        if not self.replaces:
            return path.is_file()
        return bool(load_object(self.replaces, f"the output format {self.name!r}")(path))

    def narrow(
        self,
        labels: Any,  # noqa: ANN401  what `create` returned
        path: Path,
        axes: str,
        pixel_size: Mapping[str, float],
    ) -> bool:
        """Write labels with 16 bits; False where they do not fit, or where the disk is full."""
        if not self.narrows or labels.dtype != "uint32":
            return False
        narrower = load_object(self.narrows, f"the output format {self.name!r}")
        try:
            return bool(narrower(labels, path, axes, pixel_size))
        except OSError:
            return False  # 32 bits are as right, and there already


_CODE = "unet_napari.images.formats"

INPUT_FORMATS: Registry[InputFormat] = Registry(
    "input format",
    [
        InputFormat(
            "tiff",
            ("TIFF",),
            # Of TIFF's relatives, those that people have: Zeiss's, MetaMorph's, slide scanners'.
            (
                *(".ome.tiff", ".ome.tif", ".ome.btf", ".ome.tf8", ".tiff", ".tif", ".btf"),
                *(".tf8", ".lsm", ".stk", ".svs", ".ndpi", ".scn", ".qptiff", ".bif"),
            ),
            opens=f"{_CODE}.read_tiff:open_tiff",
        ),
        InputFormat(
            "zarr",
            ("zarr",),
            (".ome.zarr", ".zarr"),
            opens=f"{_CODE}.read_zarr:open_zarr",
            recognises=f"{_CODE}.read_zarr:is_zarr",
        ),
        InputFormat(
            "picture",
            ("PNG", "JPEG", "BMP"),
            (".png", ".jpg", ".jpeg", ".bmp"),
            opens=f"{_CODE}.read_picture:open_picture",
            recognises=f"{_CODE}.read_picture:picture_format",
        ),
        InputFormat(
            "microscope",
            ("CZI", "LIF", "ND2", "OIR"),
            (".czi", ".lif", ".nd2", ".oir"),
            opens=f"{_CODE}.read_microscope:open_microscope",
            recognises=f"{_CODE}.read_microscope:is_microscope_file",
            takes_scene=True,
            packages={".czi": "bioio", ".lif": "bioio", ".nd2": "bioio", ".oir": "oirfile"},
            extra="bioio",
        ),
    ],
)
"""The formats that are read; the first that recognises a file opens it."""

OUTPUT_FORMATS: Registry[OutputFormat] = Registry(
    "output format",
    [
        OutputFormat(
            "tiff",
            (".tif", ".tiff"),
            creates=f"{_CODE}.write_tiff:create_tiff",
            narrows=f"{_CODE}.write_tiff:narrow_labels",
            keeps_record=True,
        ),
        OutputFormat(
            "ome-tiff",
            (".ome.tif", ".ome.tiff"),
            creates=f"{_CODE}.write_tiff:create_ome_tiff",
            keeps_record=True,
        ),
        OutputFormat(
            "zarr",
            (".zarr",),
            creates=f"{_CODE}.write_zarr:create_zarr",
            replaces=f"{_CODE}.read_zarr:is_zarr",
            finishes=f"{_CODE}.write_zarr:finish_zarr",
            holds=f"{_CODE}.write_zarr:image_of_labels",
            lists=f"{_CODE}.write_zarr:list_labels",
            keeps_record=True,
        ),
    ],
)
"""The formats that are written; the ending of a file's name chooses among them."""


def find_output_format(path: Path) -> OutputFormat | None:
    """Return the format that a file's name, or else its place, asks for; None if there is none."""
    lower = path.name.lower()
    fitting = [
        (len(suffix), form)
        for form in OUTPUT_FORMATS.values()
        for suffix in form.suffixes
        if lower.endswith(suffix) and len(lower) > len(suffix)
    ]
    if fitting:
        return max(fitting, key=lambda pair: pair[0])[1]
    return next((form for form in OUTPUT_FORMATS.values() if form.is_within(path)), None)


def output_suffixes() -> str:
    """Return the usual endings of what can be written: ``.tif, .ome.tif or .zarr``."""
    return listed_words([form.suffixes[0] for form in OUTPUT_FORMATS.values()], "or")


def listed_words(words: Sequence[str], last: str) -> str:
    """Return words as a list in a sentence: ``a, b and c``, where `last` is ``"and"``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
