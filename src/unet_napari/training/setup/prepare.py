"""Everything before the first step: read, check, split, choose, build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from unet_napari.errors import SettingsError
from unet_napari.images import Normalisation
from unet_napari.labels.measure import diameters
from unet_napari.networks import build_network
from unet_napari.system.device import available_memory
from unet_napari.training.data.check_pairs import check_pairs
from unet_napari.training.data.identity import fingerprint, image_groups
from unet_napari.training.data.load import SampleLoader
from unet_napari.training.data.pairs import reference_image, spacing_of
from unet_napari.training.learner import Randomness
from unet_napari.training.live.painted_data import PaintedData
from unet_napari.training.parallel.devices import device_of_leader
from unet_napari.training.setup.choose_task import choose_task
from unet_napari.training.setup.configure import Data, Setup, choose_setup
from unet_napari.training.setup.decisions import Decisions
from unet_napari.training.setup.inherit import fitting_weights, inherit_weights
from unet_napari.training.setup.prepared import CONTEXT, Prepared, steps_of_an_epoch
from unet_napari.training.setup.provenance import describe_data
from unet_napari.training.setup.working_scale import WorkingScale
from unet_napari.training.tiling import largest_tile

if TYPE_CHECKING:
    from unet_napari.model.model import Model
    from unet_napari.networks.base import Network
    from unet_napari.tasks import Task
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.data.pairs import Pair
    from unet_napari.training.data.sample import Sample

__all__ = ["prepare"]

_OVERLAP = {2: 32, 3: 16}  # pixels of image beside a part, where memory asks for parts
_CPU = torch.device("cpu")


def prepare(
    pairs: Sequence[Pair],
    config: TrainConfig,
    start_from: Model | None,
    decided: Decisions | None = None,
    *,
    refine: bool = True,
) -> Prepared:
    """Read the pairs and choose all that the configuration leaves open.

    Parameters
    ----------
    pairs, config, start_from
        Arguments of a `Trainer`.
    decided
        What was chosen when the training began, if it is continued.
    refine
        See `choose_setup`.

    Raises
    ------
    ImageError, LabelsError, SettingsError, ResourceError
        Naming what is wrong and the remedy.
    """
    pairs = _checked(pairs, config, start_from)
    device = device_of_leader(config)
    memory = config.memory or available_memory(_CPU) // 2
    prints = tuple(fingerprint(pair.image) for pair in pairs)
    frame, painted = _read(pairs, prints, config, start_from, decided, memory // 4)
    config = frame.scale.config(config)
    old = None if start_from is None else frame.scale.plain(start_from.network)
    if device.type != "cpu" and config.memory is None:
        memory = available_memory(device) // 2
    if decided is None:
        room = 3 * memory // 4
        if device.type == "cpu":  # whose processes share its memory
            room //= config.devices
        decided = _decide(frame, painted, config, start_from, old, device, room, refine=refine)
        randomness = Randomness(config.seed, device)
        network = _build(config, decided.setup, old, randomness)
        decided = replace(decided, network=network.name, start=_whole_start(network, start_from))
    else:  # its weights are restored later
        randomness = Randomness(config.seed, device)
        network = build_network(decided.network, decided.setup.network_options)
    return Prepared(
        config=config,
        device=device,
        randomness=randomness,
        painted=painted,
        halo=tuple(round(_OVERLAP[config.ndim] / step) for step in decided.spacing),
        tile=largest_tile(network, decided.setup.patch, 3 * memory // 4),
        images=describe_data([pair.image for pair in pairs], prints),
        network=network,
        decided=decided,
    )


class _Frame(NamedTuple):
    """What is decided of the images before anything of them is divided; see `Decisions`."""

    normalisation: Normalisation
    groups: tuple[int, ...]
    scale: WorkingScale
    spacing: tuple[float, ...]
    pixel_size: Mapping[str, float]


def _read(
    pairs: Sequence[Pair],
    prints: Sequence[str],
    config: TrainConfig,
    start_from: Model | None,
    decided: Decisions | None,
    memory: int,
) -> tuple[_Frame, PaintedData]:
    """Read what is painted, bring it to the scale of the network and divide it."""
    if decided is None:
        normalisation = Normalisation() if start_from is None else start_from.normalisation
        groups = tuple(image_groups([pair.image for pair in pairs], prints))
    else:
        normalisation, groups = decided.normalisation, decided.groups
    loader = SampleLoader(config, normalisation)
    loaded = loader.load_all(pairs, groups, memory)
    if decided is None:
        reference = reference_image(pairs, config.ndim)
        spacing = spacing_of(reference, config.ndim)
        old = start_from.network if start_from else None
        scale = WorkingScale.choose(config, [sample for _, sample in loaded], spacing, old)
        pixel_size: Mapping[str, float] = dict(reference.pixel_size)
        frame = _Frame(normalisation, groups, scale, scale.spacing(spacing), pixel_size)
    else:
        frame = _Frame(normalisation, groups, decided.scale, decided.spacing, decided.pixel_size)
    painted = PaintedData(
        pairs,
        groups,
        prints,
        loaded,
        loader,
        config,
        scale=frame.scale,
        spacing=frame.spacing,
        context=CONTEXT[config.ndim],
        memory=memory,
        task=None if decided is None else decided.task,
    )
    if decided is None:
        painted.divide()
    else:
        painted.hold_out(decided.division)
    return frame, painted


def _decide(
    frame: _Frame,
    painted: PaintedData,
    config: TrainConfig,
    start_from: Model | None,
    old: Network | None,
    device: torch.device,
    memory: int,
    *,
    refine: bool,
) -> Decisions:
    """Choose all that the configuration leaves open."""
    samples, split = painted.samples, painted.split
    known = None if start_from is None else frame.scale.task(start_from.task)
    task = choose_task(config, samples, split.training, frame.spacing, known)
    data = _describe(samples, task, frame.spacing)
    with Randomness(config.seed, device)():  # it builds networks to look at them
        setup = choose_setup(config, data, device.type, memory, old, refine=refine)
    painted.know(task)
    return Decisions(
        normalisation=frame.normalisation,
        pixel_size=frame.pixel_size,
        scale=frame.scale,
        spacing=frame.spacing,
        task=task,
        data=data,
        setup=setup,
        network=config.network,
        start="",
        samples=len(samples),
        groups=frame.groups,
        division=painted.division,
        steps_per_epoch=steps_of_an_epoch(split, setup),
    )


def _checked(pairs: Sequence[Pair], config: TrainConfig, start_from: Model | None) -> list[Pair]:
    """Return the pairs with painted background told from cells; complain of what does not fit."""
    parted = [pair.with_background(config.background_id) for pair in pairs]
    check_pairs(parted, config)
    _check_start(start_from, parted[0], config)
    return parted


def _check_start(model: Model | None, pair: Pair, config: TrainConfig) -> None:
    if model is None:
        return
    if config.pretrained is not False:
        raise SettingsError(
            f"Training starts either from the model {model.name} or from ImageNet weights: "
            "leave one of them out."
        )
    if model.ndim != config.ndim or model.channels != pair.image.channels:
        raise SettingsError(
            f"{model.name} is a {model.ndim}D model of {model.channels} channel(s), but training "
            f"is {config.ndim}D with {pair.image.channels}: start from another model, or from none."
        )


def _build(
    config: TrainConfig, setup: Setup, old: Network | None, randomness: Randomness
) -> Network:
    """Return the network that learns: fresh, or with the weights that training starts from."""
    with randomness():
        name = old.name if old else config.network
        network = build_network(name, setup.network_options, pretrained=config.pretrained)
    if old is not None:
        inherit_weights(network, old)
    return network


def _whole_start(network: Network, start_from: Model | None) -> str:
    """Return the name of the model whose weights a network has, all of them; else ""."""
    if start_from is None:
        return ""
    old = start_from.network
    return start_from.name if len(fitting_weights(network, old)) == len(old.state_dict()) else ""


def _describe(samples: Sequence[Sample], task: Task, spacing: tuple[float, ...]) -> Data:
    shapes = np.median([sample.labels.shape for sample in samples], axis=0)
    diameter = None
    if task.kind.separates_objects:
        found = [diameters(np.where(s.annotated, s.labels, 0), spacing) for s in samples]
        sizes = np.concatenate(found)
        diameter = float(np.median(sizes)) if len(sizes) else None
    return Data(
        channels=samples[0].image.shape[0],
        out_channels=task.out_channels,
        shape=tuple(int(size) for size in shapes),
        spacing=spacing,
        diameter=diameter,
    )
