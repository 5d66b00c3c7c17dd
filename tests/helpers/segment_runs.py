"""Runs of the Segment dock, in which the test plays the engine."""

import numpy as np

from unet_napari.engine import ArraysReady, JobFinished, SegmentJob
from unet_napari.engine.arrays import open_ref

THRESHOLDS = {"foreground_threshold": 0.5, "seed_threshold": 0.55, "min_size": 10}  # of a model


def start(dock, client, qtbot):
    """Press Run and return the job that the engine gets."""
    before = len(client.jobs)
    dock.run.native.click()
    qtbot.waitUntil(lambda: len(client.jobs) > before)
    return client.jobs[-1]


def within(job, labels):
    """Put the labels of the wanted part among what lies around, where nothing is found."""
    if not isinstance(job, SegmentJob) or not job.around:
        return labels
    whole = np.zeros(open_ref(job.image.data).shape, np.uint32)
    whole[tuple(slice(*pair) for pair in job.inner)] = labels
    return whole


def run(dock, client, qtbot, labels, *, objects=None, table=None, **output):
    """Press Run and deliver a result; return the job."""
    job = start(dock, client, qtbot)
    client.say(ArraysReady(within(job, labels), **output))
    client.say(JobFinished({"objects": objects} | ({"table": table} if table else {})))
    qtbot.waitUntil(lambda: dock.run.text == "Segment")
    return job


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
