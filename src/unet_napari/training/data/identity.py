"""Which of some pairs are of one image: such pairs must not be told apart by the validation."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from unet_napari.images.pixel_sample import sample_blocks

if TYPE_CHECKING:
    from unet_napari.images import Image

__all__ = ["fingerprint", "group_of_last", "image_groups"]


def fingerprint(image: Image) -> str:
    """Return a hash (SHA-256, hexadecimal) of a sample of the pixels."""
    digest = hashlib.sha256()
    for block in sample_blocks(image):
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()


def image_groups(images: Sequence[Image], prints: Sequence[str]) -> list[int]:
    """Give each image a number, from 0; those that are one image have one number.

    They are if they have the same array, the same file, or the same pixels, and the same shape, so
    that a place in one is the same place in the other. The channels and frames that they hold do
    not matter: they show the same cells.

    Parameters
    ----------
    images
        Images in any order.
    prints
        The `fingerprint` of each.
    """
    groups = list(range(len(images)))
    first: dict[Hashable, int] = {}
    for number, (image, pixels) in enumerate(zip(images, prints, strict=True)):
        shape = tuple(image.data.shape)
        extent = tuple(size for size in image.shape if size > 1)
        keys: list[Hashable] = [id(image.data), (pixels, extent)]
        if image.source is not None:
            keys.append((image.source.resolve(), shape))
        for known in {groups[first[key]] for key in keys if key in first}:
            groups = [groups[number] if group == known else group for group in groups]
        first |= {key: number for key in keys if key not in first}
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return [numbers[group] for group in groups]


def group_of_last(
    images: Sequence[Image], prints: Sequence[str], groups: Sequence[int], held: Collection[int]
) -> int:
    """Return the group of the last image: that of an earlier one that is the same, or a new one.

    Parameters
    ----------
    images, prints
        As of `image_groups`.
    groups
        The groups of all images but the last.
    held
        Groups of which something is held out: of several that fit, one of these is taken.
    """
    together = image_groups(images, prints)
    same = [n for n, group in zip(groups, together[:-1], strict=True) if group == together[-1]]
    same.sort(key=lambda group: group not in held)
    return same[0] if same else max(groups, default=-1) + 1
