"""PAWCS is its twin; words count by persistence."""

import cv2
import numpy as np
import pytest
from reference.footage import footage
from reference.pawcs import pawcs

from motionseg.background import Pawcs, _feedback
from motionseg.background._global_words import pardon
from motionseg.core.errors import ParameterError
from motionseg.metrics.change import ChangeCounts, count_change

R = 0  # row of state()["feedback"]
COUNT, FIRST, LAST = range(3)  # rows of state()["stamps"]


@pytest.mark.parametrize(
    ("shape", "numbers", "rate", "usual_area"),
    [
        ((10, 17, 3), {"n_global_words": 6}, None, 320 * 240),
        ((11, 18), {"n_words": 2, "n_global_words": 4, "t_upper": 8.0, "seed": 5}, None, 300),
        ((7, 66, 3), {"n_words": 4, "n_global_words": 3, "color_threshold": 9, "history": 6}, None, 600),
        ((13, 15), {"texture_threshold": 0, "relative_threshold": 0.1, "inertia": 8.0}, 0.3, 40),
        ((9, 30, 3), {"n_words": 1, "n_global_words": 9, "color_threshold": 40, "t_lower": 4.0}, 0.02, 320 * 240),
    ],
)
def test_it_is_its_twin(shape, numbers, rate, usual_area, monkeypatch):
    monkeypatch.setattr(_feedback, "_USUAL_AREA", usual_area)
    frames, model = footage(14, shape, block_from=5, flicker=35, noise=5), Pawcs(**numbers)
    answers, colors, presence = pawcs(frames, **numbers, learning_rate=rate, usual_area=usual_area)
    for frame, (mask, score) in zip(frames, answers, strict=True):
        np.testing.assert_array_equal(model.apply(frame, learning_rate=rate), mask)
        np.testing.assert_allclose(model.score(), score, atol=1e-5)
    np.testing.assert_array_equal(model.state()["dictionary"][:, ::3], colors)
    np.testing.assert_allclose(model.state()["presence"], presence, atol=1e-6)
    assert 0 < np.mean([score for _, score in answers]) < 1


def test_what_was_there_for_long_outlives_what_hides_it():
    model, empty = Pawcs(), np.full((40, 60), 60, np.uint8)
    hidden = empty.copy()
    hidden[8:32, 15:45] = 200
    for _ in range(200):
        model.apply(empty)
    masks = [model.apply(hidden) for _ in range(100)]
    assert all((mask[12:28, 19:41] == 255).all() for mask in masks)
    assert not model.apply(empty)[12:28, 19:41].any()


def test_ghosts_vanish():
    model, empty = Pawcs(), np.full((40, 60), 60, np.uint8)
    first = empty.copy()
    first[8:32, 15:45] = 200
    for _ in range(100):
        model.apply(first)
    areas = [np.count_nonzero(model.apply(empty)) for _ in range(300)]
    assert areas[20] > 500
    assert not any(areas[210:])  # 222 without a hand from the neighbours


def test_words_count_the_frames_they_occur_in():
    model, frame = Pawcs(), np.full((40, 60, 3), 60, np.uint8)
    for _ in range(20):
        model.apply(frame)
    for _ in range(5):
        model.apply(frame + np.uint8(100))
    stamps = model.state()["stamps"][:, 0, :, :, :60]
    assert (stamps[:, 0, COUNT] >= 20).all()
    assert (stamps[:, 0, LAST] < 20).all()
    assert (stamps[:, 1, FIRST] > 19).mean() > 0.5  # T is 1 to begin with: what is new is learned soon


def test_words_follow_the_light():
    model = Pawcs()
    for level in range(60, 100, 4):
        mask = model.apply(np.full((40, 60, 3), level, np.uint8))
        assert not mask.any()
        assert (abs(model.background().astype(int) - level) <= 12).all()  # half of the limit
    assert (model.state()["stamps"][:, 0, 0, COUNT, :60] >= 10).all()


