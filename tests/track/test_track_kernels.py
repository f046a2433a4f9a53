"""The kernels of linkers do what their slow twins say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import track_pixels as slow

from motionseg.core.colors import COLOR_FEATURES, color_histograms, color_numbers
from motionseg.regions import measure_labels
from motionseg.track._likeness import Looks, TrackCues, odds_of
from motionseg.track._pixels import carried, carried_boxes, ellipse, overlaps, painted, shape_of

SHAPE = (24, 31)
SEEDS = st.integers(0, 10_000)


def patches(rng, n):
    """Numbers from 1 to at most n in blocks, some over others, and their boxes."""
    picture = np.zeros(SHAPE, np.int32)
    for number in range(1, n + 1):
        y, x = rng.integers(0, 20, 2)
        picture[y : y + rng.integers(1, 12), x : x + rng.integers(1, 12)] = number
    _, picture = np.unique(picture, return_inverse=True)  # without gaps
    picture = picture.reshape(SHAPE).astype(np.int32)
    return picture, measure_labels(picture).boxes


@given(SEEDS, st.booleans())
@settings(max_examples=40)
def test_overlaps(seed, with_flow):
    rng = np.random.default_rng(seed)
    (numbers, boxes), (labels, regions) = patches(rng, 4), patches(rng, 5)
    ids = rng.permutation(np.arange(10, 10 + len(boxes))).astype(np.int64)
    identities = np.append(0, ids)[numbers].astype(np.int32)
    steps = rng.normal(0, 6, (len(ids), 2))
    flow = rng.normal(0, 6, (*SHAPE, 2)).astype(np.float32) if with_flow else None
    found = overlaps(identities, ids, boxes, steps, labels, len(regions), flow=flow)
    for one, other in zip(found, slow.overlaps(identities, ids, steps, labels, len(regions), flow), strict=True):
        np.testing.assert_array_equal(one, other)


@given(SEEDS, st.booleans())
@settings(max_examples=40)
def test_painted(seed, with_old):
    rng = np.random.default_rng(seed)
    (labels, boxes), (old, old_boxes) = patches(rng, 5), patches(rng, 4)
    owners = np.where(rng.random(len(boxes)) < 0.3, 0, rng.integers(20, 30, len(boxes)))
    kept = np.flatnonzero(rng.random(len(old_boxes)) < 0.5)
    under = (old, kept + 1, old_boxes[kept]) if with_old else None
    found = painted(labels, boxes, owners, under=under)
    assert found.dtype == np.int32
    expected = slow.painted(labels, owners, old if with_old else None, kept + 1)
    np.testing.assert_array_equal(found, expected)


def test_boxes_that_reach_out_of_the_picture_are_cut():
    labels = np.ones(SHAPE, np.int32)
    wide = np.array([[-5, -5, 60, 60]], np.float32)
    found = painted(labels, wide, np.array([7]), under=(labels, np.array([1]), wide))
    assert (found == 7).all()
    common, own = overlaps(labels, np.array([1]), wide, np.zeros((1, 2)), labels, 1)
    assert common.tolist() == [[labels.size]]
    assert own.tolist() == [labels.size]


@given(SEEDS, st.booleans(), st.booleans())
@settings(max_examples=40)
def test_odds(seed, with_features, learned):
    rng = np.random.default_rng(seed)
    n, m = rng.integers(0, 5, 2)
    looks = rng.random((n + m, 6)).astype(np.float32) if with_features else np.zeros((n + m, 0), np.float32)
    looks /= np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-6)
    looks[rng.random(n + m) < 0.2] = 0
    own = rng.integers(0, 2, n) * rng.integers(50, 200, n)
    areas = rng.integers(1, 300, m)
    common = (rng.random((n, m)) * np.minimum(own[:, None], areas)).astype(np.int64)
    tracks = TrackCues(
        rng.uniform(0, 60, (n, 2)),
        rng.uniform(0.1, 400, (n, 2)),
        rng.uniform(0, 300, n),
        own,
        rng.random(n) < 0.5,
        looks[:n],
    )
    statistics = Looks()
    if learned:
        statistics.learn(rng.uniform(0, 0.3, 50), rng.uniform(0.1, 0.9, 30))
    centres, scores = rng.uniform(0, 60, (m, 2)), rng.random(m).astype(np.float32)
    found = odds_of(tracks, centres, areas, scores, looks[n:], common, view=4000.0, looks=statistics)
    expected = slow.odds(tracks, centres, areas, scores, looks[n:], common, 4000.0, statistics.seen)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@given(SEEDS)
@settings(max_examples=15)
def test_histograms_of_colours(seed):
    rng = np.random.default_rng(seed)
    labels, boxes = patches(rng, 4)
    frame = rng.integers(0, 256, (*SHAPE, 3), np.uint8)
    areas = np.bincount(labels.ravel(), minlength=len(boxes) + 1)[1:]
    found = color_histograms(frame, labels, boxes, areas)
    assert (found.shape, found.dtype) == ((len(boxes), COLOR_FEATURES), np.float32)
    np.testing.assert_allclose(found, slow.histograms(frame, labels, boxes), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_grey_is_all_colours_alike_and_large_regions_are_sampled():
    rng = np.random.default_rng(0)
    grey = np.repeat(rng.integers(0, 256, (300, 1), np.uint8), 300, axis=1)
    labels, boxes, area = np.ones(grey.shape, np.int32), np.array([[0, 0, 300, 300]], np.float32), np.array([90_000])
    found = color_histograms(grey, labels, boxes, area)
    np.testing.assert_array_equal(found, color_histograms(np.dstack([grey] * 3), labels, boxes, area))
    whole = color_histograms(grey, labels, boxes, np.array([1]))  # each pixel
    assert found[0] @ whole[0] > 0.98


def test_numbers_of_colours_are_those_of_the_fullest_bin():
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (20, 20, 3), np.uint8)
    numbers = color_numbers(frame)
    for (y, x), number in np.ndenumerate(numbers):
        alone = np.zeros(numbers.shape, np.int32)
        alone[y, x] = 1
        histogram = color_histograms(frame, alone, np.array([[x, y, x + 1, y + 1]], np.float32), np.array([1]))[0]
        assert histogram[number + 0] == histogram.max() or histogram[number + 64] == histogram.max()
    np.testing.assert_array_equal(color_numbers(frame[..., 0]), color_numbers(np.repeat(frame[..., :1], 3, axis=2)))


# --- pictures and boxes that a camera carries ---------------------------------------------------------


@pytest.mark.parametrize(
    "camera",
    [
        np.array([[1, 0, 4], [0, 1, -3], [0, 0, 1.0]]),
        np.array([[1.3, 0.1, -4], [-0.1, 1.3, 2], [0, 0, 1.0]]),
        np.array([[1, 0, 2], [0, 1, 0], [1e-3, 2e-3, 1.0]]),
    ],
    ids=["pan", "zoom", "tilt"],
)
def test_what_a_box_holds_is_carried_into_the_carried_box(camera):
    rng = np.random.default_rng(1)
    for _ in range(20):
        picture, boxes = patches(rng, 3)
        moved = carried(picture, camera)
        to = carried_boxes(boxes.astype(np.float64), camera, SHAPE)
        assert set(np.unique(moved)) <= set(np.unique(picture))
        for number, (x0, y0, x1, y1) in enumerate(to, 1):
            y, x = np.nonzero(moved == number)
            if len(x):
                assert x0 <= x.min()
                assert x.max() < x1
                assert y0 <= y.min()
                assert y.max() < y1


def test_carried_boxes_that_are_empty_stay_so_and_those_behind_the_camera_are_everywhere():
    boxes = np.array([[0, 0, 0, 0], [5, 5, 10, 10], [20, 5, 25, 10]], float)
    camera = np.array([[1, 0, 0], [0, 1, 0], [-0.06, 0, 1.0]])  # x = 16.7 is at infinity
    to = carried_boxes(boxes, camera, SHAPE)
    assert to[0].tolist() == [0, 0, 0, 0]
    assert to[2].tolist() == [0, 0, SHAPE[1], SHAPE[0]]
    shift = carried_boxes(boxes, np.array([[1, 0, 3], [0, 1, -2], [0, 0, 1.0]]), SHAPE)
    assert shift[1].tolist() == [7, 2, 14, 9]  # a pixel more on each side


def test_shapes_are_cut_out_about_a_centre():
    identities = np.zeros(SHAPE, np.int32)
    identities[5:9, 10:16] = 3
    identities[5, 10] = 4
    shape = shape_of(identities, 3, np.array([8, 4, 20, 12.0]), np.array([13.0, 7.0]))
    assert shape.pixels.shape == (4, 6)
    assert np.count_nonzero(shape.pixels) == 23
    assert shape.offset == (-3, -2)
    assert shape_of(identities, 9, np.array([8, 4, 20, 12.0]), np.array([13.0, 7.0])) is None
    round_ = ellipse(np.array([20.0, 10.0]))
    assert round_.pixels.shape == (10, 20)
    assert round_.offset == (-10, -5)
    assert abs(round_.pixels.mean() - np.pi / 4) < 0.05
