"""Losses: values against MONAI, gradients against finite differences, unlabelled pixels silent."""

import warnings

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch.autograd import gradcheck

from unet_napari.errors import SettingsError
from unet_napari.tasks.criterion import Criterion, frequency_weights
from unet_napari.tasks.loss_catalogue import losses_of
from unet_napari.tasks.losses import multi_class_loss, multi_label_loss
from unet_napari.tasks.target import Target

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # MONAI's own, when it is imported
    from monai.losses import DiceCELoss, DiceLoss, FocalLoss

CELLS = (*losses_of("independent"), "bce+dice", "bce+dice+focal")
SEMANTIC = (*losses_of("exclusive"), "ce+dice", "ce+focal+dice")


@pytest.fixture
def maps():
    """Logits, float targets and full weight of two maps."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 2, 5, 6, generator=generator, dtype=torch.float64)
    values = (torch.rand(2, 2, 5, 6, generator=generator) > 0.6).double()
    return logits, Target(values, torch.ones(2, 1, 5, 6).double())


@pytest.fixture
def classes():
    """Logits, class positions and full weight of three classes."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    index = torch.randint(0, 3, (2, 1, 4, 5), generator=generator)
    return logits, Target(index, torch.ones(2, 1, 4, 5).double())


def one_hot(index, count):
    return F.one_hot(index[:, 0], count).movedim(-1, 1).double()


def batch_dice(**options):
    return DiceLoss(batch=True, smooth_nr=1e-5, smooth_dr=1e-5, **options)


def test_multi_label_values_are_those_of_monai(maps):
    logits, target = maps
    dice = batch_dice(sigmoid=True)(logits, target.values)
    bce = F.binary_cross_entropy_with_logits(logits, target.values)
    focal = FocalLoss(gamma=2.0, alpha=0.25)(logits, target.values)
    for criterion, expected in [
        (Criterion("bce"), bce),
        (Criterion("dice"), dice),
        (Criterion("focal"), focal),
        (Criterion("bce+dice", alpha=0.3), 0.3 * bce + 0.7 * dice),
        (Criterion("bce+dice+focal", alpha=0.4), 0.4 * bce + 0.3 * dice + 0.3 * focal),
    ]:
        found = multi_label_loss(criterion, logits, target)
        torch.testing.assert_close(found.float(), expected.float())


def test_multi_class_values_are_those_of_monai(classes):
    logits, target = classes
    truth = one_hot(target.values, 3)
    options = {"softmax": True, "smooth_nr": 1e-5, "smooth_dr": 1e-5, "batch": True}
    for criterion, expected in [
        (Criterion("ce"), F.cross_entropy(logits, target.values[:, 0])),
        (Criterion("dice"), batch_dice(softmax=True)(logits, truth)),
        (Criterion("focal", gamma=1.5), 3 * FocalLoss(gamma=1.5, use_softmax=True)(logits, truth)),
        (Criterion("ce+dice"), 0.5 * DiceCELoss(**options)(logits, truth)),
    ]:
        found = multi_class_loss(criterion, logits, target)
        torch.testing.assert_close(found.float(), expected.float())  # MONAI's focal is float32


def test_class_weights_are_those_of_torch(classes):
    logits, target = classes
    weights = (0.2, 3.0, 1.0)
    expected = F.cross_entropy(logits, target.values[:, 0], torch.tensor(weights).double())
    criterion = Criterion("ce", class_weights=weights)
    torch.testing.assert_close(multi_class_loss(criterion, logits, target), expected)


def test_focal_without_focus_is_cross_entropy(maps, classes):
    logits, target = classes
    plain = multi_class_loss(Criterion("ce"), logits, target)
    focal = multi_class_loss(Criterion("focal", gamma=0), logits, target)
    torch.testing.assert_close(focal, plain)
    logits, target = maps
    plain = multi_label_loss(Criterion("bce"), logits, target)
    focal = multi_label_loss(Criterion("focal", gamma=0, focal_alpha=0.5), logits, target)
    torch.testing.assert_close(2 * focal, plain)


