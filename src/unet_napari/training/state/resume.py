"""A training that was stopped goes on: the same network, optimiser, curve and split."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unet_napari.errors import LabelsError, ModelFileError, SettingsError, warn_user
from unet_napari.geometry import Box, bounding_box
from unet_napari.labels.sparse import boxes
from unet_napari.training.config import TrainConfig
from unet_napari.training.data.identity import fingerprint
from unet_napari.training.data.pairs import Pair
from unet_napari.training.setup.decisions import Decisions
from unet_napari.training.state.flatten import unflatten
from unet_napari.training.state.state_file import open_state
from unet_napari.training.trainer import Trainer

if TYPE_CHECKING:
    from unet_napari.images import LazyArray
    from unet_napari.training.state.state_file import StateFile
    from unet_napari.training.state.state_head import PairHead

__all__ = ["resume_training"]

_BUDGETS = ("seconds", "epochs", "steps", "live")
_FREE = ("device", "devices", "memory", "patience")  # what may be others than before
_FIXED_SETTINGS = ("task", "ndim", "network")  # what makes another training


def resume_training(
    pairs: Sequence[Pair], path: str | Path, settings: Mapping[str, Any] | None = None
) -> Trainer:
    """Return a trainer that goes on where another one was when its state was kept.

    With the same pairs and settings, its steps are those that would have followed. What was painted
    since then joins before the next step, as by `Trainer.update`, and further pairs as by
    `Trainer.add`.

    Parameters
    ----------
    pairs
        Images with their labels as they are painted now; they are told by their pixels.
    path
        The state file.
    settings
        Fields of a `TrainConfig` that are asked for. The budget, the devices, the memory and the
        patience may be others than before. A budget that is the same goes on, unless it was used
        up; another one begins anew.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged or of another version.
    SettingsError
        If another task, network or number of axes is asked for.
    LabelsError
        If none of the images of the training is among the pairs.

    Warns
    -----
    UnetNapariWarning
        If an image of the training is missing, or settings are asked for that cannot change.
    """
    path = Path(path)
    with open_state(path) as file:
        head = file.head()
        config, anew = _config(head.config, settings or {})
        parts = [pair.with_background(config.background_id) for pair in pairs]
        found = _matched(parts, head.images, path)
        order = [*found, *(number for number in range(len(parts)) if number not in found)]
        decided = _decisions(file, list(found.values()))
        then = [_as_it_was(parts[now], file, number) for now, number in found.items()]
        trainer = Trainer(then, config, decided=decided)
        try:
            trainer.restore(unflatten(file.facts["training"], file.read), order, anew=anew)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise ModelFileError(f"its state cannot be understood ({error})") from error
    _join(trainer, parts, order, then)
    return trainer


def _config(before: Mapping[str, Any], asked: Mapping[str, Any]) -> tuple[TrainConfig, bool]:
    """Return the settings to go on with, and whether their budget begins anew."""
    old = TrainConfig.from_dict(before).to_dict()
    given = {key: value for key, value in asked.items() if key in old}
    given = json.loads(json.dumps(given))
    old = json.loads(json.dumps(old))
    for name in _FIXED_SETTINGS:
        if name in given and given[name] != old[name]:
            raise SettingsError(
                f"The training that is to go on has {name} {old[name]}, not {given[name]}: start "
                "over for another one."
            )
    budget = {name: given[name] for name in _BUDGETS if given.get(name)}
    same = not budget or budget == {name: old[name] for name in _BUDGETS if old[name]}
    chosen = {**old, **{name: given[name] for name in _FREE if name in given}}
    if not same:
        chosen = {**{k: v for k, v in chosen.items() if k not in _BUDGETS}, **budget}
    ignored = [
        name
        for name in given
        if name not in (*_BUDGETS, *_FREE, "schedule", "ema", "warmup") and given[name] != old[name]
    ]
    if ignored:
        warn_user(
            f"The training goes on with the settings that it began with, not with another "
            f"{', '.join(sorted(ignored))}: start over for that.",
            stacklevel=4,
        )
    return TrainConfig.from_dict(chosen), not same


def _matched(pairs: Sequence[Pair], images: Sequence[PairHead], path: Path) -> dict[int, int]:
    """Return for each given pair that was trained on its number in the file."""
    left = list(range(len(images)))
    found: dict[int, int] = {}
    for now, pair in enumerate(pairs):
        print_ = fingerprint(pair.image)
        same = [n for n in left if (images[n].fingerprint, images[n].shape) == (print_, pair.shape)]
        if same:
            found[now] = same[0]
            left.remove(same[0])
    left = [number for number in left if not images[number].removed]
    names = ", ".join(images[number].name for number in left)
    if not found:
        raise LabelsError(
            f"The training '{path.name}' was on other images ({names}): give these, or start over."
        )
    if left:
        warn_user(f"The training goes on without {names}, which is not there.", stacklevel=4)
    return found


def _decisions(file: StateFile, numbers: Sequence[int]) -> Decisions:
    try:
        decided = Decisions.from_dict(file.facts["decisions"])
        groups = tuple(decided.groups[number] for number in numbers)
    except (KeyError, TypeError, ValueError, IndexError, SettingsError) as error:
        raise ModelFileError(f"its decisions cannot be understood ({error})") from error
    return replace(decided, groups=groups)


def _as_it_was(pair: Pair, file: StateFile, number: int) -> Pair:
    """Return a pair with the paint of the file."""
    kept = Pair(pair.image, *file.paint(number), file=pair.file)
    for background in file.head().images[number].background:
        kept = kept.with_background(background)
    return kept


def _join(
    trainer: Trainer, pairs: Sequence[Pair], order: Sequence[int], then: Sequence[Pair]
) -> None:
    """Let what was painted since then join."""
    for number in order[len(then) :]:
        trainer.prepared.painted.add(pairs[number])
    for before, number in zip(then, order, strict=False):
        now = pairs[number].painted
        for background in set(now.background) - set(before.painted.background):
            corner = Box((0,) * len(now.labels.shape), (1,) * len(now.labels.shape))
            _update(trainer, number, corner, pairs[number], background)
        for box in _changes(before.painted.labels, now.labels):
            _update(trainer, number, box, pairs[number])
        for box in _changes(before.painted.annotated, now.annotated):
            _update(trainer, number, box, pairs[number])


def _update(
    trainer: Trainer, number: int, box: Box, pair: Pair, background: int | None = None
) -> None:
    painted, index = pair.painted, box.to_slices()
    region: Any = None
    if painted.annotated is not None:
        region = np.asarray(painted.annotated[index])
    labels = np.asarray(painted.labels[index])
    trainer.update(number, box.start, labels, region, background=background)


def _changes(before: LazyArray | None, now: LazyArray | None) -> Iterator[Box]:
    """Yield boxes that hold all that differs between two arrays; one that is None is all zeros."""
    if before is None and now is None:
        return
    places = {box for array in (before, now) if array is not None for box in boxes(array)}
    for box in sorted(places, key=lambda box: box.spans):
        index = box.to_slices()
        parts = [0 if array is None else np.asarray(array[index]) for array in (before, now)]
        found = bounding_box(np.asarray(parts[0] != parts[1]))
        if found is not None:
            yield found.absolute_in(box)
