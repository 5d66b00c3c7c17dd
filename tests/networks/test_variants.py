"""What holds for every member of the family."""

import json

import numpy as np
import pytest
import tifffile
import torch
from torch.nn import functional

from unet_napari.errors import ImageError
from unet_napari.networks import build_network

SIZES = {2: [(1, 1), (3, 50), (37, 41)], 3: [(1, 1, 1), (2, 9, 13), (7, 16, 11)]}


def grads(network, x):
    outputs = network(x)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    torch.manual_seed(3)
    sum((output * torch.randn_like(output)).sum() for output in outputs).backward()
    return {name: parameter.grad.clone() for name, parameter in network.named_parameters()}


def test_any_size_in_the_same_size_out(network):
    network.eval()
    for size in SIZES[network.ndim]:
        x = torch.randn(1, 2, *size)
        with torch.no_grad():
            logits = network(x)
        assert logits.shape == (1, 3, *size)
        assert logits.isfinite().all()


def test_a_size_that_does_not_fit_is_continued_at_the_far_end(network):
    network.eval()
    size = [3 * stride - 1 for stride in network.stride]
    x = torch.randn(1, 2, *size)
    padded = functional.pad(x, [0, 1] * network.ndim, mode="replicate")
    with torch.no_grad():
        expected = network(padded)[(..., *(slice(0, length) for length in size))]
        torch.testing.assert_close(network(x), expected, rtol=0, atol=0)


def test_a_training_step_takes_a_single_pixel(network):
    network.train()
    outputs = network(torch.randn(1, 2, *(1,) * network.ndim))
    for output in outputs if isinstance(outputs, list) else [outputs]:
        assert output.shape == (1, 3, *(1,) * network.ndim)
        assert output.isfinite().all()


def test_gradient_reaches_every_parameter(network):
    gradients = grads(network.train(), torch.randn(2, 2, *[2 * s for s in network.stride]))
    assert [name for name, gradient in gradients.items() if not gradient.any()] == []


def test_options_make_the_same_network_again(variant, network):
    options = json.loads(json.dumps(network.options))
    assert set(variant[1]) <= set(options)
    copy = build_network(network.name, options)
    assert copy.options == network.options
    copy.load_state_dict(network.state_dict())
    x = torch.randn(1, 2, *[s + 3 for s in network.stride])
    with torch.no_grad():
        torch.testing.assert_close(copy.eval()(x), network.eval()(x), rtol=0, atol=0)


def test_a_seed_makes_the_same_weights(variant, network):
    torch.manual_seed(0)
    again = build_network(*variant).state_dict()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, again[name]), name


def test_checkpointing_changes_neither_gradients_nor_statistics(variant, network):
    name, options = variant
    twin = build_network(name, {**options, "checkpointing": True, "dropout": 0.2})
    network = build_network(name, {**options, "dropout": 0.2})
    twin.load_state_dict(network.state_dict())
    x = torch.randn(2, 2, *[2 * s for s in network.stride])
    torch.manual_seed(5)
    plain = grads(network.train(), x)
    torch.manual_seed(5)
    saving = grads(twin.train(), x)
    for parameter, gradient in plain.items():
        assert torch.equal(gradient, saving[parameter]), parameter
    for buffer, value in network.named_buffers():
        assert torch.equal(value, twin.get_buffer(buffer)), buffer


def test_checkpointing_keeps_fewer_activations(variant):
    name, options = variant

    def kept_bytes(checkpointing):
        network = build_network(name, {**options, "checkpointing": checkpointing})
        kept = {}

        def pack(tensor):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        x = torch.randn(1, 2, *[4 * s for s in network.stride])
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            outputs = network.train()(x)  # held, so that no address is used twice
        del outputs
        weights = {parameter.data_ptr() for parameter in network.parameters()}
        return sum(size for pointer, size in kept.items() if pointer not in weights)

    assert kept_bytes(checkpointing=True) < 0.8 * kept_bytes(checkpointing=False)


def test_channels_last_gives_the_same_logits(network):
    network.eval()
    layout = {2: torch.channels_last, 3: torch.channels_last_3d}[network.ndim]
    x = torch.randn(1, 2, *[2 * s for s in network.stride])
    with torch.no_grad():
        expected = network(x)
        got = network.to(memory_format=layout)(x.to(memory_format=layout))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_wrong_channels_or_axes_are_named(network):
    with pytest.raises(ImageError, match=r"2 channel\(s\)"):
        network(torch.zeros(1, 3, *(32,) * network.ndim))
    with pytest.raises(ImageError, match=f"{network.ndim}D images"):
        network(torch.zeros(1, 2, 32))


def learn(variant, x, target):
    """Train a member of the family on one example; return the losses and the last Dice."""
    torch.manual_seed(0)
    wider = [2 * width for width in variant[1]["features"]]
    network = build_network(variant[0], {**variant[1], "features": wider})
    optimizer = torch.optim.Adam(network.train().parameters(), lr=0.02)
    losses, dice = [], 0.0
    for _ in range(300):
        outputs = network(x)
        logits = outputs[0] if isinstance(outputs, list) else outputs
        loss = functional.binary_cross_entropy_with_logits(logits, target)
        losses.append(loss.item())
        predicted = (logits > 0).float()
        dice = (2 * (predicted * target).sum() / (predicted + target).sum()).item()
        if losses[-1] < 0.1 * losses[0] and dice > 0.95:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses, dice


def test_training_learns_one_example_by_heart(variant):
    ndim = variant[1].get("ndim", 2)
    size = {2: (32, 32), 3: (8, 16, 16)}[ndim]
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2, 2, *size, generator=generator)
    blocks = functional.interpolate(x[:, :1, ..., ::4, ::4], size, mode="nearest")
    x[:, 1:] = blocks + 0.3 * x[:, 1:]
    losses, dice = learn(variant, x, (blocks > 0).expand(-1, 3, *size).float())
    assert losses[-1] < 0.1 * losses[0]
    assert dice > 0.95


def test_training_learns_a_real_crop_by_heart(variant, shared_data):
    ndim = variant[1].get("ndim", 2)
    folder, size = {
        2: (shared_data / "dsb2018_small" / "train", (64, 64)),
        3: (shared_data / "bbbc050" / "train", (8, 24, 24)),
    }[ndim]
    path = sorted((folder / "labels").glob("*.tif"))[0]
    labels, image = tifffile.imread(path), tifffile.imread(folder / "images" / path.name)
    centre = np.argwhere(labels == np.bincount(labels[labels > 0]).argmax()).mean(axis=0)
    crop = tuple(
        slice(start, start + length)
        for start, length in zip(
            np.clip(centre.astype(int) - np.array(size) // 2, 0, labels.shape - np.array(size)),
            size,
            strict=True,
        )
    )
    pixels = image[crop].astype(np.float32)
    x = torch.from_numpy((pixels - pixels.mean()) / pixels.std()).expand(1, 2, *size)
    target = torch.from_numpy(labels[crop] > 0).float().expand(1, 3, *size)
    assert 0.02 < target.mean() < 0.98
    losses, dice = learn(variant, x, target)
    assert losses[-1] < 0.1 * losses[0]
    assert dice > 0.95
