"""What the docks tell a running training, and what it answers. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass

from unet_napari.engine.arrays import ArrayRef
from unet_napari.engine.protocol import message
from unet_napari.engine.requests import PairRef

__all__ = ["PaintTaken", "PaintUpdate", "PairAdded", "PairRemoved"]


@message
@dataclass(frozen=True)
class PaintUpdate:
    """Command to a `TrainJob`: labels have changed in a box; the training goes on with them.

    Updates are applied between two steps, all of them, in the order in which they were sent.

    Attributes
    ----------
    pair
        Number of the pair in the job: first ``TrainJob.pairs``, then those of `PairAdded`, from 0.
    start
        First pixel of the box, along the axes of the pair's labels.
    labels
        Labels of the box as they are now, with the ids of the layer; they have as many axes as the
        pair's labels.
    annotated
        Mask of the pixels that are annotated as a whole, of the same shape; None: as before.
    background
        The label number of the pair that means background from now on; None: as before.
    number
        Counts up from 1, over both kinds of commands.
    """

    pair: int
    start: tuple[int, ...]
    labels: ArrayRef
    annotated: ArrayRef | None = None
    number: int = 0
    background: int | None = None


@message
@dataclass(frozen=True)
class PairAdded:
    """Command to a `TrainJob`: one more image with labels; the training goes on with it, too.

    The arrays of the pair belong to the client until the job ends, as those of the job do.

    Attributes
    ----------
    pair
        The pair; its number is that of the last pair and one.
    number
        Number of the `PaintUpdate`.
    """

    pair: PairRef
    number: int = 0


@message
@dataclass(frozen=True)
class PairRemoved:
    """Command to a `TrainJob`: a pair leaves; the training goes on without what is painted on it.

    Attributes
    ----------
    pair
        Number of the pair, as of `PaintUpdate`; the others keep theirs.
    number
        Number of the `PaintUpdate`.
    """

    pair: int
    number: int = 0


@message
@dataclass(frozen=True)
class PaintTaken:
    """Event of a `TrainJob`: what was told is in the training now.

    Attributes
    ----------
    number
        All commands up to this number are in.
    training, validation
        Numbers of annotated pixels that are trained on now, and that are held out.
    """

    number: int
    training: int
    validation: int
