"""Models in memory and in their file, well-meant and hostile."""

import json
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from unet_napari.errors import ModelFileError, OutputError
from unet_napari.images import Normalisation
from unet_napari.model.file import open_model_file, write_model_file
from unet_napari.model.info import read_info
from unet_napari.model.model import Model
from unet_napari.networks import CATALOGUE, UNet, network_class
from unet_napari.tasks import CellsTask, SemanticTask


def make_model(**changes):
    torch.manual_seed(0)
    network = UNet(in_channels=1, out_channels=3, features=(4, 8), ndim=2)
    network.eval()
    parts = {"network": network, "task": CellsTask(), "normalisation": Normalisation()}
    return Model(**(parts | changes))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Return description and weights of a good model file."""
    path = make_model().save(tmp_path_factory.mktemp("good") / "good.unet")
    with open_model_file(path) as file:
        return json.loads(file.description()), file.weights()


@pytest.fixture
def forge(good, tmp_path):
    """Write a model file with a changed description or other weights and return its path."""

    def forge(info=None, weights=None):
        path = tmp_path / "forged.unet"
        description = good[0] | (info or {})
        write_model_file(path, json.dumps(description), good[1] if weights is None else weights)
        return path

    return forge


def test_everything_comes_back(tmp_path):
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    model = make_model(
        task=SemanticTask(classes=(3, 4, 70_000)),
        normalisation=Normalisation(low=2.0),
        pixel_size={"Y": 0.25, "X": 0.25},
        name="membranes ../../<b>é</b>",
        halo=(8, 16),
        diameter=17.5,
        provenance={"score": 0.5, "score_name": "Dice", "data": [{"shape": [3, 4]}]},
        thumbnail=picture,
    )
    again = Model.load(model.save(tmp_path / "a.unet"))
    assert (again.task, again.normalisation) == (model.task, model.normalisation)
    assert again.info == model.info == read_info(tmp_path / "a.unet")
    assert (again.ndim, again.channels, again.halo) == (2, 1, (8, 16))
    assert again.diameter == 17.5
    assert np.array_equal(again.thumbnail, picture)
    assert not again.network.training
    x = torch.rand(1, 1, 16, 24)
    with torch.no_grad():
        assert torch.equal(again.network(x), model.network(x))


OPTIONS = {"resnet_unet": {"depth": 18}}


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_network_comes_back(tmp_path, name):
    options = OPTIONS.get(name, {"features": (4, 8, 16), "ndim": 2})
    network = network_class(name)(in_channels=3, out_channels=3, **options).eval()
    again = Model.load(make_model(network=network).save(tmp_path / "a.unet")).network
    assert type(again) is type(network)
    tensors = [*again.parameters(), *again.buffers()]
    assert not any(tensor.is_meta for tensor in tensors)
    assert [p.requires_grad for p in again.parameters()] == [
        p.requires_grad for p in network.parameters()
    ]
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(again(x), network(x))


def test_a_loaded_model_can_be_trained_on(tmp_path):
    network = Model.load(make_model().save(tmp_path / "a.unet")).network.train()
    network(torch.rand(2, 1, 16, 16)).square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_equal_models_make_equal_files_and_the_ending_is_added(tmp_path):
    first = make_model().save(tmp_path / "a.unet")
    second = make_model().save(tmp_path / "b.v2")
    assert second == tmp_path / "b.v2.unet"
    assert first.read_bytes() == second.read_bytes()


def test_saving_may_be_told_not_to_replace(tmp_path):
    path = make_model().save(tmp_path / "a.unet")
    with pytest.raises(OutputError, match="exists already"):
        make_model().save(path, overwrite=False)


@pytest.mark.parametrize("name", ["", "two\nlines", "\ud800", "n" * 201])
def test_what_could_not_be_loaded_is_not_saved(tmp_path, name):
    with pytest.raises(OutputError, match="cannot be saved"):
        make_model(name=name).save(tmp_path / "a.unet")
    assert list(tmp_path.iterdir()) == []


def test_models_are_loaded_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("UNET_NAPARI_MODELS", str(tmp_path))
    make_model(name="title").save(tmp_path / "my cells.unet")
    assert Model.load("my cells").name == "title"


def refused(path, match):
    """Load a hostile file: it is refused, and next to nothing is allocated for it."""
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=match) as caught:
            Model.load(path)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)


class Payload:
    def __reduce__(self):
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize("name", ["a.unet", "a.pt", "a.pkl"])
def test_a_pickle_is_not_executed_whatever_its_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Payload()))
    refused(path, r"A model is a \.unet file")
    torch.save({"weights": torch.zeros(3), "evil": Payload()}, path)
    refused(path, r"A model is a \.unet file")
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"features": [10**9, 10**9], "ndim": 2}, "network"),
        ({"features": [4096] * 9, "ndim": 3}, "network"),
        ({"features": [4] * 1000, "ndim": 2}, "network"),
        ({"features": [4, 8], "ndim": 10**9}, "network"),
        ({"features": [4, 8], "ndim": 2, "pretrained": True}, "network"),
        ({"features": "__import__('os')", "ndim": 2}, "network"),
        ({"features": None, "strides": {"a": []}}, "network"),
    ],
)
def test_absurd_networks_are_refused_unbuilt(forge, options, match):
    options = {"in_channels": 1, "out_channels": 2} | options
    refused(forge(info={"network": {"name": "unet", "options": options}}), match)


@pytest.mark.parametrize(
    ("info", "match"),
    [
        ({"network": {"name": "os.system", "options": {}}}, "no network 'os.system'"),
        ({"task": {"name": "eval"}}, "no task 'eval'"),
        ({"task": {"name": "cells", "seed_threshold": 1e9}}, "task"),
        ({"task": {"name": "semantic", "classes": [1, 2]}}, r"\(2, 1, .* 3\), not .* 2\)"),
        ({"normalisation": {"low": 5, "high": 1}}, "normalisation"),
        ({"normalisation": {"low": [5]}}, "normalisation"),
        ({"normalisation": {"extra": 1}}, "normalisation"),
        ({"channels": 2}, r"\(2, 1, "),
        ({"channels": 10**9}, "impossible 'channels'"),
        ({"ndim": 3}, r"\(2, 1, "),
        ({"parameters": 1}, r"\(2, 1, "),
        ({"format": 7, "anything": "else"}, "format 7.*update unet-napari"),
    ],
)
def test_contradictions_and_unknown_parts_are_refused(forge, info, match):
    refused(forge(info=info), match)


def test_tensors_that_do_not_fit_are_listed(good, forge):
    state = dict(good[1])
    names = [key for key in make_model().network.state_dict() if state[key].dtype == np.float32]
    del state[names[0]]
    state[names[1]] = np.zeros(7, np.float32)
    state[names[2]] = state[names[2]].astype(np.int64)
    state["surplus"] = np.zeros(1, np.float32)
    refused(
        forge(weights=state),
        rf"missing: {names[0]}; unknown: surplus; .*{names[1]} F32 \[7\] instead of .*{names[2]}",
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused_by_name(good, forge, value):
    name = next(key for key, array in good[1].items() if array.dtype == np.float32)
    array = good[1][name].copy()
    array.flat[0] = value
    refused(forge(weights=good[1] | {name: array}), f"not finite: {name}")


def test_very_many_tensors_are_refused_by_some_of_their_names(forge):
    path = forge(weights={f"t{n}": np.zeros(0, np.float32) for n in range(8000)})
    refused(path, "unknown: t0, t1, .* and 7,994 more")


def test_an_unknown_name_lists_what_there_is(tmp_path, monkeypatch):
    monkeypatch.setenv("UNET_NAPARI_MODELS", str(tmp_path))
    make_model().save(tmp_path / "mine.unet")
    with pytest.raises(ModelFileError, match=r"no model 'yours'.*'mine'"):
        Model.load("yours")
