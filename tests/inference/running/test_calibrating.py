"""int8: a model is calibrated once, that is kept, and it is taken only where it is faster."""

import importlib.util
import warnings

import numpy as np
import pytest

from command_line import run
from unet_napari.errors import UnetNapariWarning
from unet_napari.images import as_image, nuclei
from unet_napari.inference import InferenceConfig, predict_steps
from unet_napari.inference.backends import openvino_backend
from unet_napari.inference.backends.calibration import Calibration
from unet_napari.inference.running import predictor
from unet_napari.inference.running.predictor import Predictor
from unet_napari.inference.storage import calibrations
from unet_napari.inference.storage.calibrations import keep_calibration, read_calibration

INT8 = InferenceConfig(precision="int8", device="cpu", backend="openvino")
SPEED = {"int8": 2e9, "auto": 1e9}
needs_int8 = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("openvino", "nncf")),
    reason="needs openvino and nncf",
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Folder of the models, and speeds that do not depend on this computer."""
    monkeypatch.setenv("UNET_NAPARI_MODELS", str(tmp_path))
    monkeypatch.setattr(Predictor, "_speed", lambda self: SPEED[self.plan.precision])
    return tmp_path


@pytest.fixture
def calibrated(monkeypatch):
    """What every calibration has seen: its batches."""
    seen, quantise = [], openvino_backend.quantise
    monkeypatch.setattr(
        openvino_backend,
        "quantise",
        lambda graph, batches: seen.append(batches) or quantise(graph, batches),
    )
    return seen


def image(seed):
    return as_image(nuclei((96, 96), count=12, seed=seed)[0], axes="YX", name=f"image {seed}")


def predicted(model, seed, config=INT8):
    """Return the maps, the plan, and what was warned of."""
    maps = np.zeros((3, 96, 96), np.float32)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UnetNapariWarning)
        plan = next(steps := predict_steps(image(seed), model, maps, config)).plan
        for _ in steps:
            pass
    said = [str(one.message) for one in told if issubclass(one.category, UnetNapariWarning)]
    return maps, plan, [text for text in said if "of pixels as in fp32" not in text]


@needs_int8
def test_a_model_is_calibrated_once_and_the_same_later(make_model, calibrated, folder):
    model = make_model(features=(4, 6))
    first, plan, _ = predicted(model, 0)
    assert plan.precision == "int8"
    assert plan.calibration.startswith("calibrated on image 0 (")
    again, _, said = predicted(model, 0)  # made ready anew, as in another process
    other, later, _ = predicted(model, 1)
    assert len(calibrated) == len(list(folder.glob("*.int8"))) == 1
    assert np.array_equal(again, first)
    assert not np.array_equal(other, first)
    assert later.calibration == plan.calibration
    assert said == []
    exact = predicted(model, 1, InferenceConfig(device="cpu"))[0]
    assert 0 < np.abs(other - exact).max() < 0.2

    predicted(make_model(features=(4, 6), seed=1), 0)  # other weights
    assert len(calibrated) == len(list(folder.glob("*.int8"))) == 2

    damaged = sorted(folder.glob("*.int8"))
    for path in damaged:
        content = bytearray(path.read_bytes())
        content[-9] ^= 1
        path.write_bytes(content)
    assert np.array_equal(predicted(model, 0)[0], first)
    assert len(calibrated) == 3


@needs_int8
def test_where_int8_is_slower_the_precision_auto_is_computed(make_model, monkeypatch, calibrated):
    monkeypatch.setitem(SPEED, "int8", 0.4e9)
    model = make_model(features=(4, 6))
    exact, plan, _ = predicted(model, 0, InferenceConfig(device="cpu", backend="openvino"))
    maps, slow, said = predicted(model, 0)
    assert (slow.precision, slow.calibration, slow.backend) == ("auto", "", plan.backend)
    assert np.array_equal(maps, exact)
    (line,) = said
    assert 'takes 2.5 times as long on this computer as in the precision "auto"' in line

    # The speeds are measured once: what would be measured now is not asked for.
    monkeypatch.setitem(SPEED, "int8", 4e9)
    assert predicted(model, 1)[1].precision == "auto"
    assert len(calibrated) == 1


@needs_int8
def test_a_large_image_is_compared_with_fp32_each_time(make_model, monkeypatch):
    model = make_model(features=(4, 6))
    small = [step.stage for step in predict_steps(image(0), model, np.zeros((3, 96, 96)), INT8)]
    assert "of pixels as in fp32" in small[0]  # it is what calibrates
    small = [step.stage for step in predict_steps(image(1), model, np.zeros((3, 96, 96)), INT8)]
    assert "of pixels as in fp32" not in small[0]
    monkeypatch.setattr(predictor, "_WORTH_COMPARING", 1)
    large = [step.stage for step in predict_steps(image(1), model, np.zeros((3, 96, 96)), INT8)]
    assert "of pixels as in fp32" in large[0]


@needs_int8
def test_what_cannot_be_kept_is_used_all_the_same(make_model, monkeypatch, calibrated):
    def full(*_, **__):
        raise calibrations.OutputError("The disk is full.")

    monkeypatch.setattr(calibrations, "open_atomic", full)
    _, plan, said = predicted(make_model(features=(4, 6)), 0)
    assert plan.precision == "int8"
    assert said == [
        "The model in int8 cannot be kept, and is calibrated again next time: The disk is full."
    ]


def test_calibrations_that_were_not_used_for_long_go(folder, monkeypatch):
    monkeypatch.setattr(calibrations, "_MOST", 2)
    parts = {name: np.frombuffer(b"1234", np.uint8) for name in ("graph.xml", "graph.bin")}
    made = Calibration(parts, 0.999, "a.tif", {"torch": 1e9})
    for key in ("a", "b", "c"):
        keep_calibration(key, made)
        if key == "b":
            read_calibration("a")
            calibrations.os.utime(folder / "b.int8", (1, 1))  # long before
    assert sorted(path.stem for path in folder.glob("*.int8")) == ["a", "c"]
    kept = read_calibration("a")
    assert (kept.same, kept.image, kept.speeds, kept.digest) == (
        0.999, "a.tif", {"torch": 1e9}, made.digest
    )  # fmt: skip
    assert read_calibration("b") is None
    assert made.describe() == f"calibrated on a.tif ({made.digest})"
    assert len(made.digest) == 12


@needs_int8
def test_export_calibrates_anew_and_segment_computes_with_that(
    make_model, folder, calibrated, capsys, tmp_path
):
    import tifffile

    model = make_model(features=(4, 6)).save(tmp_path / "m.unet")
    for seed in (0, 1):
        tifffile.imwrite(tmp_path / f"{seed}.tif", image(seed).read()[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnetNapariWarning)
        assert run("export", model, "--int8") == 0
        out = capsys.readouterr().out
        assert "2.0 times as fast as the precision auto here\nnot kept: " in out
        assert list(folder.glob("*.int8")) == []
        for seed in (1, 0):
            tif = tmp_path / f"{seed}.tif"
            assert run("export", model, "--int8", "--image", tif) == 0
            assert "\nkept: " in capsys.readouterr().out
        assert len(calibrated) == 3
        output = tmp_path / "labels.tif"
        assert run("segment", tmp_path / "1.tif", "--model", model, "--output", output,
                   "--precision", "int8", "--device", "cpu", "--verbose") == 0  # fmt: skip
        assert "in int8, calibrated on 0 (" in capsys.readouterr().err
        assert len(calibrated) == 3
        assert run("export", model, "--int8", "--image", tmp_path / "1.tif") == 0
        capsys.readouterr()
        run("reproduce", output)
        assert "int8 was calibrated on 0 (" in capsys.readouterr().out
