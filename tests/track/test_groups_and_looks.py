"""Several tracks in one region: where they are, whose its pixels are; and what looks are worth."""

import numpy as np
import pytest
from drawn_scenes import BLUE, RED

from motionseg.core.colors import color_histograms, color_numbers
from motionseg.track._groups import color_odds, led, located, shared_out
from motionseg.track._likeness import Looks
from motionseg.track._pixels import Shape, ellipse


def boxes(*rows):
    return np.array(rows, np.float64)


def around(middles):
    return np.concatenate([middles - 10, middles + 10], axis=1)


# --- led --------------------------------------------------------------------------------------------


def test_who_reaches_farthest_is_led_by_the_side():
    found, known = led(boxes([10, 10, 30, 50], [40, 10, 60, 50]), np.array([6, 10, 63, 50], np.float32))
    np.testing.assert_allclose(found, [[6, 10, 26, 50], [43, 10, 63, 50]])
    assert known[:, 0].all()


def test_one_that_reaches_to_both_sides_is_put_between():
    found, _ = led(boxes([10, 10, 30, 50]), np.array([8, 10, 36, 50], np.float32))
    np.testing.assert_allclose(found[0, [0, 2]], [12, 32])


def test_nobody_is_outside_and_who_is_inside_stays():
    expected = boxes([0, 0, 40, 20], [50, 5, 60, 15], [-30, 0, -10, 20])
    found, known = led(expected, np.array([0, 0, 80, 20], np.float32))
    assert (found[:, 0] >= 0).all()
    assert (found[:, 2] <= 80).all()
    np.testing.assert_allclose(found[:, 2:] - found[:, :2], expected[:, 2:] - expected[:, :2])
    inner, known = led(boxes([0, 0, 40, 20], [20, 5, 30, 15], [60, 2, 80, 18]), np.array([0, 0, 80, 20], np.float32))
    np.testing.assert_allclose(inner[1], [20, 5, 30, 15])
    assert known.tolist() == [[True, True], [False, False], [True, False]]


def test_one_larger_than_the_region_lies_about_its_middle():
    found, _ = led(boxes([0, 0, 40, 20], [10, 0, 20, 20]), np.array([100, 0, 120, 20], np.float32))
    assert found[0, :].tolist() == [90, 0, 130, 20]


def test_the_given_boxes_stay():
    expected = boxes([10, 10, 30, 50])
    led(expected, np.array([8, 10, 36, 50], np.float32))
    assert expected.tolist() == [[10, 10, 30, 50]]


# --- colours in a region ------------------------------------------------------------------------------


def two_coloured(split=14):
    """A region 40 wide, red up to `split` and blue beyond; and the histograms of both, each of it alone."""
    frame, region = np.zeros((20, 40, 3), np.uint8), np.ones((20, 40), bool)
    frame[:, :split], frame[:, split:] = RED, BLUE
    alone = []
    for color in (RED, BLUE):
        plain = np.tile(np.uint8(color), (20, 20, 1))
        labels, box = np.ones((20, 20), np.int32), np.array([[0, 0, 20, 20]], np.float32)
        alone.append(color_histograms(plain, labels, box, np.array([400]))[0])
    return frame, region, np.array(alone, np.float64) ** 2


def test_colours_say_whose_pixels_are():
    frame, region, histograms = two_coloured()
    region[:, 30:] = False
    odds = color_odds(color_numbers(frame), 0, histograms, boxes([0, 0, 20, 20], [20, 0, 40, 20]), region)
    assert (odds[0, :, :13] > 1).all()
    assert (odds[1, :, :13] < -1).all()
    assert (odds[1, :, 16:30] > 1).all()
    assert not odds[:, :, 30:].any()


def test_who_has_changed_places_is_located_by_colours():
    frame, region, histograms = two_coloured(split=20)
    shapes = [Shape(np.ones((20, 20), bool), (-10.0, -10.0))] * 2
    wrong = boxes([30, 10], [10, 10])  # red right, blue left
    odds = color_odds(color_numbers(frame), 0, histograms, around(wrong), region)
    found = located(odds, (0, 0), region, shapes, wrong, np.full((2, 2), 200.0))
    np.testing.assert_allclose(found, [[10, 10], [30, 10]], atol=1.5)
    sure = located(odds, (0, 0), region, shapes, wrong, np.full((2, 2), 0.01))
    np.testing.assert_allclose(sure, wrong, atol=1.5)


def test_located_counts_from_the_corner():
    frame, region, histograms = two_coloured(split=20)
    shapes, at = [Shape(np.ones((20, 20), bool), (-10.0, -10.0))] * 2, boxes([115, 62], [125, 58])
    odds = color_odds(color_numbers(frame), 50, histograms, around(at), region)
    found = located(odds, (100, 50), region, shapes, at, np.full((2, 2), 400.0))
    np.testing.assert_allclose(found, [[110, 60], [130, 60]], atol=1.5)


# --- sharing out --------------------------------------------------------------------------------------


