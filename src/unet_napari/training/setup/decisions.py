"""What is decided before the first step, and stays when a training is continued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from unet_napari.images import Normalisation
from unet_napari.tasks import Task, make_task
from unet_napari.training.data.division import Division
from unet_napari.training.setup.configure import Data, Setup
from unet_napari.training.setup.working_scale import WorkingScale

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Decisions"]


@dataclass(frozen=True)
class Decisions:
    """What the first paint, the settings and the model that training starts from decide.

    Attributes
    ----------
    normalisation, pixel_size, scale, spacing, task, data, setup, start, samples
        Values of a `Prepared`.
    network
        Name of the network.
    groups
        Number of the image of each pair.
    division
        What is held out; None if nothing is yet.
    steps_per_epoch
        Steps that draw as many pixels as are annotated.
    """

    normalisation: Normalisation
    pixel_size: Mapping[str, float]
    scale: WorkingScale
    spacing: tuple[float, ...]
    task: Task
    data: Data
    setup: Setup
    network: str
    start: str
    samples: int
    groups: tuple[int, ...]
    division: Division | None
    steps_per_epoch: int

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values, from which `from_dict` makes it again."""
        return {
            "normalisation": self.normalisation.to_dict(),
            "pixel_size": dict(self.pixel_size),
            "scale": asdict(self.scale),
            "spacing": list(self.spacing),
            "task": self.task.to_dict(),
            "data": asdict(self.data),
            "setup": asdict(self.setup),
            "network": self.network,
            "start": self.start,
            "samples": self.samples,
            "groups": list(self.groups),
            "division": None if self.division is None else self.division.to_dict(),
            "steps_per_epoch": self.steps_per_epoch,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make it again from `to_dict`.

        Raises
        ------
        KeyError, TypeError, ValueError, SettingsError
            If something is missing, or is not what it should be.
        """
        scale, data, setup = (_tuples(values[name]) for name in ("scale", "data", "setup"))
        division = values["division"]
        return cls(
            normalisation=Normalisation.from_dict(values["normalisation"]),
            pixel_size=dict(values["pixel_size"]),
            scale=WorkingScale(**scale),
            spacing=tuple(values["spacing"]),
            task=make_task(values["task"]),
            data=Data(**data),
            setup=Setup(**setup),
            network=str(values["network"]),
            start=str(values["start"]),
            samples=int(values["samples"]),
            groups=tuple(values["groups"]),
            division=None if division is None else Division.from_dict(division),
            steps_per_epoch=int(values["steps_per_epoch"]),
        )


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as dataclasses have them: JSON makes lists of tuples."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
