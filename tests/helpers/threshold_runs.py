"""Segmentations whose maps are kept, as the engine tells of them."""

import numpy as np

from unet_napari.engine import ArraysReady, JobFinished

OWN = {"foreground_threshold": 0.5, "seed_threshold": 0.55, "min_size": 10}


def next_job(client, qtbot, number):
    qtbot.waitUntil(lambda: len(client.jobs) >= number)
    return client.jobs[number - 1]


def segment(dock, client, qtbot, labels, *, kept=1):
    """Press Segment and deliver a result whose maps are kept."""
    number = len(client.jobs) + 1
    dock.run.native.click()
    job = next_job(client, qtbot, number)
    client.say(ArraysReady(labels))
    client.say(JobFinished({"objects": int(labels.max()), "kept": kept}))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    return job


def decoded(client, labels):
    """Deliver what the engine has decoded."""
    labels = np.asarray(labels, np.uint32)
    found = {"labels": labels, "objects": np.count_nonzero(np.unique(labels))}
    client.say(JobFinished(found | {"highest": int(labels.max())}))
