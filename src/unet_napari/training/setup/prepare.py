"""Everything before the first step: read, check, split, choose, build."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unet_napari.errors import SettingsError
from unet_napari.images import Normalisation
from unet_napari.inference.backends.device_choice import choose_device
from unet_napari.labels.measure import diameters
from unet_napari.networks import build_network
from unet_napari.system.device import available_memory
from unet_napari.training.candidates.best import Kept
from unet_napari.training.candidates.incumbent import Incumbent
from unet_napari.training.data.augment import Augmenter
from unet_napari.training.data.check_pairs import check_pairs
from unet_napari.training.data.identity import fingerprint, image_groups
from unet_napari.training.data.pairs import load_samples, reference_image, spacing_of
from unet_napari.training.data.patches import PatchSampler
from unet_napari.training.data.split import Split, split_samples
from unet_napari.training.events import Started
from unet_napari.training.held_out import describe_judged, judged_parts
from unet_napari.training.judge import Judge
from unet_napari.training.learner import Randomness
from unet_napari.training.setup.choose_task import choose_task
from unet_napari.training.setup.configure import Data, Setup, choose_setup
from unet_napari.training.setup.inherit import fitting_weights, inherit_weights
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
    from unet_napari.training.learner import State

__all__ = ["Prepared", "prepare"]

# Pixels of image around what is validated; changes beyond move little.
_CONTEXT = {2: 64, 3: 24}
_OVERLAP = {2: 32, 3: 16}  # the same, where memory asks for parts
_SHORTEST_EPOCH = 10  # steps; the few pixels of a scribble alone would make an epoch of one
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Prepared:
    """What a training run starts with.

    Attributes
    ----------
    device
        Where the network learns.
    randomness
        Random numbers of the network: fresh weights were drawn from it, dropout will be.
    normalisation, pixel_size
        The normalisation and pixel size of the images; pixel size in micrometres where it is known.
    scale
        How coarse the images are to the network; all that follows is in its pixels.
    spacing
        Pixel size per axis of the network, relative to the smallest.
    task
        With the classes that were found in the labels.
    data
        What was painted on, in numbers.
    split
        What is trained on and what is held out.
    judged
        What of it is judged each time.
    halo
        Pixels that a part of it is shown of its neighbours, where it is predicted in parts.
    tile
        Pixels that may be predicted at once beside the training.
    samples
        Number of images or slices that hold annotated pixels.
    images
        What the provenance says about the images, see `describe_data`.
    setup
        What was chosen.
    network
        Fresh, or with the weights of the model that training starts from.
    start
        Name of that model, if all of its weights are in the network; else "".
    """

    device: torch.device
    randomness: Randomness
    normalisation: Normalisation
    pixel_size: dict[str, float]
    scale: WorkingScale
    spacing: tuple[float, ...]
    task: Task
    data: Data
    split: Split
    judged: list[Sample]
    halo: tuple[int, ...]
    tile: int
    samples: int
    images: dict[str, Any]
    setup: Setup
    network: Network
    start: str

    @property
    def chosen(self) -> tuple[str, ...]:
        """All that was chosen, one line each."""
        validation = self.split.message
        judged = describe_judged(self.split.validation, self.judged, self.task.name)
        if judged:
            validation = f"{validation}; {judged}"
        device = f"Device: {self.device.type}."
        scale = filter(None, [self.scale.describe()])
        return (*self.setup.chosen, *scale, f"Validation: {validation}.", device)

    def describe(self) -> Started:
        """Return what the first event of the training says."""
        return Started(
            chosen=self.chosen,
            device=self.device.type,
            patch=self.setup.patch,
            batch=self.setup.batch,
            samples=self.samples,
            parameters=self.network.parameter_count,
            validation=self.split.message,
        )

    @property
    def steps_per_epoch(self) -> int:
        """Steps that draw as many pixels as are annotated."""
        annotated = sum(int(sample.annotated.sum()) for sample in self.split.training)
        drawn = self.setup.batch * math.prod(self.setup.patch)
        return max(_SHORTEST_EPOCH, math.ceil(annotated / drawn))

    def make_judge(self) -> Judge:
        """Make what scores the network."""
        return Judge(self.judged, self.task, self.device, halo=self.halo, most=self.tile)

    def make_start(self, state: State, config: TrainConfig) -> Incumbent | None:
        """Make what decides whether the start stays, where nothing is held out to decide it."""
        if not self.start or self.judged:
            return None
        context, training = _CONTEXT[config.ndim], self.split.training
        painted = judged_parts(training, self.spacing, context, config.seed, config.task)
        kept = Kept(state, self.task, 0, None)
        return Incumbent(self.start, kept, painted, self.device, halo=self.halo, most=self.tile)

    def make_sampler(self, config: TrainConfig) -> PatchSampler:
        """Make the source of the batches, on the GPU where the samples fit there."""
        training = self.split.training
        place = _CPU
        # A fast GPU would wait for a CPU to make its patches.
        if self.device.type == "cuda":
            size = sum(s.image.nbytes + s.labels.nbytes + s.annotated.nbytes for s in training)
            place = self.device if size < available_memory(self.device) // 4 else _CPU
        rng = np.random.default_rng(config.seed)
        generator = torch.Generator(place).manual_seed(config.seed)
        augmenter = Augmenter(config.augment, self.setup.patch, self.spacing, rng, generator)
        return PatchSampler(training, config.task, augmenter, rng, place)


def prepare(pairs: Sequence[Pair], config: TrainConfig, start_from: Model | None) -> Prepared:
    """Read the pairs and choose all that the configuration leaves open.

    Raises
    ------
    ImageError, LabelsError, SettingsError, ResourceError
        Naming what is wrong and the remedy.
    """
    pairs = _checked(pairs, config, start_from)
    device = choose_device(config.device, config.ndim)
    memory = config.memory or available_memory(_CPU) // 2
    normalisation = Normalisation() if start_from is None else start_from.normalisation
    images = [pair.image for pair in pairs]
    prints = [fingerprint(image) for image in images]
    groups = image_groups(images, prints)
    samples = load_samples(pairs, config, normalisation, memory // 4, groups)
    reference = reference_image(pairs, config.ndim)
    old = start_from.network if start_from else None
    spacing = spacing_of(reference, config.ndim)
    scale = WorkingScale.choose(config, samples, spacing, old)
    samples, spacing, config = scale.samples(samples), scale.spacing(spacing), scale.config(config)
    old = scale.plain(old)
    split = split_samples(
        samples,
        task=config.task,
        fraction=config.validation,
        spacing=spacing,
        context=_CONTEXT[config.ndim],
        seed=config.seed,
    )
    known = None if start_from is None else scale.task(start_from.task)
    task = choose_task(config, samples, split.training, spacing, known)
    if device.type != "cpu" and config.memory is None:
        memory = available_memory(device) // 2
    data = _describe(samples, task, spacing)
    with Randomness(config.seed, device)():  # it builds networks to look at them
        setup = choose_setup(config, data, device.type, 3 * memory // 4, old)
    randomness = Randomness(config.seed, device)
    network = _build(config, setup, old, randomness)
    context = _CONTEXT[config.ndim]
    judged = judged_parts(split.validation, spacing, context, config.seed, config.task)
    return Prepared(
        device=device,
        randomness=randomness,
        normalisation=normalisation,
        pixel_size=dict(reference.pixel_size),
        scale=scale,
        spacing=spacing,
        task=task,
        data=data,
        split=split,
        judged=judged,
        halo=tuple(round(_OVERLAP[config.ndim] / step) for step in spacing),
        tile=largest_tile(network, setup.patch, 3 * memory // 4),
        samples=len(samples),
        images=describe_data(images, prints),
        setup=setup,
        network=network,
        start=_whole_start(network, start_from),
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
