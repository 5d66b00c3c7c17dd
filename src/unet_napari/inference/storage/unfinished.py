"""What a long segmentation leaves beside its output, so that it can go on after it was stopped.

A folder ``.NAME.unfinished`` holds the packed maps of every view and, written every so often, how
far they are final together with the rows that a stream keeps. It is removed when the result is
whole. Three rules make a run that goes on end with the same result:

* A position is written only after the maps before it, and appears in one step (`open_atomic`). So
  a process that is killed at any moment leaves a position which is true, perhaps an old one.
* The folder names its request: the image, the model, the settings and their version
  (`request_key`), the memory of the run, on which the cut depends, and the size of objects at which
  the image is segmented (`Begun`). Another request begins anew.
* Only one process works in the folder, which it locks. The system takes the lock from a process
  that dies, so nobody has to remove it.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import safetensors

from unet_napari.errors import OutputError
from unet_napari.inference.storage.scratch import DiskArray, check_disk
from unet_napari.inference.storage.tensor_file import SavedTensors
from unet_napari.system.atomic import open_atomic, remove_all, remove_partials
from unet_napari.system.tensors import write_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import DTypeLike
    from torch import Tensor

    Rows = Mapping[str, Tensor]

__all__ = ["REGIONS", "Begun", "Journal", "Journals", "Position", "Unfinished"]

REGIONS: Final = "regions"
"""Folder, in that of a run on several machines, with a file for each region that is finished."""

# Seconds between two saves, and how many times longer than a save that must be: where saving is
# slow, it takes a thirtieth of the time at most.
_SECONDS_BETWEEN_SAVES = 15.0
_TIMES_A_SAVE = 30.0


@dataclass(frozen=True)
class Position:
    """How far the maps of an image are final.

    Attributes
    ----------
    view : int
        Number of the view that is worked on; the maps of all views before it are final.
    tiles : int
        Number of tiles, or columns of a stream, of this view whose maps are final.
    plan : str
        Description of how the view is cut; a position means nothing for another cut.
    stream : mapping of str to Tensor
        Rows that the stream down the next column keeps, see `Stream.state`; empty where there is
        no stream, or where it has not begun.
    """

    view: int = 0
    tiles: int = 0
    plan: str = ""
    stream: Rows = field(default_factory=dict)


@dataclass(frozen=True)
class Begun:
    """How a run was begun, which the one that goes on must not decide anew.

    Attributes
    ----------
    memory : int
        Bytes that the run was planned for.
    diameter : float or None
        Diameter of the objects by which the image is scaled; None: by none.
    decided : bool
        Whether the diameter is final, or the sizes of what is found are still to be judged.
    """

    memory: int
    diameter: float | None = None
    decided: bool = True


class Unfinished:
    """The folder beside an output; use as a context manager around the writing of the output.

    It is made by `begin`, and removed when the ``with`` block ends well.

    Parameters
    ----------
    output
        File or folder that the result will be.

    Raises
    ------
    OutputError
        If another process is writing this output.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self.folder = output.parent / f".{output.name}.unfinished"
        self._open = ExitStack()
        self._maps = self._open.enter_context(ExitStack())
        self._locked = False
        self._next_save = time.monotonic() + _SECONDS_BETWEEN_SAVES

    def __enter__(self) -> Self:
        """Claim what an earlier run has left, and remove its part of an output, made anew."""
        if self.folder.is_dir():
            self._lock()
            remove_partials(self._output)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the folder, unless something went wrong."""
        self._open.close()
        if self._locked and (kind is None or not self._worth_keeping):
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _worth_keeping(self) -> bool:
        return self._state.exists() or any((self.folder / REGIONS).glob("*"))

    @property
    def _state(self) -> Path:
        return self.folder / "state.safetensors"

    @property
    def _request(self) -> Path:
        return self.folder / "request.json"

    @property
    def left(self) -> bool:
        """Whether an earlier run has left anything, of whichever request."""
        return self._request.exists()

    def begun(self, key: str) -> Begun | None:
        """Return how an earlier run of this request was begun, if there was one.

        With other memory the image would be cut in another way, and the run could not go on.
        """
        left = self._read_request()
        if left.pop("key", None) != key:
            return None
        return Begun(**left)

    def begin(
        self, key: str, memory: int, diameter: float | None = None, *, decided: bool = True
    ) -> Position:
        """Make the folder, or go on with it if it was left by the same request.

        Parameters
        ----------
        key
            Key from `request_key`; what was left by another request is removed.
        memory, diameter, decided
            See `Begun`; what was begun at another scale is removed.
        """
        if not self._locked:
            self._lock()
        request = {"key": key, **asdict(Begun(memory, diameter, decided))}
        left = self._read_request()
        if (left.get("key"), left.get("diameter")) != (key, diameter):
            self._maps.close()
            for path in self.folder.iterdir():
                if path.name != "lock":
                    remove_all(path)
        if left != request:
            with open_atomic(self._request) as file:
                file.write(json.dumps(request).encode())
        return self._load()

    def _read_request(self) -> dict[str, Any]:
        if not self._request.exists():
            return {}
        content: dict[str, Any] = json.loads(self._request.read_bytes())
        return content

    def maps(self, view: int, shape: tuple[int, ...], dtype: DTypeLike) -> DiskArray:
        """Return the packed maps ``(P, *S)`` of one view; they hold what was written before."""
        path = self.folder / f"maps-{view}"
        if not path.exists():
            check_disk(math.prod(shape) * np.dtype(dtype).itemsize, self.folder)
        file = self._maps.enter_context(path.open("r+b" if path.exists() else "w+b"))
        return DiskArray(file, shape, dtype, rows=1)

    def due(self) -> bool:
        """Tell whether it is time to save."""
        return time.monotonic() >= self._next_save

    def save(self, position: Position) -> None:
        """Remember how far the maps are final, in one step."""
        started = time.monotonic()
        facts = {"view": position.view, "tiles": position.tiles, "plan": position.plan}
        with open_atomic(self._state) as file:
            rows = {name: tensor.numpy() for name, tensor in position.stream.items()}
            write_tensors(file, rows, {"position": json.dumps(facts)})
        ended = time.monotonic()
        self._next_save = ended + max(_SECONDS_BETWEEN_SAVES, _TIMES_A_SAVE * (ended - started))

    def _load(self) -> Position:
        if not self._state.exists():
            return Position()
        with safetensors.safe_open(self._state, "pt") as file:
            facts: dict[str, Any] = json.loads(file.metadata()["position"])
        return Position(**facts, stream=SavedTensors(self._state))

    def _lock(self) -> None:
        try:
            self.folder.mkdir(exist_ok=True)
            file = self._open.enter_context((self.folder / "lock").open("a+b"))
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be written: {error.strerror}") from error
        try:
            _lock_file(file.fileno())
        except OSError as error:
            self._open.close()
            raise OutputError(
                f"{self._output} is being written by another unet-napari. Wait for it, or choose "
                "another output."
            ) from error
        self._locked = True


class Journals:
    """A segmentation that is kept in an `Unfinished` folder: what is noted of each of its views.

    Parameters
    ----------
    unfinished : Unfinished
        The folder, begun.
    left : Position
        Position that an earlier run has reached, as `Unfinished.begin` returned it.
    """

    def __init__(self, unfinished: Unfinished, left: Position) -> None:
        self._unfinished, self._left = unfinished, left

    def maps(self, view: int, shape: tuple[int, ...], dtype: DTypeLike) -> DiskArray:
        """Return the packed maps of a view, see `Unfinished.maps`."""
        return self._unfinished.maps(view, shape, dtype)

    def of(self, view: int) -> Journal:
        """Return the journal of a view."""
        begun = self._left.view == view and self._left.plan != ""
        position = self._left if begun else None
        return Journal(self._unfinished, view, position, finished=view < self._left.view)


class Journal:
    """What is noted of one view while `Predictor.run` works on it.

    Parameters
    ----------
    unfinished : Unfinished
        Store in which it is kept.
    view : int
        Number of the view.
    position : Position or None
        Position that an earlier run has reached in this view; None if it did not begin it.
    finished : bool
        Whether an earlier run has finished the maps of this view.
    """

    def __init__(
        self, unfinished: Unfinished, view: int, position: Position | None, *, finished: bool
    ) -> None:
        self.position, self.finished = position, finished
        self._unfinished, self._view = unfinished, view

    def due(self) -> bool:
        """Tell whether it is time to save."""
        return self._unfinished.due()

    def save(self, position: Position) -> None:
        """Remember how far the maps of the view are final."""
        self._unfinished.save(replace(position, view=self._view))


def _lock_file(descriptor: int) -> None:
    """Lock a file for this process alone; the system unlocks it if the process is killed."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
