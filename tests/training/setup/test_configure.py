from __future__ import annotations

import pytest

from unet_napari.errors import ResourceError, SettingsError
from unet_napari.networks import UNet, build_network
from unet_napari.training import TrainConfig
from unet_napari.training.setup.configure import Data, choose_setup, step_memory

GIB = 2**30


def data(shape, spacing=None, diameter=None):
    return Data(1, 2, shape, spacing or (1.0,) * len(shape), diameter)


def choose(config, described, device="cpu", memory=8 * GIB):
    return choose_setup(config, described, device, memory)


def test_a_patch_never_exceeds_a_small_image_by_more_than_the_stride():
    setup = choose(TrainConfig(), data((70, 90)))
    network = build_network("unet", setup.network_options)
    assert 70 <= setup.patch[0] < 70 + network.stride[0]
    assert all(n % s == 0 for n, s in zip(setup.patch, network.stride, strict=True))


def test_an_anisotropic_stack_is_first_down_sampled_in_the_plane():
    setup = choose(TrainConfig(ndim=3), data((50, 400, 400), (4.0, 1.0, 1.0), diameter=30.0))
    strides = setup.network_options["strides"]
    assert strides[:2] == [[1, 2, 2], [1, 2, 2]]
    assert strides[2] == [2, 2, 2]
    assert setup.network_options["kernels"][0] == [1, 3, 3]
    assert setup.patch[1] >= 3 * setup.patch[0]
    assert any("micrometres" in line for line in setup.chosen)


def test_a_thin_stack_leaves_its_share_to_the_plane():
    thin = choose(TrainConfig(ndim=3), data((8, 400, 400)))
    cube = choose(TrainConfig(ndim=3), data((400, 400, 400)))
    assert thin.patch[0] == 8
    assert thin.patch[1] > cube.patch[1]


def test_large_cells_get_a_deeper_network_and_a_larger_patch():
    small = choose(TrainConfig(), data((1000, 1000), diameter=15.0))
    large = choose(TrainConfig(), data((1000, 1000), diameter=100.0))
    assert len(large.network_options["features"]) > len(small.network_options["features"])
    assert large.patch[0] > small.patch[0]


def test_a_volume_of_small_cells_gets_small_patches_on_a_cpu():
    """Many small steps: 250 of them beat 80 of four times the size, which take longer."""
    setup = choose(TrainConfig(ndim=3), data((50, 120, 120), diameter=10.0))
    assert setup.patch == (32, 32, 32)
    assert choose(TrainConfig(ndim=3), data((200, 200, 200), diameter=16.0)).patch == (48, 48, 48)


def test_what_is_given_is_taken():
    config = TrainConfig(
        patch=(40, 56), batch=3, learning_rate=0.5, network_options={"features": [4, 8]}
    )
    setup = choose(config, data((500, 500)))
    assert setup.patch == (40, 56)
    assert setup.batch == 3
    assert setup.learning_rate == 0.5
    assert setup.network_options["features"] == [4, 8]


def test_less_memory_means_fewer_then_smaller_patches():
    config = TrainConfig()
    plenty = choose(config, data((500, 500)))
    network = build_network("unet", plenty.network_options)
    for share in (2, 5, 12):
        memory = step_memory(network, plenty.patch, plenty.batch) // share
        setup = choose(config, data((500, 500)), memory=memory)
        assert step_memory(network, setup.patch, setup.batch) <= memory
    assert setup.batch == 1
    assert setup.patch[0] < plenty.patch[0]


def test_far_too_little_memory_is_said_before_the_run():
    with pytest.raises(ResourceError, match="GiB"):
        choose(TrainConfig(), data((500, 500)), memory=2**20)


def test_a_valid_network_gets_room_for_its_rim():
    config = TrainConfig(network_options={"padding": "valid", "features": [4, 8, 16]})
    setup = choose(config, data((500, 500)))
    network = build_network("unet", setup.network_options)
    assert setup.patch[0] > 2 * network.margin[0]


def test_an_unknown_network_and_one_without_3d_are_named():
    with pytest.raises(SettingsError, match=r"network must be one of unet, .*, not 'vnet'"):
        choose(TrainConfig(network="vnet"), data((50, 50)))
    with pytest.raises(SettingsError, match="2D images only"):
        choose(TrainConfig(network="resnet_unet", ndim=3), data((50, 50, 50)))


def test_memory_grows_with_batch_and_patch():
    network = UNet(1, 2, (4, 8))
    single = step_memory(network, (32, 32), 1)
    weights = 16 * network.parameter_count
    assert step_memory(network, (32, 32), 4) - weights == 4 * (single - weights)
    assert step_memory(network, (64, 64), 1) - weights == 4 * (single - weights)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (TrainConfig(), "3 times down-sampled, cells being 15 pixels across."),
        (TrainConfig(network_options={"features": [4, 8]}), "its levels as asked."),
        (TrainConfig(network="resnet_unet"), "its levels are those of its encoder."),
    ],
)
def test_it_says_why_the_network_has_its_levels(config, reason):
    assert choose(config, data((500, 500), diameter=15.0)).chosen[0].endswith(reason)
