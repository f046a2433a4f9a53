import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.errors import FrameError
from motionseg.metrics.change import ChangeCounts, count_change

shapes = st.just((5, 6))
masks = hnp.arrays(np.uint8, shapes, elements=st.sampled_from([0, 127, 255]))
truths = hnp.arrays(np.uint8, shapes, elements=st.sampled_from([0, 50, 85, 170, 255]))
rois = hnp.arrays(np.bool_, shapes) | st.none()


@given(masks, truths, rois)
def test_pixel_by_pixel(mask, truth, roi):
    tp = fp = fn = tn = 0
    for y in range(5):
        for x in range(6):
            if truth[y, x] in (85, 170) or (roi is not None and not roi[y, x]):
                continue
            found, moving = mask[y, x] == 255, truth[y, x] == 255
            tp, fp, fn, tn = (
                tp + (found & moving),
                fp + (found & ~moving),
                fn + (~found & moving),
                tn + (~found & ~moving),
            )
    assert count_change(mask, truth, roi) == ChangeCounts(tp, fp, fn, tn)


def test_ratios():
    counts = ChangeCounts(tp=6, fp=2, fn=6, tn=86)
    assert (counts.precision, counts.recall) == (0.75, 0.5)
    assert counts.f_measure == pytest.approx(2 * 0.75 * 0.5 / 1.25)
    empty = ChangeCounts()
    assert (empty.precision, empty.recall, empty.f_measure) == (0, 0, 0)


def test_shapes_must_agree():
    with pytest.raises(FrameError, match="differ"):
        count_change(np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8))
    with pytest.raises(FrameError, match="roi"):
        count_change(np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.uint8), np.ones((2, 2), bool))
