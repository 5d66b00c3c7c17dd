"""The section *Images* of a dock: the list, one step forward or back, what takes part."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from magicgui.widgets import PushButton
from napari.viewer import Viewer
from qtpy.QtWidgets import QFileDialog

from napari.layers import Image, Labels
from unet_napari._napari.collection.browsers import browser_of
from unet_napari._napari.collection.file_pair import FilePair
from unet_napari._napari.collection.image_table import ImageTable, Row
from unet_napari._napari.collection.listed_pairs import ListedPairs, pair_title
from unet_napari._napari.collection.remembered import last_list
from unet_napari._napari.layers.background_paint import highest_painted
from unet_napari._napari.sections.chosen import LayerPair
from unet_napari._napari.widgets.fields import Message, button
from unet_napari._napari.widgets.form import FormRows
from unet_napari.collection.known_lists import KnownList

__all__ = ["ImagesSection"]

NEXT_KEY, PREVIOUS_KEY = "Control-Right", "Control-Left"  # napari has none of them


class ImagesSection:
    """The list of images in a dock; both docks of a window show the same one.

    Parameters
    ----------
    rows : FormRows
        The group that it is added to.
    viewer : napari.viewer.Viewer
    show : callable
        Chooses an image layer and its labels in the dock.
    chosen : callable, optional
        Returns the pair that is chosen in the dock, or None; without it, layers cannot be added.

    Attributes
    ----------
    pairs : ListedPairs
        The layers that are in the list besides the files.
    on_added : callable
        Called with each pair of layers that the user adds, or ticks again.
    on_left_out : callable
        Called when the user has unticked a pair of layers.
    on_painting : callable
        Called when something is painted on the image of the list that is open.
    """

    def __init__(
        self,
        rows: FormRows,
        viewer: Viewer,
        show: Callable[[Image, Labels], None],
        chosen: Callable[[], LayerPair | None] | None = None,
    ) -> None:
        self._rows, self._show, self._chosen = rows, show, chosen
        self.browser = browser_of(viewer)
        self.pairs = ListedPairs(lambda: viewer.layers)
        self.on_added: Callable[[LayerPair], None] = lambda _: None
        self.on_left_out: Callable[[], None] = lambda: None
        self.on_painting: Callable[[], None] = lambda: None
        self.run_all: PushButton | None = None
        self._known: KnownList | None = None
        self._add_buttons(rows)
        self.table = ImageTable(self._open, self._choose)
        rows.add_native(self.table)
        self.told = Message("images_told", "What is to be said of the list.")
        rows.add_wide(self.told)
        self.browser.changed.connect(self.refresh)
        self.browser.opened.connect(self._on_opened)
        self.browser.told.connect(self._tell)
        self.browser.painting.connect(self._on_painting)
        step = self.browser.step
        viewer.bind_key(NEXT_KEY, lambda _: step(1), overwrite=True)
        viewer.bind_key(PREVIOUS_KEY, lambda _: step(-1), overwrite=True)
        self._known = last_list()
        self.refresh()
        self._offer()

    def _offer(self) -> None:
        """Offer the last list again; where the program was killed, in plain sight."""
        known = self._known
        if known is None or self.browser.list is not None:
            return
        self.reopen.tooltip = f"List the images of '{known.folder}' again."
        if known.is_open:
            self._rows.unfold()
            name = Path(known.folder).name
            self.told.say(f"'{name}' was open last. Reopen goes on, with all that is saved.")

    def add_run_all(self) -> PushButton:
        """Add the button that segments all images of the list."""
        self.run_all = button(
            "run_all",
            "Run over all",
            "Segment all images of the list with this model, one after the other. Results and\n"
            "tables go to a folder beside the labels; what is there already is not done again.",
        )
        self._rows.add_beside(self.run_all)
        self.refresh()
        return self.run_all

    def _add_buttons(self, rows: FormRows) -> None:
        self.folder = button(
            "choose_folder",
            "Folder…",
            "List all images of a folder. What you paint is saved beside them, a few seconds\n"
            "after each stroke, as NAME_labels.tif.",
        )
        self.labels_to = button(
            "labels_to", "Labels to…", "Save the labels in another folder than the images."
        )
        self.previous = button(
            "previous_image", "◀ Previous", "Open the image before, with its labels: Ctrl+Left."
        )
        self.next = button(
            "next_image", "Next ▶", "Open the next image, with its labels: Ctrl+Right."
        )
        first: list[PushButton] = [self.folder]
        if self._chosen is not None:
            self.add_button = button(
                "add_pair", "Add layers", "Also train on the image and labels chosen above."
            )
            self.add_button.changed.connect(self.add)
            first.append(self.add_button)
        self.reopen = button("reopen_list", "Reopen", "List the images that were listed last.")
        rows.add_beside(*first, self.labels_to, self.reopen)
        self.reopen.changed.connect(self.browser.reopen)
        rows.add_beside(self.previous, self.next)
        self.folder.changed.connect(self._ask_for_folder)
        self.labels_to.changed.connect(self._ask_for_labels_folder)
        self.previous.changed.connect(partial(self._step, -1))
        self.next.changed.connect(partial(self._step, 1))

    # -- what takes part ----------------------------------------------------------------------

    def layer_pairs(self) -> list[LayerPair]:
        """Return the layers that are trained on: the chosen ones first, each once.

        An image of the list that is open, but has no paint or is not ticked, is left out where
        there are others.
        """
        pairs = self.pairs.with_chosen(None if self._chosen is None else self._chosen())
        others = len(pairs) > 1 or bool(self.browser.taking_part())
        return [pair for pair in pairs if not others or self._counts(pair)]

    def shown_among(self, pairs: Sequence[LayerPair]) -> dict[Path, LayerPair]:
        """Return which of some pairs are ticked images of the list, by their files."""
        current, listed = self.browser.current, self.browser.list
        if current is None or listed is None or not listed[current.name].facts.train:
            return {}
        found = [pair for pair in pairs if pair.labels is current.layer]
        return {current.image: found[0]} if found else {}

    def trained(self) -> str:
        """Return the name of the model that images of the list were trained on last, or ""."""
        current, listed = self.browser.name, self.browser.list
        if current is None or listed is None:
            return ""
        names = [listed[current].facts.trained, *(entry.facts.trained for entry in listed)]
        return next((name for name in names if name), "")

    def note_training(self, model: str, shown: Mapping[Path, LayerPair]) -> None:
        """Remember that the images that take part are trained on for a model."""
        names = [image.name for image in shown]
        names += [entry.name for entry, _ in self.browser.taking_part()]
        self.browser.keep({name: {"trained": model} for name in names})

    def _counts(self, pair: LayerPair) -> bool:
        """Tell whether a pair is to be trained on, as far as the list has a say in it."""
        browser = self.browser
        if browser.list is None or browser.name is None or not browser.is_current(pair.labels):
            return True
        return browser.list[browser.name].facts.train and bool(highest_painted(pair.labels))

    def file_pairs(self, channel: str) -> list[FilePair]:
        """Return the images that are trained on though they are not open."""
        return [FilePair(listed, paint, channel) for listed, paint in self.browser.taking_part()]

    def add(self) -> None:
        """Put the chosen pair into the list, with its regions and axes as they are now."""
        pair = None if self._chosen is None else self._chosen()
        if pair is not None:
            self.pairs.add(pair)
            self.refresh()
            self.on_added(pair)

    # -- what is shown ------------------------------------------------------------------------

    def refresh(self, *_: object) -> None:
        """Show the list as it is now."""
        browser, listed = self.browser, self.browser.list
        rows = [
            Row(
                image.name,
                image.name,
                browser.paint.is_on(image),
                image.facts.train,
                image.name == browser.name,
                image.problem,
                image.facts.objects,
                image.facts.doubt,
                image.facts.familiarity,
                browser.thumbnails.get(image.image),
            )
            for image in listed or ()
        ]
        rows += [
            Row(number, pair_title(pair), painted=True, train=self.pairs.takes_part(pair))
            for number, pair in enumerate(self.pairs.all())
        ]
        if rows and not self.table.rows:
            self._rows.unfold()
        self.table.setVisible(bool(rows))
        self.table.show_rows(rows)
        self.labels_to.visible = listed is not None
        self.reopen.visible = listed is None and self._known is not None
        if self.run_all is not None:
            self.run_all.visible = listed is not None
        self.previous.enabled = self.next.enabled = listed is not None

    def close(self) -> None:
        """Have all paint saved, and follow the list no more; the widgets may be gone already."""
        with suppress(RuntimeError, TypeError):  # it is gone, or has been left
            self.browser.rest()
            self.browser.changed.disconnect(self.refresh)
            self.browser.opened.disconnect(self._on_opened)
            self.browser.told.disconnect(self._tell)
            self.browser.painting.disconnect(self._on_painting)

    def _on_opened(self, image: Image, labels: Labels) -> None:
        self._show(image, labels)

    def _on_painting(self) -> None:
        self.on_painting()

    def _tell(self, text: str, is_error: bool) -> None:
        self.told.say(text, error=is_error)

    def _step(self, by: int, _: object = None) -> None:
        self.browser.step(by)

    def _open(self, key: Hashable) -> None:
        if isinstance(key, str):
            self.browser.open(key, look=True)
        elif isinstance(key, int):
            pair = self.pairs.all()[key]
            self._show(pair.image, pair.labels)

    def _choose(self, key: Hashable, train: bool) -> None:
        if isinstance(key, str):
            self.browser.keep({key: {"train": train}})
        elif isinstance(key, int):
            pair = self.pairs.all()[key]
            self.pairs.choose(pair, train=train)
            self.refresh()
            if train:
                self.on_added(pair)
            else:
                self.on_left_out()

    def _ask_for_folder(self) -> None:
        before = "" if self.browser.list is None else str(self.browser.list.folder)
        folder = QFileDialog.getExistingDirectory(self.table, "A folder of images", before)
        if folder:
            self.browser.open_folder(Path(folder))

    def _ask_for_labels_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self.table, "A folder for the labels")
        if folder:
            self.browser.save_labels_to(Path(folder))
