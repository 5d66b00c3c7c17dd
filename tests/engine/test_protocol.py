"""Messages survive the way through a line of JSON."""

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet_napari.engine import (
    ArrayRef,
    ImageRef,
    JobFailed,
    JobFinished,
    PaintTaken,
    PaintUpdate,
    PairAdded,
    PairRef,
    PreviewRequest,
    Progress,
    Resting,
    Started,
    Step,
    TrainJob,
)
from unet_napari.engine.arrays import map_arrays
from unet_napari.engine.protocol import Cancel, Command, JobEvent, decode, encode

ARRAY = ArrayRef("npy", "/shared/a.npy", (3, 4), "<u2")
IMAGE = ImageRef(ARRAY, "YX", {"Y": 0.25, "X": 0.25}, "cells", {"T": 3})

texts = st.text(max_size=20).filter(lambda text: text != "$class")  # the key of the protocol
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda parts: (
        st.lists(parts, max_size=3).map(tuple) | st.dictionaries(texts, parts, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "message",
    [
        Cancel(3),
        JobEvent(1, Progress(1, 2, "tile")),
        JobEvent(1, Step(1, 1, None, 0.5, 1e-3, 0.1, 60.0)),
        JobEvent(1, Started(("a: b",), "cpu", (64, 64), 4, 2, 1000, "none")),
        JobEvent(1, JobFinished({"labels": ARRAY, "score": None})),
        JobEvent(1, JobFailed('"quoted"\nlines 細胞', user_error=True)),
        Command(1, PreviewRequest(IMAGE, "key")),
        Command(1, PreviewRequest(None)),
        Command(1, PaintUpdate(0, (3, 4), ARRAY, None, 7)),
        Command(1, PaintUpdate(1, (0, 3, 4), ARRAY, ARRAY, 8)),
        Command(1, PairAdded(PairRef(IMAGE, ARRAY), 9)),
        JobEvent(1, PaintTaken(9, 1200, 300)),
        JobEvent(1, Resting(70, None)),
        TrainJob((PairRef(IMAGE, ARRAY),), {"live": True}, "o", "n", state="s", resume=True),
        TrainJob(
            (PairRef(IMAGE, ARRAY), PairRef(IMAGE, ARRAY, ARRAY)), {"task": "cells"}, "o", "n"
        ),
    ],
)
def test_a_message_comes_back_from_one_line(message):
    line = encode(message)
    assert "\n" not in line
    assert decode(line) == message


@given(st.dictionaries(texts, values, max_size=4))
def test_any_result_comes_back(result):
    assert decode(encode(JobFinished(result))) == JobFinished(result)


def test_a_diverged_loss_comes_back():
    step = decode(encode(Step(1, 1, None, math.nan, 1e-3, 0.1, 60.0)))
    assert math.isnan(step.loss)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "a stray print",
        "{",
        '{"$class": "Popen", "args": "true"}',
        '{"$class": "Cancel"}',
        '{"$class": "Cancel", "job_id": 1, "more": 2}',
        "[" * 100_000,
    ],
)
def test_what_is_no_message_is_refused(line):
    with pytest.raises(ValueError, match="not a message"):
        decode(line)


@dataclass(frozen=True)
class Cancel2:
    job_id: int


def test_only_the_vocabulary_is_sent():
    with pytest.raises(TypeError, match="a Cancel2 cannot be sent"):
        encode(Cancel2(1))


def test_a_class_of_the_same_name_is_not_taken_for_a_message():
    other = dataclass(frozen=True)(type("Cancel", (), {"__annotations__": {"job_id": int}}))
    with pytest.raises(TypeError, match="a Cancel cannot be sent"):
        encode(other(1))


def test_references_are_replaced_wherever_they_are():
    job = TrainJob((PairRef(IMAGE, ARRAY), PairRef(IMAGE, ARRAY, ARRAY)), {}, "o", "n")
    found = []
    copy = map_arrays(job, lambda reference: found.append(reference) or "taken")
    assert found == [ARRAY] * 5
    assert copy.pairs[1].image.data == copy.pairs[1].annotated == "taken"
    assert copy.output == "o"
