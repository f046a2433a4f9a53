"""The motion of the camera from dense flow: exact, and found where corners fail."""

import cv2
import numpy as np
import pytest

from motionseg.camera import DenseFlow, displacement
from motionseg.core.errors import ParameterError
from motionseg.testing import check_camera_motion

SHAPE = (240, 320)
MOTIONS = {
    "translation": np.array([[1, 0, 3.4], [0, 1, -2.7], [0, 0, 1]]),
    "similarity": np.array([[1.02, -0.03, 3.4], [0.03, 1.02, -2.7], [0, 0, 1]]),
    "affine": np.array([[1.02, -0.01, -1.4], [0.03, 0.99, 2.7], [0, 0, 1]]),
    "homography": np.array([[1.01, -0.02, 4.4], [0.02, 1.01, 2.7], [4e-5, -6e-5, 1]]),
}


def pair(transform, shape=SHAPE, noise=2.0, margin=60):
    """A grainy world seen before and after a motion."""
    rng = np.random.default_rng(0)
    size = (shape[0] + 2 * margin, shape[1] + 2 * margin)
    world = cv2.GaussianBlur(rng.integers(0, 256, size, np.uint8), (0, 0), shape[0] / 100)
    world = cv2.normalize(world, None, 20, 235, cv2.NORM_MINMAX).astype(np.float32)
    inside = np.array([[1, 0, -margin], [0, 1, -margin], [0, 0, 1]], float)
    seen = [cv2.warpPerspective(world, m @ inside, shape[::-1], flags=cv2.INTER_CUBIC) for m in (np.eye(3), transform)]
    return [(s + rng.normal(0, noise, shape)).clip(0, 255).astype(np.uint8) for s in seen]


@pytest.mark.parametrize("model", MOTIONS)
@pytest.mark.parametrize("moved_as", MOTIONS)
def test_a_motion_is_found_by_every_model_that_has_it(model, moved_as):
    truth = MOTIONS[moved_as]
    motion = DenseFlow(model=model).estimate(*pair(truth))
    off = displacement(motion.transform @ np.linalg.inv(truth), SHAPE)
    if list(MOTIONS).index(model) >= list(MOTIONS).index(moved_as):
        assert off < 0.1
        assert motion.support > 0.8
    else:
        assert off > 0.3


def test_large_frames_are_looked_at_from_afar_and_measured_exactly():
    truth = np.array([[1.002, -0.01, 13.3], [0.01, 1.002, -17.6], [0, 0, 1]])
    motion = DenseFlow().estimate(*pair(truth, (720, 1280)))
    assert displacement(motion.transform @ np.linalg.inv(truth), (720, 1280)) < 0.3


@pytest.mark.parametrize("shift", [(95, 10), (-60, 70)])
def test_leaps_of_a_quarter_of_the_frame_are_found(shift):
    truth = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]], float)
    motion = DenseFlow().estimate(*pair(truth, margin=120))
    assert motion.found
    assert displacement(motion.transform @ np.linalg.inv(truth), SHAPE) < 0.3
    assert motion.surprise == pytest.approx(np.hypot(*shift), abs=0.5)


def test_noise_alone_is_no_texture():
    rng = np.random.default_rng(0)
    still = np.linspace(60, 120, 320)[None] + np.zeros(SHAPE)
    noisy = [(still + rng.normal(0, 6, SHAPE)).clip(0, 255).astype(np.uint8) for _ in range(2)]
    motion = DenseFlow().estimate(*noisy)
    assert motion.verdict in {"textureless", "lost"}
    np.testing.assert_array_equal(motion.transform, np.eye(3))


@pytest.mark.parametrize("model", ["translation", "similarity", "affine"])
def test_every_model_passes(model):
    check_camera_motion(DenseFlow(model=model))


def test_bad_input():
    with pytest.raises(ParameterError, match="model"):
        DenseFlow(model="quadratic")
