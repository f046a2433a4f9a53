"""Codebook is its twin; words come, are believed, and go."""

import cv2
import numpy as np
import pytest
from reference.codebook import codebook
from reference.footage import footage

from motionseg.background import Codebook
from motionseg.core.errors import ParameterError
from motionseg.metrics.change import ChangeCounts, count_change


def words(model, shape):
    """Fields of the model's words as (word, y, x, field)."""
    book = model.state()["book"]
    return (
        book.transpose(0, 1, 3, 2)
        .reshape(len(book), -1, book.shape[2])[:, : shape[0] * shape[1]]
        .reshape(len(book), *shape[:2], -1)
    )


@pytest.mark.parametrize(
    ("shape", "numbers", "given"),
    [
        ((9, 23, 3), {}, None),
        ((11, 18), {"threshold": 9.3}, None),
        ((8, 20, 3), {"n_words": 3, "threshold": 7.0, "patience": 6, "absence": 4, "history": 30}, None),
        ((5, 13, 3), {"n_words": 2, "shadow": 0.5, "highlight": 1.0, "patience": 9, "absence": 1}, 0.3),
        ((2, 64), {"learning_rate": 0.5, "patience": 3, "threshold": 4.0}, None),
        ((4, 16, 3), {"history": 3, "patience": 2}, 1.0),
    ],
)
def test_it_is_its_twin(shape, numbers, given):
    frames, model, found = footage(45, shape, block_from=8, flicker=25), Codebook(**numbers), 0
    answers = codebook(frames, given=given, **numbers)
    for frame, (mask, score, _) in zip(frames, answers, strict=True):
        ours = model.apply(frame, learning_rate=given)
        np.testing.assert_array_equal(ours, mask)
        np.testing.assert_allclose(model.score(), score, rtol=1e-3, atol=1e-3)
        found += (ours == 255).sum()
    assert found > 20
    fields = words(model, shape)
    for place, book in answers[-1][2].items():
        for word, ours in zip(book, fields[(slice(None), *place)], strict=True):
            if word is None:
                assert ours[-2] == 0
            else:
                expected = [*word["color"], word["dark"], word["bright"], word["age"], word["last"]]
                np.testing.assert_allclose(ours, expected, atol=1)  # rounding of float32


def film(*colors):
    """Frames of one BGR colour each."""
    return [np.full((4, 4, 3), color, np.uint8) for color in colors]


BLUE, GREEN, RED = (200, 60, 60), (60, 200, 60), (60, 60, 200)


def test_a_color_that_stays_is_background_in_time_and_the_old_one_is_remembered():
    model = Codebook(patience=40, absence=10)
    masks = [model.apply(frame)[0, 0] for frame in film(*[BLUE] * 100, *[RED] * 60, BLUE)]
    assert masks == [0] * 100 + [255] * 40 + [0] * 21


def test_what_comes_back_often_enough_is_background():
    blinks, rare = Codebook(patience=40, absence=12), Codebook(patience=40, absence=12)
    for i in range(200):
        a = blinks.apply(film(RED if i % 10 == 9 else BLUE)[0])[0, 0]
        b = rare.apply(film(RED if i % 100 == 99 else BLUE)[0])[0, 0]
    assert (a, b) == (0, 255)


def test_what_was_known_for_long_is_forgotten_late():
    for known, forgotten in ((60, True), (190, False)):
        model = Codebook(patience=20, absence=10)
        for frame in film(*[GREEN] * known, *[RED] * 150):
            model.apply(frame)
        assert (model.apply(film(GREEN)[0])[0, 0] == 255) == forgotten


def test_all_words_in_use_are_not_overwritten():
    model = Codebook(n_words=2, patience=1)
    for frame in film(BLUE, RED, BLUE, GREEN):
        model.apply(frame)
    assert [model.apply(frame, learning_rate=0)[0, 0] for frame in film(BLUE, RED, GREEN)] == [0, 0, 255]


def test_absences_beyond_16_bits_are_kept_apart():
    model, frames = Codebook(patience=2, history=4), film(BLUE, RED)
    model.apply(frames[0])
    for _ in range(66_000):
        model.apply(frames[1])
    assert model.background()[0, 0].tolist() == list(RED)
    assert not model.apply(frames[1]).any()


def test_shadow_and_highlight_are_background_as_far_as_told():
    model = Codebook(threshold=5, shadow=0.7, highlight=1.3)
    base = np.full((1, 5, 3), (100, 100, 160), np.uint8)
    model.apply(base)
    frame = (base * np.array([0.65, 0.72, 1, 1.25, 1.36])[None, :, None]).astype(np.uint8)
    assert model.apply(frame).tolist() == [[255, 0, 0, 0, 255]]


@pytest.mark.parametrize(("shape", "size"), [((64, 64, 3), 70), ((64, 64), 50)])
def test_memory_is_what_it_says(shape, size):
    model = Codebook()
    model.apply(np.zeros(shape, np.uint8))
    assert model.memory() == size * 64 * 64


@pytest.mark.data
def test_it_finds_cars(data_root):
    road, model, counts = data_root / "CDnet2014/dataset/baseline/highway", Codebook(), ChangeCounts()
    for i in range(1, 670):
        mask = model.apply(cv2.imread(str(road / f"input/in{i:06d}.jpg")))
        if i >= 570:
            counts += count_change(mask, cv2.imread(str(road / f"groundtruth/gt{i:06d}.png"), cv2.IMREAD_GRAYSCALE))
    assert counts.f_measure > 0.7


@pytest.mark.parametrize(
    "bad", [{"n_words": 1}, {"threshold": 0}, {"shadow": 0}, {"highlight": 0.9}, {"history": 299}, {"patience": 0}]
)
def test_bad_parameters(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        Codebook(**bad)
