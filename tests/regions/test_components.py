import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from motionseg.core.errors import FrameError, ParameterError
from motionseg.regions import find_regions, measure_labels

masks = hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.sampled_from([0, 127, 255]))


@given(masks, st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_regions_are_as_scipy_measures_them(mask, min_area, seed):
    rng = np.random.default_rng(seed)
    score = rng.random(mask.shape, np.float32)
    frame = rng.integers(0, 256, (*mask.shape, 3), np.uint8)
    labels, regions = find_regions(mask, score=score, frame=frame, min_area=min_area)
    expected, n = ndimage.label(mask == 255, np.ones((3, 3)))
    kept = [i for i in range(1, n + 1) if (expected == i).sum() >= min_area]
    assert labels.dtype == np.int32
    assert len(regions) == labels.max(initial=0) == len(kept)
    assert sorted(np.unique(labels[labels > 0])) == list(range(1, len(kept) + 1))
    for row in range(len(regions)):
        inside = labels == row + 1
        assert (expected[inside] == expected[inside][0]).all()
        ys, xs = np.nonzero(inside)
        assert regions.areas[row] == inside.sum()
        assert regions.boxes[row].tolist() == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        np.testing.assert_allclose(regions.centroids[row], [xs.mean(), ys.mean()], rtol=1e-5)
        np.testing.assert_allclose(regions.scores[row], score[inside].mean(), rtol=1e-5)
        np.testing.assert_allclose(regions.colors[row], frame[inside].mean(axis=0), rtol=1e-5)


def test_shadows_are_no_regions():
    mask = np.full((5, 5), 127, np.uint8)
    labels, regions = find_regions(mask)
    assert len(regions) == 0
    assert not labels.any()


def test_without_score_and_frame():
    mask = np.full((2, 3), 255, np.uint8)
    _, regions = find_regions(mask)
    assert regions.scores.tolist() == [1]
    assert regions.colors.tolist() == [[0, 0, 0]]
    grey = np.full((2, 3), 40, np.uint8)
    assert find_regions(mask, frame=grey)[1].colors.tolist() == [[40, 40, 40]]


def test_bad_input():
    mask = np.zeros((4, 5), np.uint8)
    with pytest.raises(FrameError, match="score"):
        find_regions(mask, score=np.zeros((5, 4), np.float32))
    with pytest.raises(FrameError, match="frame"):
        find_regions(mask, frame=np.zeros((5, 4, 3), np.uint8))
    with pytest.raises(FrameError):
        find_regions(mask.astype(bool))
    with pytest.raises(ParameterError, match="min_area"):
        find_regions(mask, min_area=0)


@given(hnp.arrays(np.int32, (9, 11), elements=st.integers(0, 3)), st.integers(0, 2**32 - 1))
def test_given_labels_are_measured_wherever_their_pixels_lie(labels, seed):
    labels = np.searchsorted(np.unique(np.append(labels, 0)), labels)  # without gaps
    rng = np.random.default_rng(seed)
    score, frame = rng.random(labels.shape, np.float32), rng.integers(0, 256, (*labels.shape, 3), np.uint8)
    regions = measure_labels(labels, score=score, frame=frame)
    assert len(regions) == labels.max(initial=0)
    for row in range(len(regions)):
        ys, xs = np.nonzero(labels == row + 1)
        assert regions.areas[row] == len(ys)
        assert regions.boxes[row].tolist() == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        np.testing.assert_allclose(regions.centroids[row], [xs.mean(), ys.mean()], rtol=1e-5)
        np.testing.assert_allclose(regions.scores[row], score[ys, xs].mean(), rtol=1e-5)
        np.testing.assert_allclose(regions.colors[row], frame[ys, xs].mean(axis=0), rtol=1e-5)


def test_labels_that_were_found_measure_the_same():
    rng = np.random.default_rng(3)
    frame, background = rng.integers(0, 256, (2, 40, 50, 3), np.uint8)
    labels, found = find_regions(np.where(rng.random((40, 50)) < 0.3, 255, 0).astype(np.uint8), frame=frame,
                                 background=background)  # fmt: skip
    measured = measure_labels(labels, frame=frame, background=background)
    for name, column in vars(found).items():
        np.testing.assert_array_equal(vars(measured)[name], column, err_msg=name)


def test_labels_with_a_gap_and_a_frame_that_does_not_fit():
    with pytest.raises(ParameterError, match="2 has no pixel"):
        measure_labels(np.array([[1, 0, 3]]))
    with pytest.raises(ParameterError, match="integers"):
        measure_labels(np.zeros((4, 5)))
    with pytest.raises(FrameError, match="frame"):
        measure_labels(np.zeros((4, 5), int), frame=np.zeros((5, 4, 3), np.uint8))
