"""LOBSTER is its twin; colour and texture have to fit."""

import cv2
import numpy as np
import pytest
from reference.footage import footage
from reference.lobster import lobster

from motionseg.background import Lobster
from motionseg.core.errors import ParameterError
from motionseg.metrics.change import ChangeCounts, count_change


@pytest.mark.parametrize(
    ("shape", "numbers", "rate"),
    [
        ((10, 17, 3), {}, None),
        ((11, 18), {"n_samples": 8, "period": 1.0, "seed": 5}, None),
        ((7, 66, 3), {"n_samples": 12, "color_threshold": 9, "period": 3.0}, None),
        ((13, 15), {"n_samples": 9, "texture_threshold": 1, "relative_threshold": 0.1}, 0.3),
        ((9, 30, 3), {"n_samples": 5, "color_threshold": 70, "texture_threshold": 2}, 0.02),
    ],
)
def test_it_is_its_twin(shape, numbers, rate):
    frames, model = footage(12, shape, block_from=5, flicker=25, noise=5), Lobster(**numbers)
    answers = lobster(frames, **numbers, learning_rate=rate)
    for frame, (mask, score) in zip(frames, answers, strict=True):
        np.testing.assert_array_equal(model.apply(frame, learning_rate=rate), mask)
        np.testing.assert_allclose(model.score(), score, atol=1e-6)
    assert 0 < np.mean([score for _, score in answers]) < 1


def test_what_has_the_color_of_the_background_is_seen_by_its_texture():
    model, wall = Lobster(), np.full((40, 60), 100, np.uint8)
    model.apply(wall)
    frame = wall.copy()
    frame[10:30, 20:40] += (np.arange(20) // 2 % 2 * 25).astype(np.uint8)  # stripes
    assert abs(frame.astype(int) - wall).max() < model.color_threshold
    mask = model.apply(frame)
    assert (mask[13:27, 23:37] == 255).all()
    assert not mask[:5].any()


def test_a_change_of_brightness_below_the_threshold_is_none():
    model, wall = Lobster(), np.full((40, 60, 3), 100, np.uint8)
    model.apply(wall)
    assert not model.apply(wall + np.uint8(30)).any()
    assert model.apply(wall + np.uint8(31)).all()


def test_ghosts_are_eaten_up_but_what_stands_still_stays():
    model, empty = Lobster(period=2), np.full((40, 100), 60, np.uint8)
    first, frame = empty.copy(), empty.copy()
    first[8:32, 15:40] = 200
    frame[8:32, 60:85] = 200
    model.apply(first)
    areas = []
    for _ in range(200):
        mask = model.apply(frame)
        areas.append((np.count_nonzero(mask[:, :50]), np.count_nonzero(mask[:, 50:])))
    assert areas[0][0] > 300
    assert areas[-1][0] == 0
    assert areas[-1][1] > 450


def test_the_picture_of_the_background_is_the_median_of_the_samples():
    model, shape = Lobster(n_samples=5), (20, 70, 3)
    for frame in footage(5, shape):
        model.apply(frame)
    colors = model.state()["samples"][:, :, :, ::3].transpose(2, 0, 1, 4, 3).reshape(5, 20, 128, 3)
    np.testing.assert_array_equal(model.background(), np.sort(colors, axis=0)[2, :, :70])


@pytest.mark.parametrize(("shape", "size"), [((64, 64, 3), 315), ((64, 64), 105)])
def test_memory_is_what_it_says(shape, size):
    model = Lobster()
    model.apply(np.zeros(shape, np.uint8))
    assert model.memory() == size * 64 * 64


def test_its_patents_are_named():
    assert "EP2015252B1, US8009918B2, JP4699564B2" in Lobster.info.notice
    assert "EP2015252B1, US8009918B2, JP4699564B2" in Lobster.__doc__


@pytest.mark.data
def test_it_finds_cars(data_root):
    road, model, counts = data_root / "CDnet2014/dataset/baseline/highway", Lobster(), ChangeCounts()
    for i in range(1, 670):
        mask = model.apply(cv2.imread(str(road / f"input/in{i:06d}.jpg")))
        if i >= 570:
            counts += count_change(mask, cv2.imread(str(road / f"groundtruth/gt{i:06d}.png"), cv2.IMREAD_GRAYSCALE))
    assert counts.f_measure > 0.85


@pytest.mark.parametrize(
    "bad",
    [
        {"n_samples": 1},
        {"color_threshold": 256},
        {"texture_threshold": -1},
        {"relative_threshold": 1.1},
        {"period": 0.5},
        {"seed": -1},
    ],
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        Lobster(**bad)
