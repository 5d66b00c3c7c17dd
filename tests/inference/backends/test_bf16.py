"""bf16 on a CPU: streamed, close to fp32, told how close, and taken only where it is quick."""

import warnings

import numpy as np
import pytest
import torch

from unet_napari.errors import UnetNapariWarning
from unet_napari.images import as_image, nuclei
from unet_napari.inference import InferenceConfig, predict_steps
from unet_napari.inference.backends import device_choice
from unet_napari.inference.backends.agreement import Agreement, warn_of_disagreement
from unet_napari.inference.backends.device_choice import choose_precision
from unet_napari.inference.backends.torch_backend import TorchBackend
from unet_napari.inference.planning import planner
from unet_napari.inference.running import predictor
from unet_napari.networks import fold_batch_norm

CPU = torch.device("cpu")


@pytest.fixture
def able(monkeypatch):
    """A processor with instructions for bf16; others imitate them."""
    monkeypatch.setattr(device_choice, "computes_bfloat16", lambda _: True)


def streamed(backend, image, strip, stop=None):
    """Rows of the logits of a stream, that is stopped and gone on with once where asked."""
    stream = backend.stream(tuple(image.shape), strip)
    pieces, strips = [], list(image.split(strip, 2))
    first = strips if stop is None else strips[:stop]
    for number, (_, rows) in enumerate(stream.run(first), 1):
        pieces.append(rows.clone())
        if number == stop:
            kept = {name: torch.from_numpy(x.numpy().copy()) for name, x in stream.state().items()}
            again = backend.stream(tuple(image.shape), strip)
            again.restore(kept)
            pieces += [rows.clone() for _, rows in again.run(strips[stop:])]
            break
    return torch.cat(pieces, 2)


@pytest.mark.parametrize("options", [{}, {"ndim": 3}, {"name": "attention_unet"}], ids=str)
def test_a_stream_in_bf16_is_close_to_fp32(make_model, options):
    network = fold_batch_norm(make_model(**options).network)
    shape = (96, 64) if network.ndim == 2 else (24, 16, 16)
    image = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(0))
    exact = streamed(TorchBackend(network, CPU, "fp32"), image, 8)
    short = streamed(TorchBackend(network, CPU, "bf16"), image, 8)
    assert short.dtype is torch.float32
    assert 0 < (short - exact).abs().mean() < 0.03 * exact.std()


def test_a_stream_in_bf16_goes_on_where_it_was(make_model):
    backend = TorchBackend(fold_batch_norm(make_model().network), CPU, "bf16")
    image = torch.rand(1, 1, 96, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(streamed(backend, image, 8, stop=5), streamed(backend, image, 8))


def test_the_weights_of_the_model_stay_in_fp32(make_model):
    network = make_model().network
    TorchBackend(network, CPU, "bf16")
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_a_norm_over_the_tile_is_computed_in_fp32(make_model):
    """A mean of many pixels has no place in eight bits, so autocast keeps it in float32."""
    network = make_model(norm="group").network
    batch = np.random.default_rng(0).random((1, 1, 64, 64), np.float32)
    exact, short = (TorchBackend(network, CPU, name).logits(batch) for name in ("fp32", "bf16"))
    assert 0 < (short - exact).abs().mean() < 0.03 * exact.std()


def test_a_large_prediction_says_how_well_it_agrees(make_model, able, monkeypatch):
    monkeypatch.setattr(predictor, "_WORTH_COMPARING", 1)
    monkeypatch.setattr(planner, "_WORTH_STREAMING", 1)
    image = as_image(nuclei((160, 200), count=30, seed=0)[0], axes="YX")
    model = make_model()
    exact, short = np.zeros((2, 3, *image.shape), np.float32)
    settings = {"device": "cpu", "backend": "torch"}
    for _ in predict_steps(image, model, exact, InferenceConfig(**settings)):
        pass
    config = InferenceConfig(**settings, precision="bf16")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnetNapariWarning)  # the weights mean nothing
        steps = list(predict_steps(image, model, short, config))
    assert steps[0].plan.way == "streamed"
    assert steps[0].stage.startswith("predicting (bf16, ")
    assert "% of pixels as in fp32" in steps[0].stage
    assert 0 < np.abs(short - exact).max() < 0.05


@pytest.mark.parametrize(
    ("wanted", "able", "taken"),
    [
        ("auto", True, "auto"),
        ("fp32", True, "fp32"),
        ("bf16", True, "bf16"),
        ("fp16", True, "bf16"),
        ("bf16", False, "fp32"),
        ("fp16", False, "fp32"),
    ],
)
def test_a_processor_computes_in_no_format_that_it_has_to_imitate(wanted, able, taken, monkeypatch):
    monkeypatch.setattr(device_choice, "computes_bfloat16", lambda _: able)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert choose_precision(wanted, CPU) == taken
    said = [str(warning.message) for warning in told]
    expected = f"no instructions for {wanted}, which would take longer than fp32: {taken} is"
    assert (len(said) == 1 and expected in said[0]) if wanted != taken else not said
    assert choose_precision(wanted, torch.device("cuda")) == wanted


def test_few_pixels_that_agree_are_warned_of():
    with pytest.warns(UnetNapariWarning, match="In bf16 the model decides only 98.90 % of pixels"):
        warn_of_disagreement(Agreement(0.989, 0.4), "bf16")
    warn_of_disagreement(Agreement(0.995, 0.4), "bf16")
