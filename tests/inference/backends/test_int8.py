"""int8: close to fp32, told how close, and calibrated on what the image shows."""

import importlib.util
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

from unet_napari.errors import SettingsError, UnetNapariWarning
from unet_napari.images import as_image, nuclei
from unet_napari.inference import InferenceConfig, predict_steps, segment_steps
from unet_napari.inference.backends import int8
from unet_napari.inference.backends.agreement import Agreement, measure_agreement
from unet_napari.inference.backends.int8 import calibrate, check_int8
from unet_napari.inference.backends.openvino_backend import OpenVinoBackend
from unet_napari.inference.prepared import PreparedModel
from unet_napari.inference.running import sampling
from unet_napari.inference.running.predictor import Predictor
from unet_napari.inference.running.sampling import sample_tiles, spread
from unet_napari.tasks import CellsTask, SemanticTask

INT8 = InferenceConfig(precision="int8")
needs_int8 = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("openvino", "nncf")),
    reason="needs openvino and nncf",
)


@pytest.fixture(autouse=True)
def _kept_nowhere_else(tmp_path, monkeypatch):
    """Keep calibrations of the test alone, and take int8 for faster."""
    monkeypatch.setenv("UNET_NAPARI_MODELS", str(tmp_path))
    monkeypatch.setattr(Predictor, "seconds", lambda self, _: 2.0 - (self.plan.precision == "int8"))


@pytest.fixture
def image():
    return as_image(nuclei((160, 200), count=30, seed=0)[0], axes="YX")


@needs_int8
@pytest.mark.parametrize("options", [{}, {"ndim": 3}, {"padding": "valid"}], ids=str)
def test_int8_says_nearly_what_fp32_says(make_model, options):
    network = make_model(**options).network
    shape = tuple(n + 2 * s for n, s in zip(network.smallest, network.stride, strict=True))
    batches = list(np.random.default_rng(0).random((4, 1, 1, *shape), np.float32))
    backend = OpenVinoBackend(network)
    expected = backend.logits(batches[0])
    backend.quantise(batches)
    assert "int8" in backend.description
    difference = (backend.logits(batches[0]) - expected).abs()
    assert 0 < difference.mean() < 0.1 * expected.std()


@needs_int8
def test_a_prediction_in_int8_says_how_well_it_agrees(make_model, image, capfd):
    model = make_model()
    exact, fast = np.zeros((2, 3, *image.shape), np.float32)
    for _ in predict_steps(image, model, exact):
        pass
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnetNapariWarning)  # the weights mean nothing
        stages = {step.stage for step in predict_steps(image, model, fast, INT8)}
    assert 0 < np.abs(fast - exact).max() < 0.2
    assert "% of pixels as in fp32" in stages.pop()
    assert capfd.readouterr().out == ""  # NNCF's progress bar


@needs_int8
def test_a_stack_is_calibrated_once_and_on_several_slices(make_model, monkeypatch):
    drawn, draw = [], sampling._draw
    monkeypatch.setattr(
        sampling, "_draw", lambda image, grid: drawn.append(image) or draw(image, grid)
    )
    stack = as_image(nuclei((6, 64, 64), count=20, seed=0)[0], axes="ZYX")
    out = np.zeros(stack.shape, np.uint32)
    config = InferenceConfig(precision="int8", slicewise=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnetNapariWarning)
        for _ in segment_steps(stack, make_model(), out, config):
            pass
    assert [image.fixed["Z"] for image in drawn] == [0, 2, 4]


def test_tiles_with_something_in_them_come_first(make_model):
    pixels = np.zeros((640, 640), np.float32)
    pixels[300:340, 300:340] = np.random.default_rng(0).random((40, 40))
    image, model = as_image(pixels, axes="YX"), make_model()
    statistics = model.normalisation.measure(image)
    tiles = sample_tiles(model, [(image, statistics)], PreparedModel.of(model).grid("exact"))
    assert len({tile.shape for tile in tiles}) == 1
    spreads = [tile.std() for tile in tiles]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[0] > 0
    assert 1 < len(tiles) <= 8


