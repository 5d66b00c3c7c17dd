"""An engine that waits for its first job loads what that needs."""

import subprocess
import sys

import pytest

PROBE = """
import sys
from unet_napari.engine.worker import jobs
from unet_napari.engine.worker.__main__ import _warm_up
_warm_up(jobs.__name__, trains={trains})
print("scipy.ndimage" in sys.modules, "torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize("trains", [False, True])
def test_what_a_first_job_needs_is_loaded_and_no_more(trains):
    command = [sys.executable, "-c", PROBE.format(trains=trains)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.split() == ["True", str(trains)]
