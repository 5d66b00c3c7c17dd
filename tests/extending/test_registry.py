"""Tables of kinds: every entry has its code, and what is wrong with one is said with its remedy."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from unet_napari.errors import SettingsError
from unet_napari.registry import Registry, load_object
from unet_napari.tasks.loss_catalogue import LOSSES, LossEntry, losses_of


@dataclass(frozen=True)
class Entry:
    name: str


def test_entries_are_found_by_name_in_their_order():
    first, second = Entry("b"), Entry("a")
    table = Registry("thing", [first])
    assert table.add(second) is second
    assert list(table) == ["b", "a"]
    assert table.find("a") is second
    table.remove("b")
    assert dict(table) == {"a": second}


def test_a_name_that_is_unknown_is_refused_with_those_that_are_known():
    table = Registry("thing", [Entry("a"), Entry("b")])
    for name in ("c", ["a"], None):
        with pytest.raises(SettingsError, match=r"There is no thing .*; there are a, b"):
            table.find(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [("a", "There already is a thing named 'a'"), ("a b", "without spaces"), ("", "without")],
)
def test_a_name_that_cannot_be_added_is_refused(name, message):
    table = Registry("thing", [Entry("a")])
    with pytest.raises(ValueError, match=message):
        table.add(Entry(name))


@pytest.mark.parametrize(
    ("implementation", "message"),
    [
        ("unet_napari.tasks", "the loss 'x' names its code as .*write it as 'package.module:name'"),
        ("unet_napari.no_such:f", "module 'unet_napari.no_such', which does not exist"),
        ("unet_napari.errors:f", "'f' in the module 'unet_napari.errors', which defines no such"),
    ],
)
def test_missing_code_is_named_with_the_remedy(implementation, message):
    with pytest.raises(ImportError, match=message):
        load_object(implementation, "the loss 'x'")


def test_a_package_that_code_needs_and_that_is_missing_is_named_itself(tmp_path, monkeypatch):
    (tmp_path / "needs_more.py").write_text("import no_such_package_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package_at_all"):
        load_object("needs_more:f", "the loss 'x'")


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_its_functions(name):
    entry = LOSSES[name]
    for implementation in filter(None, (entry.independent, entry.exclusive)):
        assert callable(load_object(implementation, f"the loss {name!r}"))


def test_losses_by_the_kind_of_the_maps():
    assert {"bce", "dice", "focal"} <= set(losses_of("independent"))
    assert {"ce", "dice", "focal"} <= set(losses_of("exclusive"))
    assert "ce" not in losses_of("independent")
    assert "bce" not in losses_of("exclusive")


def test_an_entry_of_a_loss_that_means_nothing_is_refused():
    with pytest.raises(ValueError, match="must not hold a '\\+'"):
        LossEntry("a+b", "", "", independent="m:f")
    with pytest.raises(ValueError, match="has no function"):
        LossEntry("a", "", "")
