"""The labels of several workers are those of one process, numbers included."""

import numpy as np
import pytest

from cluster_runs import segmented_file, untrained, with_task
from unet_napari.images import read_image
from unet_napari.model.model import Model
from unet_napari.tasks import SemanticTask


def assert_equal(path, model, folder, client, *, regions, objects, **options):
    one, _ = segmented_file(path, model, folder / "one.zarr", **options)
    many, steps = segmented_file(path, model, folder / "many.zarr", client, **options)
    plan = next(step.plan for step in steps if step.plan)
    assert plan.way == "regions"
    assert plan.tiles >= regions
    assert len(np.unique(one)) > objects
    np.testing.assert_array_equal(many, one)


@pytest.mark.parametrize("boundary", [0.0, 0.4])
def test_nuclei_of_an_image(
    client, small_chunks, saved, many_nuclei, trained_model, tmp_path, boundary
):
    trained_model = with_task(trained_model, boundary_threshold=boundary)
    path = saved(many_nuclei)
    assert_equal(path, trained_model, tmp_path, client, regions=2, objects=40, diameter="model")


def test_a_volume(client, small_chunks, saved, bright_volume, tmp_path):
    model = untrained(bright_volume, ndim=3)
    assert_equal(saved(bright_volume), model, tmp_path, client, regions=2, objects=5)


def test_a_network_that_loses_its_margin(client, small_chunks, saved, many_nuclei, tmp_path):
    model = untrained(many_nuclei, padding="valid")
    assert_equal(saved(many_nuclei), model, tmp_path, client, regions=2, objects=5)


def test_a_stack_of_slices_becomes_cells(
    client, small_chunks, saved, many_nuclei, trained_model, tmp_path
):
    stack = np.stack([np.roll(many_nuclei[:80, :96], z, axis=1) for z in (0, 0, 1, 1, 2)])
    assert_equal(
        saved(stack), trained_model, tmp_path, client, regions=5, objects=5, diameter="model"
    )


def test_slices_apart_have_numbers_of_their_own(
    client, small_chunks, saved, many_nuclei, trained_model, tmp_path
):
    stack = np.stack([many_nuclei[:80, :96], many_nuclei[80:160, :96]])
    assert_equal(
        saved(stack), trained_model, tmp_path, client, regions=2, objects=10, diameter="model",
        slicewise=True,
    )  # fmt: skip


def test_a_film_keeps_its_numbers(
    client, small_chunks, saved, many_nuclei, trained_model, tmp_path
):
    film = np.stack([np.roll(many_nuclei[:90, :96], t, axis=1) for t in range(3)])
    path = saved(film, axes=["t", "y", "x"])
    assert_equal(
        path, trained_model, tmp_path, client, regions=3, objects=10, diameter="model", link="T"
    )


def test_another_size(client, small_chunks, saved, many_nuclei, trained_model, tmp_path):
    model = trained_model
    wanted = 1.3 * model.diameter
    assert_equal(
        saved(many_nuclei), model, tmp_path, client, regions=2, objects=10, diameter=wanted
    )


def test_sizes_that_the_program_finds(
    client, small_chunks, saved, many_nuclei, trained_model, tmp_path
):
    assert_equal(saved(many_nuclei), trained_model, tmp_path, client, regions=2, objects=40)


def test_classes(client, small_chunks, saved, many_nuclei, tmp_path):
    model = untrained(many_nuclei, SemanticTask(classes=(2, 5, 9)))
    assert_equal(saved(many_nuclei), model, tmp_path, client, regions=2, objects=1)


def test_flips_and_turns(client, small_chunks, saved, many_nuclei, trained_model, tmp_path):
    assert_equal(
        saved(many_nuclei), trained_model, tmp_path, client, regions=2, objects=40,
        diameter="model", tta=True,
    )  # fmt: skip


def test_neurons_of_an_electron_microscope(client, small_chunks, saved, shared_data, tmp_path):
    volume = read_image(shared_data / "neuroproof_em3d" / "images" / "z000-159.tif", axes="ZYX")
    pixels = volume.read((slice(0, 16), slice(100, 170), slice(100, 170)))[0]
    model = untrained(pixels, ndim=3)
    assert_equal(saved(pixels), model, tmp_path, client, regions=2, objects=10)


def test_nuclei_of_an_embryo(client, small_chunks, saved, shared_data, tmp_path):
    stack = read_image(shared_data / "bbbc050" / "val" / "images" / "Emb09_t451.tif")
    pixels = stack.read((slice(4, 16), slice(10, 110), slice(10, 110)))[0]
    model = Model.load("nuclei")
    assert_equal(saved(pixels), model, tmp_path, client, regions=12, objects=5, diameter="model")