def test_every_pixel_of_a_region_has_an_owner_and_none_beside_it():
    rng = np.random.default_rng(0)
    for k in range(1, 5):
        region = rng.random((30, 40)) < 0.7
        shapes = [ellipse(rng.uniform(4, 30, 2)) for _ in range(k)]
        owners, alone, left_over = shared_out(region, (7, 3), shapes, rng.uniform(0, 50, (k, 2)))
        assert owners.dtype == np.int32
        assert owners.shape == region.shape
        np.testing.assert_array_equal(owners > 0, region)
        assert owners.max() <= k
        assert (alone >= 0).all()
        assert (alone <= 1).all()
        assert (left_over >= alone).all()


def test_two_shapes_get_their_own_pixels():
    region = np.ones((20, 40), bool)
    shapes = [Shape(np.ones((20, 20), bool), (-10.0, -10.0))] * 2
    owners, alone, left_over = shared_out(region, (100, 50), shapes, boxes([110, 60], [130, 60]))
    np.testing.assert_array_equal(owners, np.repeat([[1] * 20 + [2] * 20], 20, axis=0))
    assert alone.tolist() == [1, 1]
    assert left_over.tolist() == [1, 1]


def test_what_lies_in_two_shapes_goes_to_the_nearer_middle_and_what_is_hidden_owns_nothing_alone():
    region = np.ones((20, 30), bool)
    shapes = [Shape(np.ones((20, 20), bool), (-10.0, -10.0))] * 2
    owners, alone, _ = shared_out(region, (0, 0), shapes, boxes([10, 10], [20, 10]))
    assert np.count_nonzero(owners == 1) == pytest.approx(300, abs=20)
    assert alone.tolist() == [0.5, 0.5]
    small = Shape(np.ones((4, 4), bool), (-2.0, -2.0))
    _, alone, left_over = shared_out(np.ones((20, 20), bool), (0, 0), [shapes[0], small], boxes([10, 10], [10, 10]))
    assert alone.tolist() == [1 - 16 / 400, 0]
    assert left_over[1] == 0


def test_colours_move_the_border():
    frame, region, histograms = two_coloured(split=14)
    shapes = [Shape(np.ones((20, 20), bool), (-10.0, -10.0))] * 2
    at = boxes([10, 10], [30, 10])
    odds = color_odds(color_numbers(frame), 0, histograms, around(at), region)
    plain, _, _ = shared_out(region, (0, 0), shapes, at)
    owners, _, _ = shared_out(region, (0, 0), shapes, at, odds)
    truth = np.where(np.arange(40) < 14, 1, 2)[None]
    assert np.mean(owners == truth) > np.mean(plain == truth) + 0.04  # by some pixels


# --- what looks are worth -----------------------------------------------------------------------------


def test_where_all_look_the_same_looks_weigh_nothing():
    looks, rng = Looks(), np.random.default_rng(0)
    for _ in range(100):
        looks.learn(rng.uniform(0, 0.1, 30), rng.uniform(0, 0.1, 30))
    assert np.abs(looks.likeness(np.linspace(0, 1, 20))).max() < 0.5  # of 4


def test_where_others_look_more_alike_than_oneself_looks_are_silent():
    looks = Looks()
    for _ in range(100):
        looks.learn(np.full(30, 0.3), np.full(30, 0.1))
    assert not looks.likeness(np.linspace(0, 1, 20)).any()


def test_where_all_look_different_looks_are_sure_but_never_quite():
    looks, rng = Looks(), np.random.default_rng(0)
    for _ in range(100):
        looks.learn(rng.uniform(0.02, 0.08, 30), rng.uniform(0.5, 0.9, 30))
    near, far = looks.likeness(np.array([0.03, 0.9]))
    assert (near, far) == (4, -4)
    values = looks.likeness(np.linspace(-1, 2, 200))
    assert (np.diff(values) <= 0).all()
    assert np.abs(values).max() <= 4


def test_looks_follow_the_stream_and_no_pair_is_no_news():
    looks, rng = Looks(), np.random.default_rng(0)
    before = looks.seen.copy()
    looks.learn(np.zeros(0), np.zeros(0))
    np.testing.assert_array_equal(looks.seen, before)
    for mean in (0.1, 0.25):  # the light begins to flicker
        for _ in range(1000):
            looks.learn(rng.normal(mean, 0.02, 20), rng.normal(0.6, 0.1, 10))
        np.testing.assert_allclose(looks.seen[:, 1], [mean, 0.6], atol=0.02)
        np.testing.assert_allclose(looks.seen[:, 2] - looks.seen[:, 1] ** 2, [0.02**2, 0.1**2], rtol=0.3)
    assert looks.seen[:, 0].max() <= 2000


def test_one_batch_larger_than_the_memory():
    looks = Looks()
    looks.learn(np.full(5000, 0.2), np.full(5000, 0.5))
    np.testing.assert_allclose(looks.seen[:, 1], [0.2, 0.5], atol=1e-9)
    assert np.isfinite(looks.numbers()).all()