def test_views_are_spread_evenly():
    assert spread(range(1)) == range(1)
    assert list(spread(range(4))) == [0, 1, 2, 3]
    assert list(spread(range(9))) == [0, 3, 6]
    assert len(spread(range(1000))) == 4


class Shifted:
    """Stands for a backend whose int8 is off by a constant."""

    def __init__(self, shift):
        self.shift, self.seen = shift, None

    def logits(self, batch):
        return torch.from_numpy(batch) + (0 if self.seen is None else self.shift)

    def quantise(self, batches):
        self.seen = batches


def test_agreement_is_measured_on_tiles_that_did_not_calibrate():
    task = SemanticTask(classes=(1, 2))
    tiles = [np.full((1, 2, 4, 4), value, np.float32) for value in range(3)]
    backend = Shifted(0)
    assert calibrate(backend, task, tiles) == Agreement(1.0, 0.0)
    assert [batch[0, 0, 0, 0] for batch in backend.seen] == [0, 2]
    assert calibrate(Shifted(0), task, tiles[:1]).same == 1  # there is only one


def test_poor_agreement_is_said():
    task = SemanticTask(classes=(1, 2))
    tile = np.zeros((1, 2, 10, 10), np.float32)
    tile[0, 0] = 1
    tile[0, 1].flat = np.linspace(0, 2, 100)
    with pytest.warns(UnetNapariWarning, match=r"only 90\.00 % of pixels as in fp32"):
        agreement = calibrate(Shifted(torch.tensor([0.2, 0]).view(2, 1, 1)), task, [tile])
    assert agreement.same == 0.9
    assert agreement.describe() == "90.00 % of pixels as in fp32"


def test_cells_agree_where_their_foreground_does():
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(1, 3, 32, 32)).astype(np.float32)) - 4
    logits[:, ::2, 8:24, 8:24] += 12
    changed = logits.clone()
    changed[:, 0, 8:24, 8] -= 12  # a column of the cell is lost
    task = CellsTask()
    batches = [np.zeros((1, 1, 32, 32), np.float32)]
    agreement = measure_agreement(task, [logits], lambda _: changed, batches)
    assert agreement.same == 1 - 16 / 32**2
    assert agreement.difference > 0.9
    assert measure_agreement(task, [logits], lambda _: logits, batches) == Agreement(1.0, 0.0)


def test_agreement_is_rounded_down():
    assert Agreement(0.99999, 0.1).describe().startswith("99.99 %")
    assert Agreement(1.0, 0.0).describe().startswith("100.00 %")


@pytest.mark.parametrize("missing", ["openvino", "nncf"])
def test_a_missing_package_is_named_with_the_remedy(monkeypatch, missing, make_model, image):
    there = importlib.util.find_spec("numpy")
    monkeypatch.setattr(
        int8.importlib.util, "find_spec", lambda name: None if name == missing else there
    )
    with pytest.raises(SettingsError, match=rf"needs {missing},.*unet-napari\[int8\]"):
        check_int8()
    with pytest.raises(SettingsError, match=missing):
        next(predict_steps(image, make_model(), np.zeros((3, *image.shape)), INT8))


OFFLINE = """
import socket, sys
from importlib.util import find_spec
import numpy as np

def refuse(*arguments, **options):
    calls.append(arguments)
    raise OSError("no network")

calls = []
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = refuse

from unet_napari.inference.backends.openvino_backend import OpenVinoBackend
from unet_napari.networks import UNet

backend = OpenVinoBackend(UNet(in_channels=1, out_channels=2, features=(4, 8)).eval())
batch = np.zeros((1, 1, 32, 32), np.float32)
backend.logits(batch)
if find_spec("nncf"):
    backend.quantise([batch])
    backend.logits(batch)
assert not calls, calls
assert sys.modules["openvino_telemetry"] is None
assert not any(name.startswith("openvino_telemetry.") for name in sys.modules)
"""


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="needs openvino")
def test_openvino_and_nncf_tell_nobody_that_they_are_used():
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
