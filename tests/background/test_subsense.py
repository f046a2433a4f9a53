"""SuBSENSE is its twin; its thresholds and rates follow the scene."""

import cv2
import numpy as np
import pytest
from reference.footage import footage
from reference.subsense import subsense, tidied

from motionseg.background import Subsense, _feedback
from motionseg.core.errors import ParameterError
from motionseg.metrics.change import ChangeCounts, count_change

R, T = 0, 1  # rows of state()["feedback"]


@pytest.mark.parametrize(
    ("shape", "numbers", "rate", "usual_area"),
    [
        ((10, 17, 3), {}, None, 320 * 240),
        ((11, 18), {"n_samples": 8, "t_upper": 8.0, "seed": 5}, None, 300),
        ((7, 66, 3), {"n_samples": 12, "color_threshold": 8, "history": 6}, None, 600),
        ((13, 15), {"n_samples": 9, "texture_threshold": 0, "relative_threshold": 0.1}, 0.3, 40),
        ((9, 30, 3), {"n_samples": 5, "color_threshold": 50, "t_lower": 1.0, "t_upper": 1.0}, 0.02, 320 * 240),
    ],
)
def test_it_is_its_twin(shape, numbers, rate, usual_area, monkeypatch):
    monkeypatch.setattr(_feedback, "_USUAL_AREA", usual_area)
    frames, model = footage(12, shape, block_from=5, flicker=35, noise=5), Subsense(**numbers)
    answers = subsense(frames, **numbers, learning_rate=rate, usual_area=usual_area)
    for frame, (mask, score) in zip(frames, answers, strict=True):
        np.testing.assert_array_equal(model.apply(frame, learning_rate=rate), mask)
        np.testing.assert_allclose(model.score(), score, atol=1e-5)
    assert 0 < np.mean([score for _, score in answers]) < 1


def test_holes_are_filled_and_specks_swept_away():
    mask = np.zeros((60, 80), np.uint8)
    mask[10:45, 20:70] = 255
    mask[20:30, 30:40], mask[50:53, 5:8] = 0, 255
    clean = _feedback.cleaned(mask)
    np.testing.assert_array_equal(clean == 255, tidied(mask > 0, 9))
    assert clean[25, 35] == 255
    assert not clean[48:].any()


def test_restless_pixels_get_larger_thresholds_and_are_no_foreground():
    rng, model = np.random.default_rng(0), Subsense()
    for _ in range(150):
        frame = np.full((40, 60), 100, np.uint8)
        frame[:, 30:] = rng.integers(30, 220, (40, 30))
        mask = model.apply(frame)
    factor = model.state()["feedback"][:, R]
    assert (factor[:, :25] < 1.1).all()
    assert (factor[:, 35:] > 1.5).mean() > 0.9
    assert not mask.any()


def test_foreground_slows_down_learning_and_background_speeds_it_up():
    model, frame = Subsense(t_lower=4, t_upper=100), np.full((40, 60, 3), 100, np.uint8)
    model.apply(frame)
    frame[10:30, 20:40] = 250
    for _ in range(30):
        model.apply(frame)
    period = model.state()["feedback"][:, T]
    assert period[20, 30] > 9
    assert period[0, 0] == 8  # twice the lower limit, as the frame is small


def test_ghosts_vanish_but_what_stands_still_stays():
    model, empty = Subsense(), np.full((40, 100), 60, np.uint8)
    block = np.s_[8:32, 15:40]
    first, frame = empty.copy(), empty.copy()
    first[block] = 200
    frame[8:32, 60:85] = 200
    model.apply(first)
    masks = [model.apply(frame) for _ in range(250)]
    assert masks[0][block].mean() > 200
    assert not masks[-1][block].any()
    assert masks[-1][10:30, 62:83].all()


def test_it_is_its_twin_where_nothing_rests():
    numbers = {"n_samples": 6, "history": 4, "t_upper": 16.0}
    frames, model = footage(45, (7, 11, 3), block_from=20, flicker=60, noise=40), Subsense(**numbers)
    for frame, (mask, score) in zip(frames, subsense(frames, **numbers), strict=True):
        np.testing.assert_array_equal(model.apply(frame), mask)
        np.testing.assert_allclose(model.score(), score, atol=1e-5)
    assert model.state()["feedback"][:, R].max() > 3.5


@pytest.mark.parametrize("height", [240, 80])
def test_a_change_of_the_whole_scene_refreshes_samples_where_no_object_looks_like_one(height):
    model, shape = Subsense(n_samples=10, history=16), (height, 320, 3)
    for frame in footage(20, shape):
        model.apply(frame)
    shares, refreshed = [], []
    for frame in footage(20, shape):
        shares.append(np.mean(model.apply(cv2.add(frame, (60,) * 4)) > 0))
        refreshed.append(model.state()["counters"][1] > 0)
    assert shares[0] > 0.8
    assert any(refreshed) == (height == 240)
    if height == 240:
        assert shares[-1] < 0.1


def test_the_picture_of_the_background_is_the_median_of_the_samples():
    model, shape = Subsense(n_samples=5), (20, 70, 3)
    for frame in footage(5, shape):
        model.apply(frame)
    colors = model.state()["samples"][:, :, :, ::3].transpose(2, 0, 1, 4, 3).reshape(5, 20, 128, 3)
    np.testing.assert_array_equal(model.background(), np.sort(colors, axis=0)[2, :, :70])


@pytest.mark.parametrize(("shape", "size"), [((64, 64, 3), 499), ((64, 64), 193)])
def test_memory_is_what_it_says(shape, size):
    model = Subsense()
    model.apply(np.zeros(shape, np.uint8))
    state = model.state()
    assert sum(state[name].nbytes for name in ("samples", "features", "feedback", "marks")) == size * 64 * 64


def test_its_patents_are_named():
    assert "EP2015252B1" in Subsense.info.notice
    assert Subsense.info.notice.split(":")[1].split(",")[0].strip() in Subsense.__doc__


@pytest.mark.data
def test_it_finds_cars(data_root):
    road, model, counts = data_root / "CDnet2014/dataset/baseline/highway", Subsense(), ChangeCounts()
    for i in range(1, 670):
        mask = model.apply(cv2.imread(str(road / f"input/in{i:06d}.jpg")))
        if i >= 570:
            counts += count_change(mask, cv2.imread(str(road / f"groundtruth/gt{i:06d}.png"), cv2.IMREAD_GRAYSCALE))
    assert counts.f_measure > 0.92


@pytest.mark.parametrize(
    "bad",
    [
        {"n_samples": 1},
        {"color_threshold": 4},
        {"texture_threshold": 17},
        {"relative_threshold": 1.1},
        {"t_lower": 0.5},
        {"t_upper": 1.5},
        {"history": 3},
        {"seed": -1},
    ],
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        Subsense(**bad)
