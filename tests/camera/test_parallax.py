"""What stands still is not called moving, however near it is; and what moves is."""

import cv2
import numpy as np
import pytest
from reference import flow_fit as twin

from motionseg.camera import _parallax, epipolar_residual, fit_flow
from motionseg.core.errors import FrameError, ParameterError

H, W = 120, 214
INNER = np.array([[W, 0, W / 2], [0, W, H / 2], [0, 0, 1.0]])
Y, X = np.indices((H, W)).astype(float)
TRAVELS = {"sideways": (0.4, 0, 0), "up": (0, 0.4, 0), "forward": (0.02, 0, -0.9), "backward": (0.1, 0.1, 0.8)}


def worlds():
    far = np.full((H, W), 10.0)
    side, floor = far.copy(), far.copy()
    side[:, 134:] = 4
    floor[75:] = 4
    yield "side", side
    yield "floor", floor
    ground = 1 / (0.02 + np.maximum(0, (Y - 48) / H) / 2)
    ground[:, 20:26] = np.minimum(ground[:, 20:26], 4)  # poles
    ground[:90, 75:95] = np.minimum(ground[:90, 75:95], 6)
    yield "street", ground
    yield "behind", np.where(X < 134, 4.0, 20.0)  # the plane is near, and what is off it is far


WORLDS = dict(worlds())


def seen(depth, travel, turn=(0.004, -0.006, 0.01), noise=0.12):
    """The flow before a camera that turns and travels."""
    rotation = cv2.Rodrigues(np.array(turn, float))[0]
    rays = np.stack([X, Y, np.ones_like(X)], axis=-1) @ np.linalg.inv(INNER).T
    points = (rays * depth[..., None]) @ rotation.T + travel
    there = points @ INNER.T
    flow = there[..., :2] / there[..., 2:] - np.stack([X, Y], axis=-1)
    return (flow + np.random.default_rng(3).normal(0, noise, flow.shape)).astype(np.float32)


def called_moving(found, fit):
    return found.residual > max(1, 3 * fit.scale)


@pytest.mark.parametrize("travel", TRAVELS)
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("walker", [False, True])
def test_near_things_stand_still_and_walkers_move(world, travel, walker):
    flow, moves = seen(WORLDS[world], TRAVELS[travel]), np.zeros((H, W), bool)
    if walker:
        moves[40:75, 100:130] = True
        flow[moves] += np.float32({"up": (3.5, 0), "backward": (3.5, -1.5)}.get(travel, (0.5, 3.5)))
    fit = fit_flow(flow)
    found = epipolar_residual(flow, fit)
    moving = called_moving(found, fit)
    assert found.is_parallax
    assert np.mean(np.linalg.norm(fit.residual(flow), axis=-1)[~moves] > 1) > 0.2  # without it, this would move
    assert moving[~moves].mean() < 0.01
    if walker:
        assert moving[moves].mean() > 0.85


@pytest.mark.parametrize("walker", [False, True])
def test_a_camera_that_only_turns_shows_no_parallax(walker):
    flow, moves = seen(WORLDS["street"], (0, 0, 0), turn=(0.01, 0.02, -0.01)), np.zeros((H, W), bool)
    if walker:  # as large as two fifths of the picture
        moves[10:110, 50:150] = True
        flow[moves] += np.float32([3, 1])
    fit = fit_flow(flow)
    found = epipolar_residual(flow, fit)
    assert not found.is_parallax
    assert called_moving(found, fit)[~moves].mean() < 0.01
    assert not walker or called_moving(found, fit)[moves].all()
    np.testing.assert_allclose(found.residual, np.linalg.norm(fit.residual(flow), axis=-1), atol=1e-5)


def test_what_goes_faster_along_its_line_than_the_near_world_moves():
    flow, moves = seen(WORLDS["street"], TRAVELS["sideways"], turn=(0, 0, 0)), np.zeros((H, W), bool)
    moves[40:70, 100:130] = True
    flow[moves] += np.float32([60, 0])
    fit = fit_flow(flow)
    found = epipolar_residual(flow, fit)
    assert found.is_parallax
    assert called_moving(found, fit)[moves].mean() > 0.95


