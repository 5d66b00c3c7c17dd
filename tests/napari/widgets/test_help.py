from pathlib import Path

import pytest
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices, QTextCursor

from unet_napari._napari.docks.segment_dock import SegmentDock
from unet_napari._napari.docks.train_dock import TrainDock
from unet_napari._napari.widgets import help_window
from unet_napari._napari.widgets.help_window import HelpLink, HelpWindow, open_help

DOCS = Path(__file__).parents[3] / "docs" / "guide"


@pytest.fixture(autouse=True)
def source(monkeypatch):
    """The pages as they are in the source, which may be newer than those installed."""
    monkeypatch.setattr(help_window, "pages_folder", lambda: DOCS)


@pytest.fixture
def main_window(viewer):
    window = viewer.window._qt_window
    yield window
    for opened in window.findChildren(HelpWindow):
        opened.close()


def headline(window):
    """The text at the top of what is shown."""
    pages = window.pages
    cursor = pages.cursorForPosition(pages.viewport().rect().topLeft())
    cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
    return cursor.selectedText().strip("\u2029")


def links(window):
    block = window.pages.document().begin()
    while block.isValid():
        for _, _, look in help_window._links(block):
            yield look.anchorHref()
        block = block.next()


@pytest.mark.parametrize(("kind", "wanted"), [(TrainDock, "Training"), (SegmentDock, "Segmenting")])
def test_help_opens_the_part_of_the_page_that_is_about_the_dock(
    kind, wanted, viewer, main_window, job, qtbot
):
    dock = kind(viewer, job)
    viewer.window.add_dock_widget(dock, name="dock")
    link = dock.native.findChild(HelpLink)
    link.linkActivated.emit(link._page)
    (window,) = main_window.findChildren(HelpWindow)
    assert window.isVisible()
    assert not window.isModal()
    qtbot.waitUntil(lambda: headline(window) == wanted)


def test_a_window_that_is_open_is_used_again_and_goes_with_the_viewer(viewer, main_window, qtbot):
    window = open_help("docks.md", main_window)
    assert open_help("training.md", main_window.centralWidget()) is window
    assert window.parent() is main_window
    assert window.pages.document().begin().text() == "Training"
    window.close()
    qtbot.waitUntil(lambda: not main_window.findChildren(HelpWindow))


def test_links_lead_to_other_pages_and_back(main_window, qtbot):
    window = open_help("docks.md", main_window)
    assert not window.back.isEnabled()
    window.pages.anchorClicked.emit(QUrl("training.md#what-is-kept"))
    qtbot.waitUntil(lambda: headline(window) == "What is kept")
    window.back.click()
    assert window.pages.document().begin().text() == "The docks"
    assert not window.back.isEnabled()


def test_links_lead_into_a_folder_and_out_of_it(main_window):
    window = open_help("docks.md", main_window)
    for link in ("models/nuclei.md", "../accuracy.md"):
        assert link in {target.partition("#")[0] for target in links(window)}
        window.pages.anchorClicked.emit(QUrl(link))
    assert window.pages.document().begin().text() == "Accuracy"


def test_an_address_is_opened_in_the_browser_of_the_user(main_window, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    window = open_help("models/compression.md", main_window)
    window.pages.anchorClicked.emit(QUrl("https://example.org/paper"))
    assert opened == ["https://example.org/paper"]
    assert window.pages.document().begin().text() == "Smaller and faster models"


@pytest.mark.parametrize("page", sorted(page.name for page in DOCS.glob("*.md")))
def test_each_link_of_each_page_leads_somewhere(page, main_window):
    window = open_help(page, main_window)
    for target in set(links(window)):
        if target.startswith("http"):
            continue
        name, _, part = target.partition("#")
        text = (DOCS / (name or page)).read_text("utf-8")
        heads = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
        assert not part or part in map(help_window._anchor, heads), target


def test_pictures_and_links_to_what_is_not_installed_are_left_out(
    main_window, tmp_path, monkeypatch
):
    (tmp_path / "a.md").write_text(
        "# A\n\n![A picture](images/a.png)\n\nSee [the code](../src/README.md#x) and [B](b.md)."
    )
    (tmp_path / "b.md").write_text("# B")
    monkeypatch.setattr(help_window, "pages_folder", lambda: tmp_path)
    window = open_help("a.md", main_window)
    assert window.pages.toPlainText() == "A\nSee the code and B."
    assert list(links(window)) == ["b.md"]


@pytest.mark.parametrize(
    "address", ["../pyproject.toml", "file:///etc/hostname", "images/nuclei.png"]
)
def test_nothing_but_pages_is_ever_loaded(main_window, address):
    window = open_help("docks.md", main_window)
    assert window.pages.loadResource(0, QUrl(address)) is None


def test_links_have_the_colour_of_the_text(main_window):
    window = open_help("docks.md", main_window)
    block, looks = window.pages.document().begin(), []
    while block.isValid():
        looks += [look for _, _, look in help_window._links(block)]
        block = block.next()
    assert len(looks) > 5
    assert all(
        look.fontUnderline() and not look.hasProperty(look.Property.ForegroundBrush)
        for look in looks
    )
