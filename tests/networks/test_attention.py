"""The gates of the Attention U-Net, and the maps that show them."""

import torch

from unet_napari.networks import AttentionUNet


def test_maps_lie_on_the_grid_of_the_logits():
    for network in (
        AttentionUNet(2, 1, (4, 6, 8)),
        AttentionUNet(2, 1, (4, 6, 8), padding="valid"),
    ):
        x = torch.randn(1, 2, 61, 70)
        maps = network.attention_maps(x)
        expected = network.eval()(x).shape
        assert [m.shape for m in maps] == [expected, expected]
        assert all(m.min() > 0 and m.max() < 1 for m in maps)


def test_a_map_is_the_gate_of_its_level():
    network = AttentionUNet(1, 1, (4, 6, 8))
    for stage, bias in zip(network.decoder.stages, (0.5, -2.0), strict=True):
        torch.nn.init.zeros_(stage.gate.psi.weight)
        torch.nn.init.constant_(stage.gate.psi.bias, bias)
    fine, coarse = network.attention_maps(torch.randn(1, 1, 16, 16))
    torch.testing.assert_close(fine, torch.full_like(fine, 0.5).sigmoid())
    torch.testing.assert_close(coarse, torch.full_like(coarse, -2.0).sigmoid())


def test_a_shut_gate_blocks_its_skip():
    network = AttentionUNet(1, 1, (4, 6)).eval()
    stage = network.decoder.stages[0]
    torch.nn.init.zeros_(stage.gate.psi.weight)
    seen = []
    stage.block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for bias in (-1e4, 0.0, 1e4):
        torch.nn.init.constant_(stage.gate.psi.bias, bias)
        with torch.no_grad():
            network(torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)))
    shut, half, open_ = (x[:, :4] for x in seen)
    assert not shut.any()
    assert open_.any()
    torch.testing.assert_close(half, open_ / 2)


def test_asking_for_maps_leaves_no_trace():
    network = AttentionUNet(1, 1, (4, 6)).train()
    network.attention_maps(torch.randn(1, 1, 8, 8))
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
    assert int(network.encoder.blocks[0][1].num_batches_tracked) == 0
