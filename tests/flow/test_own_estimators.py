"""Our own estimators are their twins, find affine motion to a twentieth of a pixel, and keep still."""

import cv2
import numpy as np
import pytest
from reference import dense_flow
from scipy.ndimage import map_coordinates

import motionseg
from motionseg.core.errors import ParameterError
from motionseg.flow import TVL1, HornSchunck, LucasKanade
from motionseg.flow._pyramid import enlarge, linearise, pyramid, slopes
from motionseg.flow.lucas_kanade import _solve

OWN = (TVL1, HornSchunck, LucasKanade)


def texture(height, width, seed=0):
    noise = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    blobs = cv2.GaussianBlur(noise, (0, 0), 1.5) + 3 * cv2.GaussianBlur(noise, (0, 0), 4)
    return cv2.normalize(blobs, None, 10, 245, cv2.NORM_MINMAX).astype(np.uint8)


def affine_pair(height, width, numbers, seed=0):
    """Two frames, the true flow between them, and where it stays in view."""
    second = texture(height, width, seed)
    y, x = np.mgrid[:height, :width].astype(float)
    a, b, c, d, e, f = numbers
    u = a + b * (x - width / 2) + c * (y - height / 2)
    v = d + e * (x - width / 2) + f * (y - height / 2)
    first = map_coordinates(second.astype(float), [y + v, x + u], order=5, mode="mirror").round().clip(0, 255)
    view = (x + u >= 0) & (x + u <= width - 1) & (y + v >= 0) & (y + v <= height - 1)
    return first.astype(np.uint8), second, np.dstack([u, v]), view


def test_grey_levels_near_a_flow():
    first, second = texture(19, 26), texture(19, 26, 1)
    first, second = first.astype(np.float32), second.astype(np.float32)
    flow = np.random.default_rng(2).normal(0, 4, (2, 19, 26)).astype(np.float32)
    flow[:, :4] = 0
    flow[:, 4] = 2  # whole numbers, and places out of view
    ours = np.full((3, 19, 26), np.nan, np.float32)
    linearise(0, 7, first, *slopes(first), second, flow, *ours)
    assert np.isnan(ours[:, 7:]).all()
    linearise(7, 19, first, *slopes(first), second, flow, *ours)
    expected = dense_flow.linearise(first, second, flow)
    assert 0.1 < (expected[2] == 0).mean() < 0.9
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=0.02)


def test_flow_of_a_smaller_picture():
    y, x = np.mgrid[:17, :21].astype(np.float32)
    large = enlarge(np.stack([0.1 * x + 1, 0.2 * y - 2]), (33, 42))
    assert large.shape == (2, 33, 42)
    y, x = np.mgrid[:33, :42]
    inner = (slice(4, -4), slice(4, -4))  # at the border, pyrUp repeats
    np.testing.assert_allclose(large[0][inner], (0.1 * x + 2)[inner], atol=1e-5)
    np.testing.assert_allclose(large[1][inner], (0.2 * y - 4)[inner], atol=1e-5)


def test_a_step_is_a_pixel_at_most():
    sums = np.zeros((5, 1, 3), np.float32)
    sums[[0, 2]] = 3
    sums[3] = [[-12, 2, 16]]
    sums[4] = [[2, 8, -12]]
    flow = np.full((2, 1, 3), 5, np.float32)
    _solve(0, 1, sums, flow, np.float32(1))
    np.testing.assert_allclose(flow, [[[6, 4.5, 4]], [[4.5, 4, 6]]])


@pytest.mark.parametrize(
    ("estimator", "twin", "numbers"),
    [
        (TVL1, dense_flow.tvl1, {"attachment": 0.2, "warps": 2, "iterations": 23}),
        (HornSchunck, dense_flow.horn_schunck, {"smoothness": 50.0, "warps": 2, "iterations": 6}),
        (LucasKanade, dense_flow.lucas_kanade, {"window": 2.0, "iterations": 3, "noise": 0.7}),
    ],
)
@pytest.mark.parametrize("side", [1, 3])
def test_it_is_its_twin(estimator, twin, numbers, side):
    first, second, *_ = affine_pair(33, 41, (1.2, 0.02, 0, -0.7, 0.01, 0.03))
    flow = np.zeros((2, 17, 21), np.float32)
    for level in (1, 0):
        pictures = (pyramid(frame, 2)[level] for frame in (first, second))
        flow = enlarge(flow.astype(np.float32), (33, 41)) if level == 0 else flow
        flow = twin(*pictures, flow, side=side, **numbers)
    ours = estimator(levels=2, median=side, **numbers).estimate(first, second)
    assert np.abs(flow).max() > 1
    np.testing.assert_allclose(ours, np.moveaxis(flow, 0, -1), atol=5e-3)


@pytest.mark.parametrize("estimator", OWN)
@pytest.mark.parametrize(
    "numbers", [(2.3, 0.01, -0.02, -1.7, 0.02, 0.01), (5, 0.03, 0, 3, 0, 0.03), (-0.4, 0, 0.03, 0.7, -0.03, 0)]
)
def test_affine_motion_is_found(estimator, numbers):
    first, second, truth, view = affine_pair(120, 160, numbers)
    error = np.linalg.norm(estimator().estimate(first, second) - truth, axis=-1)[view]
    assert error.mean() < 0.06
    assert error.max() < 1.5


@pytest.mark.parametrize("estimator", OWN)
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (7, 3), (13, 200)])
def test_any_size_will_do(estimator, shape):
    first = texture(60, 200)[: shape[0], : shape[1]]
    flow = estimator().estimate(first, first[::-1].copy())
    assert flow.shape == (*shape, 2)
    assert np.isfinite(flow).all()
    assert not estimator().estimate(first, first).any()
    assert not estimator().estimate(np.zeros(shape, np.uint8), np.full(shape, 40, np.uint8)).any()


@pytest.mark.parametrize("estimator", OWN)
def test_threads_change_nothing(estimator):
    first, second, *_ = affine_pair(150, 370, (2, 0, 0.01, 1, 0, 0))
    motionseg.set_num_threads(1)
    expected = estimator().estimate(first, second)
    motionseg.set_num_threads(3)
    np.testing.assert_array_equal(estimator().estimate(first, second), expected)


def test_tvl1_keeps_motion_boundaries():
    world, thing = texture(100, 140), texture(100, 140, 1)
    first, second = world.copy(), world.copy()
    first[30:70, 40:90], second[30:70, 45:95] = thing[30:70, 40:90], thing[30:70, 40:90]
    errors = {}
    for estimator in OWN:
        flow = estimator().estimate(first, second)
        errors[estimator] = np.abs(flow[50, 28:40, 0]).mean() + np.abs(flow[50, 40:52, 0] - 5).mean()
    assert errors[TVL1] < 0.8
    assert errors[TVL1] < 0.6 * errors[HornSchunck]


@pytest.mark.parametrize(
    ("estimator", "numbers", "what"),
    [
        (TVL1, {"attachment": 0}, "attachment"),
        (TVL1, {"median": 4}, "median"),
        (TVL1, {"warps": 0}, "warps"),
        (HornSchunck, {"smoothness": -1}, "smoothness"),
        (HornSchunck, {"iterations": 1.5}, "iterations"),
        (LucasKanade, {"window": 0}, "window"),
        (LucasKanade, {"levels": 0}, "levels"),
        (LucasKanade, {"noise": 0}, "noise"),
    ],
)
def test_wrong_numbers_are_refused(estimator, numbers, what):
    with pytest.raises(ParameterError, match=what):
        estimator(**numbers)
