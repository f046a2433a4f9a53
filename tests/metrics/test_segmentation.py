import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.geometry import mask_iou
from motionseg.metrics.segmentation import ConfusionMatrix, boundary_iou, count_classes

masks = hnp.arrays(np.bool_, (9, 14))


def slow_band(mask, width):
    """Pixels of `mask` with a pixel outside it, or outside the frame, in the square of `width` pixels around them."""
    padded = np.pad(mask, width)
    band = mask.copy()
    for y, x in np.argwhere(mask):
        band[y, x] = not padded[y : y + 2 * width + 1, x : x + 2 * width + 1].all()
    return band


@given(masks, masks, st.sampled_from([0.001, 0.1, 0.2, 0.5]))
def test_boundary_iou_is_that_of_the_slow_bands(mask, truth, dilation):
    mask, truth = np.pad(mask.repeat(3, axis=0), 2), np.pad(truth.repeat(3, axis=0), ((0, 4), (4, 0)))
    width = max(1, round(dilation * math.hypot(*mask.shape)))
    expected = mask_iou(slow_band(mask, width), slow_band(truth, width))
    assert boundary_iou(mask, truth, dilation=dilation) == expected


def test_boundary_iou_by_hand():
    truth, found = np.zeros((300, 400), bool), np.zeros((300, 400), bool)
    truth[50:250, 50:350] = True  # 0.02 x 500 px: bands of 10 px
    found[55:245, 55:345] = True
    area = {inset: (200 - 2 * inset) * (300 - 2 * inset) for inset in (0, 5, 10, 15)}
    common = area[5] - area[10]
    union = (area[0] - area[10]) + (area[5] - area[15]) - common
    assert boundary_iou(found, truth) == common / union
    assert boundary_iou(found, truth) < mask_iou(found, truth)


def test_boundary_iou_of_nothing_void_and_the_frame_itself():
    nothing, everything = np.zeros((40, 40), bool), np.ones((40, 40), bool)
    assert boundary_iou(nothing, nothing) == 1
    assert boundary_iou(everything, nothing) == 0
    inner = np.pad(np.ones((38, 38), bool), 1)
    assert boundary_iou(inner, everything, dilation=1e-9) == 0  # bands of 1 px along the frame's border, and beside it


def test_boundary_iou_of_bad_input():
    good = np.zeros((4, 5), bool)
    with pytest.raises(FrameError, match="mask holds"):
        boundary_iou(good.astype(float), good)
    with pytest.raises(FrameError, match="differ"):
        boundary_iou(good, good.T)
    for dilation in (0, -0.1, 1.1, math.nan):
        with pytest.raises(ParameterError, match="dilation"):
            boundary_iou(good, good, dilation=dilation)


labels = hnp.arrays(np.int32, (5, 6), elements=st.integers(0, 3))
truths = hnp.arrays(np.int32, (5, 6), elements=st.integers(-1, 3))


@given(labels, truths)
def test_pixel_by_pixel(found, truth):
    counts = np.zeros((4, 4), int)
    for a, b in zip(found.ravel(), truth.ravel(), strict=True):
        if b != -1:
            counts[b, a] += 1
    assert count_classes(found, truth, 4).counts.tolist() == counts.tolist()


@given(labels, truths)
def test_parts_add_up(found, truth):
    parts = [count_classes(found[rows], truth[rows], 4) for rows in (slice(0, 2), slice(2, 5))]
    assert (parts[0] + parts[1]).counts.tolist() == count_classes(found, truth, 4).counts.tolist()


def test_ratios_by_hand():
    # Class 2 is found (once) but not true; class 3 is neither.
    matrix = ConfusionMatrix(np.array([[8, 1, 1, 0], [2, 4, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]))
    assert matrix.pixel_accuracy == 12 / 16
    assert matrix.mean_accuracy == pytest.approx((8 / 10 + 4 / 6) / 2)
    assert matrix.class_iou == pytest.approx([8 / 12, 4 / 7, 0, math.nan], nan_ok=True)
    assert matrix.mean_iou == pytest.approx((8 / 12 + 4 / 7 + 0) / 3)
    assert matrix.weighted_iou == pytest.approx(10 / 16 * 8 / 12 + 6 / 16 * 4 / 7)
    accuracies = {"pixel accuracy": matrix.pixel_accuracy, "mean accuracy": matrix.mean_accuracy}
    assert matrix.metrics() == {**accuracies, "mIoU": matrix.mean_iou, "fwIoU": matrix.weighted_iou}


def test_nothing_judged():
    matrix = count_classes(np.zeros((2, 2), int), np.full((2, 2), 255), 3, void=255)
    ratios = (matrix.pixel_accuracy, matrix.mean_accuracy, matrix.mean_iou, matrix.weighted_iou, *matrix.class_iou)
    assert all(math.isnan(ratio) for ratio in ratios)


def test_classes_of_bad_input():
    zeros = np.zeros((2, 3), np.int32)
    with pytest.raises(FrameError, match=r"labels holds classes 0 \.\. 1, not 0 \.\. 2"):
        count_classes(np.array([[0, 2]]), np.array([[0, 1]]), 2)
    with pytest.raises(FrameError, match=r"truth holds classes 0 \.\. 1, not -1 \.\. 0"):
        count_classes(np.array([[0, 0]]), np.array([[0, -1]]), 2, void=255)
    assert count_classes(np.array([[0, 9]]), np.array([[0, -1]]), 2).counts.sum() == 1  # void: whatever was found
    with pytest.raises(FrameError, match="labels holds integers"):
        count_classes(zeros.astype(float), zeros, 2)
    with pytest.raises(FrameError, match="differ"):
        count_classes(zeros, zeros.T, 2)
    with pytest.raises(ParameterError, match="n_classes"):
        count_classes(zeros, zeros, 0)
    with pytest.raises(ParameterError, match="of 2 and of 3 classes"):
        count_classes(zeros, zeros, 2) + count_classes(zeros, zeros, 3)
