"""Labels compared with others that are right, and a way through what is wrong.

Two results are compared with each other where both are selected.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from napari.utils.colormaps import DirectLabelColormap

from napari.layers import Labels, Layer
from unet_napari._napari.jobs.job import Job
from unet_napari._napari.layers.layer_axes import array_of, geometry
from unet_napari._napari.layers.ownership import choosers
from unet_napari._napari.layers.shown import shown_data
from unet_napari._napari.layers.spots import go_to
from unet_napari._napari.outcomes.host import Host
from unet_napari._napari.sections.measuring import labels_image, measurable
from unet_napari._napari.widgets.fields import button
from unet_napari._napari.widgets.form import FormRows
from unet_napari._napari.widgets.layer_combo import layer_choice
from unet_napari.engine import CompareJob
from unet_napari.errors import LabelsError
from unet_napari.evaluation.difference import RIVAL_KINDS
from unet_napari.evaluation.object_errors import ERROR_KINDS
from unet_napari.images import Image

__all__ = ["Comparing"]

_COLOURS = {
    "missed": "red",
    "extra": "orange",
    "split": "magenta",
    "merged": "cyan",
    "only first": "cyan",
    "only second": "orange",
}
_CONTOUR = 2  # pixels
_SELECT = "Select the labels that are to be compared in the list of layers."
_RESULTS = 2  # that are compared at a time, at most
_TWO = "Select one result, or the two that are to be compared with each other, in the layer list."


class _Wrong(NamedTuple):
    """An object that is wrong: in which way, and where its centre is."""

    kind: str
    point: tuple[float, ...]


class _Compared(NamedTuple):
    """What is compared: labels that are right, and one or two results."""

    truth: Labels
    results: tuple[Labels, ...]


class Comparing:
    """The fields that compare labels, and the layers of outlines that come of it.

    Parameters
    ----------
    host : Host
        The dock.
    rows : FormRows
        The folded group that the fields are added to.
    """

    def __init__(self, host: Host, rows: FormRows) -> None:
        self._host = host
        self.truth = layer_choice(
            "truth",
            Labels,
            "no labels",
            "Labels that are right, such as painted ones: the selected labels, or else the\n"
            "latest result, are compared with them, object by object. Select two results to\n"
            "find out which is better.",
            label="right ones",
        )
        self.compare = button(
            "compare",
            "Compare",
            "Count what is right (AP, F1, PQ, Dice), and outline in layers of their own what is\n"
            "missed, extra, split and merged; of two results, what only one of them has right.",
        )
        self.next_wrong = button(
            "next_wrong",
            "Next wrong one",
            "Show the next object that is missed, extra, split or merged, or that only one of\n"
            "two results has right, in the middle of the screen.",
        )
        rows.add(self.truth)
        rows.add_beside(self.compare, self.next_wrong)
        self.next_wrong.enabled = False
        self._compared: _Compared | None = None
        self._layers: list[Labels] = []
        self._wrong: list[_Wrong] = []
        self._at = -1
        choosers.add(self)

    def connect(self) -> None:
        """Follow the buttons; after `Form.finish`, whose own followers take errors away."""
        self.compare.changed.connect(self._compare)
        self.next_wrong.changed.connect(self._go_on)

    def chosen_layers(self) -> Sequence[Layer]:
        """Return the labels that are right; no result is written to them."""
        truth = self.truth.value if self._host.docked else None
        return [] if truth is None else [truth]

    def _compare(self) -> None:
        self._host.beside("Labels can be compared", self._begin, self._take)

    def _begin(self) -> None:
        host, truth = self._host, self.truth.value
        if truth is None:
            raise LabelsError("To compare, choose the labels that are right (under Numbers).")
        results = self._results(truth)
        for labels in results:
            shapes = tuple(array_of(labels).shape), tuple(array_of(truth).shape)
            if shapes[0] != shapes[1]:
                raise LabelsError(
                    f"'{labels.name}' has the shape {shapes[0]}, but '{truth.name}' {shapes[1]}: "
                    "choose labels of the same image."
                )
        self._compared = compared = _Compared(truth, results)
        image = host.chosen().image
        host.in_background(lambda: _job(host.job, compared, image), host.job.start)

    def _results(self, truth: Labels) -> tuple[Labels, ...]:
        """Return the selected results, or else the latest one."""
        selection = self._host.viewer.layers.selection
        selected = [layer for layer in selection if isinstance(layer, Labels)]
        results = [layer for layer in selected if layer is not truth and layer not in self._layers]
        if len(results) > _RESULTS:
            raise LabelsError(_TWO)
        if len(results) == _RESULTS:
            order = self._host.viewer.layers.index
            return tuple(sorted(results, key=order))
        layer, image, purpose, _ = self._host.chosen()
        axes = "" if image is None else image.axes
        if selection.active is truth or selection.active in self._layers:
            selection.active = results[0] if results else None
        try:
            labels = measurable(self._host.viewer, layer, axes, purpose)
        except LabelsError:
            if selected:
                raise LabelsError(_SELECT) from None
            raise
        if labels is truth:
            raise LabelsError(_SELECT)
        return (labels,)

    def _take(self, result: Mapping[str, Any]) -> str:
        compared, self._compared = self._compared, None
        viewer = self._host.viewer
        if compared is None or any(
            layer not in viewer.layers for layer in (compared.truth, *compared.results)
        ):
            return "The labels were removed meanwhile."
        places = result["places"]
        kinds = ERROR_KINDS if len(compared.results) == 1 else RIVAL_KINDS
        self._show(compared, kinds, result["layers"])
        self._wrong = [
            _Wrong(said, tuple(point))
            for kind, said in zip(kinds, _said(kinds, compared), strict=True)
            for point in places.get(kind, ())
        ]
        self._at = -1
        self.next_wrong.enabled = bool(self._wrong)
        self._host.status.native.setToolTip(result["text"])
        found = [len(places.get(kind, ())) for kind in kinds]
        if "difference" in result:
            return f"{result['difference']} Right in one only: {found[0]:,} and {found[1]:,}."
        scores = result["scores"]
        counts = ", ".join(f"{n:,} {kind}" for n, kind in zip(found, kinds, strict=True))
        return (
            f"'{compared.results[0].name}' against '{compared.truth.name}': "
            f"AP50 {scores['AP50']:.3f}, F1 {scores['F1']:.3f}, PQ {scores['PQ']:.3f}, "
            f"Dice {scores['Dice']:.3f}; {counts}."
        )

    def _show(self, compared: _Compared, kinds: Sequence[str], found: Mapping[str, Any]) -> None:
        """Show what is wrong in layers of outlines, in place of those of the last comparison."""
        viewer = self._host.viewer
        for layer in self._layers:
            if layer in viewer.layers:
                viewer.layers.remove(layer)
        self._layers = []
        for kind in reversed(kinds):
            if kind in found:
                source = compared.results[kind == "only second"]
                layer = Labels(
                    shown_data(found[kind]),
                    name=f"{kind.partition(' ')[0]} · {source.name}",
                    colormap=DirectLabelColormap(
                        color_dict={None: _COLOURS[kind], 0: "transparent"}
                    ),
                    **geometry(source, "Z" * source.ndim),
                )
                layer.contour = _CONTOUR
                layer.editable = False
                viewer.layers.append(layer)
                self._layers.append(layer)
        viewer.layers.selection.active = compared.results[0]

    def _go_on(self) -> None:
        """Show the next object that is wrong."""
        viewer = self._host.viewer
        shown = [layer for layer in self._layers if layer in viewer.layers]
        if not self._wrong or not shown:
            self._host.status.say("Compare first: there is nothing wrong to show.")
            return
        self._at = (self._at + 1) % len(self._wrong)
        wrong = self._wrong[self._at]
        go_to(viewer, shown[0], wrong.point)
        self._host.status.say(f"{wrong.kind}: {self._at + 1:,} of {len(self._wrong):,}.")


def _said(kinds: Sequence[str], compared: _Compared) -> Sequence[str]:
    """Return what the line calls the objects of each kind."""
    if len(compared.results) == 1:
        return kinds
    return [f"only '{layer.name}' has it right" for layer in compared.results]


def _job(job: Job, compared: _Compared, image: Image | None) -> CompareJob:
    """Make all labels readable as they are now; takes as long as reading them."""
    layers = (compared.truth, *compared.results)
    return CompareJob(*(job.share(labels_image(layer, image), snapshot=True) for layer in layers))
