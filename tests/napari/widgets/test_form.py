import pytest

from unet_napari._napari.widgets.fields import Message, choice, optional, sizes_of, value_of
from unet_napari._napari.widgets.form import Form
from unet_napari.errors import SettingsError


@pytest.fixture
def field(qapp):
    return optional("patch", "A size.")


def test_an_empty_field_has_no_value(field):
    assert value_of(field, int) is None
    assert sizes_of(field) is None


def test_numbers_are_read(field):
    field.value = " 12 "
    assert value_of(field, int) == 12
    assert value_of(field, float) == 12.0
    assert sizes_of(field) == (12,)


@pytest.mark.parametrize("text", ["32,96,96", "32, 96, 96", "32 x 96 x 96", "32 96 96"])
def test_sizes_are_read_the_way_people_write_them(field, text):
    field.value = text
    assert sizes_of(field) == (32, 96, 96)


@pytest.mark.parametrize("text", ["many", "1.5", "-3"])
def test_what_is_no_size_is_refused_with_the_fields_name(field, text):
    field.value = text
    with pytest.raises(SettingsError, match=f"Patch is '{text}'"):
        sizes_of(field)


def test_what_is_no_number_is_refused_with_the_fields_name(field):
    field.value = "1.5"
    with pytest.raises(SettingsError, match=r"Patch is '1.5', but must be a whole number\."):
        value_of(field, int)


def test_markup_is_shown_as_text(qapp):
    message = Message("status", "What happens.")
    message.say("<b>model</b> <img src='file:///etc/passwd'>")
    assert message.native.textFormat().name == "PlainText"
    assert message.value == "<b>model</b> <img src='file:///etc/passwd'>"


def test_an_empty_message_takes_no_room(qapp):
    message = Message("status", "What happens.")
    assert not message.native.isVisibleTo(None)
    message.say("Something.")
    assert not message.native.isHidden()
    message.say("")
    assert message.native.isHidden()


def test_fields_of_all_groups_align_and_are_reached_by_name(qapp, qtbot):
    form = Form()
    form.add_rows().add(choice("a", [("x", 1)], "A."))
    form.add_folded("More", "More.").add(choice("much_longer_name", [("y", 2)], "B."))
    form.finish()
    assert len({label.width() for label in form.captions}) == 1
    assert form["a"].value == 1
    assert form["much_longer_name"].value == 2
    form.native.deleteLater()


def test_a_dock_cannot_be_squeezed_until_its_fields_are_unreadable(qapp):
    form = Form()
    form.add_rows().add(choice("a", [("x", 1)], "A."))
    form.finish()
    assert 250 <= form.native.minimumSizeHint().width() <= 300
    form.native.deleteLater()
