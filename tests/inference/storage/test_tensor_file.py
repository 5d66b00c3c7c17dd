"""The tensors of a file come back one by one."""

import torch

from unet_napari.inference.storage.tensor_file import SavedTensors
from unet_napari.system.tensors import write_tensors

TENSORS = {
    "starts": torch.tensor([0, 7]),
    "0": torch.arange(24, dtype=torch.float32).reshape(2, 3, 4),
    "1": torch.empty(0, 5),
    "é": torch.tensor(1.5),
}


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "state"
    with path.open("wb") as file:
        write_tensors(file, {key: value.numpy() for key, value in TENSORS.items()}, {})
    saved = SavedTensors(path)
    assert set(saved) == set(TENSORS)
    for name, tensor in TENSORS.items():
        torch.testing.assert_close(saved[name], tensor, atol=0, rtol=0)


def test_a_file_without_tensors_is_empty(tmp_path):
    path = tmp_path / "state"
    with path.open("wb") as file:
        write_tensors(file, {}, {"position": "{}"})
    assert not SavedTensors(path)
