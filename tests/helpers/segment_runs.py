"""Runs of the Segment dock, in which the test plays the engine."""

import numpy as np

from unet_napari.engine import ArraysReady, JobFinished, SegmentJob
from unet_napari.engine.arrays import open_ref


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