@pytest.mark.parametrize("name", CELLS)
def test_multi_label_gradients_are_those_of_finite_differences(maps, name):
    logits, target = maps
    weight = torch.rand(2, 2, 5, 6, generator=torch.Generator().manual_seed(2)).double()
    soft = Target(0.8 * target.values + 0.1, weight)
    criterion = Criterion(name, class_weights=(1.0, 2.0))
    assert gradcheck(lambda x: multi_label_loss(criterion, x, soft), logits.requires_grad_())


@pytest.mark.parametrize("name", SEMANTIC)
def test_multi_class_gradients_are_those_of_finite_differences(classes, name):
    logits, target = classes
    weighted = target._replace(weight=torch.rand(2, 1, 4, 5).double())
    criterion = Criterion(name, class_weights=(1.0, 2.0, 0.5))
    assert gradcheck(lambda x: multi_class_loss(criterion, x, weighted), logits.requires_grad_())


@pytest.mark.parametrize("labelled", [0, 1, 7])
@pytest.mark.parametrize("name", sorted({*CELLS, *SEMANTIC}))
def test_unlabelled_pixels_get_no_gradient_and_the_loss_is_finite(maps, classes, name, labelled):
    if name not in CELLS:
        loss, (logits, target) = multi_class_loss, classes
    else:
        loss, (logits, target) = multi_label_loss, maps
    weight = torch.zeros_like(target.weight)
    weight.view(-1)[:labelled] = 1
    logits = (100 * logits).requires_grad_()
    value = loss(Criterion(name), logits, target._replace(weight=weight))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad * (weight == 0)).eq(0).all()
    if labelled == 0:
        assert value == 0


def test_multi_label_dice_ignores_unlabelled_pixels(maps):
    logits, target = maps
    weight = torch.zeros_like(target.weight)
    weight[:, :, :3] = 1
    cropped = Target(target.values[:, :, :3], weight[:, :, :3])
    for name in CELLS:
        masked = multi_label_loss(Criterion(name), logits, target._replace(weight=weight))
        expected = multi_label_loss(Criterion(name), logits[:, :, :3], cropped)
        torch.testing.assert_close(masked, expected)


def test_half_precision_logits_lose_nothing_but_their_own_digits(maps):
    logits, target = maps
    half = multi_label_loss(Criterion("bce+dice"), logits.bfloat16(), target)
    full = multi_label_loss(Criterion("bce+dice"), logits.bfloat16().float(), target)
    torch.testing.assert_close(half, full, rtol=0, atol=0)


def test_frequency_weights_give_every_class_the_same_say():
    weights = frequency_weights((100, 300, 0))
    assert [w * n for w, n in zip(weights, (100, 300, 0), strict=True)] == pytest.approx(
        [400 / 3, 400 / 3, 0]
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "ce", "alpha": 2}, "alpha of the loss must be a number from 0 to 1, not 2"),
        ({"name": "ce", "gamma": float("nan")}, "gamma"),
        ({"name": "ce", "border_sigma": True}, "border_sigma"),
        ({"name": "ce", "class_weights": [1, "2"]}, "class_weights"),
        ({"name": "ce", "class_weights": 3}, "class_weights must be a list"),
        ({"name": "ce", "class_weights": [1.0] * 1001}, "at most 1000"),
        ({"name": 3}, "name must be text, not 3"),
        ({"name": "ce", "beta": 1}, "The loss has no setting beta; it has name, alpha"),
        (7, "The loss must be names with values, not 7"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings, message):
    with pytest.raises(SettingsError, match=message):
        Criterion.from_dict(settings)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "bce+nonsense",
            "There is no loss 'nonsense' for this task, only bce, ",
        ),
        ("bce+dice+bce", "names a term twice"),
        ("bce+", "There is no loss '' for this task"),
        ("ce+dice", "There is no loss 'ce' for this task"),
    ],
)
def test_a_sum_with_a_term_that_does_not_fit_is_refused(name, message):
    with pytest.raises(SettingsError, match=message):
        Criterion(name).check("independent", 3)


def test_the_first_term_of_a_sum_has_the_weight_alpha_and_the_others_share_the_rest():
    criterion = Criterion("bce", alpha=0.4)
    assert criterion.term_weights(1) == (1.0,)
    assert criterion.term_weights(2) == (0.4, 0.6)
    assert criterion.term_weights(4) == pytest.approx((0.4, 0.2, 0.2, 0.2))
