"""Jobs of the real engine process, and what they have said in the end."""

from unet_napari.engine import ImageRef, PairRef, TrainJob
from unet_napari.training import TrainConfig

WAIT = 300.0  # seconds; the first job also waits for torch


def make_config(**settings):
    small = {"device": "cpu", "patch": (32, 32), "batch": 2, "steps": 8}
    return TrainConfig(**(small | {"network_options": {"features": [4, 8]}} | settings))


def train_job(client, picture, output, **settings):
    image, labels = picture
    reference = ImageRef(client.folder.share(image), "YX", {"Y": 0.5, "X": 0.5}, "nuclei")
    pair = PairRef(reference, client.folder.share(labels, snapshot=True))
    return TrainJob((pair,), make_config(**settings).to_dict(), str(output), "my nuclei")


def run(client, job, listener):
    assert client.submit(job, listener).wait(WAIT)
    assert len(listener.ends) == 1
    return listener.events[-1]


def of(kind, listener):
    return [event for event in listener.events if isinstance(event, kind)]
