"""The pages of the documentation in a window of their own: no browser, no network."""

import posixpath
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

from qtpy.QtCore import QEvent, Qt, QUrl
from qtpy.QtGui import (
    QDesktopServices,
    QPalette,
    QTextBlock,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)
from qtpy.QtWidgets import (
    QDialog,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

__all__ = ["HelpLink", "HelpWindow", "open_help", "pages_folder"]

_SIZE = (760, 640)  # pixels
_MARGIN = 12  # pixels around the text
_PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)\n?")
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]*)\)")


def pages_folder() -> Traversable:
    """Return the folder of the pages, ``docks.md`` and others, that came with the package."""
    installed = files("unet_napari_manifest") / "docs"
    # An editable install that was made before there were pages in it has those of its source.
    return (
        installed if installed.is_dir() else files("unet_napari") / ".." / ".." / "docs" / "guide"
    )


def open_help(page: str, beside: QWidget) -> "HelpWindow":
    """Show a page in the help window of a viewer, the one that is open if there is one.

    Parameters
    ----------
    page : str
        Name of the file, with or without a headline: ``docks.md#segmenting``.
    beside : QWidget
        A widget of the viewer; the window closes with the viewer.
    """
    owner = beside.window() or beside
    while (above := owner.parentWidget()) is not None:  # a dock that floats is a window too
        owner = above
    window = owner.findChild(HelpWindow) or HelpWindow(owner)
    window.pages.setSource(QUrl(page))
    window.show()
    window.raise_()
    window.activateWindow()
    return window


class HelpLink(QLabel):
    """The word Help, which opens a page; a link, as it neither asks for nor changes anything.

    Parameters
    ----------
    page : str
        Name of a page, as `open_help` takes it.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self._page = page
        self.setToolTip("How this dock is used, step by step, and what each field does.")
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse
            | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.linkActivated.connect(lambda target: open_help(target, self))
        self._write()

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Write the word anew in a new theme."""
        if event is None:  # as PyQt6 has it, which never hands over None
            return
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._write()

    def _write(self) -> None:
        # The colour that Qt gives to links cannot be read in napari's dark theme.
        colour = self.palette().color(QPalette.ColorRole.WindowText).name()
        self.setText(f'<a href="{self._page}" style="color: {colour}">Help</a>')


class HelpWindow(QDialog):
    """A window that pages are shown in, one after another.

    Parameters
    ----------
    owner : QWidget
        The window goes when this does.
    """

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner)
        self.setWindowTitle("Help for U-Net")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(*_SIZE)
        self.pages = _Pages()
        self.back = QPushButton("Back")
        self.back.setToolTip("The page before (Alt+Left).")
        self.back.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.back.setEnabled(False)
        self.back.clicked.connect(self.pages.backward)
        self.pages.backwardAvailable.connect(self.back.setEnabled)
        layout = QVBoxLayout(self)
        layout.addWidget(self.pages)
        layout.addWidget(self.back)


class _Pages(QTextBrowser):
    """Shows pages and follows the links in them."""

    def __init__(self) -> None:
        super().__init__()
        self._text = QTextDocument(self)
        self._text.setDocumentMargin(_MARGIN)
        self.setDocument(self._text)
        self.setOpenLinks(False)
        self.anchorClicked.connect(self._follow)
        self.sourceChanged.connect(self._arrive)

    def loadResource(self, kind: int, name: QUrl | str) -> object:  # noqa: ARG002, N802
        """Return the text of a page; nothing else is ever loaded."""
        pages = dict(_pages_in(pages_folder()))
        path = QUrl(name).path()
        if path not in pages:
            return None
        return _readable(pages[path].read_text("utf-8"), posixpath.dirname(path), set(pages))

    def _follow(self, target: QUrl) -> None:
        if target.scheme():
            QDesktopServices.openUrl(target)  # in the user's browser, as the user wants
        else:
            self.setSource(self.source().resolved(target))

    def _arrive(self, address: QUrl) -> None:
        """Finish a page that has just been loaded, and go to the headline that is asked for."""
        block = self._text.begin()
        while block.isValid():
            _finish(block)
            block = block.next()
        self.scrollToAnchor(address.fragment())


def _pages_in(folder: Traversable, path: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yield each page of a folder and of those in it, behind its path: ``models/nuclei.md``."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _pages_in(entry, f"{path}{entry.name}/")
        elif entry.name.endswith(".md"):
            yield path + entry.name, entry


def _readable(text: str, folder: str, pages: set[str]) -> str:
    """Take out of a page of a folder what leads nowhere: pictures, links to what is not there."""

    def link(found: re.Match[str]) -> str:
        words, target = found.groups()
        page = posixpath.normpath(posixpath.join(folder, target.partition("#")[0]))
        leads = target.startswith(("#", "http")) or page in pages
        return found[0] if leads else words

    return _LINK.sub(link, _PICTURE.sub("", text))


def _anchor(headline: str) -> str:
    """Return how links call a headline: ``What is kept`` is ``what-is-kept``."""
    return re.sub(r"[^\w\- ]", "", headline.lower()).strip().replace(" ", "-")


def _finish(block: QTextBlock) -> None:
    """Give a headline the name that links call it by, and links the colour of the text.

    Qt's blue is lost on a dark background.
    """
    cursor = QTextCursor(block)
    if block.blockFormat().headingLevel():
        look = QTextCharFormat()
        look.setAnchor(True)
        look.setAnchorNames([_anchor(block.text())])
        cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
        cursor.mergeCharFormat(look)
    for position, length, look in _links(block):
        look.clearForeground()
        look.setFontUnderline(True)
        cursor.setPosition(position)
        cursor.setPosition(position + length, QTextCursor.MoveMode.KeepAnchor)
        cursor.setCharFormat(look)


def _links(block: QTextBlock) -> list[tuple[int, int, QTextCharFormat]]:
    """Return where the links of a block are, how long they are, and what they look like."""
    found = []
    pieces = block.begin()
    while not pieces.atEnd():
        fragment = pieces.fragment()
        if fragment.charFormat().anchorHref():
            found.append((fragment.position(), fragment.length(), fragment.charFormat()))
        pieces += 1
    return found
