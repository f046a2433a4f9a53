"""What a camera did is found, exactly and whatever else moves; warping follows it."""

import cv2
import numpy as np
import pytest

from motionseg.camera import SparseCorners, displacement, warp_frame
from motionseg.core.errors import FrameError, ParameterError
from motionseg.datasets import SyntheticScene

SHAPE = (240, 320)
MOTIONS = {
    "translation": np.array([[1, 0, 3.4], [0, 1, -2.7], [0, 0, 1]]),
    "similarity": np.array([[1.02, -0.03, 3.4], [0.03, 1.02, -2.7], [0, 0, 1]]),
    "affine": np.array([[1.02, -0.01, -1.4], [0.03, 0.99, 2.7], [0, 0, 1]]),
    "homography": np.array([[1.01, -0.02, 4.4], [0.02, 1.01, 2.7], [4e-5, -6e-5, 1]]),
}


def pair(transform, shape=SHAPE, noise=2.0):
    """A grainy world seen before and after a motion."""
    rng = np.random.default_rng(0)
    world = cv2.GaussianBlur(rng.integers(0, 256, (shape[0] + 120, shape[1] + 120), np.uint8), (0, 0), shape[0] / 100)
    world = cv2.normalize(world, None, 20, 235, cv2.NORM_MINMAX).astype(np.float32)
    inside = np.array([[1, 0, -60], [0, 1, -60], [0, 0, 1]], float)
    seen = [cv2.warpPerspective(world, m @ inside, shape[::-1], flags=cv2.INTER_CUBIC) for m in (np.eye(3), transform)]
    return [(s + rng.normal(0, noise, shape)).clip(0, 255).astype(np.uint8) for s in seen]


@pytest.mark.parametrize("model", MOTIONS)
@pytest.mark.parametrize("moved_as", MOTIONS)
def test_a_motion_is_found_by_every_model_that_has_it(model, moved_as):
    truth = MOTIONS[moved_as]
    motion = SparseCorners(model=model).estimate(*pair(truth))
    off = displacement(motion.transform @ np.linalg.inv(truth), SHAPE)
    if list(MOTIONS).index(model) >= list(MOTIONS).index(moved_as):
        assert off < 0.15
        assert motion.support > 0.6
    else:
        assert off > 0.3
    a, b, _, d, e, _, g, h, i = motion.transform.ravel()
    free = {"translation": (a, b, d, e, g, h, i) == (1, 0, 0, 1, 0, 0, 1), "similarity": (a, b, g, h) == (e, -d, 0, 0),
            "affine": (g, h) == (0, 0), "homography": True}[model]  # fmt: skip
    assert free


def test_large_frames_are_looked_at_from_afar_and_measured_exactly():
    truth = np.array([[1.002, -0.01, 13.3], [0.01, 1.002, -17.6], [0, 0, 1]])
    motion = SparseCorners().estimate(*pair(truth, (720, 1280)))
    assert displacement(motion.transform @ np.linalg.inv(truth), (720, 1280)) < 0.5


def test_the_smaller_half_has_no_say_though_it_fits_a_similarity_better():
    truth = np.array([[1.02, -0.02, 4.4], [0.03, 0.99, 2.7], [1.5e-4, -1e-4, 1]])
    previous, current = pair(truth, noise=0)
    thing = pair(np.eye(3), noise=0)[0][::-1]
    previous[:, :120], current[:, :120] = thing[:, :120], np.roll(thing, (6, 9), axis=(0, 1))[:, :120]
    motion = SparseCorners().estimate(previous, current)
    here = motion.transform @ np.array([[140, 300, 300, 140], [20, 20, 220, 220], [1, 1, 1, 1]])
    there = truth @ np.array([[140, 300, 300, 140], [20, 20, 220, 220], [1, 1, 1, 1]])
    assert np.abs(here[:2] / here[2] - there[:2] / there[2]).max() < 0.3


def test_a_synthetic_pan_with_walkers():
    scene = SyntheticScene(n_frames=6, n_objects=4, pan=2.5, noise=3.0)
    for i in range(1, 6):
        motion = SparseCorners(model="similarity").estimate(scene[i - 1].frame, scene[i].frame)
        assert displacement(motion.transform @ [[1, 0, 2.5], [0, 1, 0], [0, 0, 1]], SHAPE) < 0.15


def test_noise_alone_is_no_texture_and_no_other_scene():
    rng = np.random.default_rng(0)
    still = np.linspace(60, 120, 320)[None] + np.zeros((240, 1))
    noisy = [(still + rng.normal(0, 6, SHAPE)).clip(0, 255).astype(np.uint8) for _ in range(2)]
    motion = SparseCorners().estimate(*noisy)
    assert motion.verdict in {"textureless", "lost"}
    np.testing.assert_array_equal(motion.transform, np.eye(3))


def test_displacement_is_the_root_mean_square_over_the_frame():
    assert displacement(np.eye(3), SHAPE) == 0
    assert displacement([[1, 0, 3], [0, 1, 4], [0, 0, 1]], SHAPE) == pytest.approx(5)
    y, x = np.indices(SHAPE)
    mean_square = np.mean((0.2 * x + 0.1 * y - 7) ** 2 + (0.3 * x - 2) ** 2)
    assert displacement([[1.2, 0.1, -7], [0.3, 1, -2], [0, 0, 1]], SHAPE) == pytest.approx(np.sqrt(mean_square), 0.01)
    assert displacement([[1, 0, 0], [0, 1, 0], [-1 / 100, 0, 1]], SHAPE) == np.inf


@pytest.mark.parametrize("channels", [(), (3,)])
def test_warping_takes_pixels_where_the_transform_says(channels):
    frame = np.random.default_rng(0).integers(0, 256, (30, 40, *channels), np.uint8)
    before, fill = frame.copy(), np.full_like(frame, 9)
    moved = warp_frame(frame, [[1, 0, 3], [0, 1, -2], [0, 0, 1]], fill=fill)
    np.testing.assert_array_equal(moved[:28, 3:], frame[2:, :37])
    assert (moved[28:] == 9).all()
    assert (moved[:, :3] == 9).all()
    spread = warp_frame(frame, [[1, 0, 3], [0, 1, -2], [0, 0, 1]])
    np.testing.assert_array_equal(spread[:28, 0], frame[2:, 0])
    np.testing.assert_array_equal(frame, before)
    assert (fill == 9).all()


def test_bad_input():
    frame = np.zeros((20, 30), np.uint8)
    with pytest.raises(ParameterError, match="model"):
        SparseCorners(model="quadratic")
    with pytest.raises(ParameterError, match="n_corners"):
        SparseCorners(n_corners=3)
    with pytest.raises(ParameterError, match="3x3"):
        warp_frame(frame, np.eye(2))
    with pytest.raises(ParameterError, match="3x3"):
        displacement(np.zeros((3, 3)), frame.shape)
    with pytest.raises(FrameError, match="shape"):
        warp_frame(frame, np.eye(3), fill=np.zeros((20, 31), np.uint8))
