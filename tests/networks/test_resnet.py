"""The ResNet encoder: full resolution, and weights from elsewhere."""

import pickle
import urllib.error

import pytest
import torch
import torchvision

from unet_napari.errors import ModelFileError, ResourceError, SettingsError
from unet_napari.networks import ResNetUNet, build_network, resnet

SMALL = {"depth": 18, "features": (4, 4, 4, 8, 8)}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Return a file as torchvision would download it."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), path)
    return path


def test_output_has_full_resolution():
    with torch.device("meta"):
        network = ResNetUNet(in_channels=3, out_channels=1, depth=50, pretrained=False)
        assert network(torch.empty(1, 3, 512, 512)).shape == (1, 1, 512, 512)


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_every_depth_holds_the_whole_backbone(depth):
    reference = getattr(torchvision.models, f"resnet{depth}")
    with torch.device("meta"):
        network = ResNetUNet(depth=depth)
        backbone = reference()
    ours = sum(p.numel() for p in network.encoder.backbone.parameters())
    theirs = sum(p.numel() for n, p in backbone.named_parameters() if not n.startswith("fc."))
    assert ours == theirs
    assert network.stride == (32, 32)


def test_features_are_those_of_torchvision(weights):
    network = ResNetUNet(pretrained=weights, **SMALL).eval()
    reference = torchvision.models.resnet18()
    reference.load_state_dict(torch.load(weights, weights_only=True))
    reference.eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        deepest = network.encoder(x)[-1]
        expected = reference.fc(deepest.mean(dim=(2, 3)))
        torch.testing.assert_close(expected, reference(x))


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_gray_in_every_channel_looks_like_gray_in_rgb(weights, channels):
    rgb = ResNetUNet(pretrained=weights, **SMALL).eval()
    other = ResNetUNet(in_channels=channels, pretrained=weights, **SMALL).eval()
    gray = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        expected = rgb.encoder(gray.expand(-1, 3, -1, -1))[1:]
        got = other.encoder(gray.expand(-1, channels, -1, -1))[1:]
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_where_the_weights_came_from_is_not_an_option(weights):
    network = build_network("resnet_unet", SMALL, pretrained=str(weights))
    assert "pretrained" not in network.options
    with pytest.raises(SettingsError, match="no option 'pretrained'"):
        build_network("resnet_unet", {**SMALL, "pretrained": str(weights)})
    with pytest.raises(SettingsError, match="no pretrained weights for unet"):
        build_network("unet", {"features": [2, 4]}, pretrained=True)


@pytest.mark.parametrize(
    "failure", [urllib.error.URLError("no route"), RuntimeError("invalid hash value")]
)
def test_a_failed_download_says_what_to_do(monkeypatch, failure):
    def fail(*arguments, **keywords):
        assert keywords["weights_only"] is True
        raise failure

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", fail)
    with pytest.raises(ResourceError, match=r"could not be downloaded .* path of a file"):
        ResNetUNet(pretrained=True, **SMALL)


class Payload:
    def __reduce__(self):
        return (pytest.fail, ("code in a weights file was run",))


def test_files_that_hold_no_weights_are_refused(tmp_path, weights):
    evil = tmp_path / "evil.pth"
    evil.write_bytes(pickle.dumps(Payload(), protocol=2))
    zipped = tmp_path / "zipped.pth"
    torch.save({"conv1.weight": Payload()}, zipped)
    text = tmp_path / "text.pth"
    text.write_text("not weights")
    empty = tmp_path / "empty.pth"
    empty.touch()
    truncated = tmp_path / "truncated.pth"
    truncated.write_bytes(weights.read_bytes()[:5000])
    for path in (evil, zipped, text, empty, truncated, tmp_path / "missing.pth", tmp_path):
        with pytest.raises(ModelFileError, match="cannot be read as pretrained weights"):
            ResNetUNet(pretrained=path, **SMALL)
    listed = tmp_path / "list.pth"
    torch.save([torch.zeros(1)], listed)
    with pytest.raises(ModelFileError, match="no state dict"):
        ResNetUNet(pretrained=listed, **SMALL)


def test_weights_of_another_depth_are_refused(weights):
    with pytest.raises(ModelFileError, match="not those of a ResNet-50"):
        ResNetUNet(depth=50, pretrained=weights)


def test_volumes_are_refused():
    with pytest.raises(SettingsError, match="2D images only"):
        ResNetUNet(ndim=3)


def test_torchvision_is_imported_outside_of_the_devices_that_the_caller_has_set(monkeypatch):
    devices = []
    monkeypatch.setattr(
        resnet.importlib, "import_module", lambda _: devices.append(torch.empty(0).device.type)
    )
    with torch.device("meta"):
        resnet._torchvision_models()
        assert torch.empty(0).is_meta
    assert devices == ["cpu"]
