"""The training run: pairs and settings in, a generator of events and a model out."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unet_napari.model.schema import encode_info
from unet_napari.training.data.patch_sheet import thumbnail as draw_thumbnail
from unet_napari.training.measured_halo import TOLERANCE
from unet_napari.training.run.loop import Loop
from unet_napari.training.setup.prepare import prepare
from unet_napari.training.setup.provenance import describe_painted, describe_training
from unet_napari.training.start.choose import choose_start
from unet_napari.training.start.given import NOTHING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unet_napari.model.model import Model
    from unet_napari.tasks import Task
    from unet_napari.training.config import TrainConfig
    from unet_napari.training.data.pairs import Pair
    from unet_napari.training.events import TrainEvent
    from unet_napari.training.run.recorded_curve import RecordedCurve
    from unet_napari.training.setup.decisions import Decisions
    from unet_napari.training.start.given import GivenStart

__all__ = ["Trainer"]


class Trainer:
    """Trains a network on what was painted.

    What is painted may change while it trains, see `update` and `add`.

    Parameters
    ----------
    pairs
        Images and their labels.
    config
        The settings.
    start_from
        A model whose network and weights training starts from; of its last layer only what
        still fits. ``"auto"``: it is chosen, see `choose_start`.
    decided
        What was decided when the training began, if it goes on; see `unet_napari.training.state`.

    Raises
    ------
    ImageError, LabelsError, SettingsError, ResourceError, OutputError
        Before anything is trained, naming what is wrong and the remedy.

    Examples
    --------
    >>> trainer = Trainer(pairs, TrainConfig(seconds=60))    # doctest: +SKIP
    >>> for event in trainer.run():                          # doctest: +SKIP
    ...     print(event.describe())
    >>> trainer.best_model().save("cells.unet")              # doctest: +SKIP

    Paint joins while it runs, between any two events:

    >>> trainer = Trainer(pairs, TrainConfig(live=True))     # doctest: +SKIP
    >>> for event in trainer.run():                          # doctest: +SKIP
    ...     if (box := painted_since()) is not None:
    ...         trainer.update(0, box.start, labels[box.to_slices()])
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        config: TrainConfig,
        start_from: GivenStart = None,
        *,
        decided: Decisions | None = None,
    ) -> None:
        self.config = config
        chosen = choose_start(pairs, config, start_from)
        prepared = prepare(pairs, config, chosen.model, decided, refine=chosen.refine)
        self.prepared = prepared
        self._numbers = list(range(len(pairs)))  # of the pairs, as `update` calls them
        self._loop = Loop(config, prepared, chosen.tell(prepared.describe()))
        self._about = {
            **describe_training(config, pairs),
            **prepared.images,
            "chosen": list(prepared.decided.setup.chosen),
            "start": chosen.about if decided is None else {"name": decided.start or NOTHING},
            "device": prepared.device.type,
        }
        self._joined = self._continued = 0
        if config.live:
            for number in range(len(pairs)):
                prepared.painted.paint(number)
        encode_info(self.model.info)  # what cannot be saved is not worth training

    @property
    def model(self) -> Model:
        """The network as it is now, in eval mode between two events; shared, not a copy."""
        loop, prepared = self._loop, self.prepared
        task = loop.choice.judge.task
        about = self._provenance(task, loop.step, None)
        model = prepared.make_model(loop.learner.judged, task, about, loop.halo)
        return prepared.decided.scale.model(model)

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return self._loop.step

    @property
    def seconds(self) -> float:
        """How many seconds they took, with the validations."""
        return self._loop.seconds

    @property
    def curve(self) -> RecordedCurve:
        """The losses and scores so far."""
        return self._loop.curve

    @property
    def best_step(self) -> int:
        """After which step the network had the weights that `best_model` returns."""
        return self._loop.choose().step

    @property
    def score(self) -> float | None:
        """The score of `best_model`; None if it was not judged."""
        return self._loop.choose().score

    @property
    def score_name(self) -> str:
        """What the score is called."""
        return self.prepared.decided.task.score_name

    @property
    def verdict(self) -> str:
        """What the score of `best_model` means, or what a score needs."""
        return self._loop.verdict

    @property
    def course(self) -> dict[str, Any]:
        """How the training went, as far as repeating it depends on that; JSON-able values.

        ``start``: what it started from, as the provenance of the model says it; ``device``;
        ``versions``; ``joined``: how often paint was changed while it ran; ``continued``: how often
        it was gone on with; ``stopped``: whether it did not come to its end.
        """
        kept = {name: self._about[name] for name in ("start", "device", "versions")}
        went = {"joined": self._joined, "continued": self._continued}
        return {**kept, **went, "stopped": self._loop.stopped}

    def best_model(self, *, thumbnail: bool = True) -> Model:
        """Return a copy with the best validated weights, or the present ones if there are none.

        It is on the CPU, and its decoding thresholds are tuned on the validation regions. Its
        thumbnail, for which the network has to predict, can be left out.
        """
        loop, prepared = self._loop, self.prepared
        kept = loop.choose()
        about = self._provenance(kept.task, kept.step, kept.score)
        about["painted"] = describe_painted(prepared.painted.samples, kept.task.kind)
        model = prepared.make_model(loop.network_of(kept), kept.task, about, loop.halo)
        shown = loop.choice.judge.samples or prepared.split.training
        if thumbnail and shown:
            model.thumbnail = draw_thumbnail(model, shown[0], prepared.tile)
        return prepared.decided.scale.model(model)

    def update(
        self,
        pair: int,
        start: Sequence[int],
        labels: NDArray[Any],
        annotated: NDArray[Any] | None = None,
        *,
        background: int | None = None,
    ) -> None:
        """Change what is painted in a box; the training goes on with it after the present step.

        What is held out stays held out: new paint there is judged by, and all other is trained
        on. The brightness scale, the classes and the working scale stay, too.

        Parameters
        ----------
        pair
            Number of the pair, in the order in which they were given and added.
        start
            First pixel of the box along each axis of the labels.
        labels
            What the labels hold in the box now: as many axes as they have, integers. The array is
            copied.
        annotated
            Mask of the pixels that are annotated as a whole, of the same shape; None: as before.
        background
            Label number of this pair that means background from now on.

        Raises
        ------
        LabelsError
            If there is no such pair, or the box does not lie within its labels.
        """
        self.prepared.painted.put(self._number(pair), start, labels, annotated, background)
        self._joined += 1

    def add(self, pair: Pair) -> int:
        """Let another image with labels join the training; return its number for `update`.

        It is trained on, unless it is of an image of which something is held out.

        Raises
        ------
        ImageError, LabelsError
            If it does not fit the training.
        """
        number = self.prepared.painted.add(pair.with_background(self.config.background_id))
        self._numbers.append(number)
        self._joined += 1
        return len(self._numbers) - 1

    def remove(self, pair: int) -> None:
        """Let a pair leave the training after the present step, with all that is painted on it.

        The other pairs keep their numbers.

        Parameters
        ----------
        pair
            Number of the pair, as of `update`.

        Raises
        ------
        LabelsError
            If there is no such pair.
        """
        self.prepared.painted.remove(self._number(pair))
        self._joined += 1

    def _number(self, pair: int) -> int:
        return self._numbers[pair] if 0 <= pair < len(self._numbers) else pair

    def take_updates(self) -> tuple[int, int]:
        """Take in what waits now, rather than before the next step.

        Returns
        -------
        tuple of int
            Numbers of annotated pixels that are trained on, and that are held out.
        """
        self._loop.take()
        split = self.prepared.split
        sides = (split.training, split.validation)
        training, validation = (sum(int(s.annotated.sum()) for s in side) for side in sides)
        return training, validation

    def run(self) -> Generator[TrainEvent, None, None]:
        """Train until the budget is used up, yielding events; to stop, ask for no more.

        A training with ``TrainConfig.live`` has no end. When there is nothing to gain it yields
        `Resting`; who asks for more without new paint lets it go on for as long again.

        Yields
        ------
        Started, then Step and now and then Validated, and Finished at the end

        Raises
        ------
        LabelsError
            If nothing is painted any more, and more is asked for after `Resting`.
        ResourceError
            If even a single patch does not fit into the memory.
        """
        yield from self._loop.run()

    def snapshot(self) -> dict[str, Any]:
        """Return all that decides how the training goes on, besides what is painted."""
        course = {name: self.course[name] for name in ("start", "joined", "continued")}
        return {**self._loop.snapshot(), "course": course}

    def restore(
        self, snapshot: Mapping[str, Any], numbers: Sequence[int], *, anew: bool = False
    ) -> None:
        """Go on after `snapshot`, with what is left of its budget or with a budget `anew`.

        Parameters
        ----------
        snapshot
            What `snapshot` has returned.
        numbers
            What `update` calls the pairs that it is given, and then those that are added.
        anew
            Whether the budget begins now.
        """
        self._loop.restore(snapshot, anew=anew)
        course = snapshot.get("course", {})
        self._about["start"] = course.get("start", self._about["start"])
        self._joined = int(course.get("joined", 0))
        self._continued = int(course.get("continued", 0)) + 1
        self._numbers = [list(numbers).index(number) for number in range(len(numbers))]

    def _provenance(self, task: Task, step: int, score: float | None) -> dict[str, Any]:
        return {
            "score": score,
            "score_name": task.score_name,
            **self._about,
            "validation": self.prepared.split.message,
            "step": step,
            "steps": self._loop.step,
            "seconds": round(self._loop.seconds, 1),
            "finished": self._loop.reason,
            "halo_tolerance": None if self._loop.halo is None else TOLERANCE,
        }
