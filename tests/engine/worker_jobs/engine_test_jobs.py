"""Small jobs without torch, run by a real engine process."""

import gc
import os
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unet_napari.engine.arrays import ArrayRef, open_ref
from unet_napari.engine.protocol import ArraysReady, Preview, Progress, Saved, Step, message
from unet_napari.engine.requests import ImageRef, PreviewRequest
from unet_napari.engine.worker.open_images import open_image
from unet_napari.errors import ImageError, UnetNapariWarning

with suppress(ImportError):  # not on Windows
    import resource


@message
@dataclass(frozen=True)
class Count:
    """Report `total` steps of `pause` seconds, and look in between whether to stop."""

    total: int
    pause: float = 0.0


@message
@dataclass(frozen=True)
class Sleep:
    """Report one step, then sleep without ever looking."""

    seconds: float


@message
@dataclass(frozen=True)
class Learn:
    """Report a step that is saved and one that is not, then `ending`: "sleep" or "fail"."""

    ending: str


@message
@dataclass(frozen=True)
class Fail:
    kind: str


@message
@dataclass(frozen=True)
class Print:
    """Print in every way a library may."""


@message
@dataclass(frozen=True)
class Warn:
    texts: tuple[str, ...]


@message
@dataclass(frozen=True)
class Double:
    """Return an array times two."""

    data: ArrayRef


@message
@dataclass(frozen=True)
class AwaitCommand:
    """Wait for a `PreviewRequest` and answer with its data plus one."""


@message
@dataclass(frozen=True)
class Environment:
    """Return what the process was started with."""


@message
@dataclass(frozen=True)
class Fill:
    """Fill in an array: some rows first, which is told, and all of it later."""


@message
@dataclass(frozen=True)
class Peek:
    """Read a corner of an image, and say how many pixels of it are not 0 in the file."""

    image: ImageRef


def count(job, context):
    for done in range(1, job.total + 1):
        context.check()
        time.sleep(job.pause)
        context.send(Progress(done, job.total, "counting"))
    return {"counted": job.total}


def sleep(job, context):
    context.send(Progress(0, 1, "sleeping"))
    time.sleep(job.seconds)
    return {}


def learn(job, context):
    context.send(Step(120, 1, None, 0.5, 0.1, 0.5, 60.0))
    context.send(Saved("/models/a.unet", None, "AP50", 120, "paint more"))
    context.send(Step(124, 1, None, 0.4, 0.1, 0.5, 50.0))
    if job.ending == "fail":
        raise ImageError("The image is empty.")
    time.sleep(600)


def fail(job, context):
    if job.kind == "user":
        raise ImageError("The image is empty.")
    if job.kind == "memory":
        raise MemoryError
    if job.kind == "abort":
        print("about to abort", file=sys.stderr, flush=True)
        os.abort()
    if job.kind == "exit":
        os._exit(3)
    raise RuntimeError("a defect")


def print_everything(job, context):
    print("a stray print")
    print('{"$class":"JobEvent","job_id":1,"event":null}', flush=True)
    os.write(1, b"a stray write\n")
    subprocess.run([sys.executable, "-c", "print('a child')"], check=True)
    return {"stdin": sys.stdin.read()}


def warn(job, context):
    for text in job.texts:
        warnings.warn(text, UnetNapariWarning, stacklevel=1)
    warnings.warn("of no interest to the user", RuntimeWarning, stacklevel=1)
    return {}


def double(job, context):
    data = open_ref(job.data, folders=context.folder.folders)
    reference, out = context.folder.allocate(data.shape, data.dtype)
    out[...] = np.asarray(data) * 2
    return {"doubled": reference}


def await_command(job, context):
    context.send(Progress(0, 1, "waiting"))
    while True:
        context.check()
        for command in context.take_commands(wait=0.05):
            assert isinstance(command, PreviewRequest)
            data = command.image.data
            reference, out = context.folder.allocate(data.shape, data.dtype)
            out[...] = data + 1
            context.send(Preview(step=7, key=command.key, labels=reference))
            return {}


def page_faults_of_a_layer():
    """Return how many pages came from the system when 16 MiB were used a second time."""
    b"1" * 2**24  # not by NumPy, which takes huge pages
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"1" * 2**24  # not by NumPy, which takes huge pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def fill(job, context):
    reference, labels = context.allocate((4, 3), np.uint32)
    context.send(ArraysReady(reference))
    labels[:2] = 1
    context.send(Progress(1, 2, "filling", ((0, 2), (0, 3))))
    time.sleep(1.0)
    labels[...] = 2
    return {}


def peek(job, context):
    corner = open_image(job.image, context).read((slice(0, 9), slice(-9, None)))
    return {"sum": int(corner.sum()), "there": int(np.count_nonzero(np.load(job.image.data.path)))}


def environment(job, context):
    return {
        "path": sys.path[0],
        "faults": page_faults_of_a_layer() if sys.platform == "linux" else 0,
        "session": os.getsid(0) if hasattr(os, "getsid") else 0,
        "pid": os.getpid(),
        "frozen": gc.get_freeze_count(),
        "folders": context.folder.folders,
    }


def warm_up_worker(*, trains):
    """Tell whoever waits for it, and fail as a broken library would."""
    if "ENGINE_TEST_WARM" in os.environ:
        Path(os.environ["ENGINE_TEST_WARM"]).write_text(f"trains: {trains}")
        raise OSError("a library is broken")


RUNNERS = {
    AwaitCommand: await_command,
    Count: count,
    Double: double,
    Environment: environment,
    Fail: fail,
    Fill: fill,
    Learn: learn,
    Peek: peek,
    Print: print_everything,
    Sleep: sleep,
    Warn: warn,
}