def test_the_epipole_is_where_the_camera_goes():
    travel = np.array(TRAVELS["forward"])
    flow = seen(WORLDS["street"], travel)
    found = epipolar_residual(flow, fit_flow(flow))
    truth = INNER @ travel
    x, y, w = found.epipole
    np.testing.assert_allclose((x / w, y / w), truth[:2] / truth[2], atol=4)
    flow = seen(WORLDS["street"], TRAVELS["sideways"], turn=(0, 0, 0))
    x, y, w = epipolar_residual(flow, fit_flow(flow)).epipole
    assert abs(y / x) < 0.02
    assert abs(w / x) < 2e-4


def test_belief_is_the_callers_if_wanted():
    flow = seen(WORLDS["floor"], TRAVELS["forward"])
    fit = fit_flow(flow)
    refused = epipolar_residual(flow, fit, believe=False)
    assert not refused.is_parallax
    assert called_moving(refused, fit).mean() > 0.2
    assert refused.support > 0.9
    flow[:] = 0
    flow[40:60, 60:90] = 4, 0
    fit = fit_flow(flow)
    assert called_moving(epipolar_residual(flow, fit), fit)[40:60, 60:90].all()
    forced = epipolar_residual(flow, fit, believe=True)
    assert forced.is_parallax
    still = np.zeros_like(flow)
    assert not epipolar_residual(still, fit_flow(still), believe=True).is_parallax  # there is no epipole


def test_without_a_fit_it_is_the_flow_itself():
    rng = np.random.default_rng(0)
    flow = rng.uniform(-40, 40, (H, W, 2)).astype(np.float32)
    fit = fit_flow(flow)
    found = epipolar_residual(flow, fit)
    assert (fit.ok, found.is_parallax, found.epipole) == (False, False, None)
    np.testing.assert_allclose(found.residual, np.linalg.norm(flow, axis=-1), rtol=1e-5)


def test_the_kernel_does_what_its_twin_does():
    flow = seen(WORLDS["street"], TRAVELS["backward"])
    fitted = fit_flow(flow).flow((H, W))
    middle, unit = np.array([W - 1, H - 1]) / 2, W / 2
    for epipole, low, high in ((np.array([0.3, -0.2, 0.9]), -3.0, 5.0), (np.array([1.0, 0.2, 0]), -0.5, 0.2)):
        result = np.empty((H, W), np.float32)
        _parallax._residual_rows(0, H, flow, fitted, epipole, middle, unit, low, high, result)
        # In pixels the pencil is `unit` times as long, and depths are counted in pixels per length.
        in_pixels = np.array(
            [unit * epipole[0] + middle[0] * epipole[2], unit * epipole[1] + middle[1] * epipole[2], epipole[2]]
        )
        expected = twin.epipolar(flow, fitted, in_pixels, low / unit, high / unit)
        np.testing.assert_allclose(result, expected, atol=1e-3)


def test_bad_input_and_manners():
    flow = seen(WORLDS["floor"], TRAVELS["forward"])
    fit, before = fit_flow(flow), flow.copy()
    first, second = (epipolar_residual(f, fit) for f in (flow, np.asfortranarray(flow)))
    np.testing.assert_array_equal(first.residual, second.residual)
    np.testing.assert_array_equal(flow, before)
    few = np.zeros((H, W), bool)
    few[5, 5:9] = True
    assert not epipolar_residual(flow, fit, valid=few).is_parallax
    with pytest.raises(FrameError):
        epipolar_residual(flow[..., 0], fit)
    with pytest.raises(FrameError, match="valid"):
        epipolar_residual(flow, fit, valid=few[:5])
    with pytest.raises(ParameterError, match="threshold"):
        epipolar_residual(flow, fit, threshold=0)
    with pytest.raises(ParameterError, match="seed"):
        epipolar_residual(flow, fit, seed=-1)
