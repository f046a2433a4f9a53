import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.signal import convolve2d

from motionseg.core.errors import FrameError
from motionseg.metrics.background_image import compare_backgrounds

pictures = hnp.arrays(np.uint8, (5, 6))
valids = hnp.arrays(np.bool_, (5, 6)).filter(np.any) | st.none()


@given(pictures, pictures, valids)
def test_pixel_by_pixel(found, truth, valid):
    valid = np.ones((5, 6), bool) if valid is None else valid
    difference = np.abs(found.astype(int) - truth)
    n = error = clustered = 0
    for y in range(5):
        for x in range(6):
            if not valid[y, x]:
                continue
            around = [(y, x), (y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            around = [(j, i) for j, i in around if 0 <= j < 5 and 0 <= i < 6 and valid[j, i]]
            n, error = n + 1, error + (difference[y, x] > 20)
            clustered += all(difference[place] > 20 for place in around)
    scores = compare_backgrounds(found, truth, valid=valid)
    assert scores.age == pytest.approx(difference[valid].mean())
    assert (scores.peps, scores.pceps) == (error / n, clustered / n)
    mse = (difference[valid] ** 2).mean()
    assert scores.psnr == (pytest.approx(20 * math.log10(255 / math.sqrt(mse))) if mse else math.inf)
    assert math.isnan(scores.ms_ssim)


def test_by_hand():
    truth = np.full((32, 40), 100, np.uint8)
    found = truth.copy()
    found[10:13, 10:14] = 121  # 12 error pixels; all four neighbours of two of them
    found[20, 20] = 80  # 20 grey levels are none
    scores = compare_backgrounds(found, truth)
    assert scores.peps == 12 / 1280
    assert scores.pceps == 2 / 1280
    assert scores.age == (12 * 21 + 20) / 1280
    assert scores.psnr == pytest.approx(10 * math.log10(65025 * 1280 / (12 * 441 + 400)))


def slow_ms_ssim(a, b):
    """Wang, Simoncelli and Bovik 2003, with whole two-dimensional windows and strided means."""
    size = min(11, min(a.shape) // 16)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    window = np.exp(-(x * x + y * y) / 4.5)
    window /= window.sum()
    factors = []
    for scale in range(5):
        mean_a, mean_b = (convolve2d(p, window, "valid") for p in (a, b))
        var_a, var_b, both = (convolve2d(p, window, "valid") for p in (a * a, b * b, a * b))
        var_a, var_b, both = var_a - mean_a**2, var_b - mean_b**2, both - mean_a * mean_b
        structure = (2 * both + 58.5225) / (var_a + var_b + 58.5225)
        luminance = (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025)
        factors.append(np.mean(structure * luminance if scale == 4 else structure))
        a, b = ([[p[i : i + 2, j : j + 2].mean() for j in range(0, p.shape[1], 2)] for i in range(0, p.shape[0], 2)]
                for p in (a, b))  # fmt: skip
        a, b = np.array(a), np.array(b)
    return float(np.prod(np.maximum(factors, 0) ** [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]))


@pytest.mark.parametrize("shape", [(176, 180), (211, 223), (144, 200), (16, 33), (165, 170)])
def test_ms_ssim_is_that_of_its_slow_twin(shape):
    random = np.random.default_rng(0)
    truth = cv2.GaussianBlur(random.integers(0, 256, shape, dtype=np.uint8), (0, 0), 2)
    noisy = np.clip(truth + random.normal(0, 8, shape), 0, 255).astype(np.uint8)
    for found in (noisy, cv2.blur(truth, (5, 5)), 255 - truth):
        expected = slow_ms_ssim(found.astype(float), truth.astype(float))
        assert compare_backgrounds(found, truth).ms_ssim == pytest.approx(expected, abs=1e-9)


def test_ms_ssim_orders_what_the_eye_orders():
    random = np.random.default_rng(1)
    truth = cv2.GaussianBlur(random.integers(0, 256, (180, 180), dtype=np.uint8), (0, 0), 3)
    brighter, blurred = truth + np.uint8(10), cv2.blur(truth, (9, 9))
    values = [compare_backgrounds(found, truth).ms_ssim for found in (truth, brighter, blurred, 255 - truth)]
    assert values[0] == pytest.approx(1)
    assert values[0] > values[1] > values[2] > values[3] == 0


def test_pixels_that_are_not_valid_do_not_matter():
    random = np.random.default_rng(2)
    found, truth = random.integers(0, 256, (2, 176, 176), dtype=np.uint8)
    valid = np.ones((176, 176), bool)
    valid[:, :90] = False
    other = np.where(valid, found, 255 - found)
    assert compare_backgrounds(found, truth, valid=valid) == compare_backgrounds(other, truth, valid=valid)
    assert compare_backgrounds(found, truth, valid=valid) != compare_backgrounds(found, truth)


def test_colours_are_compared_by_their_luma():
    random = np.random.default_rng(3)
    found, truth = random.integers(0, 256, (2, 40, 50, 3), dtype=np.uint8)
    grey = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in (found, truth)]
    assert compare_backgrounds(found, truth) == compare_backgrounds(*grey)
    assert list(compare_backgrounds(found, truth).metrics()) == ["AGE", "pEPs", "pCEPs", "PSNR", "MS-SSIM"]


def test_bad_arrays_are_refused():
    picture = np.zeros((20, 30), np.uint8)
    with pytest.raises(FrameError, match="differ"):
        compare_backgrounds(picture, picture.T)
    with pytest.raises(FrameError, match="uint8"):
        compare_backgrounds(picture.astype(float), picture)
    with pytest.raises(FrameError, match="no pixel"):
        compare_backgrounds(picture, picture, valid=np.zeros((20, 30), bool))
    with pytest.raises(FrameError, match="valid"):
        compare_backgrounds(picture, picture, valid=picture)
