"""All images of the list segmented in one go: what is asked of the engine, and what it tells."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from qtpy.QtCore import QObject, QTimer

from unet_napari._napari.collection.browser import Browser
from unet_napari._napari.collection.loaded_image import LoadedImage, load
from unet_napari._napari.collection.shown_result import show_found
from unet_napari.engine import ListItem, SegmentListJob
from unet_napari.errors import SettingsError
from unet_napari.folder_run.image_line import ImageLine

__all__ = ["RunOverAll"]

_PACE = 3000  # milliseconds between two times that what was found is written down
_OBJECTS, _IMAGES = "objects.csv", "images.csv"  # the tables of a run


class RunOverAll(QObject):
    """One run over all images of the list.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    browser : Browser
        The list.
    model : str
        Name or path of the model.

    Raises
    ------
    SettingsError
        If there is no list.

    Attributes
    ----------
    folder : Path
        Folder of the results.
    """

    def __init__(self, viewer: ViewerModel, browser: Browser, model: str) -> None:
        super().__init__()
        if browser.list is None:
            raise SettingsError("To run over all images, choose a folder of them (under Images).")
        self._viewer, self._browser, self._model = viewer, browser, model
        self._entries = [entry for entry in browser.list if not entry.problem]
        self.folder = browser.list.labels_folder / f"{Path(model).stem} results"
        self._found: dict[str, dict[str, Any]] = {}  # what is to be written down
        self._done: set[str] = set()  # names of the images with a result
        self._failed: list[str] = []
        self._objects = 0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PACE)
        self._timer.timeout.connect(self.write_down)

    def job(
        self,
        config: Mapping[str, Any],
        thresholds: Mapping[str, float],
        channel: str,
        *,
        cells: bool,
    ) -> SegmentListJob:
        """Return what is asked of the engine.

        Parameters
        ----------
        config, thresholds
            As of a `SegmentJob`.
        channel : str
            The channel that is segmented alone, as the user gives it.
        cells : bool
            Whether the model finds single objects, which can be measured.
        """
        number = channel.strip()
        reading = {"channel": int(number)} if number.isdecimal() else {}
        return SegmentListJob(
            images=tuple(
                ListItem(str(entry.image), str(entry.result_of(self._model)), entry.title, reading)
                for entry in self._entries
            ),
            model=self._model,
            config=config,
            thresholds=thresholds,
            table=str(self.folder / _OBJECTS) if cells else None,
            listing=str(self.folder / _IMAGES),
        )

    def note(self, line: ImageLine) -> None:
        """Take note of an image that is done with."""
        entry = self._entries[line.number]
        if line.thumbnail is not None:
            self._browser.thumbnails[entry.image] = line.thumbnail
        if line.has_result:
            self._objects += line.objects or 0
            self._done.add(entry.name)
            self._found[entry.name] = {
                "result": f"{self.folder.name}/{entry.title}.tif",
                "model": self._model,
                "objects": line.objects,
                "doubt": line.doubt,
                "worst_at": tuple(int(at) for at in line.worst_at),
                "familiarity": line.familiarity,
            }
        else:
            self._failed.append(f"'{entry.name}': {line.message}")
        if not self._timer.isActive():
            self._timer.start()

    def write_down(self) -> None:
        """Keep what was found with the list."""
        found, self._found = self._found, {}
        self._browser.keep(found, of=self.folder.parent)

    def summary(self, result: Mapping[str, Any]) -> str:
        """Return what is to be said at the end, and keep all that was found."""
        self._timer.stop()
        self.write_down()
        self._show_in_open_image()
        done = sum(int(result.get(state, 0)) for state in ("done", "unchanged", "kept"))
        words = f"{done:,} of {len(self._entries):,} images, {self._objects:,} objects"
        begin = "Stopped after" if result.get("stopped") or not result else "Done:"
        more = " Run it again to go on." if result.get("stopped") or not result else ""
        failed = ""
        if self._failed:
            failed = f" {len(self._failed):,} failed, the first: {self._failed[0]}"
        reason = str(result.get("reason", ""))
        return f"{begin} {words}; see '{self.folder}'.{failed}{reason and f' {reason}'}{more}"

    def _show_in_open_image(self) -> None:
        """Show what was found in the image that is open, as when it is opened again."""
        browser, layers = self._browser, self._browser.layers
        if browser.list is None or layers is None or browser.name not in self._done:
            return

        def show(loaded: LoadedImage) -> None:
            if browser.layers is layers:  # the user has not gone on meanwhile
                show_found(self._viewer, layers, loaded)

        read = partial(load, browser.list.look_at(browser.name), None)
        browser.paint.files.run(read, show, lambda error: browser.told.emit(str(error), True))