def test_pixels_that_look_like_what_is_common_around_are_pardoned():
    features = np.zeros((3, 8), np.uint8)
    features[:, 3], features[:, 4:] = (0, 0, 1), [[0], [31], [0]]  # one bit of texture, then five
    features[0] = [100, 100, 140, 100, 100, 100, 100, 100]
    dictionary = np.array([[110, 0, 0], [100, 31, 0]], np.uint8)
    presence = np.array([[0.8, 0], [0.8, 0], [0, 1.6], [0, 1.5]], np.float32)
    goal, found = np.full(8, 0.3, np.float32), np.full(8, 0.1, np.float32)
    goal[1] = 0.31
    limits = np.full(8, 20, np.uint16), np.full(8, 2, np.uint16)
    pardon(features, dictionary, presence, goal, found, *limits)
    np.testing.assert_allclose(found, [0.3, 0.1, 0.1, 0.3, 0.3, 0.3, 0.1, 0.1])


def test_it_is_its_twin_where_nothing_rests():
    numbers = {
        "n_words": 6,
        "n_global_words": 5,
        "history": 4,
        "inertia": 3.0,
        "color_threshold": 60,
        "texture_threshold": 8,
    }
    frames, model = footage(45, (8, 13, 3), block_from=20, flicker=60, noise=30), Pawcs(**numbers)
    answers, colors, presence = pawcs(frames, **numbers)
    for frame, (mask, score) in zip(frames, answers, strict=True):
        np.testing.assert_array_equal(model.apply(frame), mask)
        np.testing.assert_allclose(model.score(), score, atol=1e-5)
    assert presence.max() > 0.1
    np.testing.assert_array_equal(model.state()["dictionary"][:, ::3], colors)
    np.testing.assert_allclose(model.state()["presence"], presence, atol=1e-6)
    assert model.state()["feedback"][:, R].max() > 3


@pytest.mark.parametrize("height", [240, 80])
def test_a_change_of_the_whole_scene_starts_words_anew_where_no_object_looks_like_one(height):
    model, shape = Pawcs(history=16), (height, 320, 3)
    for frame in footage(20, shape):
        model.apply(frame)
    for frame in footage(20, shape):
        mask = model.apply(cv2.add(frame, (60,) * 4))
    assert (model.state()["counters"][1] > 0) == (height == 240)
    assert (np.mean(mask > 0) < 0.1) == (height == 240)


def test_the_picture_of_the_background_is_the_first_word():
    model, shape = Pawcs(), (20, 70, 3)
    for frame in footage(5, shape):
        model.apply(frame)
    colors = model.state()["words"][:, :, 0, ::3].swapaxes(2, 3).reshape(20, 128, 3)
    np.testing.assert_array_equal(model.background(), colors[:, :70])


@pytest.mark.parametrize(("shape", "size"), [((64, 64, 3), 624), ((64, 64), 468)])
def test_memory_is_what_it_says(shape, size):
    model = Pawcs()
    model.apply(np.zeros(shape, np.uint8))
    names = ("words", "stamps", "presence", "features", "feedback", "marks")
    assert sum(model.state()[name].nbytes for name in names) == size * 64 * 64


def test_its_patents_are_named():
    assert "EP2015252B1, US8009918B2, JP4699564B2" in Pawcs.info.notice
    assert "EP2015252B1, US8009918B2, JP4699564B2" in Pawcs.__doc__


@pytest.mark.data
def test_it_finds_cars(data_root):
    road, model, counts = data_root / "CDnet2014/dataset/baseline/highway", Pawcs(), ChangeCounts()
    for i in range(1, 670):
        mask = model.apply(cv2.imread(str(road / f"input/in{i:06d}.jpg")))
        if i >= 570:
            counts += count_change(mask, cv2.imread(str(road / f"groundtruth/gt{i:06d}.png"), cv2.IMREAD_GRAYSCALE))
    assert counts.f_measure > 0.9


@pytest.mark.parametrize(
    "bad",
    [
        {"n_words": 0},
        {"n_global_words": 0},
        {"color_threshold": 4},
        {"texture_threshold": 17},
        {"relative_threshold": 1.1},
        {"inertia": 0.5},
        {"t_lower": 0.5},
        {"t_upper": 0.9},
        {"history": 3},
        {"seed": -1},
    ],
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        Pawcs(**bad)
