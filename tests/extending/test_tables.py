"""Every entry of every table names code that is there, and the guide names every entry."""

from pathlib import Path

import pytest

from unet_napari.images.formats.table import INPUT_FORMATS, OUTPUT_FORMATS
from unet_napari.inference.backends.table import BACKEND_ENTRIES
from unet_napari.networks.catalogue import CATALOGUE
from unet_napari.registry import load_object
from unet_napari.tasks.kinds.catalogue import TASK_KINDS
from unet_napari.tasks.loss_catalogue import LOSSES
from unet_napari.training.data.augment_config import AugmentConfig
from unet_napari.training.data.recolour import RECOLOURINGS
from unet_napari.training.schedule import OPTIMISERS, SCHEDULES

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
CODE = [
    *(code for loss in LOSSES.values() for code in (loss.independent, loss.exclusive)),
    *(network.implementation for network in CATALOGUE.values()),
    *(kind.implementation for kind in TASK_KINDS.values()),
    *(backend.implementation for backend in BACKEND_ENTRIES.values()),
    *(code for form in INPUT_FORMATS.values() for code in (form.opens, form.recognises)),
    *(form.creates for form in OUTPUT_FORMATS.values()),
    *(optimiser.implementation for optimiser in OPTIMISERS.values()),
]
PAGES = {
    "models/losses.md": LOSSES,
    "models/networks.md": CATALOGUE,
    "training.md": {**SCHEDULES, **OPTIMISERS},
    "command-line.md": RECOLOURINGS,
}


@pytest.mark.parametrize("code", sorted({code for code in CODE if code}))
def test_the_code_of_an_entry_is_there(code):
    assert callable(load_object(code, f"the entry {code!r}"))


@pytest.mark.parametrize("page", PAGES)
def test_the_guide_names_every_entry(page):
    text = (GUIDE / page).read_text("utf-8")
    missing = [name for name in PAGES[page] if f"`{name}`" not in text]
    assert missing == []


@pytest.mark.parametrize("name", RECOLOURINGS)
def test_a_recolouring_has_a_strength_that_the_user_can_set(name):
    assert hasattr(AugmentConfig(), name)


def test_schedules_begin_at_the_largest_rate_or_rise_to_it():
    highest = {"constant": 0.5}  # which says so in its help
    for name, entry in SCHEDULES.items():
        shares = [entry.make().factor(done / 100, done / 100) for done in range(100)]
        assert max(shares) == pytest.approx(highest.get(name, 1), abs=0.02), name
        assert min(shares) >= 0, name
