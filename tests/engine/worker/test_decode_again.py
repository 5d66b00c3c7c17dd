"""Other thresholds after a segmentation: decoded from its maps, without a second run."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from unet_napari.engine import DecodeJob, FitJob, ImageRef, SegmentJob
from unet_napari.engine.arrays import map_arrays, take
from unet_napari.engine.worker.decode_again import decode_again, fit_painted
from unet_napari.engine.worker.job_context import Cancelled
from unet_napari.engine.worker.segment_layers import segment_into_layers
from unet_napari.engine.worker.shelf import SHELF
from unet_napari.errors import EngineError, LabelsError, SettingsError
from unet_napari.images import Image, Normalisation
from unet_napari.inference import InferenceConfig, segment_steps
from unet_napari.inference.running import kept_maps
from unet_napari.inference.storage import scratch
from unet_napari.model.model import Model
from unet_napari.networks import Network
from unet_napari.tasks import CellsTask, SemanticTask

# At one scale: what is found decides on it, and thresholds on what is found.
TORCH = InferenceConfig(backend="torch", device="cpu", diameter="model")
OTHERS = [
    {"foreground_threshold": 0.8},
    {"foreground_threshold": 0.2, "seed_threshold": 0.05, "min_size": 0},
    {"boundary_threshold": 0.9},
    {"min_size": 25},
]


class Told(Network):
    """A network that needs no training: its maps are smooth functions of the brightness."""

    name = "told"
    maps = 3

    def __init__(self, ndim=2):
        super().__init__({}, ndim=ndim, in_channels=1, out_channels=self.maps, stride=(1,) * ndim)
        self.scale = torch.nn.Parameter(torch.tensor(6.0))

    def logits(self, x):
        bright = self.scale * (x - 0.4)
        return torch.cat([bright, -bright, bright - 1], dim=1)[:, : self.maps]


class ToldClasses(Told):
    name, maps = "told_classes", 2


@pytest.fixture
def model(monkeypatch):
    """Let every job load a model that is made for its test."""

    def use(model):
        monkeypatch.setattr("unet_napari.engine.worker.segment_layers.load_model", lambda _: model)
        return model

    return use


def told(ndim=2):
    return Model(Told(ndim), CellsTask(min_size=4), Normalisation(low=0, high=100, noise=0))


def segment_it(context, pixels, axes, config=TORCH, **fields):
    reference = ImageRef(context.folder.share(pixels), axes)
    return segment_into_layers(SegmentJob(reference, "told", config.to_dict(), **fields), context)


def again(context, number, thresholds, box=None):
    result = decode_again(DecodeJob(number, thresholds, box), context)
    return map_arrays(result, take)


def newly(pixels, axes, model, thresholds, config=TORCH):
    """Return the labels of a new run with other thresholds."""
    out = np.zeros(pixels.shape, np.uint32)
    changed = replace(model, task=replace(model.task, **thresholds))
    for _ in segment_steps(Image(pixels, axes), changed, out, config):
        pass
    return out


SIZES = {"YX": (96, 128), "ZYX": (5, 64, 80), "TYX": (3, 64, 80), "TZYX": (2, 3, 48, 64)}


def picture(axes):
    """Return round cells of different brightness, some of which touch."""
    shape = SIZES[axes]
    rng = np.random.default_rng(4)
    steps = [14 if letter in "YX" else 1 for letter in axes]
    pixels = np.zeros(shape, np.float32)
    for corner in np.ndindex(*(n // step for n, step in zip(shape, steps, strict=True))):
        centre = [(i + 0.5) * s for i, s in zip(corner, steps, strict=True)]
        centre[-2:] += rng.uniform(-3, 3, 2)
        flat = ((at - c) ** 2 for at, c in zip(np.indices(shape)[-2:], centre[-2:], strict=True))
        cell = rng.uniform(0.5, 1) * np.exp(-sum(flat) / 2 / rng.uniform(2.5, 4.5) ** 2)
        here = tuple(slice(int(c), int(c) + 1) for c in centre[:-2])
        pixels[here] = np.maximum(pixels[here], cell[here])
    return pixels


@pytest.mark.parametrize("thresholds", OTHERS)
@pytest.mark.parametrize(
    ("axes", "ndim", "config"),
    [
        ("YX", 2, {}),
        ("ZYX", 3, {}),
        ("ZYX", 2, {"slicewise": True}),
        ("TYX", 2, {}),
        ("TZYX", 2, {"slicewise": True}),
        ("ZYX", 2, {}),
        ("TYX", 2, {"link": "T"}),
        ("TZYX", 2, {"diameter": 20.0}),
        ("YX", 2, {"diameter": 20.0}),
    ],
)
def test_the_labels_are_those_of_a_new_run(context, model, axes, ndim, config, thresholds):
    used = model(replace(told(ndim), diameter=14.0))
    pixels, config = picture(axes), replace(TORCH, **config)
    number = segment_it(context, pixels, axes, config)["kept"]
    expected = newly(pixels, axes, used, thresholds, config)
    found = again(context, number, thresholds)
    assert expected.any()
    np.testing.assert_array_equal(found["labels"], expected)
    assert found["objects"] == np.count_nonzero(np.unique(expected))
    assert found["highest"] == expected.max()


@pytest.mark.parametrize("config", [{}, {"diameter": 20.0}])
def test_a_part_has_the_cells_of_the_whole_but_for_those_that_it_cuts(context, model, config):
    used = model(replace(told(), diameter=14.0))
    pixels, config = picture("YX"), replace(TORCH, **config)
    thresholds = {"foreground_threshold": 0.6}
    number = segment_it(context, pixels, "YX", config)["kept"]
    found = again(context, number, thresholds, ((20, 84), (30, 100)))["labels"]
    whole = newly(pixels, "YX", used, thresholds, config)[20:84, 30:100]
    inner = (slice(16, -16), slice(16, -16))
    pairs = np.unique(np.stack([found[inner].ravel(), whole[inner].ravel()]), axis=1)
    assert len(pairs[0]) > 5
    for numbers in pairs:  # each cell is one cell there as here
        assert len(set(numbers.tolist())) == len(numbers)


def test_of_a_stack_a_part_is_made_of_the_slices_in_it(context, model):
    model(told())
    pixels = picture("ZYX")
    config = replace(TORCH, slicewise=True)
    number = segment_it(context, pixels, "ZYX", config)["kept"]
    found = again(context, number, {}, ((1, 3), (0, 64), (0, 80)))["labels"]
    assert found.shape == (2, 64, 80)
    assert found.any(axis=(1, 2)).all()
    ids = [set(np.unique(plane[plane > 0]).tolist()) for plane in found]
    assert not ids[0] & ids[1]
    whole = again(context, number, {})["labels"]
    np.testing.assert_array_equal(found > 0, whole[1:3] > 0)


def test_of_joined_slices_a_part_is_decoded_with_the_slices_around_it(context, model):
    used = model(replace(told(), diameter=14.0))
    pixels = np.stack([picture("YX")] * 40)
    number = segment_it(context, pixels, "ZYX")["kept"]
    found = again(context, number, OTHERS[0], ((20, 21), (0, 96), (0, 128)))["labels"]
    whole = newly(pixels, "ZYX", used, OTHERS[0])[20:21]
    assert found.any()
    assert (found > 0).sum() == pytest.approx((whole > 0).sum(), rel=0.05)


def test_of_a_part_with_context_the_maps_are_those_of_all_of_it(context, model):
    model(told())
    pixels = picture("YX")
    number = segment_it(context, pixels, "YX", inner=((10, 60), (20, 90)), around=True)["kept"]
    assert again(context, number, {})["labels"].shape == (96, 128)


def test_the_run_itself_may_have_had_other_thresholds(context, model):
    used = model(told())
    pixels = picture("YX")
    number = segment_it(context, pixels, "YX", thresholds={"seed_threshold": 1.0})["kept"]
    np.testing.assert_array_equal(
        again(context, number, {})["labels"], newly(pixels, "YX", used, {})
    )


def test_maps_beyond_the_memory_are_kept_on_disk(context, model, monkeypatch):
    used = model(told())
    pixels = picture("YX")
    monkeypatch.setattr("unet_napari.inference.sizes.scaled_run._SHARE_FOR_MAPS", 0.0)
    number = segment_it(context, pixels, "YX")["kept"]
    maps = SHELF.find(number).maps
    assert maps.memory == 0
    assert isinstance(maps._maps, scratch.DiskArray)
    np.testing.assert_array_equal(
        again(context, number, OTHERS[0])["labels"], newly(pixels, "YX", used, OTHERS[0])
    )


def test_maps_that_fit_nowhere_are_not_kept_and_the_run_is_the_same(context, model, monkeypatch):
    model(told())
    monkeypatch.setattr("unet_napari.inference.sizes.scaled_run._SHARE_FOR_MAPS", 0.0)
    monkeypatch.setattr(kept_maps, "_SHARE_OF_DISK", 0.0)
    result = segment_it(context, picture("YX"), "YX")
    assert result["kept"] is None
    assert result["objects"] > 5


def test_of_classes_no_maps_are_kept(context, model):
    task = SemanticTask(classes=(1, 2))
    model(Model(ToldClasses(), task, Normalisation(low=0, high=100, noise=0)))
    assert segment_it(context, picture("YX"), "YX")["kept"] is None


def test_the_next_segmentation_takes_the_place_of_the_maps(context, model):
    model(told())
    first = segment_it(context, picture("YX"), "YX")["kept"]
    second = segment_it(context, picture("YX"), "YX")["kept"]
    assert first != second
    with pytest.raises(EngineError, match="not kept any more: segment the image again"):
        again(context, first, {})
    assert again(context, second, {})["objects"] > 5


def test_a_segmentation_that_was_stopped_leaves_no_maps(context, model):
    model(told())
    number = segment_it(context, picture("YX"), "YX")["kept"]
    context.cancelled = True
    with pytest.raises(Cancelled):
        segment_it(context, picture("YX"), "YX")
    assert SHELF.number is None
    with pytest.raises(EngineError):
        SHELF.find(number)


def test_decoding_can_be_stopped_and_asked_for_again(context, model):
    model(told())
    number = segment_it(context, picture("YX"), "YX")["kept"]
    context.cancelled = True
    with pytest.raises(Cancelled):
        again(context, number, {})
    context.cancelled = False
    assert again(context, number, {})["objects"] > 5


def test_a_threshold_out_of_range_is_refused(context, model):
    model(told())
    number = segment_it(context, picture("YX"), "YX")["kept"]
    with pytest.raises(SettingsError, match="seed_threshold"):
        again(context, number, {"seed_threshold": 2.0})


def fit(context, number, labels, **fields):
    job = FitJob(number, context.folder.share(labels, snapshot=True), **fields)
    return fit_painted(job, context)


def test_thresholds_are_fitted_to_what_is_painted(context, model):
    """Paint the labels of other thresholds: fitting must find thresholds as good as those."""
    used = model(told())
    pixels = picture("YX")
    number = segment_it(context, pixels, "YX")["kept"]
    painted = newly(pixels, "YX", used, {"foreground_threshold": 0.35, "seed_threshold": 0.3})
    painted[48:] = 0
    result = fit(context, number, painted)
    assert result["count"] == np.count_nonzero(np.unique(painted))
    assert result["score_name"] == "AP50"
    assert result["score"] > result["before"]
    assert result["score"] > 0.9
    assert set(result["thresholds"]) == set(OTHERS[0] | OTHERS[1] | OTHERS[2])


def test_painted_background_counts_as_none_of_the_cells(context, model):
    used = model(told())
    pixels = picture("YX")
    number = segment_it(context, pixels, "YX")["kept"]
    painted = newly(pixels, "YX", used, {})
    cells = np.count_nonzero(np.unique(painted))
    painted[(painted == 0) & (pixels < np.quantile(pixels, 0.2))] = 999
    result = fit(context, number, painted, background=999)
    assert result["count"] == cells
    assert result["before"] == 1.0


def test_of_a_scaled_image_the_paint_is_scaled_too(context, model):
    used = model(replace(told(), diameter=14.0))
    pixels, config = picture("YX"), replace(TORCH, diameter=20.0)
    number = segment_it(context, pixels, "YX", config)["kept"]
    painted = newly(pixels, "YX", used, {}, config)
    assert fit(context, number, painted)["before"] > 0.95


def test_too_few_cells_fit_no_threshold(context, model):
    used = model(told())
    pixels = picture("YX")
    number = segment_it(context, pixels, "YX")["kept"]
    painted = newly(pixels, "YX", used, {})
    painted[painted > 3] = 0
    with pytest.raises(LabelsError, match="at least 5 cells, but only 3 are painted"):
        fit(context, number, painted)
