"""Whether the border of a region is that of a thing, or of a place where one was."""

import numpy as np
import pytest

from motionseg.regions import find_regions
from motionseg.regions._presence import presences

SHAPE = (60, 80)


def scene(grey, *spots):
    frame = np.full((*SHAPE, 3), 120, np.uint8)
    for y0, x0, color in spots:
        frame[y0 : y0 + 16, x0 : x0 + 16] = color
    return frame.mean(axis=2).astype(np.uint8) if grey else frame


def mask_of(*corners):
    mask = np.zeros(SHAPE, np.uint8)
    for y0, x0 in corners:
        mask[y0 : y0 + 16, x0 : x0 + 16] = 255
    return mask


@pytest.mark.parametrize("grey", [False, True])
def test_a_thing_is_there_and_one_taken_away_is_not(grey):
    come, gone = (10, 10, (200, 60, 40)), (30, 50, (30, 30, 30))
    _, regions = find_regions(mask_of((10, 10), (30, 50)), frame=scene(grey, come), background=scene(grey, gone))
    there, away = regions.presence
    assert there > 0.8
    assert away < -0.8


def test_where_nothing_has_an_edge_or_both_have_nobody_knows():
    spot = (10, 10, (30, 30, 30))
    for now, before in ((scene(False), scene(False)), (scene(False, spot), scene(False, spot))):
        _, regions = find_regions(mask_of((10, 10)), frame=now, background=before)
        assert regions.presence.tolist() == [0]


def test_steps_that_are_noise_do_not_count():
    _, regions = find_regions(mask_of((10, 10)), frame=scene(False, (10, 10, (128,) * 3)), background=scene(False))
    assert regions.presence.tolist() == [0]


def test_regions_at_the_border_of_the_picture_and_of_one_pixel():
    labels, frame = np.zeros(SHAPE, np.int32), scene(False)
    labels[:] = 1
    whole = np.array([[0, 0, SHAPE[1], SHAPE[0]]], np.float32)
    assert presences(frame, frame, labels, whole).tolist() == [0]  # has no border within the picture
    labels[:] = 0
    labels[0, 0] = 1
    found = presences(frame, frame, labels, np.array([[0, 0, 1, 1]], np.float32))
    assert found.tolist() == [0]
    corner = scene(False, (0, 0, (200, 60, 40)))
    _, regions = find_regions(mask_of((0, 0)), frame=corner, background=frame)
    assert regions.presence[0] > 0.8


def test_without_a_background_it_is_not_measured():
    _, regions = find_regions(mask_of((10, 10)), frame=scene(False, (10, 10, (0, 0, 0))))
    assert regions.presence.tolist() == [0]
