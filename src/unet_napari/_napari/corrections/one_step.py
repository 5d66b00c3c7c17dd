"""Corrections that are one step of a labels layer's history, or nothing at all."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from napari.layers import Labels
from unet_napari.errors import ResourceError, UnetNapariError

__all__ = ["one_step"]


@contextmanager
def one_step(layer: Labels) -> Iterator[None]:
    """Make all that is painted within the block one step; where it fails, none of it stays.

    napari itself would keep what was painted before an error, and add it to the next stroke.

    Raises
    ------
    ResourceError
        If the file of the labels cannot be written to, such as on a full disk.
    UnetNapariError
        As it came up within the block.
    """
    before, failed = _latest(layer), None
    with layer.block_history():
        try:
            yield
        except (UnetNapariError, OSError) as error:
            failed = error
    if failed is None:
        return
    if _latest(layer) is not before:
        with suppress(OSError):
            layer.undo()
    if isinstance(failed, OSError):
        raise ResourceError(
            f"'{layer.name}' cannot be painted on: {failed.strerror or failed}. Nothing was "
            "changed; make room on the disk, and try again."
        ) from failed
    raise failed


def _latest(layer: Labels) -> object:
    history = getattr(layer, "_undo_history", ())
    return history[-1] if history else None
