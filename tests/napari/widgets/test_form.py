import pytest

from unet_napari._napari.widgets.fields import Message, choice, optional, value_of
from unet_napari._napari.widgets.form import Form
from unet_napari._napari.widgets.option_fields import line_field, read_line
from unet_napari.errors import SettingsError
from unet_napari.options import options_of
from unet_napari.training.config import TrainConfig

PATCH = options_of(TrainConfig)["patch"]


@pytest.fixture
def field(qapp):
    return optional("patch", "A size.")


@pytest.fixture
def sizes(qapp):
    return line_field(PATCH)


def test_an_empty_field_has_no_value(field, sizes):
    assert value_of(field, int) is None
    assert read_line(PATCH, sizes) is None


def test_numbers_are_read(field):
    field.value = " 12 "
    assert value_of(field, int) == 12
    assert value_of(field, float) == 12.0


@pytest.mark.parametrize("text", ["32,96,96", "32, 96, 96", "32 x 96 x 96", "32 96 96"])
def test_sizes_are_read_the_way_people_write_them(sizes, text):
    sizes.value = text
    assert read_line(PATCH, sizes) == (32, 96, 96)


@pytest.mark.parametrize("text", ["many", "1.5", "-3"])
def test_what_is_no_size_is_refused_with_the_fields_name(sizes, text):
    sizes.value = text
    with pytest.raises(SettingsError, match=f"Patch .*must be .*, not '{text}'"):
        read_line(PATCH, sizes)


def test_what_is_no_number_is_refused_with_the_fields_name(field):
    field.value = "1.5"
    with pytest.raises(SettingsError, match=r"Patch must be a whole number, not '1.5'\."):
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
