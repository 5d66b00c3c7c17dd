"""Dataclasses become plain values and come back; what does not fit is refused by name."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unet_napari.errors import SettingsError
from unet_napari.records import Record


@dataclass(frozen=True)
class Inner(Record):
    record_name: ClassVar[str] = "The inside"

    sizes: tuple[int, ...] = ()
    corner: tuple[float, float] | None = None


@dataclass(frozen=True)
class Outer(Record):
    record_name: ClassVar[str] = "The outside"

    name: str
    mode: Literal["fast", "exact"] = "fast"
    flag: bool = False
    rate: float | None = None
    inner: Inner = field(default_factory=Inner)
    extra: Mapping[str, Any] = field(default_factory=dict)
    nested: tuple[tuple[float, ...], ...] = ()


numbers = st.floats(allow_nan=False, allow_infinity=False)
outers = st.builds(
    Outer,
    st.text(),
    st.sampled_from(["fast", "exact"]),
    st.booleans(),
    st.none() | numbers,
    st.builds(Inner, st.lists(st.integers()).map(tuple), st.none() | st.tuples(numbers, numbers)),
    st.dictionaries(st.text(), st.integers() | st.lists(st.text())),
    st.lists(st.lists(numbers).map(tuple)).map(tuple),
)


@given(outers)
def test_what_went_through_json_is_what_it_was(outer):
    assert Outer.from_dict(json.loads(json.dumps(outer.to_dict()))) == outer


def test_fields_come_in_their_order_with_lists_for_tuples():
    assert Outer("a", inner=Inner((1, 2), (0.5, 1))).to_dict() == {
        "name": "a",
        "mode": "fast",
        "flag": False,
        "rate": None,
        "inner": {"sizes": [1, 2], "corner": [0.5, 1]},
        "extra": {},
        "nested": [],
    }


def test_what_is_left_out_has_its_default():
    assert Outer.from_dict({"name": "a"}) == Outer("a")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, r"^The outside lacks name\.$"),
        (7, r"^The outside must be names with values, not 7\.$"),
        ({"name": "a", "colour": 1}, r"^The outside has no setting colour; it has name, mode, "),
        ({"name": 1}, r"^name must be text, not 1\.$"),
        ({"name": "a", "mode": "slow"}, r"^mode must be one of fast, exact, not 'slow'\.$"),
        ({"name": "a", "flag": 1}, r"^flag must be true or false, not 1\.$"),
        ({"name": "a", "rate": "1"}, r"^rate must be a number or none, not '1'\.$"),
        ({"name": "a", "rate": True}, r"^rate must be "),
        (
            {"name": "a", "inner": {"sizes": [1.5]}},
            r"^sizes must be a list of whole numbers, not \[1.5\]",
        ),
        ({"name": "a", "inner": {"sizes": 3}}, r"^sizes must be "),
        (
            {"name": "a", "inner": {"corner": [1]}},
            r"^corner must be a list of numbers or none, not",
        ),
        ({"name": "a", "inner": [1]}, r"^The inside must be names with values"),
        ({"name": "a", "extra": [1]}, r"^extra must be names with values, not"),
        ({"name": "a", "nested": [1]}, r"^nested must be a list of values, not"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(values, message):
    with pytest.raises(SettingsError, match=message):
        Outer.from_dict(values)


def test_only_dataclasses_are_records():
    class Plain(Record):
        pass

    with pytest.raises(TypeError, match="Plain is not a dataclass"):
        Plain().to_dict()
