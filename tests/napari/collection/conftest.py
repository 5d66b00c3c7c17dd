"""A folder of six images, and a Train dock whose list shows them."""

import numpy as np
import pytest
import tifffile

from unet_napari.images.synthetic import nuclei


def write_images(folder, shapes=((96, 128),) * 6):
    """Write images ``a.tif``, ``b.tif`` and so on, each with pixels of its own."""
    folder.mkdir(exist_ok=True)
    paths = []
    for number, shape in enumerate(shapes):
        image, _ = nuclei(shape, count=12, seed=number)
        paths.append(folder / f"{'abcdefgh'[number]}.tif")
        tifffile.imwrite(paths[-1], (image * 1000 + number).astype(np.uint16))
    return paths


@pytest.fixture
def folder(tmp_path):
    """A folder of six images of unlike shapes."""
    shapes = [(96, 128), (64, 64), (96, 128), (80, 120), (96, 128), (50, 70)]
    write_images(tmp_path / "six images", shapes)
    return tmp_path / "six images"


@pytest.fixture
def browser(train_dock, folder, qtbot):
    """The list of images, with the folder in it and its first image open."""
    browser = train_dock.images.browser
    browser.open_folder(folder)
    browser.step(1)
    qtbot.waitUntil(lambda: browser.name == "a.tif")
    return browser


@pytest.fixture
def step(browser, qtbot):
    """Open the next image, or the one before, and return its labels layer."""

    def go(by=1):
        before = browser.name
        browser.step(by)
        qtbot.waitUntil(lambda: browser.name != before)
        return browser.current.layer

    return go
