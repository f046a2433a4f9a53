"""Pictures and flow moved by flow, and flow that is asked to lead back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionseg.core.errors import FrameError, ParameterError
from motionseg.flow import OpenCVDIS, compose_flows, consistency, estimate_both_ways, warp_by_flow


def constant(dx, dy, shape=(12, 17)):
    return np.full((*shape, 2), (dx, dy), np.float32)


@given(st.integers(-20, 20), st.integers(-20, 20))
def test_whole_pixels_are_copied(dx, dy):
    image = np.random.default_rng(0).integers(0, 256, (12, 17, 3), np.uint8)
    before = image.copy()
    warped, in_view = warp_by_flow(image, constant(dx, dy))
    np.testing.assert_array_equal(image, before)
    for y, x in np.ndindex(12, 17):
        assert in_view[y, x] == (0 <= y + dy < 12 and 0 <= x + dx < 17)
        np.testing.assert_array_equal(warped[y, x], image[np.clip(y + dy, 0, 11), np.clip(x + dx, 0, 16)])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [(), (1,), (2,), (4,)])
def test_between_pixels_and_any_kind_of_picture(dtype, channels):
    ramp = np.broadcast_to(10 * np.arange(17), (12, 17)).astype(dtype)
    image = np.repeat(ramp[..., None], channels[0], axis=2) if channels else ramp
    warped, in_view = warp_by_flow(image, constant(0.5, -0.25))
    assert warped.dtype == dtype
    assert warped.shape == image.shape
    assert in_view.all()
    expected = np.minimum(10 * np.arange(17) + 5, 160)
    np.testing.assert_allclose(
        warped.reshape(12, 17, -1), np.broadcast_to(expected[:, None], (12, 17, image[0, 0].size))
    )
    assert warp_by_flow(image, constant(0.51, -0.25))[1].sum() == 12 * 16
    assert warp_by_flow(image, constant(0.5, -0.51))[1].sum() == 11 * 17


def test_flow_that_leads_far_away():
    warped, in_view = warp_by_flow(np.full((12, 17), 9, np.uint8), constant(1e6, -1e9))
    assert not in_view.any()
    assert (warped == 9).all()


def test_pictures_and_flow_that_do_not_fit():
    image = np.zeros((12, 17), np.uint8)
    for bad in (image.astype(np.float64), image.astype(bool), np.zeros((12, 17, 5), np.uint8), image[None, None], None):
        with pytest.raises(FrameError, match="what is warped"):
            warp_by_flow(bad, constant(0, 0))
    with pytest.raises(FrameError, match="the flow is of"):
        warp_by_flow(image, constant(0, 0, (12, 16)))
    with pytest.raises(FrameError, match="finite"):
        warp_by_flow(image, constant(np.nan, 0))
    with pytest.raises(FrameError, match="the flow is of"):
        compose_flows(constant(0, 0), constant(0, 0, (11, 17)))
    with pytest.raises(FrameError, match="the flow is of"):
        consistency(constant(0, 0), constant(0, 0, (11, 17)))


def affine(matrix, shape=(40, 50)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    moved = np.stack([x, y, np.ones(shape)], axis=-1) @ np.asarray(matrix, float)[:2].T
    return (moved - np.dstack([x, y])).astype(np.float32)


def test_two_affine_steps_are_one():
    one = np.array([[1.02, 0.03, 1.5], [-0.02, 0.98, -2.25], [0, 0, 1]])
    two = np.array([[0.97, 0, 2.0], [0.05, 1.01, 0.5], [0, 0, 1]])
    first, second = affine(one), affine(two)
    kept = first.copy(), second.copy()
    flow, in_view = compose_flows(first, second)
    assert 0.7 < in_view.mean() < 1
    np.testing.assert_allclose(flow[in_view], affine(two @ one)[in_view], atol=0.04)  # cv2 rounds places to 1/32 pixel
    np.testing.assert_array_equal(first, kept[0])
    np.testing.assert_array_equal(second, kept[1])
    flow[:] = 0  # it is the caller's
    np.testing.assert_array_equal(first, kept[0])


def test_a_flow_and_its_inverse_are_consistent():
    matrix = np.array([[1.02, 0.03, 1.5], [-0.02, 0.98, -2.25], [0, 0, 1]])
    found = consistency(affine(matrix), affine(np.linalg.inv(matrix)))
    in_view = np.isfinite(found.error)
    assert 0.7 < in_view.mean() < 1
    assert found.error[in_view].max() < 0.04
    assert not found.occluded[in_view].any()
    assert found.confidence[in_view].min() > 0.999
    assert found.occluded[~in_view].all()
    assert not found.confidence[~in_view].any()


def test_an_occlusion_begins_where_the_criterion_says():
    # |f + b|^2 = e^2 against 0.01 (10^2 + (10 - e)^2) + 0.5: equal at e = 1.5012
    for e, hidden in ((1.49, False), (1.51, True)):
        found = consistency(constant(10, 0, (3, 30)), constant(e - 10, 0, (3, 30)))
        assert found.error[0, 0] == pytest.approx(e, abs=1e-3)
        assert (found.occluded[:, :19] == hidden).all()
        assert found.confidence[0, 0] == pytest.approx(0.5, abs=0.01)
        assert (found.confidence[0, 0] < 0.5) == hidden
    strict = consistency(constant(10, 0, (3, 30)), constant(-9, 0, (3, 30)), share=0, slack=0.9)
    assert strict.occluded.all()
    for numbers in ({"share": -1}, {"slack": 0}):
        with pytest.raises(ParameterError, match=next(iter(numbers))):
            consistency(constant(0, 0), constant(0, 0), **numbers)


def test_what_a_thing_hides_is_found():
    rng = np.random.default_rng(0)
    world, thing = (np.kron(rng.integers(0, 256, (40, 50)), np.ones((3, 3))).astype(np.uint8) for _ in range(2))
    first, second = world.copy(), world.copy()
    first[40:80, 50:90], second[40:80, 56:96] = thing[40:80, 50:90], thing[40:80, 50:90]
    flow, trust = estimate_both_ways(OpenCVDIS(), first, second)
    assert np.abs(flow[45:75, 55:85] - (6, 0)).mean() < 0.3
    hidden = np.zeros(first.shape, bool)
    hidden[42:78, 90:96] = True
    assert trust.occluded[hidden].mean() > 0.6
    assert trust.occluded[:30].mean() < 0.02
    assert trust.confidence[hidden].mean() < 0.4
    assert trust.confidence[:30].mean() > 0.95
    assert trust.error.dtype == trust.confidence.dtype == np.float32
    assert trust.occluded.dtype == bool
