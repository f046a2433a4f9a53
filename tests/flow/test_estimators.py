import cv2
import numpy as np
import pytest

from motionseg.core import catalog
from motionseg.core.errors import FrameError, ParameterError
from motionseg.datasets import SyntheticScene

ESTIMATORS = catalog.names("flow")


def texture(shape, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_shift_is_found(name, channels):
    previous = texture((120, 160, *channels))
    current = np.roll(previous, (2, -3), axis=(0, 1))
    before = previous.copy()
    flow = catalog.find("flow", name)().estimate(previous, current)
    assert flow.dtype == np.float32
    assert flow.shape == (120, 160, 2)
    np.testing.assert_array_equal(previous, before)
    error = np.hypot(*np.moveaxis(flow[16:-16, 16:-16] - (-3, 2), -1, 0))
    assert error.mean() < 0.5


@pytest.mark.parametrize("name", ESTIMATORS)
def test_nothing_moves_and_nothing_is_there(name):
    estimator = catalog.find("flow", name)()
    still = texture((64, 64))
    assert np.abs(estimator.estimate(still, still)[8:-8, 8:-8]).mean() < 0.05
    assert np.isfinite(estimator.estimate(np.zeros((64, 64), np.uint8), np.full((64, 64), 9, np.uint8))).all()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_synthetic_pan(name):
    scene = SyntheticScene(width=160, height=120, n_frames=4, n_objects=0, pan=2.0, noise=1.0)
    flow, shot = catalog.find("flow", name)().estimate(scene[2].frame, scene[3].frame), scene[3]
    assert np.hypot(*(flow - shot.flow)[shot.flow_valid].T).mean() < 0.7


@pytest.mark.parametrize("name", ESTIMATORS)
def test_wrong_frames(name):
    estimator = catalog.find("flow", name)()
    with pytest.raises(FrameError, match="the first one had"):
        estimator.estimate(texture((64, 64)), texture((64, 66)))
    with pytest.raises(FrameError, match="uint8"):
        estimator.estimate(np.zeros((64, 64)), np.zeros((64, 64)))


def test_wrong_numbers():
    with pytest.raises(ParameterError, match="preset"):
        catalog.find("flow", "opencv_dis")(preset="slow")
    with pytest.raises(ParameterError, match="window"):
        catalog.find("flow", "opencv_farneback")(window=1)
    with pytest.raises(FrameError, match="12 pixels"):
        catalog.find("flow", "opencv_dis")().estimate(texture((8, 64)), texture((8, 64)))
