"""Folded networks predict the same."""

import torch

from unet_napari.networks import UNet, fold_batch_norm


def batch_norms(network):
    return [m for m in network.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]


def test_folding_changes_no_logit(network, shake_norms):
    shake_norms(network)
    x = torch.randn(2, 2, *[2 * s + 1 for s in network.stride])
    folded = fold_batch_norm(network)
    assert batch_norms(folded) == []
    with torch.no_grad():
        expected = network.eval()(x)
        scale = expected.abs().max().item()
        torch.testing.assert_close(folded(x), expected, rtol=0, atol=1e-5 * max(1, scale))


def test_the_original_goes_on_training():
    network = UNet(features=(2, 4)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    folded = fold_batch_norm(network)
    assert network.training
    assert not folded.training
    assert len(batch_norms(network)) == 6
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])
