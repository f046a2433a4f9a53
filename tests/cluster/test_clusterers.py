"""What each clusterer is good at, and its kernels against their slow twins."""

import cv2
import numpy as np
import pytest
from reference import region_growing as slow_growing
from reference.spectral_trajectories import affinities
from reference.superpixels import simple_linear as slow_superpixels

import motionseg
from motionseg.cluster import (
    DBSCAN,
    HDBSCAN,
    AngleHistogram,
    GaussianMixture,
    Geodesic,
    KMeans,
    MeanShift,
    RegionGrowing,
    ResidualThreshold,
    SpectralTrajectories,
    angle_histogram,
    region_growing,
    spectral_trajectories,
)
from motionseg.cluster._parts import connected_parts, motion_threshold
from motionseg.cluster._superpixels import Superpixels, simple_linear
from motionseg.cluster.base import ordered
from motionseg.core.errors import ParameterError

SHAPE = (96, 144)
GROUPING = [KMeans, GaussianMixture, MeanShift, DBSCAN, HDBSCAN]


def noise(shape=SHAPE, spread=0.05, seed=0):
    return np.random.default_rng(seed).normal(0, spread, (*shape, 2)).astype(np.float32)


def box(x0, y0, x1, y1, shape=SHAPE):
    mask = np.zeros(shape, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def owner(labels, mask):
    return int(np.bincount(labels[mask]).argmax())


def test_the_threshold_is_otsus_where_speeds_have_two_sizes():
    rng = np.random.default_rng(0)
    speed = np.abs(rng.normal(0.2, 0.1, 4000)).astype(np.float32)
    speed[:1000] = rng.normal(5, 0.3, 1000)
    everywhere = np.ones(4000, bool)
    split = motion_threshold(speed, everywhere, 0.1)
    clipped = np.minimum(speed, np.quantile(speed, 0.99))
    candidates = np.linspace(0.1, 4.9, 200)
    between = []
    for candidate in candidates:
        fast = clipped > candidate
        between.append(fast.mean() * (~fast).mean() * (clipped[fast].mean() - clipped[~fast].mean()) ** 2)
    best = candidates[np.isclose(between, max(between), rtol=1e-3)]
    assert best.min() - 0.1 <= split <= best.max() + 0.1
    assert motion_threshold(speed, everywhere, 4.0) == 4
    assert motion_threshold(speed, np.arange(4000) >= 1000, 4.0) == np.inf  # nothing is faster
    assert motion_threshold(speed + 3, np.arange(4000) < 1000, 0.1) == np.inf  # nothing is at rest
    assert motion_threshold(speed, ~everywhere, 0.1) == np.inf


def test_noise_raises_the_threshold():
    flow = noise(spread=1.0)
    speed = np.hypot(*flow.transpose(2, 0, 1))
    everywhere = np.ones(SHAPE, bool)
    assert motion_threshold(speed, everywhere, 0.75) > np.quantile(speed, 0.85)  # noise alone, which Otsu would halve
    flow[box(50, 30, 80, 60)] += np.float32([12, 0])
    assert motion_threshold(np.hypot(*flow.transpose(2, 0, 1)), everywhere, 0.75) > 2.5
    labels = ResidualThreshold().segment(flow)
    assert labels.max() == 1
    assert iou(labels == 1, box(50, 30, 80, 60)) > 0.8


def test_small_parts_are_dropped_and_touching_ones_are_one():
    mask = box(0, 0, 10, 10) | box(10, 10, 20, 20) | box(50, 50, 53, 53)
    assert connected_parts(mask, 0).max() == 2
    parts = connected_parts(mask, 10 / mask.size)
    assert np.array_equal(parts > 0, box(0, 0, 10, 10) | box(10, 10, 20, 20))


@pytest.mark.parametrize("low", [0, -3, 10**9])
def test_labels_are_ordered_by_area_then_place(low):
    labels = np.array([[0, 5, 5, 2], [9, 0, 9, 2], [7, 7, 7, 0]], np.int64)
    labels[labels > 0] += low
    expected = [[0, 2, 2, 3], [4, 0, 4, 3], [1, 1, 1, 0]]
    assert ordered(labels).tolist() == expected
    assert ordered(labels).dtype == np.int32


@pytest.mark.parametrize("cell", [4, 7])
def test_superpixels_are_those_of_the_twin(cell):
    features = np.random.default_rng(0).integers(0, 5, (29, 41, 2)).astype(np.float32) / 4
    features[8:20, 10:30] += 3
    found, expected = simple_linear(features, cell), slow_superpixels(features, cell)
    assert (found == expected).mean() > 0.995  # single and double precision part at ties


def test_superpixels_do_not_cross_motion_or_colour():
    flow, frame = noise(), np.full((*SHAPE, 3), 60, np.uint8)
    moving, bright = box(37, 27, 88, 66), box(101, 11, 131, 80)
    flow[moving] += np.float32([5, 0])
    frame[bright] = 200, 220, 180
    pieces = Superpixels(flow, np.ones(SHAPE, bool), frame, 8)
    for mask in (moving, bright):
        inside = np.bincount(pieces.labels[mask], minlength=len(pieces))
        total = np.bincount(pieces.labels.ravel())
        assert np.minimum(inside, total - inside).sum() < 0.02 * mask.sum()
    assert np.allclose(pieces.areas, np.bincount(pieces.labels.ravel()))
    y, x = np.nonzero(pieces.labels == 17)
    assert np.allclose(pieces.places[17], [x.mean(), y.mean()], atol=1e-3)
    assert np.allclose(pieces.motions[17], flow[y, x].mean(axis=0), atol=1e-3)


def test_large_pictures_are_halved_and_invalid_pixels_do_not_count():
    shape = (301, 403)
    flow, valid = noise(shape, 0), np.ones(shape, bool)
    flow[...] = 2, 1
    valid[::3, ::2] = False
    flow[~valid] = 500
    pieces = Superpixels(flow, valid, None, 16)
    assert pieces.factor == 2
    assert np.allclose(pieces.motions[pieces.areas > 0], [2, 1], atol=1e-3)
    assert pieces.spread(np.arange(len(pieces))).shape == shape
    assert abs(pieces.areas.sum() - np.count_nonzero(valid[:300, :402])) < 1
    pairs = pieces.neighbours()
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert {0, len(pieces) - 1} <= set(pieces.at_border().tolist())


@pytest.mark.parametrize("method", GROUPING)
def test_groups_are_told_apart_where_they_touch(method):
    left, right, far = box(20, 30, 50, 66), box(50, 30, 80, 66), box(104, 20, 132, 52)
    flow = noise()
    flow[left], flow[right], flow[far] = (-5, 0), (5, 2), (0, -4)
    labels = method().segment(flow)
    assert len({0, *(owner(labels, mask) for mask in (left, right, far))}) == 4
    assert all(iou(labels == owner(labels, mask), mask) > 0.7 for mask in (left, right, far))


@pytest.mark.parametrize("method", GROUPING)
def test_results_do_not_depend_on_threads(method):
    flow = cv2.GaussianBlur(noise((260, 360), 5), (0, 0), 9)
    for i in range(4):
        flow[40 : 220 - 30 * i, 20 + 85 * i : 80 + 85 * i] += np.float32([6 - 4 * i, 5 * (i % 2)])
    before, answers = motionseg.get_num_threads(), []
    try:
        for n in (1, 3):
            motionseg.set_num_threads(n)
            answers.append(method().segment(flow))
    finally:
        motionseg.set_num_threads(before)
    assert answers[0].any()
    assert np.array_equal(*answers)


@pytest.mark.parametrize("seed", range(3))
def test_regions_grow_as_those_of_the_twin(seed):
    rng = np.random.default_rng(seed)
    flow = cv2.GaussianBlur(rng.normal(0, 8, (21, 33, 2)).astype(np.float32), (0, 0), 2)
    valid = rng.random((21, 33)) < 0.9
    seeds = rng.permutation(valid.size)
    expected = slow_growing.grow(flow, valid, seeds, 0.8, 0.2)
    labels, queue = np.zeros(valid.shape, np.int32), np.empty(valid.size, np.int64)
    sums = np.zeros((valid.size + 1, 3))
    n = region_growing._grow(flow, valid, seeds, 0.8, 0.2, labels, queue, sums)
    assert n == expected.max() > 5
    assert np.array_equal(labels, expected)
    assert np.array_equal(sums[1 : n + 1, 2], np.bincount(expected.ravel())[1:])
    kept = sums[: n + 1, 2] > 20
    kept[0] = False
    assert kept.sum() > 1
    region_growing._absorb(labels, kept, valid, queue)
    assert np.array_equal(labels, slow_growing.absorb(expected, kept, valid))


def test_region_growing_parts_things_that_touch_and_bridges_their_smooth_outlines():
    flow = noise(spread=0)
    left, right = box(30, 30, 60, 66), box(60, 30, 90, 66)
    flow[left], flow[right] = (-5, 0), (5, 2)
    labels = RegionGrowing().segment(cv2.GaussianBlur(flow, (0, 0), 2) + noise())
    assert labels.max() == 2
    assert iou(labels == owner(labels, left), left) > 0.75
    assert iou(labels == owner(labels, right), right) > 0.75


def test_regions_begin_where_motion_is_calm():
    flow = np.zeros((*SHAPE, 2), np.float32)
    flow[30:66, 30:110, 0] = np.interp(np.arange(80), [0, 15, 65, 80], [0, 5, 5, 0])
    labels = RegionGrowing(min_share=0).segment(flow)
    assert labels[48, 70] == 1
    assert (labels[flow[..., 0] > 3.5] == 1).all()  # the slopes belong to what they lead up to


def test_geodesic_lets_the_background_drift():
    flow = noise()
    flow[..., 0] += np.linspace(-6, 6, SHAPE[1], dtype=np.float32)
    thing = box(60, 30, 90, 66)
    flow[thing] += np.float32([0, 5])
    labels = Geodesic().segment(flow)
    assert iou(labels > 0, thing) > 0.7
    assert iou(ResidualThreshold().segment(flow) > 0, thing) < 0.5
    y, x = np.indices(SHAPE)
    flow = np.zeros((*SHAPE, 2), np.float32)  # it rises by 0.03 px a pixel, from all sides
    flow[..., 0] = 0.03 * np.minimum(np.minimum(x, SHAPE[1] - 1 - x), np.minimum(y, SHAPE[0] - 1 - y))
    assert not Geodesic().segment(flow).any()
    assert Geodesic(slack=0).segment(flow).any()
    cut_off = box(0, 30, 30, 96)
    flow = noise()
    flow[cut_off] += np.float32([6, 0])
    assert iou(Geodesic().segment(flow) > 0, cut_off) > 0.7


@pytest.mark.parametrize("focus", [(72, 48), (300, 20), (40, -900)])
def test_angles_see_through_depth(focus):
    y, x = np.indices(SHAPE, dtype=np.float64)
    depth = np.kron(np.random.default_rng(0).uniform(-0.1, 0.2, (12, 18)), np.ones((8, 8)))  # before and behind a plane
    away = np.stack([x - focus[0], y - focus[1]], axis=2)
    flow = (away * (6 / np.abs(away).mean() * depth / 0.1)[..., None]).astype(np.float32) + noise()
    static = AngleHistogram().segment(flow)
    assert np.count_nonzero(static) < 0.03 * static.size
    speed = np.hypot(*flow.transpose(2, 0, 1))
    travel = AngleHistogram()._travel(flow, speed > 0.75, np.ones(SHAPE, bool))
    truth = np.array([(focus[0] - 71.5) / 144, (focus[1] - 47.5) / 144, 1])
    assert abs(travel @ truth) / np.linalg.norm(truth) > np.cos(np.deg2rad(2))
    thing = box(84, 30, 112, 60)
    across = np.stack([-away[..., 1], away[..., 0]], axis=2)[thing].astype(np.float32)
    flow[thing] = across * (9 / np.linalg.norm(across, axis=1).mean())
    found = AngleHistogram().segment(flow)
    assert iou(found == owner(found, thing), thing) > 0.7
    assert iou(ResidualThreshold().segment(flow) > 0, thing) < 0.5


def test_densities_are_von_mises_and_flat_for_slow_motion():
    angles = np.linspace(0, 2 * np.pi, 20000, endpoint=False)
    travel = np.array([[1.0, 0, 0]])  # all lines are level
    for speed in (0.01, 0.5, 50.0):
        u, v = speed * np.cos(angles / 2), speed * np.sin(angles / 2)
        density = angle_histogram._densities(travel, 0 * u, 0 * u, u, v, 0.3)[0]
        sharpness = 1 / (1 / 4 + 4 * 0.3**2 / speed**2)
        expected = np.exp(sharpness * np.cos(angles)) / (2 * np.pi * np.i0(sharpness))
        np.testing.assert_allclose(density, expected, rtol=1e-6)
        assert abs(density.mean() * 2 * np.pi - 1) < 1e-6


def test_affinities_are_those_of_the_twin():
    rng = np.random.default_rng(0)
    points, ages = rng.uniform(0, 90, (25, 2)).astype(np.float32), rng.integers(1, 6, 25)
    motions, spreads = rng.normal(0, 1, (25, 5, 2)).astype(np.float32), rng.uniform(0.2, 2, (25, 5)).astype(np.float32)
    found = np.empty((25, 25), np.float32)
    numbers = np.float32(0.1), np.float32(20)
    spectral_trajectories._affinities(0, 25, points, motions, spreads, ages, *numbers, found)
    np.testing.assert_allclose(found, affinities(points, motions, spreads, ages, *numbers), rtol=1e-3, atol=1e-6)


def walk(clusterer, motions):
    """Labels of a square that moves as told, and where it is."""
    x, answers = 40, []
    for motion in motions:
        mask = box(x, 30, x + 36, 66)
        flow = noise(seed=x)
        flow[mask] += np.float32([motion, 0])
        answers.append((clusterer.segment(flow), mask))
        x += motion
    return answers


def test_trajectories_remember_what_moved():
    clusterer = SpectralTrajectories()
    answers = walk(clusterer, [6, 5, 0, 0, 4, 0])
    assert all(iou(labels == 1, mask) > 0.5 for labels, mask in answers)
    clusterer.reset()
    assert not walk(clusterer, [0, 0])[1][0].any()
    forgetful = walk(SpectralTrajectories(length=2), [6, 0, 0, 0, 0])
    assert forgetful[1][0].any()
    assert not forgetful[-1][0].any()


def test_trajectories_begin_anew_at_another_size_and_keep_apart_what_once_moved_apart():
    clusterer = SpectralTrajectories()
    clusterer.segment(noise((50, 60)))
    first, second = noise(), noise(seed=1)
    left, right = box(20, 30, 50, 66), box(92, 30, 122, 66)
    first[left] += np.float32([0, 4])
    first[right] += np.float32([0, -4])
    second[left | right] += np.float32([0, 3])
    clusterer.segment(first)
    labels = clusterer.segment(second)
    assert len({0, owner(labels, box(24, 38, 46, 60)), owner(labels, box(96, 36, 118, 56))}) == 3


@pytest.mark.parametrize(
    ("method", "bad"),
    [
        (ResidualThreshold, {"floor": 0}),
        (RegionGrowing, {"share": 2}),
        (Geodesic, {"size": 1}),
        (AngleHistogram, {"n_templates": 2}),
        (KMeans, {"n_groups": 1}),
        (GaussianMixture, {"seed": -1}),
        (MeanShift, {"bandwidth": 0}),
        (DBSCAN, {"reach": np.inf}),
        (HDBSCAN, {"least": 1}),
        (SpectralTrajectories, {"length": 0}),
    ],
)
def test_bad_numbers_are_refused(method, bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        method(**bad)
